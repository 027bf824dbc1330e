"""A uvicorn server for the fake.

uvicorn has no public interface for what this file needs: the transport of a connection, a time limit for incoming
requests, and a shutdown that does not wait for clients. The file relies on the attributes `app`,
`timeout_keep_alive_task` and `transport` of uvicorn's protocols, on their request cycles, which own the functions
`receive`, and on `server_state.connections`, so `pyproject.toml` bounds the version.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import JSON
from mockserver.context import BODY_FOLLOWS, TRANSPORT, get_context

if sys.platform == "win32":
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol

KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than client pools keep one, so that none is closed under a request."""

REQUEST_TIMEOUT = 60
"""Seconds within which a request must arrive."""

GRACE = 10.0
"""Seconds within which a server that stops finishes its responses."""

_MAX_HEAD = 64 * 1024
_JSON_TYPE = (b"content-type", JSON)
_CUT_INTERVAL = 0.05
_TICK = 0.1
_MAX_STALL = 0.5
_REQUEST_TIMEOUT_RESPONSE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"connection: close\r\n\r\nThe request did not arrive in time."
)
_HEAD_TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 46\r\nconnection: close\r\n\r\nThe request line and the headers are too long."
)


class Connection(HttpProtocol):
    """An HTTP connection that puts its transport into the scope of each request.

    It reads a request line and headers of at least `_MAX_HEAD` bytes, and not much more: uvicorn has no limit.
    """

    _cycle: Any = None
    """The request whose response is under way or was sent last; uvicorn's own attribute may be one that waits."""
    _arriving: object = None
    _arriving_since = 0.0
    _head: int | None = None
    """The bytes of a head that is arriving, without the data in which it begins; None if none is."""
    _head_begins = False
    _unread = 0
    _unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: ASGIApp = self.app

        def call_app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            cycle = self._cycle = receive.__self__  # type: ignore[attr-defined]
            scope[TRANSPORT] = transport
            if sys.platform != "win32":  # There, the cycle is one of h11.
                send = _ResponseSender(cycle, send).send
            return app(scope, receive, send)

        self.app = call_app

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._head_begins = 0, True

    def data_received(self, data: bytes) -> None:
        self._head_begins = False
        super().data_received(data)
        if self._head is not None and not self._head_begins:
            self._head += len(data)
            if self._head > _MAX_HEAD:
                self.transport.write(_HEAD_TOO_LARGE_RESPONSE)
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cycle is not None and not self._cycle.response_complete:
            self._cycle.disconnected = True
            self._cycle.message_event.set()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head = None
        self.headers = []  # For the trailers of a chunked body, which are no headers: the scope keeps the other list.

    def time_out_request(self, now: float) -> None:
        """Answer 408 and close the connection if a request takes too long to arrive."""
        arriving = self._arriving_request()
        if arriving != self._arriving:
            self._arriving, self._arriving_since = arriving, now
        elif arriving is not None and now - self._arriving_since > REQUEST_TIMEOUT:
            if self._cycle is None or not self._cycle.more_body or not self._cycle.response_started:
                self.transport.write(_REQUEST_TIMEOUT_RESPONSE)
            self.transport.close()

    def abort_unless_responding(self, now: float) -> None:
        """Abort the connection if its request is incomplete, or if the client does not read the response."""
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self._unread_since = unread, now
        is_stalled = unread > 0 and now - self._unread_since > _MAX_STALL
        if is_stalled or self._arriving_request() is not None:
            self.transport.abort()

    def abort_late_response(self, limit: float) -> None:
        """Abort a response that a fault has not yet let through, or that waits on purpose until after `limit`."""
        if self._cycle is not None and not self._cycle.response_complete:
            context = get_context(self._cycle.scope)
            if context is not None and (context.fault is not None or context.paused_until > limit):
                self.transport.abort()

    def _arriving_request(self) -> object:
        """Return a value that identifies the request that the connection waits for, or None if it waits for none."""
        cycle = self._cycle
        if cycle is None:
            return "first"
        if cycle.response_complete:
            # uvicorn stops this timer when the first byte of another request arrives.
            return (cycle, "next") if self.timeout_keep_alive_task is None else None
        return None if cycle.response_started or not cycle.more_body else cycle


class _ResponseSender:
    """Sends the usual response in one write; uvicorn takes two, and twice the time.

    Everything else is left to uvicorn, which checks all headers. `cycle` is the request, `send` its own function.
    """

    __slots__ = ("_cycle", "_send", "_start")

    def __init__(self, cycle: Any, send: Send) -> None:
        self._cycle = cycle
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Receive an ASGI message of the application."""
        start = self._start
        if start is not None:
            self._start = None
            if self._is_usual(start, message["body"]):
                self._send_usual(message["body"])
            else:
                await self._send(start)
                await self._send(message)
        elif BODY_FOLLOWS in message:
            self._start = message
        else:
            await self._send(message)

    def _is_usual(self, start: Message, body: bytes) -> bool:
        cycle = self._cycle
        return (
            start["status"] == 200
            and start["headers"] == [_JSON_TYPE, (b"content-length", b"%d" % len(body))]
            and cycle.keep_alive
            and not cycle.response_started
            and not cycle.disconnected
            and not cycle.flow.write_paused
            and cycle.scope["method"] != "HEAD"
        )

    def _send_usual(self, body: bytes) -> None:
        cycle = self._cycle
        head = b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers])
        usual = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        cycle.waiting_for_100_continue = False
        cycle.response_started = True
        cycle.transport.write(b"".join([b"HTTP/1.1 200 OK\r\n", head, usual, body]))
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()


class UvicornServer(uvicorn.Server):
    """A server that calls `on_ready` once it accepts connections; `loop` is its event loop from then on.

    A server that stops finishes its responses within `GRACE` seconds. It also waits for requests whose headers have
    arrived and for clients that are slow to read, unless it `stops_quickly`.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None], *, stops_quickly: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                interface="asgi3",
                proxy_headers=False,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=int(GRACE) + 2,  # Never reached, because all connections are cut before.
            )
        )
        self._on_ready = on_ready
        self._stops_quickly = stops_quickly
        self._stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    def stop(self) -> None:
        """Stop the server; to be called in another thread, once the server is ready."""
        self.should_exit = True
        self.loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._stops_quickly and await self._close_idle_server():
            return
        cutting = asyncio.create_task(self._cut_connections())
        await super().shutdown(sockets)
        cutting.cancel()

    async def _close_idle_server(self) -> bool:
        """Close the server and the connections without a request, and return whether no connection is left.

        uvicorn would wait for a tenth of a second, which is long for one of many servers in a test run.
        """
        for server in self.servers:
            server.close()
        for connection in self._connections():
            connection.shutdown()
        await asyncio.sleep(0)  # asyncio tells a protocol about a closed connection in the next step of the loop.
        await asyncio.sleep(0)
        return not self.server_state.connections and not self.server_state.tasks

    async def _cut_connections(self) -> None:
        """Abort connections that would delay the end of the server."""
        ends_at = self.loop.time() + GRACE
        while True:
            now = self.loop.time()
            for connection in self._connections():
                connection.abort_late_response(min(ends_at, now + _MAX_STALL) if self._stops_quickly else ends_at)
                if self._stops_quickly:
                    connection.abort_unless_responding(now)
                if now >= ends_at:
                    connection.transport.abort()
            await asyncio.sleep(_CUT_INTERVAL)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            now = self.loop.time()  # A test may have replaced the functions of `time`.
            for connection in self._connections():
                connection.time_out_request(now)
        return await super().on_tick(counter)

    def _connections(self) -> list[Connection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, Connection)]
