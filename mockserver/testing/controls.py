"""Controls of a fake: its planned faults, its clock and its state."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from mockserver.errors import UsageError
from mockserver.gateway.faults.model import Action
from mockserver.testing.control_client import ControlClient
from mockserver.testing.fault_text import describe_fault
from mockserver.testing.times import Time, unix_seconds
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error


class When(TypedDict, total=False):
    """The requests on which a fault fires.

    It skips the first `after` matching requests, then fires on each, or on one in `every`, until it has fired `times`
    times (default 1; None: without end). With `probability`, chance decides, drawn from `seed`. With `api_key`, only
    requests of that key match.
    """

    times: int | None
    after: int
    every: int
    probability: float
    seed: int
    api_key: str


class FaultFields(When, total=False):
    """All fields of a fault; `/_mock/openapi.yaml` describes each."""

    status: int | None
    body: Any
    headers: Mapping[str, str] | None
    patch: Sequence[Mapping[str, Any]] | None
    delay: float | None
    action: Action | None
    commit: bool | None
    after_events: int | None
    event: Mapping[str, Any] | None


class FaultControls:
    """Plans faults. Every method takes the fields of `When`; without an operation, the fault matches all of them.

    A test fails if a planned fault does not fire, unless it is endless or has a `probability`.
    """

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join(map(describe_fault, self.planned)) or 'none planned'}>"

    def add(self, operation: str | None = None, **fault: Unpack[FaultFields]) -> dict[str, Any]:
        """Plan a fault by its fields, and return it as planned."""
        given = {name: value for name, value in fault.items() if value is not None or name == "times"}
        planned: dict[str, Any] = self._control(
            "POST", "/faults", given | ({} if operation is None else {"operation": operation})
        )
        return planned

    @property
    def planned(self) -> list[dict[str, Any]]:
        """The planned faults, each with the number of requests `seen` and the times it has `fired`."""
        planned: list[dict[str, Any]] = self._control("GET", "/faults")["data"]
        return planned

    def clear(self) -> None:
        """Delete all planned faults."""
        self._control("DELETE", "/faults")

    def rate_limited(
        self, operation: str | None = None, *, retry_after_ms: int | None = None, **when: Unpack[When]
    ) -> None:
        """Return the 429 of the gateway; `retry_after_ms` is how long the SDKs wait before they retry."""
        headers = _retry_after_headers(retry_after_ms)
        self.add(operation, status=429, body={"error": "Rate limit exceeded"}, headers=headers, **when)

    def server_error(
        self,
        operation: str | None = None,
        *,
        status: int = 500,
        commit: bool = False,
        retry_after_ms: int | None = None,
        **when: Unpack[When],
    ) -> None:
        """Return a 5xx; with `commit`, the fake handles the request all the same."""
        if not 500 <= status <= 599:
            raise UsageError(
                f"a server error has a status of 500 to 599, not {status}; use add(status=...) for others"
            )
        self.add(operation, status=status, commit=commit, headers=_retry_after_headers(retry_after_ms), **when)

    def delayed(self, operation: str | None = None, *, seconds: float, **when: Unpack[When]) -> None:
        """Delay the response."""
        self.add(operation, delay=seconds, **when)

    def timed_out(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Send no response, until the client times out."""
        self.add(operation, action="time_out", **when)

    def closed(self, operation: str | None = None, *, commit: bool = False, **when: Unpack[When]) -> None:
        """Close the connection before the response."""
        self.add(operation, action="close", commit=commit, **when)

    def reset(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Reset the connection in the middle of the response."""
        self.add(operation, action="reset", **when)

    def truncated(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Return only half of the body, with a matching `Content-Length`."""
        self.add(operation, action="truncate", **when)

    def garbage(self, operation: str | None = None, **when: Unpack[When]) -> None:
        """Return a body that is not JSON."""
        self.add(operation, action="garbage", **when)

    def wrong_content_type(
        self, operation: str | None = None, *, content_type: str = "text/html", **when: Unpack[When]
    ) -> None:
        """Return the body with another content type."""
        self.add(operation, headers={"Content-Type": content_type}, **when)

    def dripping(self, operation: str | None = None, *, seconds: float, **when: Unpack[When]) -> None:
        """Send the response byte by byte, over this many seconds."""
        self.add(operation, action="drip", delay=seconds, **when)

    def field_dropped(self, operation: str, pointer: str, **when: Unpack[When]) -> None:
        """Return the response without the field at a JSON pointer."""
        self.add(operation, patch=[{"op": "remove", "path": pointer}], **when)

    def field_retyped(self, operation: str, pointer: str, value: Any, **when: Unpack[When]) -> None:
        """Return the response with another value at a JSON pointer."""
        self.add(operation, patch=[{"op": "replace", "path": pointer, "value": value}], **when)

    def unknown_item(self, operation: str = "conversations.items.list", **when: Unpack[When]) -> None:
        """Return a page that ends with an item of an unknown type."""
        item = {"type": "hologram_call", "id": "holo_1", "status": "completed"}
        self.add(operation, patch=[{"op": "add", "path": "/data/-", "value": item}], **when)

    def stream_closed(
        self, operation: str | None = None, *, after_events: int, commit: bool = False, **when: Unpack[When]
    ) -> None:
        """End a stream without a terminal event."""
        self.add(operation, action="close", after_events=after_events, commit=commit, **when)

    def stream_reset(
        self, operation: str | None = None, *, after_events: int, commit: bool = False, **when: Unpack[When]
    ) -> None:
        """Reset the connection in the middle of a stream."""
        self.add(operation, action="reset", after_events=after_events, commit=commit, **when)

    def stream_stalled(
        self, operation: str | None = None, *, after_events: int, seconds: float | None = None, **when: Unpack[When]
    ) -> None:
        """Send nothing in the middle of a stream: for some seconds, or until the client times out."""
        action: Action | None = "time_out" if seconds is None else None
        self.add(operation, action=action, delay=seconds, after_events=after_events, **when)

    def event_garbled(self, operation: str | None = None, *, after_events: int, **when: Unpack[When]) -> None:
        """Send an event whose data is not JSON, then the rest of the stream."""
        self.add(operation, action="garbage", after_events=after_events, **when)

    def event_skipped(self, operation: str | None = None, *, after_events: int, **when: Unpack[When]) -> None:
        """Leave out one event of a stream."""
        self.add(operation, action="skip", after_events=after_events, **when)

    def event_repeated(self, operation: str | None = None, *, after_events: int, **when: Unpack[When]) -> None:
        """Send one event of a stream twice."""
        self.add(operation, action="repeat", after_events=after_events, **when)

    def event_inserted(
        self, event: Mapping[str, Any], operation: str | None = None, *, after_events: int, **when: Unpack[When]
    ) -> None:
        """Insert an event into a stream as it is, such as an `error` or one of an unknown type."""
        self.add(operation, event=event, after_events=after_events, **when)


class ClockControls:
    """The clock of the fake, which sets timestamps and counts for rate limits; tests never wait for it."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def __repr__(self) -> str:
        clock = self._control("GET", "/clock")
        now = datetime.fromtimestamp(clock["now"], UTC).isoformat(timespec="seconds")
        return f"<{type(self).__name__}: {now}, {'frozen' if clock['frozen'] else 'running'}>"

    def now(self) -> float:
        """Return the time in Unix seconds."""
        now: float = self._control("GET", "/clock")["now"]
        return now

    def freeze(self, at: Time | None = None) -> None:
        """Freeze the clock, at Unix seconds, an aware datetime or ISO 8601 text, or at the current time."""
        self._control("PUT", "/clock", {"freeze": None if at is None else unix_seconds(at)})

    def advance(self, seconds: float) -> None:
        """Move the clock forward, frozen or not."""
        self._control("PUT", "/clock", {"advance": seconds})

    def resume(self) -> None:
        """Unfreeze the clock and return to the real time."""
        self._control("PUT", "/clock", {"resume": True})


class StateControls:
    """Snapshots of the stored data; a snapshot is a seed, also for `mka1.seed` and `mockserver serve --seed`."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def __repr__(self) -> str:
        snapshot = self.snapshot()
        items = sum(len(one["items"]) for one in snapshot["conversations"])
        numbers = {**{name: len(records) for name, records in snapshot.items()}, "items": items}
        return f"<{type(self).__name__}: {', '.join(f'{number} {name}' for name, number in numbers.items())}>"

    def snapshot(self) -> dict[str, Any]:
        """Return the stored data."""
        snapshot: dict[str, Any] = self._control("GET", "/state")
        return snapshot

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replace the stored data by a snapshot, as a whole or not at all."""
        self._control("PUT", "/state", dict(snapshot))


def _retry_after_headers(milliseconds: int | None) -> dict[str, str]:
    """Return the header that the SDKs read before `Retry-After`."""
    return {} if milliseconds is None else {"retry-after-ms": str(milliseconds)}
