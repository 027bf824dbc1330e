"""The part of the response guard that event streams pass."""

from collections.abc import Awaitable, Iterable, Sequence

import orjson
from starlette.types import Message, Send

from mockserver.asgi import JSON, Disconnected
from mockserver.context import Context, StreamRecord
from mockserver.contract.event_streams import Event, Frame, FrameReader, StreamValidator, serialise_event
from mockserver.contract.operations import EVENT_STREAM, media_type_essence
from mockserver.findings import MAX_FINDINGS, Finding


class GuardedStream:
    """An event stream whose head was sent: each event is sent as soon as it is complete and validated.

    In place of the first event that is illegal, an `error` event ends the stream, and the application is told that
    nobody receives the rest. What a fault has changed is sent as it comes; its mistakes become notes.
    """

    def __init__(
        self, validator: StreamValidator, operation_id: str, context: Context, record: StreamRecord, send: Send
    ) -> None:
        self._validator = validator
        self._operation_id = operation_id
        self._context = context
        self._record = record
        self._send = send
        self._frames = FrameReader()
        self._has_ended = False

    def send(self, message: Message) -> Awaitable[None]:
        """Receive an ASGI message with a part of the body.

        Raises:
            Disconnected: the stream has ended.
        """
        pattern = self._validator.delta_pattern
        is_plain = not self._frames.rest and not self._context.bypasses_contract
        if pattern is not None and is_plain and message.get("more_body"):
            data = pattern.accept(message.get("body", b""))
            if data is not None:
                self._record.add(data)
                return self._send(message)
        return self._send_frames(message)

    async def _send_frames(self, message: Message) -> None:
        if self._has_ended:
            raise Disconnected("the stream has ended")
        is_last = not message.get("more_body", False)
        if self._context.bypasses_contract:
            await self._pass_on(message, is_last)
            return
        body = message.get("body", b"")
        legal = b""
        for frame in self._frames.read(body):
            event, findings = self._validator.validate(frame)
            if findings:
                await self._abort(findings, legal)
            self._keep(frame, event)
            legal = legal + frame.content if legal else frame.content
        if is_last and (findings := self._validator.end(self._frames.rest)):
            await self._abort(findings, legal)
        if is_last:
            self._end()
        if legal is body:
            await self._send(message)
        elif legal or is_last:
            await self._send({"type": "http.response.body", "body": legal, "more_body": not is_last})

    async def fail(self, message: str) -> None:
        """End the stream for an application that has raised an exception."""
        if not self._has_ended:
            self._record.end = "failure"
            await self._send_error(b"", message)

    async def _pass_on(self, message: Message, is_last: bool) -> None:
        findings: list[Finding] = []
        for frame in self._frames.read(message.get("body", b"")):
            event, mistakes = self._validator.validate(frame)
            findings += mistakes
            self._keep(frame, None if mistakes else event)
        if is_last:
            findings += self._validator.end(self._frames.rest)
            self._end()
        self._context.notes += tuple(findings[: max(MAX_FINDINGS - len(self._context.notes), 0)])
        await self._send(message)

    async def _abort(self, findings: Sequence[Finding], legal: bytes) -> None:
        """End the stream before an illegal event, after the legal ones."""
        first = findings[0]
        self._context.findings += tuple(findings)
        self._record.end = "violation"
        where = f"{first.location} {first.pointer}".strip()
        message = f"The stream of {self._operation_id} violates the document: {where}: {first.message}"
        await self._send_error(legal, message)
        raise Disconnected("the stream violates the document")

    async def _send_error(self, legal: bytes, message: str) -> None:
        self._has_ended = True
        frame = serialise_event(self._validator.error_event(message))
        await self._send({"type": "http.response.body", "body": legal + frame})

    def _keep(self, frame: Frame, event: Event | None) -> None:
        if frame.data is not None:
            self._record.add(frame.data)
            response = event and self._validator.final_response(event)
            if response is not None:
                self._context.response_content = orjson.dumps(response)

    def _end(self) -> None:
        self._has_ended = True
        self._record.end = "finished" if self._validator.has_ended else "fault"


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the headers of a response, with names in lower case, announce an event stream."""
    for name, value in headers:
        if name == b"content-type":
            # Nearly every response is plain JSON: save it the calls.
            return value != JSON and media_type_essence(value.decode("latin-1")) == EVENT_STREAM
    return False
