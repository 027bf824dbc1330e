"""Trailers after a chunked body are no headers: they do not authenticate a request, and do not change its owner."""

import time

import pytest

from mockserver import Settings, create_app, run_server
from tests.support.raw_connection import RawConnection

HEAD = "POST /api/v1/llm/conversations HTTP/1.1\r\nHost: fake\r\nContent-Type: application/json\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\nTrailer: Authorization, X-On-Behalf-Of, X-Mock-Fault\r\n\r\n"
KEY = "Authorization: Bearer one\r\n"


@pytest.fixture
def fake():
    app = create_app(Settings(identity_mode="raw"))
    with run_server(app) as server:
        yield server, app


def send(server, headers, trailers, *, pause=0.0):
    """Send a chunked request, its trailers after a pause, and a GET on the same connection; return the responses."""
    head, body = (HEAD + headers + CHUNKED).encode(), b"2\r\n{}\r\n0\r\n"
    with RawConnection(server.url) as connection:
        if pause:
            connection.send(head + body)
            time.sleep(pause)
            connection.send(trailers.encode() + b"\r\n")
        else:
            connection.send(head + body + trailers.encode() + b"\r\n")
        first = connection.read_response()
        connection.send(b"GET /api/v1/llm/conversations HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer one\r\n\r\n")
        return first, connection.read_response()


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_key_in_a_trailer_does_not_authenticate(fake, pause):
    server, app = fake
    first, second = send(server, "", KEY, pause=pause)
    assert first.status_code == 401
    assert second.json()["data"] == []
    assert app.state.snapshot() == {"conversations": [], "responses": []}


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_an_end_user_in_a_trailer_does_not_own_anything(fake, pause):
    server, _ = fake
    first, second = send(server, KEY, "X-On-Behalf-Of: victim\r\n", pause=pause)
    assert first.status_code == 200
    assert first.json()["identity"].endswith(":")
    assert [one["id"] for one in second.json()["data"]] == [first.json()["id"]]


@pytest.mark.parametrize("trailers", [KEY, 'X-Mock-Fault: {"status": 503}\r\n', "Content-Type: text/plain\r\n"])
def test_a_trailer_changes_nothing_about_its_request(fake, trailers):
    first, second = send(fake[0], KEY, trailers)
    assert first.status_code == 200
    assert second.status_code == 200


def test_a_content_length_in_a_trailer_is_rejected(fake):
    with RawConnection(fake[0].url) as connection:
        connection.send((HEAD + KEY + CHUNKED).encode() + b"2\r\n{}\r\n0\r\nContent-Length: 30\r\n\r\n")
        assert connection.read_response().status_code == 400
        assert connection.read_response() is None
