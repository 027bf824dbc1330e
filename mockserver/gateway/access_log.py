"""The access log: one line for each request."""

import time
from datetime import UTC, datetime
from typing import TextIO

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.context import get_context
from mockserver.settings import LogFormat


class AccessLog:
    """A layer that writes one line for each request, without credentials, query or body.

    The line has the fingerprint of the API key (JSON only), and the location and pointer of each finding and note.
    `log_format` is `text` or `json`.
    """

    def __init__(self, app: ASGIApp, log_format: LogFormat, stream: TextIO) -> None:
        self._app = app
        self._log_format = log_format
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
        context = get_context(scope)
        path = scope["raw_path"].decode("latin-1")
        findings = [] if context is None else [*context.findings, *context.notes]
        if self._log_format == "json":
            line = orjson.dumps(
                {
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "method": scope["method"],
                    "path": path,
                    "operation": (context.operation_id or None) if context else None,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                    "key": (context.key or None) if context else None,
                    "findings": [finding.as_dict() for finding in findings],
                }
            ).decode()
        else:
            line = f"{scope['method']} {path} {status} {seconds * 1000:.1f} ms"
            line += "".join(f"; {finding.location} {finding.pointer} {finding.message}" for finding in findings)
        self._stream.write(line + "\n")
        self._stream.flush()
