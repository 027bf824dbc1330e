"""ASGI layers that validate requests and responses; they know nothing of the operations themselves."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import Disconnected, Headers, send_error
from mockserver.context import BODY_FOLLOWS, CONTEXT, RECORD, Context, StreamRecord
from mockserver.contract.engine import CompiledEngine, Engine, RequestValidator
from mockserver.contract.event_order import EventOrder
from mockserver.contract.event_streams import StreamValidator
from mockserver.contract.event_tracker import track_events
from mockserver.contract.json_text import has_more_values
from mockserver.contract.operations import Operation, Operations
from mockserver.contract.stream_guard import GuardedStream, is_event_stream
from mockserver.errors import (
    ApiError,
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    OperationNotFound,
    UnsupportedMediaType,
)
from mockserver.findings import Finding
from mockserver.settings import UnknownFields

_log = logging.getLogger("mockserver")
_MAX_DRAINED = 64 * 1024 * 1024
_MAX_TARGET = 64 * 1024
_MAX_PAIRS = 1000
_MAX_EXPLAINED_PATH = 200


class ResponseGuard:
    """Finds the operation of a request, and sends only responses that conform to it.

    A request that matches no operation gets a 404 or 405; the 404 names the path below one of `base_paths` that was
    probably meant. A response that violates the document is replaced by a 500 that says where, and leaves findings in
    the context; so does an exception that no layer has handled. An event stream passes event by event; in place of an
    event that violates the document, or its order if there is one, the stream ends with an `error` event.
    """

    def __init__(
        self,
        app: ASGIApp,
        operations: Operations,
        *,
        engine: Engine | None = None,
        base_paths: Sequence[str] = (),
        load_order: Callable[[], EventOrder] | None = None,
    ) -> None:
        self._app = app
        self._load_order = load_order
        self._operations = operations
        self._base_paths = base_paths
        self._engine = engine or CompiledEngine()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, raw_path = scope["method"], scope["raw_path"].decode("latin-1")
        match = self._operations.match(method, raw_path)
        headers = Headers(scope["headers"])
        if match is None:
            error, operation = self._no_match_error(method, raw_path)
            context = scope[CONTEXT] = Context("", headers, {}, scope.get(RECORD))
            await send_error(_BufferedResponse(self._engine, operation, context, send).send, error)
            return
        operation, raw_parameters = match
        context = scope[CONTEXT] = Context(operation.id, headers, raw_parameters, scope.get(RECORD))
        response = _BufferedResponse(self._engine, operation, context, send, self._load_order)
        try:
            await self._app(scope, receive, response.send)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - the client gets a response, the log gets the cause
            _log.exception("%s failed", operation.id)
            await response.fail(error)

    def _no_match_error(self, method: str, raw_path: str) -> tuple[ApiError, Operation]:
        """Return the error, and an operation that declares it."""
        on_path = self._operations.operations_at(raw_path)
        if on_path:
            allowed = sorted(operation.method for operation in on_path)
            return MethodNotAllowed(method, raw_path, allowed), on_path[0]
        base_path, intended = self._intended_path(raw_path)
        error = OperationNotFound(method, raw_path, intended=intended, base_path=base_path)
        return error, next(iter(self._operations.values()))

    def _intended_path(self, raw_path: str) -> tuple[str, str | None]:
        """Return the path of an operation that differs only in its base path, if there is one, and its base path."""
        is_plain = raw_path.isascii() and raw_path.isprintable() and len(raw_path) <= _MAX_EXPLAINED_PATH
        segments = raw_path.split("/") if is_plain else []
        for base_path in self._base_paths:
            for number in range(1, len(segments)):
                path = "/".join([base_path, *segments[number:]])
                if self._operations.operations_at(path):
                    return base_path, path
        return "", None


class _BufferedResponse:
    """One response, kept back until it is complete and validated.

    A response that a fault has changed is sent as it comes; its mistakes become notes. So is an event stream, but not
    its mistakes.
    """

    def __init__(
        self,
        engine: Engine,
        operation: Operation,
        context: Context,
        send: Send,
        load_order: Callable[[], EventOrder] | None = None,
    ) -> None:
        self._load_order = load_order
        self._stream: GuardedStream | None = None
        self._engine = engine
        self._operation = operation
        self._context = context
        self._send = send
        self._is_sent = False
        self._start: Message | None = None
        self._chunks: list[bytes] = []

    def send(self, message: Message) -> Awaitable[None]:
        """Receive an ASGI message of the application; send the response once it is complete."""
        return self._send_whole(message) if self._stream is None else self._stream.send(message)

    async def _send_whole(self, message: Message) -> None:
        if message["type"] == "http.response.start" and is_event_stream(message["headers"]):
            await self._start_stream(message)
            return
        if self._context.bypasses_contract:
            self._is_sent = True
            await self._send(message)
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is None:
            raise RuntimeError("the application sent a body before it started its response")
        content = message.get("body", b"")
        if message.get("more_body", False) or self._chunks:
            self._chunks.append(content)
            if message.get("more_body", False):
                return
            content = b"".join(self._chunks)
        start = self._start
        findings = self._engine.validate_response(self._operation, start["status"], start["headers"], content)
        self._is_sent = True
        context = self._context
        if context.bypasses_contract:
            context.status, context.response_content = start["status"], content
            context.notes += tuple(findings)
        elif not findings:
            context.status, context.response_content = start["status"], content
            start[BODY_FOLLOWS] = True
            await self._send(start)
            await self._send({"type": "http.response.body", "body": content})
        else:
            context.findings += tuple(findings)
            await self._send_error(_violation_error(self._operation, findings))

    async def fail(self, error: Exception) -> None:
        """Respond for an application that has raised `error`, unless it has already responded."""
        message = f"{self._operation.id} failed: {type(error).__name__}. See the log."
        self._context.findings += (Finding("response", "status", "", "application_error", message),)
        if self._stream is not None:
            await self._stream.fail(message)
        elif not self._is_sent:
            await self._send_error(InternalError(message))

    async def _start_stream(self, start: Message) -> None:
        """Send the head of an event stream; what follows is sent event by event."""
        context, operation = self._context, self._operation
        findings = self._engine.validate_stream_head(operation, start["status"], start["headers"])
        self._is_sent = True
        if findings:
            context.findings += tuple(findings)
            await self._send_error(_violation_error(operation, findings))
            raise Disconnected("the response violates the document")
        context.status, context.stream = start["status"], StreamRecord()
        validator = StreamValidator(
            self._engine.event_validator(operation, start["status"]),
            None if self._load_order is None else track_events(operation, self._load_order()),
        )
        self._stream = GuardedStream(validator, operation.id, context, context.stream, self._send)
        await self._send(start)

    async def _send_error(self, error: InternalError) -> None:
        self._context.status, self._context.response_content = error.status, orjson.dumps(error.body())
        await send_error(self._send, error)


def _violation_error(operation: Operation, findings: Sequence[Finding]) -> InternalError:
    first = findings[0]
    where = f"{first.location} {first.pointer}".strip()
    return InternalError(
        f"The response of {operation.id} violates the document: {where}: {first.message}",
        findings=findings,
    )


class RequestGuard:
    """Accepts only valid requests, and leaves them parsed in the context.

    Body fields that the document does not declare are dropped and noted in the context; with
    `unknown_fields="reject"` they make a request invalid. So does a body of more than `max_body` bytes, or of
    more than `max_values` JSON values: the time to validate a body depends on both. `large_bodies` gives operations
    another limit of bytes, and none of values.
    """

    def __init__(
        self,
        app: ASGIApp,
        operations: Operations,
        *,
        engine: Engine | None = None,
        unknown_fields: UnknownFields = "note",
        max_body: int,
        max_values: int | None = None,
        large_bodies: Mapping[str, int] | None = None,
    ) -> None:
        engine = engine or CompiledEngine()
        self._app = app
        self._validators = {operation.id: engine.request_validator(operation) for operation in operations.values()}
        self._body_content = {operation.id: operation.body_content for operation in operations.values()}
        self._unknown_fields = unknown_fields
        self._max_body = max_body
        self._max_values = max_values
        self._large_bodies = large_bodies or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope[CONTEXT]
        try:
            if self._body_content[context.operation_id]:
                limit = self._large_bodies.get(context.operation_id, self._max_body)
                content = await _read_body(context.headers, receive, limit)
                if content is None:
                    return
                context.content = content
            _check_length(scope)
            self._validate(context, scope["query_string"], context.content)
        except ApiError as error:
            await send_error(send, error)
            return
        await self._app(scope, receive, send)

    def _validate(self, context: Context, query_string: bytes, content: bytes) -> None:
        validator = self._validators[context.operation_id]
        media_type = self._match_media_type(context, validator) if content else "application/json"
        parameters, findings = validator.validate_parameters(context.raw_path, query_string, context.headers.get_all)
        context.path, context.query, context.header, context.undeclared_query = parameters
        if self._body_content[context.operation_id]:
            limit = None if context.operation_id in self._large_bodies else self._max_values
            if limit is not None and has_more_values(content, limit):
                message = f"has more than {limit:,} values"
                findings.append(Finding("request", "body", "", "too_many_values", message))
            else:
                context.body, body_findings = validator.validate_body(content, media_type)
                findings += body_findings
        if not findings and context.body is not None:
            unknown = validator.remove_unknown_fields(context.body, media_type)
            if unknown and self._unknown_fields == "reject":
                findings = unknown
            elif unknown:
                context.notes += tuple(unknown)
        if findings:
            context.findings += tuple(findings)
            raise InvalidRequest(findings)

    def _match_media_type(self, context: Context, validator: RequestValidator) -> str:
        header = context.headers.get(b"content-type")
        content_type = None if header is None else header.decode("latin-1")
        media_type = None if content_type is None else validator.match_media_type(content_type)
        if media_type is None:
            raise UnsupportedMediaType(content_type, list(self._body_content[context.operation_id]))
        return media_type


def _check_length(scope: Scope) -> None:
    """Check that the path and the query can be validated in a short time.

    Raises:
        InvalidRequest: they are too long.
    """
    query = scope["query_string"]
    if len(scope["raw_path"]) > _MAX_TARGET:
        raise InvalidRequest([Finding("request", "path", "", "too_long", f"is longer than {_MAX_TARGET:,} bytes")])
    if len(query) > _MAX_TARGET:
        raise InvalidRequest([Finding("request", "query", "", "too_long", f"is longer than {_MAX_TARGET:,} bytes")])
    if query.count(b"&") >= _MAX_PAIRS:
        message = f"has more than {_MAX_PAIRS:,} parameters"
        raise InvalidRequest([Finding("request", "query", "", "too_many_values", message)])


async def _read_body(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """Return the complete body, or None if the client has disconnected.

    A client reads no response while it sends. A body that is too large is therefore read and dropped, up to a limit,
    unless the client waits for permission to send it (`Expect: 100-continue`).

    Raises:
        BodyTooLarge: the body has more than `limit` bytes.
    """
    if b"expect" in headers and int(headers.get(b"content-length", 0)) > limit:
        raise BodyTooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        if size > limit + _MAX_DRAINED or not message.get("more_body", False):
            break
    if size > limit:
        raise BodyTooLarge(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
