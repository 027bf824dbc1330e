"""The layer that gives errors the form of the authentication service."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import JSON
from mockserver.context import CONTEXT, Context
from mockserver.contract.operations import Operation
from mockserver.errors import state_mistake
from mockserver.findings import unescape_token


class MessageErrors:
    """A layer that replaces the envelope of an error by its `message`.

    Where the document declares `details`, the mistakes in the request follow. A body that a fault names stays.
    """

    def __init__(self, app: ASGIApp, operations: Mapping[str, Operation]) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope[CONTEXT]
        error_start: Message | None = None

        async def send_converted(message: Message) -> None:
            nonlocal error_start
            if message["type"] == "http.response.start" and message["status"] >= 400:
                error_start = message
                return
            if error_start is not None:
                start, error_start = error_start, None
                body = None if message.get("more_body", False) else self._convert(context, start["status"], message)
                if body is not None:
                    content = orjson.dumps(body)
                    start = {**start, "headers": _replace_length(start["headers"], len(content))}
                    message = {**message, "body": content}
                await send(start)
            await send(message)

        await self._app(scope, receive, send_converted)

    def _convert(self, context: Context, status: int, message: Message) -> dict[str, Any] | None:
        """Return the body in its new form, or None if it stays."""
        if context.fault is not None and "body" in context.fault:
            return None
        try:
            error = orjson.loads(message["body"])["error"]
        except (ValueError, KeyError, TypeError):
            return None  # A fault has cut or patched it.
        response = self._operations[context.operation_id].response(status)
        fields = response.content[JSON.decode()].field_names if response else ()
        body: dict[str, Any] = {"message": error if isinstance(error, str) else _state_all(error)}
        if "details" in fields:
            body["details"] = [
                {"path": ".".join(map(unescape_token, finding.pointer.split("/")[1:])), "message": finding.message}
                for finding in context.findings
            ]
        return body


def _state_all(error: Mapping[str, Any]) -> str:
    """Return the message of an error, with all mistakes in the request, because no `findings` follow it."""
    findings = error.get("findings", ())
    if len(findings) < 2:
        return str(error["message"])
    return "; ".join(state_mistake(one["in"], one["pointer"], one["message"]) for one in findings)


def _replace_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    return [*kept, (b"content-length", b"%d" % length)]
