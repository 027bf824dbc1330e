"""Clients that keep connections open, and the end of a server that has such clients."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest

import mockserver.server
import mockserver.uvicorn_server
from mockserver import Settings, create_app, run_server
from tests.support.raw_connection import RawConnection, build_request

API = "/api/v1/llm/conversations"
POST = build_request("POST", API, b'{"metadata":{"a":"b"}}')
LARGE = build_request("POST", API, b'{"items":[{"role":"user","content":"%b"}]}' % (b"x" * 4_000_000))


@pytest.fixture
def open_connection():
    with ExitStack() as stack:

        def connect(url, timeout=10.0):
            connection = RawConnection(url, timeout)
            stack.callback(connection.reset)
            return connection

        yield connect


# Requests that do not arrive


def test_a_second_request_that_does_not_arrive_times_out(open_connection, monkeypatch):
    with run_server(create_app(Settings())) as server:
        connections = [open_connection(server.url).send(POST) for _ in range(4)]
        assert [connection.read_response().status_code for connection in connections] == [200] * 4
        monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 0)
        for connection, part in zip(connections, (b"P", POST[:20], POST[:60], POST[:-5]), strict=True):
            connection.send(part)
        for connection in connections:
            response = connection.read_response()
            assert (response.status_code, response.headers["connection"]) == (408, "close")
            assert connection.read_response() is None


def test_a_connection_is_not_kept_open_by_empty_lines(open_connection, monkeypatch):
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 1)
    with run_server(create_app(Settings())) as server:
        connection = open_connection(server.url).send(POST)
        assert connection.read_response().status_code == 200
        connection.send(b"\r\n")
        assert connection.read_response().status_code == 408


def test_a_slow_response_does_not_time_out_for_the_request_behind_it(open_connection, monkeypatch):
    monkeypatch.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 0)
    slow = build_request("GET", API, headers=["Authorization: Bearer k", 'X-Mock-Fault: {"delay": 2.5}'])
    with run_server(create_app(Settings())) as server:
        connection = open_connection(server.url).send(slow + POST[:-5])
        assert connection.read_response().status_code == 200
        assert connection.read_response().status_code == 408


# The end of `run_server`


@contextmanager
def measure(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


INCOMPLETE = {
    "nothing": b"",
    "half a first request": POST[:40],
    "half a first body": POST[:-5],
    "half a second request": POST + POST[:40],
    "half a second body": POST + POST[:-5],
}


@pytest.mark.parametrize("sent", INCOMPLETE.values(), ids=INCOMPLETE)
def test_an_incomplete_request_does_not_delay_the_end(open_connection, sent):
    with ExitStack() as stack:
        server = stack.enter_context(run_server(create_app(Settings())))
        connection = open_connection(server.url).send(sent)
        if sent.startswith(POST):
            assert connection.read_response().status_code == 200
        httpx.get(f"{server.url}/_mock/health")  # So the server has read what the connection has sent.
        with measure(2):
            stack.close()


def stall(open_connection, url):
    """Request more than the buffers of a connection hold, and read none of it."""
    conversation = httpx.post(
        f"{url}{API}", content=LARGE.partition(b"\r\n\r\n")[2], headers={**KEY, "Content-Type": "application/json"}
    )
    connection = open_connection(url)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    read = build_request("GET", f"{API}/{conversation.json()['id']}/items")
    connection.send(read * 5)
    time.sleep(0.3)
    return connection


KEY = {"Authorization": "Bearer k"}


def test_a_client_that_does_not_read_does_not_delay_the_end(open_connection):
    with ExitStack() as stack:
        server = stack.enter_context(run_server(create_app(Settings())))
        stall(open_connection, server.url)
        with measure(3):
            stack.close()


def test_a_started_response_is_finished_at_the_end():
    is_called = threading.Event()

    async def app(_scope, receive, send):
        await receive()
        is_called.set()
        await asyncio.sleep(0.7)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def call(url):
        received.append(httpx.get(url, timeout=10).text)

    received = []
    with run_server(app) as server:
        thread = threading.Thread(target=call, args=[server.url])
        thread.start()
        assert is_called.wait(5)
    thread.join()
    assert received == ["ok"]


def test_a_server_that_cannot_start_raises(monkeypatch):
    def fail(*_, **__):
        raise OSError("no event loop")

    def start():
        try:
            with run_server(create_app(Settings())):
                pass
        except RuntimeError as error:
            errors.append(error)

    errors = []
    monkeypatch.setattr(mockserver.server.UvicornServer, "startup", fail)
    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    thread.join(5)
    assert "no event loop" in str(*errors)


# The end of `mockserver serve`

DRIP = build_request("GET", API, headers=["Authorization: Bearer k", 'X-Mock-Fault: {"action": "drip", "delay": 600}'])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can handle")
def test_a_signal_ends_a_server_whose_clients_do_not_move(open_connection):
    program = "import mockserver.uvicorn_server as u; u.GRACE = 2.0; from mockserver.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            url = process.stdout.readline().decode().split()[-1]
            for sent in (*INCOMPLETE.values(), POST, DRIP):
                open_connection(url).send(sent)
            stall(open_connection, url)
            with measure(4):
                os.kill(process.pid, signal.SIGTERM)
                assert process.wait(20) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()
