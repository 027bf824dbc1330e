"""The layer that writes the journal."""

import time
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import CONTEXT, RECORD, Context
from mockserver.determinism import AdjustableClock, Clock
from mockserver.gateway.journal import Journal, JournalEntry

_MAX_BODY = 64 * 1024


class JournalWriter:
    """A layer that records each exchange when it ends, or earlier if a layer behind it calls `context.record`."""

    def __init__(self, app: ASGIApp, journal: Journal, clock: Clock) -> None:
        self._app = app
        self._journal = journal
        self._before = (
            clock.time_ago
            if isinstance(clock, AdjustableClock)
            else lambda seconds, account: clock.now(account) - seconds
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = scope[RECORD] = partial(self._record, scope, time.perf_counter())
        try:
            await self._app(scope, receive, send)
        finally:
            record()

    def _record(self, scope: Scope, started: float) -> None:
        context: Context = scope[CONTEXT]
        if context.record is None:
            return  # A layer has recorded the exchange before its end.
        context.record = scope[RECORD] = None  # Break the reference cycle, which would keep the request in memory.
        duration = time.perf_counter() - started
        account, end_user = context.tenant or ("", None)
        path, query = scope["raw_path"], scope["query_string"]
        # Copy the response: bytes fresh from orjson keep the whole 4 KiB of its buffer alive.
        request, response = context.content[:_MAX_BODY], b"%b" % context.response_content[:_MAX_BODY]
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
        self._journal.add(JournalEntry._make(fields))  # Much faster than a call with so many arguments.
