"""Streams of server-sent events: their frames, and the validation of each event before it is sent."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from mockserver.contract import json_text
from mockserver.contract.delta_pattern import DeltaPattern
from mockserver.contract.event_order import ERROR, event_order
from mockserver.contract.event_tracker import EventTracker, track_events
from mockserver.contract.operations import Operation
from mockserver.contract.responses import event_schema
from mockserver.contract.schemas import Schema
from mockserver.findings import Code, Finding, describe

Event = dict[str, Any]

_EVENT = b"event: "
_DATA = b"data: "
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
        if not self.rest and (plain := _read_plain_frame(chunk)):
            return (plain,)
        self.rest += chunk
        frames = []
        start = 0
        for end in _BLANK_LINE.finditer(self.rest):
            content = self.rest[start : end.end()]
            frames.append(_read_frame(content, _LINE_END.split(content)))
            start = end.end()
        self.rest = self.rest[start:]
        return frames


def _read_plain_frame(chunk: bytes) -> Frame | None:
    """Return a frame in the form in which most servers write it: a line with its name, then one with its data."""
    name_end = chunk.find(b"\n")
    is_plain = (
        chunk.startswith(_EVENT)
        and chunk.startswith(_DATA, name_end + 1)
        and chunk.find(b"\n", name_end + 1) == len(chunk) - 2
        and chunk.endswith(b"\n")
        and b"\r" not in chunk
    )
    return Frame(chunk, chunk[len(_EVENT) : name_end], chunk[name_end + 1 + len(_DATA) : -2]) if is_plain else None


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


class EventValidator(Protocol):
    """Validates the data of events, each by itself."""

    def validate(self, content: bytes) -> tuple[Any, list[Finding]]:
        """Return the parsed data, and a finding for each mistake; their pointers begin at the event."""
        ...

    def takes_any_delta(self, event_type: str) -> bool:
        """Whether every string is valid as the `delta` of such an event; if in doubt, no."""
        ...


class StreamValidator:
    """Validates the events of one stream: each by itself, and in its place if the document has an order."""

    def __init__(self, validator: EventValidator, tracker: EventTracker | None) -> None:
        self._validator = validator
        self.delta_pattern: DeltaPattern | None = None
        """Accepts frames that are one more delta of the same text, without `validate`."""
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
        self._take_deltas()
        event, findings = self._validator.validate(frame.data)
        if findings:
            self._skip_event()
            at = f"/{self._position}"
            return event, [finding._replace(pointer=at + finding.pointer) for finding in findings]
        if frame.name is not None and frame.name != event["type"].encode():
            message = f"is named {describe(frame.name.decode('utf-8', 'replace'))}, but its type is {event['type']}"
            return event, [self._skip("invalid_event", message)]
        if self._tracker is None:
            return event, []
        mistakes = self._tracker.check(event)
        if not mistakes:
            self._next_number = event["sequence_number"] + 1
            if self._tracker.can_repeat and self._validator.takes_any_delta(event["type"]):
                self.delta_pattern = DeltaPattern.of(frame.content, event)
        return event, mistakes

    def _take_deltas(self) -> None:
        """Tell the tracker of the deltas that were accepted, before another event comes."""
        if self.delta_pattern is not None and self._tracker is not None:
            self._tracker.repeat(self.delta_pattern.deltas)
            self._position += len(self.delta_pattern.deltas)
            self._next_number += len(self.delta_pattern.deltas)
        self.delta_pattern = None

    def end(self, rest: bytes = b"") -> list[Finding]:
        """Return a finding if the stream must not end here; `rest` is a frame that has not ended."""
        self._take_deltas()
        if rest:
            self._position += 1
            return [self._skip("invalid_event", "has no blank line after it")]
        return [] if self._tracker is None else self._tracker.end()

    def error_event(self, message: str) -> Event:
        """Return the event that tells of an error of the server, and ends the stream."""
        self._take_deltas()
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
        CompiledEventValidator(event_schema(operation, status)), track_events(operation, event_order())
    )
    frames = FrameReader()
    findings = [finding for frame in frames.read(content) for finding in validator.validate(frame)[1]]
    return findings + validator.end(frames.rest)


class CompiledEventValidator:
    """Validates events with the compiled schema of their `type`."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def validate(self, content: bytes) -> tuple[Any, list[Finding]]:
        """Return the parsed data, and a finding for each mistake."""
        try:
            event = json_text.parse_response(content)
        except json_text.JsonError as error:
            return None, [Finding("response", "body", error.pointer, error.code, error.message)]
        event_type = event.get("type") if isinstance(event, dict) else None
        variant = self._schema.variants.get(event_type) if isinstance(event_type, str) else None
        if variant is None:
            return event, self._schema.validate(event, "response", "body")
        return event, [] if variant.is_valid(event) else variant.validate(event, "response", "body")

    def takes_any_delta(self, event_type: str) -> bool:
        """Whether every string is valid as the `delta` of such an event."""
        variant = self._schema.variants.get(event_type)  # A schema that is open to unknown types has none.
        return variant is not None and "delta" in variant.plain_text_fields


def is_valid_event(schema: Schema, event: Event) -> bool:
    """Whether an event conforms to the schema of its `type`, and has no other fields."""
    return not schema.variants[event["type"]].validate_strictly(event, "response", "body")
