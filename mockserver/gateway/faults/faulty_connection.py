"""The connection of one request, with the ways in which faults misuse it."""

import asyncio

from starlette.types import Receive, Scope, Send

from mockserver.context import TRANSPORT, Context
from mockserver.gateway.faults.response import BufferedResponse

_MAX_SILENCE = 600


class FaultyConnection:
    """The connection of a request whose body has been read."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def send(self, response: BufferedResponse) -> None:
        """Send the whole response."""
        await self._start(response)
        await self._send({"type": "http.response.body", "body": response.content})

    async def drip(self, response: BufferedResponse, seconds: float) -> None:
        """Send the body byte by byte, in so many seconds."""
        await self._start(response)
        pause = seconds / max(len(response.content), 1)
        for index in range(len(response.content)):
            if await self.disconnects_within(pause):
                return
            await self._send_part(response.content[index : index + 1])
        await self._send({"type": "http.response.body", "body": b""})

    async def reset(self, response: BufferedResponse) -> None:
        """Send the first half of the response, then reset the connection."""
        await self._start(response)
        await self._send_part(response.content[: len(response.content) // 2])
        await asyncio.sleep(0.01)  # A reset discards data that has not left yet.
        await self.abort()

    async def abort(self) -> None:
        """Reset the connection."""
        self._transport().abort()
        await self._wait_for_end()

    async def stay_silent(self, context: Context) -> None:
        """Send nothing more until the client gives up, or until it has waited for very long."""
        if context.record is not None:
            context.record()  # A test may look for the entry as soon as its client gives up.
        if not await self.disconnects_within(_MAX_SILENCE):
            await self.close()

    async def close(self) -> None:
        """Close the connection."""
        self._transport().close()
        await self._wait_for_end()

    async def disconnects_within(self, seconds: float) -> bool:
        """Wait for so many seconds, or until the client disconnects; return whether it did."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def _start(self, response: BufferedResponse) -> None:
        await self._send({"type": "http.response.start", "status": response.status, "headers": response.headers})

    async def _send_part(self, content: bytes) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": True})

    async def _wait_for_end(self) -> None:
        # uvicorn logs an error if an application returns without a response while the connection is open.
        await self.disconnects_within(1)

    def _transport(self) -> asyncio.Transport:
        transport: asyncio.Transport | None = self._scope.get(TRANSPORT)
        if transport is None:
            raise RuntimeError("this server gives no access to its connections, so a fault cannot close them")
        return transport
