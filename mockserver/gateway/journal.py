"""A bounded record of the last exchanges with the API."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from sys import getsizeof
from typing import Any, NamedTuple

import orjson

from mockserver.context import StreamEnd
from mockserver.findings import Finding
from mockserver.gateway.journal_headers import show_headers

_MAX_ENTRIES = 10_000
_MAX_BYTES = 64 * 1024 * 1024


class StreamEntry(NamedTuple):
    """What became of an event stream; of its `total` events, `events` has the data of the first."""

    end: StreamEnd
    total: int
    events: bytes

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in the form of the control API."""
        events = [parse_body(line) for line in self.events.split(b"\n")] if self.events else []
        return {"end": self.end, "count": self.total, "events": events}


class JournalEntry(NamedTuple):
    """One request and its response.

    `operation` is empty if no operation matched. `path`, `query` and `headers` are as sent; `request` and `response`
    are the bodies; `fault` is a JSON object or empty. All of these may be cut. `item_types` are those in a request
    body that was cut. `key` is the fingerprint of the API key. `findings` caused an error response; `notes` are
    findings that the fake let pass. `reply` is that of the context. `stream` is None unless the response is an event
    stream; its `response` is the final response object. `started_at` is in Unix seconds by the clock of the fake,
    `duration` in seconds. A `status` of 0 means that the client got no response. `size` is the number of bytes of all
    fields whose length varies.
    """

    operation: str
    method: str
    path: bytes
    query: bytes
    headers: bytes
    request: bytes
    status: int
    response: bytes
    key: str
    end_user: str | None
    findings: Sequence[Finding]
    notes: Sequence[Finding]
    fault: bytes
    reply: int | str | None
    stream: StreamEntry | None
    started_at: float
    duration: float
    item_types: Sequence[str]
    size: int

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in the form of the control API."""
        data = self._asdict()
        del data["size"], data["item_types"]
        return data | {
            "operation": self.operation or None,
            "path": self.path.decode("latin-1"),
            "query": self.query.decode("latin-1"),
            "headers": show_headers(self.headers),
            "request": parse_body(self.request),
            "response": parse_body(self.response),
            "key": self.key or None,
            "fault": _parse_fault(self.fault),
            "stream": self.stream and self.stream.as_dict(),
            "findings": [{"side": finding.side, **finding.as_dict()} for finding in self.findings],
            "notes": [{"side": finding.side, **finding.as_dict()} for finding in self.notes],
        }


class Journal:
    """The newest entries, within limits on their number and size; `on_entry`, if set, is called with each new one."""

    def __init__(self, max_entries: int = _MAX_ENTRIES, max_bytes: int = _MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[JournalEntry] = deque()
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self.on_entry: Callable[[JournalEntry], object] | None = None

    def add(self, entry: JournalEntry) -> None:
        """Add an entry, and drop the oldest ones until the limits hold."""
        entries = self._entries
        entries.append(entry)
        self._bytes += entry.size
        while self._bytes > self._max_bytes or len(entries) > self._max_entries:
            oldest = entries.popleft()
            self._bytes -= oldest.size
            self._dropped[oldest.key] += 1
        if self.on_entry is not None:
            self.on_entry(entry)

    def dropped(self, key: str | None = None) -> int:
        """Return the number of entries removed for room, of all keys or of one."""
        return self._dropped.total() if key is None else self._dropped[key]

    def entries(
        self, *, operation: str | None = None, status: int | None = None, key: str | None = None
    ) -> list[JournalEntry]:
        """Return the entries with this operation, status and key fingerprint, the oldest first."""
        return [
            entry
            for entry in list(self._entries)
            if (operation is None or entry.operation == operation)
            and (status is None or entry.status == status)
            and (key is None or entry.key == key)
        ]

    def clear(self, key: str | None = None) -> None:
        """Remove all entries, or those of one key."""
        kept = [] if key is None else [entry for entry in self._entries if entry.key != key]
        self._entries = deque(kept)
        self._bytes = sum(entry.size for entry in kept)
        if key is None:
            self._dropped.clear()
        else:
            self._dropped.pop(key, None)


def size_of_findings(findings: Iterable[Finding]) -> int:
    """Return the memory that findings take, in bytes."""
    return sum(getsizeof(finding) + sum(map(getsizeof, finding)) for finding in findings)


def parse_body(body: bytes) -> Any:
    """Return the parsed body, None if it is empty, or its text if it is not JSON."""
    if not body:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _parse_fault(fault: bytes) -> Any:
    parsed = parse_body(fault)
    return parsed if parsed is None or isinstance(parsed, dict) else {"cut": parsed}
