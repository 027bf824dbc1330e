"""The responses of the server are those of uvicorn, though it sends the usual ones in a way of its own."""

import re

import pytest

import mockserver.uvicorn_server
from mockserver import Settings, create_app, run_server
from mockserver.context import BODY_FOLLOWS
from tests.support.raw_connection import RawConnection, build_request

API = "/api/v1/llm/conversations"
KEY = "Authorization: Bearer k"
JSON = (b"content-type", b"application/json")
GET = build_request("GET", API)
POST = build_request("POST", API, b'{"metadata":{"a":"b"}}')
LAST = build_request("GET", API, headers=[KEY, "Connection: close"])
OLD = build_request("GET", API, headers=[KEY, "Connection: keep-alive"]).replace(b"HTTP/1.1", b"HTTP/1.0")

# With the number of responses that are not left to uvicorn.
REQUESTS = {
    "two on one connection": (GET + POST + LAST, 2),
    "not found": (build_request("GET", f"{API}/none") + LAST, 0),
    "without a key": (build_request("GET", API, headers=[]) + LAST, 0),
    "HEAD": (build_request("HEAD", API) + LAST, 0),
    "HTTP/1.0": (OLD + LAST, 0),
    "with permission to send a body": (build_request("POST", API, b"{}", [KEY, "Expect: 100-continue"]) + LAST, 1),
    "without need of permission": (build_request("GET", API, headers=[KEY, "Expect: 100-continue"]) + LAST, 1),
    "a fault": (build_request("GET", API, headers=[KEY, 'X-Mock-Fault: {"headers": {"a": "b"}}']) + LAST, 0),
}


def receive_all(counter):
    """Return what a new server sends for each of the requests, without the date, and the growth of the counter."""
    app = create_app(Settings(ids="sequential"))
    app.state.clock.freeze(1000.0)
    received = {}
    with run_server(app) as server:
        for name, (data, _) in REQUESTS.items():
            before = len(counter)
            with RawConnection(server.url) as connection:
                text = connection.send(data).read_to_end()
            received[name] = re.sub(rb"\r\ndate: [^\r]+ GMT", b"\r\ndate: ", text), len(counter) - before
    return received


@pytest.fixture(scope="module")
def received():
    sender = mockserver.uvicorn_server._ResponseSender
    send_usual, sent = sender._send_usual, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender, "_send_usual", lambda self, body: sent.append(send_usual(self, body)))
        own = receive_all(sent)
        patch.setattr(sender, "_is_usual", lambda *_: False)
        return own, receive_all(sent)


@pytest.mark.parametrize("name", REQUESTS)
def test_responses_are_those_of_uvicorn(received, name):
    own, of_uvicorn = received
    assert own[name] == (of_uvicorn[name][0], REQUESTS[name][1])
    assert own[name][0].count(b"\r\ndate: \r\n") > 0


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"application/json\r\nforged: 1"), (b"content-length", b"2")],
        [JSON, (b"content-length", b"2"), (b"a", b"b\r\nforged: 1")],
        [JSON, (b"content-length", b"3")],
    ],
)
def test_uvicorn_checks_headers_that_are_not_usual(caplog, headers):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers, BODY_FOLLOWS: True})
        await send({"type": "http.response.body", "body": b"{}"})

    with run_server(app) as server, RawConnection(server.url) as connection:
        received = connection.send(build_request("GET", "/")).read_to_end()
    assert b"forged" not in received
    assert "RuntimeError" in caplog.text


def test_a_second_response_is_not_sent(caplog):
    async def app(_scope, _receive, send):
        for _ in range(2):
            headers = [JSON, (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers, BODY_FOLLOWS: True})
            await send({"type": "http.response.body", "body": b"{}"})

    with run_server(app) as server, RawConnection(server.url) as connection:
        received = connection.send(build_request("GET", "/")).read_to_end()
    assert received.count(b"HTTP/1.1 ") == 1
    assert "RuntimeError" in caplog.text


def test_no_permission_to_send_a_body_follows_a_response():
    async def app(_scope, receive, send):
        headers = [JSON, (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers, BODY_FOLLOWS: True})
        await send({"type": "http.response.body", "body": b"{}"})
        await receive()

    request = build_request("GET", "/", headers=["Expect: 100-continue"])
    with run_server(app) as server, RawConnection(server.url) as connection:
        received = connection.send(request + LAST).read_to_end()
    assert b"100 Continue" not in received
