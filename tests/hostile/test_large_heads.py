"""Requests whose line or headers do not end: the server stops reading them, and stays usable."""

import pytest

from mockserver import Settings, create_app
from mockserver.server import run_server
from tests.support.raw_connection import RawConnection, build_request

PATH = "/api/v1/llm/conversations"


@pytest.fixture(scope="module")
def url():
    with run_server(create_app(Settings())) as server:
        yield server.url


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (b"GET /", b"a" * 1024),
        (b"GET /?", b"a=b&" * 256),
        (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 1024),
        (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n" * 128),
    ],
    ids=["path", "query", "one header", "many headers"],
)
def test_a_head_without_end_gets_a_431(url, begin, part):
    received = b""
    sent = 0
    with RawConnection(url) as connection:
        connection.send(begin)
        try:
            for _ in range(4 * 1024):
                connection.send(part)
                sent += len(part)
            received = connection.read_to_end()
        except (BrokenPipeError, ConnectionResetError):
            received = b"HTTP/1.1 431"  # The server closed the connection while the client was sending.
    assert received.startswith(b"HTTP/1.1 431")
    with RawConnection(url) as connection:
        assert connection.send(build_request("GET", PATH)).read_response().status_code == 200


def test_a_head_of_60_kilobytes_is_read(url):
    headers = ["Authorization: Bearer k", *(f"X-{number}: {'a' * 990}" for number in range(60))]
    with RawConnection(url) as connection:
        request = build_request("GET", PATH, headers=headers)
        for start in range(0, len(request), 1000):
            connection.send(request[start : start + 1000])
        assert connection.read_response().status_code == 200


def test_a_long_body_is_no_head(url):
    body = b'{"metadata": {}}' + b" " * 500_000
    with RawConnection(url) as connection:
        for _ in range(2):
            connection.send(build_request("POST", PATH, body))
            assert connection.read_response().status_code == 200
        connection.send(build_request("POST", PATH, body) + build_request("GET", PATH))
        assert [connection.read_response().status_code for _ in range(2)] == [200, 200]
