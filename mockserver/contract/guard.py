"""Hold everything that crosses the wire to the document. Knows ASGI and nothing of what the operations do."""

import logging
from collections.abc import Sequence
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import Headers, send_error
from mockserver.context import Context, attach, context_of
from mockserver.contract.findings import Finding
from mockserver.contract.operations import Operation, Operations
from mockserver.contract.requests import RequestChecker, drop
from mockserver.contract.responses import declared_response_findings
from mockserver.errors import (
    ApiError,
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    OperationNotFound,
    UnsupportedMediaType,
)

UnknownFields = Literal["note", "reject"]

_log = logging.getLogger("mockserver")
_MOST_DRAINED = 64 * 1024 * 1024


class ResponseGuard:
    """Finds the operation, and lets out only what the document allows it to answer.

    A request for no operation is answered 404 or 405. An answer that breaks the document is replaced by a 500 that
    says where, and noted in the context as findings; so is an exception that no layer has answered.
    """

    def __init__(self, app: ASGIApp, operations: Operations) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, raw_path = scope["method"], scope["raw_path"].decode("latin-1")
        match = self._operations.match(method, raw_path)
        if match is None:
            error, operation = self._no_operation(method, raw_path)
            held = _HeldResponse(operation, None, send)
            await send_error(held.send, error)
            return
        operation, raw_parameters = match
        context = attach(scope, Context(operation.id, Headers(scope["headers"]), raw_parameters))
        held = _HeldResponse(operation, context, send)
        try:
            await self._app(scope, receive, held.send)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the cause
            _log.exception("%s failed", operation.id)
            if not held.is_sent:
                await send_error(send, InternalError(f"{operation.id} failed: {type(error).__name__}. See the log."))

    def _no_operation(self, method: str, raw_path: str) -> tuple[ApiError, Operation]:
        """The refusal, and an operation whose document declares it."""
        on_path = self._operations.allowed(raw_path)
        if on_path:
            allowed = sorted(operation.method for operation in on_path)
            return MethodNotAllowed(method, raw_path, allowed), on_path[0]
        return OperationNotFound(method, raw_path), next(iter(self._operations.values()))


class _HeldResponse:
    """One response, held back until it is whole and checked."""

    def __init__(self, operation: Operation, context: Context | None, send: Send) -> None:
        self._operation = operation
        self._context = context
        self._send = send
        self.is_sent = False
        self._start: Message | None = None
        self._chunks: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body" or self._start is None:
            await self._send(message)
            return
        content = message.get("body", b"")
        if message.get("more_body", False) or self._chunks:
            self._chunks.append(content)
            if message.get("more_body", False):
                return
            content = b"".join(self._chunks)
        await self._finish(self._start, content)

    async def _finish(self, start: Message, content: bytes) -> None:
        declared = self._operation.response(start["status"])
        findings = (
            declared_response_findings(declared, start["headers"], content)
            if declared
            else [Finding("response", "status", "", f"the document does not know {start['status']} here")]
        )
        self.is_sent = True
        if not findings:
            await self._send(start)
            await self._send({"type": "http.response.body", "body": content})
            return
        if self._context is not None:
            self._context.findings += findings
        await send_error(self._send, _broken(self._operation, findings))


def _broken(operation: Operation, findings: Sequence[Finding]) -> InternalError:
    first = findings[0]
    where = f"{first.location} {first.pointer}".strip()
    return InternalError(
        f"The answer of {operation.id} breaks the document: response {where}: {first.message}",
        findings=[finding.as_dict() for finding in findings],
    )


class RequestGuard:
    """Lets in only what the document allows, and leaves it parsed in the context.

    `unknown_fields` says what happens to body fields that the document does not know: with `note` they are dropped and
    noted in the context, with `reject` the request is refused. A body of more than `max_body` bytes is refused.
    """

    def __init__(
        self, app: ASGIApp, operations: Operations, *, unknown_fields: UnknownFields = "note", max_body: int
    ) -> None:
        self._app = app
        self._checkers = {operation.id: RequestChecker(operation) for operation in operations.values()}
        self._operations = operations
        self._unknown_fields = unknown_fields
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        if context is None:
            await self._app(scope, receive, send)
            return
        try:
            content = await self._content(context, receive)
            if content is None:
                return
            self._check(context, scope["query_string"], content)
        except ApiError as error:
            await send_error(send, error)
            return
        await self._app(scope, receive, send)

    async def _content(self, context: Context, receive: Receive) -> bytes | None:
        """The body of the request, or None when the client has gone."""
        media_types = self._operations[context.operation_id].body_content
        if not media_types:
            return b""
        content = await _read(context.headers, receive, self._max_body)
        if content:
            sent = context.headers.all(b"content-type")
            media_type = sent[0].decode("latin-1") if sent else None
            if media_type is None or media_type.partition(";")[0].strip().lower() not in media_types:
                raise UnsupportedMediaType(media_type, list(media_types))
        return content

    def _check(self, context: Context, query_string: bytes, content: bytes) -> None:
        checker = self._checkers[context.operation_id]
        parameters, findings = checker.parameters(context.raw_path, query_string, context.headers.all)
        context.path, context.query, context.header, context.undeclared_query = parameters
        if self._operations[context.operation_id].body_content:
            context.body, body_findings = checker.body(content)
            findings += body_findings
        if not findings and context.body is not None:
            findings += self._unknown(context, checker)
        if findings:
            context.findings += findings
            raise InvalidRequest.of([finding.as_dict() for finding in findings])

    def _unknown(self, context: Context, checker: RequestChecker) -> list[Finding]:
        """What to refuse of the fields that the document does not know; with `note` they are dropped instead."""
        unknown = checker.unknown_fields(context.body)
        if self._unknown_fields == "reject":
            return unknown
        context.notes += unknown
        drop(context.body, unknown)
        return []


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None when the client has gone.

    A client that is still sending reads no answer, so that what is too much is read and thrown away, within reason,
    unless the client waits for leave to send it.

    Raises:
        BodyTooLarge: it has more than `limit` bytes.
    """
    announced = headers.all(b"content-length")
    too_large = bool(announced) and int(announced[0]) > limit
    if too_large and headers.all(b"expect"):
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
        if size > limit + _MOST_DRAINED or not message.get("more_body", False):
            break
    if size > limit:
        raise BodyTooLarge(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
