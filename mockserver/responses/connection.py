"""The connection to a client that waits for a response."""

import asyncio
from collections.abc import Iterable
from typing import Any, Self

from starlette.types import Receive, Send

from mockserver.asgi import Disconnected

KEEPALIVE_INTERVAL = 3.0
"""Seconds of silence after which a stream has a comment: the MKA1 SDK gives up after 5."""

_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
_KEEPALIVE = b": keepalive\n\n"


class ClientConnection:
    """A client whose request has arrived; as a context manager, it notices when the client goes away.

    Its methods raise `Disconnected` if the client is gone.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_stream = False

    async def __aenter__(self) -> Self:
        self._gone = asyncio.create_task(self._wait_for_disconnect())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.cancel()

    async def start_stream(self) -> None:
        """Send the head of an event stream; from now on, it is kept alive."""
        self._is_stream = True
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def send_part(self, content: bytes) -> None:
        """Send a part of the stream, and let other requests take their turn."""
        await self._send({"type": "http.response.body", "body": content, "more_body": True})
        await asyncio.sleep(0)
        if self._gone.done():
            raise Disconnected("the client is gone")

    async def end_stream(self) -> None:
        """Send the end of the stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""
        while seconds > 0:
            pause = min(seconds, KEEPALIVE_INTERVAL) if self._is_stream else seconds
            await self._wait_for_any((self._gone,), pause)
            seconds -= pause

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait until an event is set."""
        is_set = asyncio.create_task(event.wait())
        try:
            while not is_set.done():
                await self._wait_for_any((self._gone, is_set), KEEPALIVE_INTERVAL)
        finally:
            is_set.cancel()

    async def _wait_for_any(self, tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
        """Wait for the first task, for so many seconds at most; a silence of the whole interval ends in a comment."""
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._gone in done:
            raise Disconnected("the client is gone")
        if not done and self._is_stream and seconds >= KEEPALIVE_INTERVAL:
            await self._send({"type": "http.response.body", "body": _KEEPALIVE, "more_body": True})

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
