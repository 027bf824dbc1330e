"""A uvicorn server for the fake.

uvicorn has no public interface for what this file needs: the transport of a connection, a time limit for incoming
requests, and a shutdown that does not wait for delayed responses. The file relies on the attributes `app`, `cycle`
and `transport` of uvicorn's protocols and on `server_state.connections`, so `pyproject.toml` bounds the version.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import TRANSPORT, get_context

if sys.platform == "win32":
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol

KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than client pools keep one, so that none is closed under a request."""

REQUEST_TIMEOUT = 60
"""Seconds within which a request must arrive."""

_REQUEST_TIMEOUT_RESPONSE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"connection: close\r\n\r\nThe request did not arrive in time."
)


class Connection(HttpProtocol):
    """An HTTP connection that puts its transport into the scope of each request."""

    _arriving: object = None
    _arriving_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _add_transport(self.app, transport)

    def time_out_request(self, now: float) -> None:
        """Answer 408 and close the connection if a request takes too long to arrive."""
        cycle = self.cycle
        if cycle is not None and (cycle.response_started or not cycle.more_body):
            self._arriving_since = None
        elif self._arriving_since is None or self._arriving is not cycle:
            self._arriving, self._arriving_since = cycle, now
        elif now - self._arriving_since > REQUEST_TIMEOUT:
            self.transport.write(_REQUEST_TIMEOUT_RESPONSE)
            self.transport.close()

    def abort_faulty_response(self) -> None:
        """Abort a response that a fault has not yet let through."""
        if self.cycle is not None and not self.cycle.response_complete:
            context = get_context(self.cycle.scope)
            if context is not None and context.fault is not None:
                self.transport.abort()


def _add_transport(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    def app_with_transport(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope[TRANSPORT] = transport
        return app(scope, receive, send)

    return app_with_transport


class UvicornServer(uvicorn.Server):
    """A server that calls `on_ready` once it accepts connections; `loop` is its event loop from then on."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
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
                timeout_graceful_shutdown=10,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in self._connections():
            connection.abort_faulty_response()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            now = time.monotonic()
            for connection in self._connections():
                connection.time_out_request(now)
        return await super().on_tick(counter)

    def _connections(self) -> list[Connection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, Connection)]
