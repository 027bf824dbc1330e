"""What a test can do to a fake: plan faults, move the clock, take and put back the state."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from mockserver.errors import UsageError
from mockserver.gateway.faults.model import Action
from mockserver.testing.control_client import Control, hidden
from mockserver.testing.exchanges import count

__tracebackhide__ = hidden


class When(TypedDict, total=False):
    """Which requests a fault hits: `times` of them (1 when left out; None: without end), after `after` others, only
    `every` so many-th, with a `probability` drawn from `seed`, only those of one `api_key`.
    """

    times: int | None
    after: int
    every: int
    probability: float
    seed: int
    api_key: str


class FaultFields(When, total=False):
    """All that can be planned; `/_mock/openapi.yaml` describes each field."""

    status: int | None
    body: Any
    headers: Mapping[str, str] | None
    patch: Sequence[Mapping[str, Any]] | None
    delay: float | None
    action: Action | None
    commit: bool | None


class FaultControls:
    """Plan what shall go wrong. Every verb takes the fields of `When`; without an operation, it is for any.

    What is planned must happen before the test is over, or the test fails; a `probability` and endless faults are let
    off.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def add(self, operation: str | None = None, **fault: Unpack[FaultFields]) -> dict[str, Any]:
        """Plan a fault by its fields.

        Raises:
            UsageError: a field is wrong, or there is no such operation; names it.
        """
        given = {name: value for name, value in fault.items() if value is not None or name == "times"}
        planned: dict[str, Any] = self._control(
            "POST", "/faults", given | ({} if operation is None else {"operation": operation})
        )
        return planned

    @property
    def planned(self) -> list[dict[str, Any]]:
        """The planned faults, with the requests `seen` and how often each has `fired`."""
        planned: list[dict[str, Any]] = self._control("GET", "/faults")["data"]
        return planned

    def clear(self) -> None:
        """Drop all planned faults."""
        self._control("DELETE", "/faults")

    def rate_limited(
        self, operation: str | None = None, *, retry_after_ms: int | None = None, **when: Unpack[When]
    ) -> None:
        """429, as the gateway answers it; `retry_after_ms` lets the SDKs try again so soon."""
        self.add(operation, status=429, body={"error": "Rate limit exceeded"}, headers=_soon(retry_after_ms), **when)

    def server_error(
        self,
        operation: str | None = None,
        *,
        status: int = 500,
        commit: bool = False,
        retry_after_ms: int | None = None,
        **when: Unpack[When],
    ) -> None:
        """A 5xx; with `commit` the work is done all the same, and only the client sees a failure."""
        self.add(operation, status=status, commit=commit, headers=_soon(retry_after_ms), **when)

    def delayed(self, operation: str | None = None, *, seconds: float, **when: Unpack[When]) -> None:
        """The right answer, late."""
        self.add(operation, delay=seconds, **when)

    def timed_out(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """No answer, until the client gives up."""
        self.add(operation, action="time_out", **when)

    def closed(self, operation: str | None = None, *, commit: bool = False, **when: Unpack[When]) -> None:
        """The connection is closed before the answer."""
        self.add(operation, action="close", commit=commit, **when)

    def reset(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """The connection is cut in the middle of the answer."""
        self.add(operation, action="reset", **when)

    def truncated(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Half the JSON, as if it were all."""
        self.add(operation, action="truncate", **when)

    def garbage(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Bytes that are no JSON."""
        self.add(operation, action="garbage", **when)

    def wrong_content_type(
        self, operation: str | None = None, *, content_type: str = "text/html", **when: Unpack[When]
    ) -> None:
        """The right body under another content type."""
        self.add(operation, headers={"Content-Type": content_type}, **when)

    def dripping(self, operation: str | None = None, *, seconds: float, **when: Unpack[When]) -> None:
        """The right answer, byte by byte, over so many seconds."""
        self.add(operation, action="drip", delay=seconds, **when)

    def field_dropped(self, operation: str, pointer: str, **when: Unpack[When]) -> None:
        """The answer without the field at a JSON pointer."""
        self.add(operation, patch=[{"op": "remove", "path": pointer}], **when)

    def field_retyped(self, operation: str, pointer: str, value: Any, **when: Unpack[When]) -> None:
        """The answer with another value at a JSON pointer."""
        self.add(operation, patch=[{"op": "replace", "path": pointer, "value": value}], **when)

    def unknown_item(self, operation: str = "conversations.items.list", **when: Unpack[When]) -> None:
        """A page that ends with an item of a kind that no client knows yet."""
        item = {"type": "hologram_call", "id": "holo_1", "status": "completed"}
        self.add(operation, patch=[{"op": "add", "path": "/data/-", "value": item}], **when)


class ClockControls:
    """The fake's clock, by which it stamps and limits; it never slows down a test."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> float:
        """Unix seconds."""
        now: float = self._control("GET", "/clock")["now"]
        return now

    def freeze(self, at: float | datetime | None = None) -> None:
        """Stand still at Unix second (or aware datetime) `at`, or where it is."""
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise UsageError(f"the time {at.isoformat()} has no time zone; give it one, such as tzinfo=UTC")
            at = at.timestamp()
        self._control("PUT", "/clock", {"freeze": at})

    def advance(self, seconds: float) -> None:
        """Move on, frozen or not."""
        self._control("PUT", "/clock", {"advance": seconds})

    def resume(self) -> None:
        """Go with the real time again."""
        self._control("PUT", "/clock", {"resume": True})


class StateControls:
    """What is stored, as a seed: readable, and taken back by `restore`, `mka1.seed` and `mockserver serve --seed`."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def snapshot(self) -> dict[str, Any]:
        snapshot: dict[str, Any] = self._control("GET", "/state")
        return snapshot

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Put a snapshot in the place of what is stored, all of it or nothing."""
        self._control("PUT", "/state", dict(snapshot))


def unfired(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that have not hit as many requests as they were to, a line each."""
    return [
        f"{one.get('operation', 'any operation')}: {_what(one)}, "
        f"fired {one['fired']} of {count(one['times'], 'time')}, {count(one['seen'], 'request')} seen"
        for one in planned
        if one["times"] is not None and one["fired"] < one["times"] and one.get("probability", 1) == 1
    ]


def _what(fault: Mapping[str, Any]) -> str:
    if "action" in fault:
        return str(fault["action"])
    if "status" in fault:
        return f"status {fault['status']}"
    return next((name for name in ("body", "patch", "headers", "delay") if name in fault), "nothing")


def _soon(retry_after_ms: int | None) -> dict[str, str]:
    return {} if retry_after_ms is None else {"retry-after-ms": str(retry_after_ms)}
