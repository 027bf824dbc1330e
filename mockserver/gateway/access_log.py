"""A line for each request."""

import time
from datetime import UTC, datetime
from typing import TextIO

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.context import context_of


class AccessLog:
    """Writes to `stream` what was asked, by whom, and what came of it. No credential, no query, no body.

    The caller is shown by the fingerprint of its API key. What was wrong, and what was let through all the same, is
    shown by location and pointer. `form` is `text` or `json`.
    """

    def __init__(self, app: ASGIApp, form: str, stream: TextIO) -> None:
        self._app = app
        self._form = form
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            self._write(scope, status, time.perf_counter() - started)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        context = context_of(scope)
        path = scope["raw_path"].decode("latin-1")
        remarks = [] if context is None else [*context.findings, *context.notes]
        if self._form == "json":
            line = orjson.dumps(
                {
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "method": scope["method"],
                    "path": path,
                    "operation": (context.operation_id or None) if context else None,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                    "key": (context.key or None) if context else None,
                    "findings": [finding.as_dict() for finding in remarks],
                }
            ).decode()
        else:
            line = f"{scope['method']} {path} {status} {seconds * 1000:.1f} ms"
            line += "".join(f"; {finding.location} {finding.pointer} {finding.message}" for finding in remarks)
        self._stream.write(line + "\n")
        self._stream.flush()
