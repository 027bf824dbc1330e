"""Streams of server-sent events: their frames, and the validation of each event before it is sent."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from mockserver.contract import json_text
from mockserver.contract.event_order import ERROR, event_order
from mockserver.contract.event_tracker import EventTracker, track_events
from mockserver.contract.operations import Operation
from mockserver.contract.responses import event_schema
from mockserver.contract.schemas import Schema
from mockserver.findings import Code, Finding, describe

Event = dict[str, Any]
EventValidator = Callable[[bytes], tuple[Any, list[Finding]]]
"""Returns the parsed data of an event, and a finding for each mistake; the place of findings is within the event."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")


class Frame(NamedTuple):
    """One event of a stream as it is sent, with the blank line after it; without `data`, it is a comment."""

    content: bytes
    name: bytes | None
    data: bytes | None


class FrameReader:
    """Finds frames in a body that arrives in chunks; its lines end in LF or CRLF, never in CR alone."""

    def __init__(self) -> None:
        self.rest = b""
        """The beginning of a frame whose end has not arrived."""

    def read(self, chunk: bytes) -> Sequence[Frame]:
        """Return the frames that end in this chunk."""
        if not self.rest and chunk.endswith(b"\n\n") and chunk.count(b"\n") == 3 and b"\r" not in chunk:
            return (_read_frame(chunk, chunk.split(b"\n")),)
        self.rest += chunk
        frames = []
        start = 0
        for end in _BLANK_LINE.finditer(self.rest):
            content = self.rest[start : end.end()]
            frames.append(_read_frame(content, _LINE_END.split(content)))
            start = end.end()
        self.rest = self.rest[start:]
        return frames


def _read_frame(content: bytes, lines: Iterable[bytes]) -> Frame:
    name = None
    data: bytes | None = None
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"data":
            data = value.removeprefix(b" ") if data is None else data + b"\n" + value.removeprefix(b" ")
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Frame(content, name, data)


def serialise_event(event: Event) -> bytes:
    """Return an event as a frame."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


class StreamValidator:
    """Validates the events of one stream: each by itself, and in its place if the document has an order."""

    def __init__(self, validate: EventValidator, tracker: EventTracker | None) -> None:
        self._validate = validate
        self._tracker = tracker
        self._position = -1
        self._next_number = 0

    @property
    def has_ended(self) -> bool:
        """Whether the terminal event has come; without an order, any event is one."""
        return self._tracker is None or self._tracker.has_ended

    def final_response(self, event: Event) -> Any:
        """Return the response in an event if it is the terminal one, else None."""
        return event.get("response") if self._tracker is not None and self._tracker.has_ended else None

    def validate(self, frame: Frame) -> tuple[Event | None, list[Finding]]:
        """Return the event of a frame, and a finding for each mistake; a comment is neither."""
        if frame.data is None:
            return None, [] if frame.name is None else [self._skip("invalid_event", "has no data")]
        self._position += 1
        event, findings = self._validate(frame.data)
        if findings:
            self._skip_event()
            at = f"/{self._position}"
            return event, [finding._replace(pointer=at + finding.pointer) for finding in findings]
        if frame.name is not None and frame.name != event["type"].encode():
            message = f"is named {describe(frame.name.decode('utf-8', 'replace'))}, but its type is {event['type']}"
            return event, [self._skip("invalid_event", message)]
        mistakes = [] if self._tracker is None else self._tracker.check(event)
        if not mistakes:
            self._next_number = event.get("sequence_number", self._position) + 1
        return event, mistakes

    def end(self, rest: bytes = b"") -> list[Finding]:
        """Return a finding if the stream must not end here; `rest` is a frame that has not ended."""
        if rest:
            self._position += 1
            return [self._skip("invalid_event", "has no blank line after it")]
        return [] if self._tracker is None else self._tracker.end()

    def error_event(self, message: str) -> Event:
        """Return the event that tells of an error of the server, and ends the stream."""
        return {"type": ERROR, "sequence_number": self._next_number, "code": "server_error", "message": message}

    def _skip_event(self) -> None:
        if self._tracker is not None:
            self._tracker.skip()

    def _skip(self, code: Code, message: str) -> Finding:
        self._skip_event()
        return Finding("response", "body", f"/{max(self._position, 0)}", code, message)


def validate_stream(operation: Operation, status: int, content: bytes) -> list[Finding]:
    """Return a finding for each mistake in the events of a complete stream whose head is valid."""
    validator = StreamValidator(
        compile_event_validator(event_schema(operation, status)), track_events(operation, event_order())
    )
    frames = FrameReader()
    findings = [finding for frame in frames.read(content) for finding in validator.validate(frame)[1]]
    return findings + validator.end(frames.rest)


def compile_event_validator(schema: Schema) -> EventValidator:
    """Return a function that validates events with the schema of their `type`."""

    def validate(content: bytes) -> tuple[Any, list[Finding]]:
        try:
            event = json_text.parse_response(content)
        except json_text.JsonError as error:
            return None, [Finding("response", "body", error.pointer, error.code, error.message)]
        event_type = event.get("type") if isinstance(event, dict) else None
        variant = schema.variants.get(event_type) if isinstance(event_type, str) else None
        if variant is None:
            return event, schema.validate(event, "response", "body")
        return event, [] if variant.is_valid(event) else variant.validate(event, "response", "body")

    return validate


def is_valid_event(schema: Schema, event: Event) -> bool:
    """Whether an event conforms to the schema of its `type`, and has no other fields."""
    return not schema.variants[event["type"]].validate_strictly(event, "response", "body")
