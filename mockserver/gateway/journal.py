"""What has crossed the wire: a bounded record of every exchange."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import CONTEXT, Context
from mockserver.determinism import AdjustableClock, Clock
from mockserver.findings import Finding

_MOST_EXCHANGES = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_BODY = 64 * 1024
_OPEN = "mockserver.journal"


class Exchange(NamedTuple):
    """One request and what came of it.

    `operation` is empty when the request was for none. `path` and `query` are as they were sent, `request` and
    `response` the bodies, cut; `key` is the fingerprint of the API key. `findings` is what was wrong, `notes` what was
    let through all the same. `started_at` is in Unix seconds by the fake's clock, `duration` in seconds. A `status` of
    0 means that the client got no answer.
    """

    operation: str
    method: str
    path: bytes
    query: bytes
    request: bytes
    status: int
    response: bytes
    key: str
    end_user: str | None
    findings: Sequence[Finding]
    notes: Sequence[Finding]
    fault: dict[str, Any] | None
    started_at: float
    duration: float
    size: int
    """The bytes of all that can be long."""

    def as_dict(self) -> dict[str, Any]:
        """With bodies parsed; one that is no whole JSON is a string."""
        shown = self._asdict()
        del shown["size"]
        return shown | {
            "operation": self.operation or None,
            "path": self.path.decode("latin-1"),
            "query": self.query.decode("latin-1"),
            "request": _parsed(self.request),
            "response": _parsed(self.response),
            "key": self.key or None,
            "findings": [{"side": finding.side, **finding.as_dict()} for finding in self.findings],
            "notes": [{"side": finding.side, **finding.as_dict()} for finding in self.notes],
        }


class Journal:
    """The last exchanges, as many as fit; `dropped` counts the older ones that had to go."""

    def __init__(self, most_exchanges: int = _MOST_EXCHANGES, most_bytes: int = _MOST_BYTES) -> None:
        self._most_exchanges = most_exchanges
        self._most_bytes = most_bytes
        self._exchanges: deque[Exchange] = deque()
        self._bytes = 0
        self.dropped = 0

    def add(self, exchange: Exchange) -> None:
        exchanges = self._exchanges
        exchanges.append(exchange)
        self._bytes += exchange.size
        while len(exchanges) > self._most_exchanges or self._bytes > self._most_bytes:
            self._bytes -= exchanges.popleft().size
            self.dropped += 1

    def exchanges(
        self, *, operation: str | None = None, status: int | None = None, key: str | None = None
    ) -> list[Exchange]:
        """The oldest first; only those of an operation, a status, or a key's fingerprint."""
        return [
            exchange
            for exchange in list(self._exchanges)
            if (operation is None or exchange.operation == operation)
            and (status is None or exchange.status == status)
            and (key is None or exchange.key == key)
        ]

    def clear(self, key: str | None = None) -> None:
        """Forget all exchanges, or those of one key."""
        kept = [] if key is None else [exchange for exchange in self._exchanges if exchange.key != key]
        self._exchanges = deque(kept)
        self._bytes = sum(exchange.size for exchange in kept)
        if key is None:
            self.dropped = 0


class JournalWriter:
    """The layer that keeps the journal."""

    def __init__(self, app: ASGIApp, journal: Journal, clock: Clock) -> None:
        self._app = app
        self._journal = journal
        self._before = (
            clock.before
            if isinstance(clock, AdjustableClock)
            else lambda seconds, account: clock.now(account) - seconds
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_OPEN] = self, time.perf_counter()
        try:
            await self._app(scope, receive, send)
        finally:
            record(scope)

    def record(self, scope: Scope, duration: float) -> None:
        context: Context = scope[CONTEXT]
        account, end_user = context.tenant or ("", None)
        path, query = scope["raw_path"], scope["query_string"]
        # A copy of the answer: bytes fresh from orjson keep all of the 4 KiB that it writes into.
        request, response = context.content[:_LONGEST_BODY], b"%b" % context.answer[:_LONGEST_BODY]
        fields = (
            context.operation_id,
            scope["method"],
            path,
            query,
            request,
            context.status,
            response,
            context.key,
            end_user,
            context.findings,
            context.notes,
            context.fault,
            self._before(duration, account),
            duration,
            len(path) + len(query) + len(request) + len(response),
        )
        self._journal.add(Exchange._make(fields))  # Naming or counting out so many costs as much as all the rest.


def record(scope: Scope) -> None:
    """Put the exchange into the journal, if it is not there yet: at its end, or when it is sure to get no answer.

    So a test whose client has given up finds it, whether or not the server has noticed by then.
    """
    writer, started = scope.pop(_OPEN, (None, 0.0))
    if writer is not None:
        writer.record(scope, time.perf_counter() - started)


def coverage(exchanges: Iterable[Exchange]) -> dict[str, Any]:
    """How often each operation was called and answered with which status, and which item types were sent in."""
    operations: dict[str, Counter[str]] = {}
    kinds: Counter[str] = Counter()
    for exchange in exchanges:
        if exchange.operation:
            operations.setdefault(exchange.operation, Counter())[str(exchange.status)] += 1
            if exchange.status == 200:
                kinds.update(_item_types(_parsed(exchange.request)))
    return {"operations": {name: dict(counts) for name, counts in operations.items()}, "items": dict(kinds)}


def _item_types(body: Any) -> Iterator[str]:
    items = body.get("items") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield str(item.get("type") or ("message" if "role" in item else "item_reference"))


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
