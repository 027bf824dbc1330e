"""Clients that misbehave: what they get, and that others are served all the same."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import mockserver.uvicorn_server
from mockserver import Settings, create_app, run_server
from tests.support.raw_connection import RawConnection, build_request

API = "/api/v1/llm/conversations"
LIMIT = 2000
BODY = b'{"metadata":{"channel":"support"}}'


def post(body: bytes = BODY, path: str = API, *headers: str) -> bytes:
    return build_request("POST", path, body, ["Authorization: Bearer k", *headers])


def chunked(body: bytes) -> bytes:
    head = post(b"", API, "Transfer-Encoding: chunked")
    parts = [body[start : start + 700] for start in range(0, len(body), 700)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def body_of(size: int) -> bytes:
    return b'{"padding":"' + b"x" * (size - 14) + b'"}'


@pytest.fixture
def url() -> Iterator[str]:
    with run_server(create_app(Settings(max_body=LIMIT))) as server:
        yield server.url


@pytest.fixture
def connect(url: str) -> Iterator[Callable[[], RawConnection]]:
    with contextlib.ExitStack() as stack:

        def connect() -> RawConnection:
            connection = RawConnection(url)
            stack.callback(connection.reset)
            return connection

        yield connect


def count_conversations(url: str) -> int:
    response = httpx.get(f"{url}{API}", headers={"Authorization": "Bearer k"})
    assert response.status_code == 200
    return len(response.json()["data"])


def test_a_client_that_vanishes_mid_request_leaves_nothing_behind(url, connect):
    for end in range(0, len(post()), 7):
        connect().send(post()[:end]).reset()
    assert count_conversations(url) == 0


def test_a_request_that_comes_in_pieces_is_one_request(url, connect):
    connection = connect()
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post():
        connection.send(bytes([byte]))
    assert connection.read_response().status_code == 200
    assert count_conversations(url) == 1


def test_a_request_that_never_arrives_is_given_up_while_others_are_served(url, connect, monkeypatch):
    stalled = [connect().send(sent) for sent in (b"", post()[:30], post()[:-5], post()[: -len(BODY)])]
    assert count_conversations(url) == 0
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 0)
    for connection in stalled:
        response = connection.read_response()
        assert (response.status_code, response.headers["connection"]) == (408, "close")
        assert response.content == b"The request did not arrive in time."
        assert connection.read_response() is None
    assert count_conversations(url) == 0


def test_a_connection_that_rests_between_requests_is_kept(connect, monkeypatch):
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", -1)
    resting, other = connect().send(post()), connect()
    assert resting.read_response().status_code == 200
    assert other.read_response().status_code == 408  # By then, all connections have been looked at.
    assert resting.send(post()).read_response().status_code == 200


@pytest.mark.parametrize("framed", [post, chunked])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 500, 413)])
def test_a_body_may_be_as_large_as_the_limit(connect, framed, size, status):
    connection = connect().send(framed(body_of(size)))
    assert connection.read_response().status_code == status
    assert connection.send(post()).read_response().status_code == 200


def test_a_client_that_asks_first_is_told_not_to_send_too_much(connect):
    too_much = post(body_of(LIMIT + 1), API, "Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert connect().send(too_much).read_response().status_code == 413


def test_requests_in_one_write_are_answered_in_order(connect):
    ids = [f"msg_{number}" for number in range(20)]
    connection = connect().send(post())
    items = f"{API}/{connection.read_response().json()['id']}/items"
    bodies = [json.dumps({"items": [{"role": "user", "content": "Hello", "id": one}]}).encode() for one in ids]
    connection.send(b"".join(post(body, items) for body in bodies))
    assert [connection.read_response().json()["last_id"] for _ in ids] == ids


def test_what_is_no_http_is_refused(url, connect):
    assert connect().send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").read_response().status_code == 400
    assert count_conversations(url) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_was_begun_be_finished(number):
    command = [Path(sys.executable).parent / "mockserver", "serve", "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        url = process.stdout.readline().decode().split()[-1]
        begun, resting = RawConnection(url).send(post()[:-5]), RawConnection(url).send(post())
        assert resting.read_response().status_code == 200
        os.kill(process.pid, number)
        assert resting.read_response() is None
        response = begun.send(post()[-5:]).read_response()
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        with pytest.raises(OSError):
            RawConnection(url)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
        begun.reset()
        resting.reset()
