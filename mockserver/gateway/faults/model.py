"""Faults: what goes wrong, for which requests, and how often."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from mockserver.findings import Finding, Location, json_pointer

Action = Literal["time_out", "close", "reset", "truncate", "garbage", "drip", "skip", "repeat"]

PLANNING_FIELDS = ("operation", "api_key", "times", "after", "every", "probability", "seed")
"""Fields that select requests, and so have no meaning for a fault that a request asks for itself."""

_MID_STREAM_ACTIONS = ("close", "reset", "time_out", "garbage", "skip", "repeat")
_ONLY_MID_STREAM_ACTIONS = ("skip", "repeat")
_FRAMING_HEADERS = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; `spec/control.yaml` describes its fields.

    `key` is the fingerprint of the only API key that it applies to. A `times` of None means no limit.
    """

    operation: str | None = None
    key: str | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Mapping[str, Any], ...] = ()
    delay: float = 0.0
    action: Action | None = None
    commit: bool = False
    after_events: int | None = None
    event: Mapping[str, Any] | None = None
    times: int | None = 1
    after: int = 0
    every: int = 1
    probability: float = 1.0
    seed: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], key: str | None = None) -> Self:
        """Build a fault from data that conforms to its schema, and the fingerprint of the `api_key` in it."""
        values = {name: value for name, value in data.items() if name != "api_key"}
        return cls(**values | {"patch": tuple(data.get("patch", ())), "key": key})

    def as_dict(self) -> dict[str, Any]:
        """Return `times`, and the fields that differ from their defaults."""
        default = Fault()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if name == "patch" else value
            for name, value in values.items()
            if value != getattr(default, name) or name == "times"
        }

    def validate(self, location: Location, pointer: str = "") -> list[Finding]:
        """Return the mistakes that the schema cannot express; the fault is at `pointer` in `location`."""
        mistakes = [*self._find_mistakes(), *self._find_stream_mistakes()]
        return [Finding("request", location, pointer + at, "invalid_fault", message) for at, message in mistakes]

    def _find_mistakes(self) -> Iterator[tuple[str, str]]:
        if not self.alters_response and not self.delay:
            yield "", "must set at least one of status, body, headers, patch, delay and action"
        for name in self.headers:
            if name.lower() in _FRAMING_HEADERS:
                yield json_pointer(["headers", name]), "is set by the server, which frames the response"

    def _find_stream_mistakes(self) -> Iterator[tuple[str, str]]:
        if self.after_events is None:
            if self.event is not None or self.action in _ONLY_MID_STREAM_ACTIONS:
                yield "", f"must set after_events, as {'event' if self.event is not None else self.action} requires"
            return
        if self.replaces_response or self.headers:
            yield "/after_events", "cannot be combined with status, body and headers, which are sent before any event"
        if self.action is not None and self.action not in _MID_STREAM_ACTIONS:
            yield "/action", f"must be one of {', '.join(_MID_STREAM_ACTIONS)} if after_events is set"
        if self.action == "repeat" and self.after_events == 0:
            yield "/after_events", "must be at least 1, for there is no event to repeat before the first one"
        if self.is_delay and not self.delay:
            yield "", "must set at least one of action, event, patch and delay beside after_events"

    @property
    def replaces_response(self) -> bool:
        """Whether it stands in for the handler."""
        return self.status is not None or self.body is not None

    @property
    def alters_response(self) -> bool:
        """Whether it does more than delay the response."""
        return not self.is_delay or self.is_mid_stream

    @property
    def is_mid_stream(self) -> bool:
        """Whether it strikes in the middle of an event stream only."""
        return self.after_events is not None

    @property
    def is_delay(self) -> bool:
        """Whether it does nothing but delay the response, or one event."""
        return not (self.replaces_response or self.headers or self.patch or self.action or self.event is not None)

    @property
    def alters_stream(self) -> bool:
        """Whether it alters an event stream on its way, without keeping it back until it is complete."""
        return self.is_mid_stream or (self.action is None and not self.replaces_response)


def find_inline_mistakes(data: Mapping[str, Any], location: Location, pointer: str) -> list[Finding]:
    """Return the mistakes, apart from those in its shape, of a fault that a request or a reply carries."""
    message = "applies only to planned faults, not to a fault for one request"
    misplaced = [
        Finding("request", location, f"{pointer}/{name}", "unknown_field", message)
        for name in PLANNING_FIELDS
        if name in data
    ]
    return misplaced or Fault.from_dict(data).validate(location, pointer)
