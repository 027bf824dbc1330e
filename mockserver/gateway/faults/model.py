"""Faults: what goes wrong, for which requests, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from mockserver.findings import Finding, Location, json_pointer

Action = Literal["time_out", "close", "reset", "truncate", "garbage", "drip"]

PLANNING_FIELDS = ("operation", "api_key", "times", "after", "every", "probability", "seed")
"""Fields that select requests, and so have no meaning for a fault that a request asks for itself."""

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
        if not self.alters_response and not self.delay:
            message = "must set at least one of status, body, headers, patch, delay and action"
            return [Finding("request", location, pointer, "invalid_fault", message)]
        message = "is set by the server, which frames the response"
        return [
            Finding("request", location, pointer + json_pointer(["headers", name]), "invalid_fault", message)
            for name in self.headers
            if name.lower() in _FRAMING_HEADERS
        ]

    @property
    def replaces_response(self) -> bool:
        """Whether it stands in for the handler."""
        return self.status is not None or self.body is not None

    @property
    def alters_response(self) -> bool:
        """Whether it does more than delay the response."""
        return bool(self.replaces_response or self.headers or self.patch or self.action)


def find_inline_mistakes(data: Mapping[str, Any], location: Location, pointer: str) -> list[Finding]:
    """Return the mistakes, apart from those in its shape, of a fault that a request or a reply carries."""
    message = "applies only to planned faults, not to a fault for one request"
    misplaced = [
        Finding("request", location, f"{pointer}/{name}", "unknown_field", message)
        for name in PLANNING_FIELDS
        if name in data
    ]
    return misplaced or Fault.from_dict(data).validate(location, pointer)
