"""Requests that are incomplete, too large or malformed, and their effect on other clients."""

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


def build_post(body: bytes = BODY, path: str = API, *headers: str) -> bytes:
    return build_request("POST", path, body, ["Authorization: Bearer k", *headers])


POST = build_post()


def build_chunked_post(body: bytes) -> bytes:
    head = build_post(b"", API, "Transfer-Encoding: chunked")
    parts = [body[start : start + 700] for start in range(0, len(body), 700)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def build_body(size: int) -> bytes:
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


def test_an_incomplete_request_has_no_effect(url, connect):
    for end in range(0, len(POST), 7):
        connect().send(POST[:end]).reset()
    assert count_conversations(url) == 0


def test_a_request_may_arrive_byte_by_byte(url, connect):
    connection = connect()
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in POST:
        connection.send(bytes([byte]))
    assert connection.read_response().status_code == 200
    assert count_conversations(url) == 1


def test_a_request_that_does_not_arrive_times_out(url, connect, monkeypatch):
    unfinished = [connect().send(sent) for sent in (b"", POST[:30], POST[:-5], POST[: -len(BODY)])]
    assert count_conversations(url) == 0
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 0)
    for connection in unfinished:
        response = connection.read_response()
        assert (response.status_code, response.headers["connection"]) == (408, "close")
        assert response.content == b"The request did not arrive in time."
        assert connection.read_response() is None
    assert count_conversations(url) == 0


def test_an_idle_connection_does_not_time_out(connect, monkeypatch):
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", -1)
    idle, other = connect().send(POST), connect()
    assert idle.read_response().status_code == 200
    assert other.read_response().status_code == 408  # So the server has checked all connections.
    assert idle.send(POST).read_response().status_code == 200


@pytest.mark.parametrize("build", [build_post, build_chunked_post])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 500, 413)])
def test_a_body_over_the_limit_is_rejected(connect, build, size, status):
    connection = connect().send(build(build_body(size)))
    assert connection.read_response().status_code == status
    assert connection.send(POST).read_response().status_code == 200


def test_a_body_over_the_limit_is_rejected_before_it_is_sent(connect):
    too_much = build_post(build_body(LIMIT + 1), API, "Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert connect().send(too_much).read_response().status_code == 413


def test_pipelined_requests_are_answered_in_order(connect):
    ids = [f"msg_{number}" for number in range(20)]
    connection = connect().send(POST)
    items = f"{API}/{connection.read_response().json()['id']}/items"
    bodies = [json.dumps({"items": [{"role": "user", "content": "Hello", "id": one}]}).encode() for one in ids]
    connection.send(b"".join(build_post(body, items) for body in bodies))
    assert [connection.read_response().json()["last_id"] for _ in ids] == ids


def test_bytes_that_are_not_http_are_rejected(url, connect):
    assert connect().send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").read_response().status_code == 400
    assert count_conversations(url) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can handle")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_started_requests_finish(number):
    command = [Path(sys.executable).parent / "mockserver", "serve", "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        url = process.stdout.readline().decode().split()[-1]
        unfinished, idle = RawConnection(url).send(POST[:-5]), RawConnection(url).send(POST)
        assert idle.read_response().status_code == 200
        os.kill(process.pid, number)
        assert idle.read_response() is None
        response = unfinished.send(POST[-5:]).read_response()
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        with pytest.raises(OSError):
            RawConnection(url)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
        unfinished.reset()
        idle.reset()
