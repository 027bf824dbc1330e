"""Clients that misbehave: what they get, and that others are served all the same."""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import mockserver.server
from mockserver import Settings, create_app, run_server

API = "/api/v1/llm/conversations"
LIMIT = 2000
BODY = b'{"metadata":{"channel":"support"}}'


class Wire:
    """A connection, byte for byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._received = self.socket.makefile("rb")

    def send(self, data: bytes) -> "Wire":
        self.socket.sendall(data)
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer; a status of 0 when the connection is closed."""
        first = self._received.readline()
        if not first:
            return 0, {}, b""
        headers = {}
        while line := self._received.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return int(first.split()[1]), headers, self._received.read(int(headers.get("content-length", "0")))

    def reset(self) -> None:
        """Gone, without a goodbye."""
        if self.socket.fileno() != -1:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._received.close()
        self.socket.close()


def post(body: bytes = BODY, path: str = API, more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\n{more}"
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes) -> bytes:
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    parts = [body[start : start + 700] for start in range(0, len(body), 700)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def body_of(size: int) -> bytes:
    return b'{"padding":"' + b"x" * (size - 14) + b'"}'


@pytest.fixture
def port() -> Iterator[int]:
    with run_server(create_app(Settings(max_body=LIMIT))) as server:
        yield httpx.URL(server.url).port


@pytest.fixture
def open_wire(port: int) -> Iterator[Callable[[], Wire]]:
    with contextlib.ExitStack() as stack:

        def opened() -> Wire:
            wire = Wire(port)
            stack.callback(wire.reset)
            return wire

        yield opened


def stored(port: int) -> int:
    answer = httpx.get(f"http://127.0.0.1:{port}{API}", headers={"Authorization": "Bearer k"})
    assert answer.status_code == 200
    return len(answer.json()["data"])


def test_a_client_that_vanishes_mid_request_leaves_nothing_behind(port, open_wire):
    for end in range(0, len(post()), 7):
        open_wire().send(post()[:end]).reset()
    assert stored(port) == 0


def test_a_request_that_comes_in_pieces_is_one_request(port, open_wire):
    wire = open_wire()
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post():
        wire.send(bytes([byte]))
    assert wire.answer()[0] == 200
    assert stored(port) == 1


def test_a_request_that_never_arrives_is_given_up_while_others_are_served(port, open_wire, monkeypatch):
    stalled = [open_wire().send(sent) for sent in (b"", post()[:30], post()[:-5], post()[: -len(BODY)])]
    assert stored(port) == 0
    monkeypatch.setattr(mockserver.server, "_REQUEST_WITHIN", 0)
    for wire in stalled:
        status, headers, body = wire.answer()
        assert (status, headers["connection"], body) == (408, "close", b"The request did not arrive in time.")
        assert wire.answer()[0] == 0
    assert stored(port) == 0


def test_a_connection_that_rests_between_requests_is_kept(open_wire, monkeypatch):
    monkeypatch.setattr(mockserver.server, "_REQUEST_WITHIN", -1)
    resting, other = open_wire().send(post()), open_wire()
    assert resting.answer()[0] == 200
    assert other.answer()[0] == 408  # By then, all connections have been looked at.
    assert resting.send(post()).answer()[0] == 200


@pytest.mark.parametrize("framed", [post, chunked])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 500, 413)])
def test_a_body_may_be_as_large_as_the_limit(open_wire, framed, size, status):
    wire = open_wire().send(framed(body_of(size)))
    assert wire.answer()[0] == status
    assert wire.send(post()).answer()[0] == 200


def test_a_client_that_asks_first_is_told_not_to_send_too_much(open_wire):
    too_much = post(body_of(LIMIT + 1), more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert open_wire().send(too_much).answer()[0] == 413


def test_requests_in_one_write_are_answered_in_order(open_wire):
    ids = [f"msg_{number}" for number in range(20)]
    wire = open_wire().send(post())
    items = f"{API}/{json.loads(wire.answer()[2])['id']}/items"
    bodies = [json.dumps({"items": [{"role": "user", "content": "Hello", "id": one}]}).encode() for one in ids]
    wire.send(b"".join(post(body, items) for body in bodies))
    assert [json.loads(wire.answer()[2])["last_id"] for _ in ids] == ids


def test_what_is_no_http_is_refused(port, open_wire):
    assert open_wire().send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").answer()[0] == 400
    assert stored(port) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_was_begun_be_finished(number):
    command = [Path(sys.executable).parent / "mockserver", "serve", "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        port = int(re.search(rb":(\d+)\n", process.stdout.readline())[1])
        begun, resting = Wire(port).send(post()[:-5]), Wire(port).send(post())
        assert resting.answer()[0] == 200
        os.kill(process.pid, number)
        assert resting.answer()[0] == 0
        status, headers, _ = begun.send(post()[-5:]).answer()
        assert (status, headers["connection"]) == (200, "close")
        with pytest.raises(OSError):
            Wire(port)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
        begun.reset()
        resting.reset()
