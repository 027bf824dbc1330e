"""The layer that writes the journal."""

import time
from collections.abc import Collection, Mapping
from functools import partial
from sys import getsizeof

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import CONTEXT, RECORD, Context, StreamRecord
from mockserver.determinism import AdjustableClock, Clock
from mockserver.gateway.coverage import list_item_types
from mockserver.gateway.journal import Journal, JournalEntry, StreamEntry, size_of_findings
from mockserver.gateway.journal_headers import store_headers
from mockserver.gateway.open_requests import OpenRequests
from mockserver.secrets import mask_fields

_MAX_BODY = 64 * 1024
_MAX_TARGET = 8 * 1024
_MAX_END_USER = 256


class JournalWriter:
    """A layer that records each exchange when it ends, or earlier if a layer behind it calls `context.record`.

    It masks the values of `secret_fields`, which are names of JSON fields by `operationId`.
    """

    _stopwatch = staticmethod(time.perf_counter)  # Kept, because a test may replace the functions of `time`.

    def __init__(
        self,
        app: ASGIApp,
        journal: Journal,
        clock: Clock,
        open_requests: OpenRequests,
        secret_fields: Mapping[str, Collection[str]],
    ) -> None:
        self._app = app
        self._journal = journal
        self._secret_fields = secret_fields
        self._open_requests = open_requests
        self._before = (
            clock.time_ago
            if isinstance(clock, AdjustableClock)
            else lambda seconds, account: clock.now(account) - seconds
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = scope[RECORD] = partial(self._record, scope, self._stopwatch())
        self._open_requests[id(scope)] = scope
        try:
            await self._app(scope, receive, send)
        finally:
            del self._open_requests[id(scope)]
            record()

    def _record(self, scope: Scope, started: float) -> None:
        context: Context = scope[CONTEXT]
        if context.record is None:
            return  # A layer has recorded the exchange before its end.
        context.record = scope[RECORD] = None  # Break the reference cycle, which would keep the request in memory.
        if context.past is not None:
            return  # The journal of the request is gone.
        duration = self._stopwatch() - started
        account, end_user = context.tenant or ("", None)
        path, query, headers = scope["raw_path"], scope["query_string"], store_headers(scope["headers"])
        request, response = context.content, context.response_content
        size = len(path) + len(query) + len(headers) + len(request) + len(response)
        if size > _MAX_TARGET:  # The smallest of the limits.
            path, query, headers = path[:_MAX_TARGET], query[:_MAX_TARGET], headers[:_MAX_TARGET]
            request, response = request[:_MAX_BODY], response[:_MAX_BODY]
            size = len(path) + len(query) + len(headers) + len(request) + len(response)
        if secret_fields := self._secret_fields.get(context.operation_id):
            request, response = mask_fields(request, secret_fields), mask_fields(response, secret_fields)
        fault = b""
        item_types: tuple[str, ...] = ()
        if context.fault is not None:
            fault = orjson.dumps(context.fault)[:_MAX_BODY]
            size += len(fault)
        if end_user is not None:
            end_user = end_user[:_MAX_END_USER]
            size += getsizeof(end_user)
        if context.findings or context.notes:
            size += size_of_findings(context.findings) + size_of_findings(context.notes)
        if len(context.content) > _MAX_BODY:
            item_types = tuple(list_item_types(context.body))
            size += sum(map(getsizeof, item_types))
        stream = None
        if context.stream is not None:
            stream = _keep_stream(context.stream)
            size += len(stream.events)
        fields = (
            context.operation_id,
            scope["method"],
            path,
            query,
            headers,
            request,
            context.status,
            b"%b" % response,  # A copy, because bytes fresh from orjson keep the whole 4 KiB of its buffer alive.
            context.key,
            end_user,
            context.findings,
            context.notes,
            fault,
            context.reply,
            stream,
            self._before(duration, account),
            duration,
            item_types,
            size,
        )
        self._journal.add(tuple.__new__(JournalEntry, fields))  # Much faster than a call with so many arguments.


def _keep_stream(stream: StreamRecord) -> StreamEntry:
    # A line break within an event can come only from a fault.
    events = b"\n".join(data.replace(b"\n", b" ") for data in stream.events)
    return StreamEntry(stream.end, stream.count, events)
