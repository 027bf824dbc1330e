"""Event streams, and how a fault alters them on their way to the client."""

import asyncio

import orjson
from starlette.types import Message, Send

from mockserver.asgi import Disconnected
from mockserver.context import Context
from mockserver.contract.event_streams import Frame, FrameReader
from mockserver.contract.stream_guard import is_event_stream
from mockserver.gateway.faults.faulty_connection import FaultyConnection
from mockserver.gateway.faults.json_patch import apply_patch
from mockserver.gateway.faults.model import Fault
from mockserver.gateway.faults.response import alter_headers

_GARBAGE = b'event: response.garbage\ndata: {"type": "\xff\xfe <!-- not what you asked for\n\n'


class FaultyStream:
    """The event stream of an application, altered by one fault; a response that is no stream passes as it is.

    `has_struck` says whether the fault has had an effect, `is_cut` whether the client must get nothing more.
    """

    def __init__(self, fault: Fault, context: Context, connection: FaultyConnection, send: Send) -> None:
        self.has_struck = False
        self.is_cut = False
        self._fault = fault
        self._context = context
        self._connection = connection
        self._send = send
        self._is_stream = False
        self._frames = FrameReader()
        self._count = 0
        self._last = b""

    async def send(self, message: Message) -> None:
        """Receive an ASGI message of the application; alter it and pass it on.

        Raises:
            Disconnected: the stream is cut, and the fault lets nobody finish it.
        """
        if self.is_cut:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        elif not self._is_stream:
            await self._send(message)
        else:
            await self._send_frames(message)

    async def _start(self, message: Message) -> None:
        self._is_stream = is_event_stream(message["headers"])
        if self._is_stream and self._fault.headers:
            self._strike()
            message = {**message, "headers": alter_headers(message["headers"], self._fault)}
        await self._send(message)

    async def _send_frames(self, message: Message) -> None:
        for frame in self._frames.read(message.get("body", b"")):
            await self._send_frame(frame)
        if not message.get("more_body", False):
            if self._is_due():
                await self._strike_between(None)
            if not self.is_cut:
                await self._send({"type": "http.response.body", "body": self._frames.rest})

    async def _send_frame(self, frame: Frame) -> None:
        if frame.data is None:
            await self._send_part(frame.content)
            return
        content = frame.content
        if self._is_due():
            content = await self._strike_between(frame)
        elif self._fault.patch and self._fault.after_events is None:
            content = self._patch(frame)
        self._count += 1
        self._last = content or self._last
        if content:
            await self._send_part(content)

    def _is_due(self) -> bool:
        return not self.has_struck and self._count == self._fault.after_events

    def _strike(self) -> None:
        self.has_struck = True
        self._context.bypasses_contract = True

    async def _strike_between(self, frame: Frame | None) -> bytes:
        """Let the fault strike before this frame, or before the end; return what becomes of the frame."""
        fault = self._fault
        if fault.is_delay:
            self.has_struck = True
        else:
            self._strike()
        if fault.delay and await self._connection.disconnects_within(fault.delay):
            raise Disconnected("the client is gone")
        if fault.event is not None:
            await self._send_part(_serialise(fault.event))
        match fault.action:
            case "garbage":
                await self._send_part(_GARBAGE)
            case "repeat":
                await self._send_part(self._last)
            case "close" | "reset" | "time_out":
                self.is_cut = True
                if not fault.commit:
                    raise Disconnected("a fault has cut the stream")
        if frame is None or self.is_cut or fault.action == "skip":
            return b""
        return self._patch(frame) if fault.patch else frame.content

    def _patch(self, frame: Frame) -> bytes:
        self._strike()
        return _serialise(apply_patch(orjson.loads(frame.data or b""), self._fault.patch))

    async def _send_part(self, content: bytes) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": True})

    async def cut(self) -> None:
        """End a stream that is cut, in the way of the fault."""
        if self._context.stream is not None:
            self._context.stream.end = "fault"
        if self._fault.action == "close":
            await self._send({"type": "http.response.body", "body": b""})
        elif self._fault.action == "reset":
            await asyncio.sleep(0.01)  # A reset discards data that has not left yet.
            await self._connection.abort()
        else:
            await self._connection.stay_silent(self._context)


def _serialise(event: object) -> bytes:
    """Return an event as a frame; unlike one of the API, it may be anything."""
    data = orjson.dumps(event)
    event_type = event.get("type") if isinstance(event, dict) else None
    if isinstance(event_type, str) and event_type.isprintable():
        return b"event: %b\ndata: %b\n\n" % (event_type.encode(), data)
    return b"data: %b\n\n" % data
