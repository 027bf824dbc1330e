"""The connection to a client that waits for a response."""

import asyncio
from collections.abc import Iterable
from math import inf
from typing import Any, Self

from starlette.types import Receive, Scope, Send

from mockserver.asgi import Disconnected
from mockserver.context import CONTEXT, Context

KEEPALIVE_INTERVAL = 3.0
"""Seconds of silence after which a stream has a comment: the MKA1 SDK gives up after 5."""

_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
_KEEPALIVE = b": keepalive\n\n"


class ClientConnection:
    """A client whose request has arrived; as a context manager, it notices when the client goes away.

    Its methods raise `Disconnected` if the client is gone.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._context: Context = scope[CONTEXT]
        self._receive = receive
        self._send = send
        self._is_stream = False
        self._now = asyncio.get_running_loop().time
        self._silent_since = 0.0

    async def __aenter__(self) -> Self:
        self._gone = asyncio.create_task(self._wait_for_disconnect())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.cancel()
        del self._gone  # The task keeps the connection: a cycle, which only a collection would free.

    async def start_stream(self) -> None:
        """Send the head of an event stream; from now on, it is kept alive."""
        self._is_stream = True
        self._silent_since = self._now()
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def send_part(self, content: bytes) -> None:
        """Send a part of the stream, and let other requests take their turn."""
        await self._send({"type": "http.response.body", "body": content, "more_body": True})
        self._silent_since = self._now()
        await asyncio.sleep(0)
        if self._gone.done():
            raise Disconnected("the client is gone")

    async def end_stream(self) -> None:
        """Send the end of the stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""
        ends_at = self._now() + seconds
        self._context.paused_until = ends_at
        while self._now() < ends_at:
            await self._wait_for_any((self._gone,), ends_at)
        self._context.paused_until = 0.0

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait until an event is set."""
        is_set = asyncio.create_task(event.wait())
        self._context.paused_until = inf
        try:
            while not is_set.done():
                await self._wait_for_any((self._gone, is_set), inf)
        finally:
            is_set.cancel()
        self._context.paused_until = 0.0

    async def _wait_for_any(self, tasks: Iterable[asyncio.Task[Any]], ends_at: float) -> None:
        """Wait for the first task, for some time at most; a silence that is too long ends in a comment."""
        speaks_at = self._silent_since + KEEPALIVE_INTERVAL if self._is_stream else inf
        until = min(ends_at, speaks_at)
        timeout = None if until == inf else max(until - self._now(), 0)
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._gone in done:
            raise Disconnected("the client is gone")
        if self._now() >= speaks_at:
            self._silent_since = self._now()
            await self._send({"type": "http.response.body", "body": _KEEPALIVE, "more_body": True})

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
