"""The access log: one line for each request."""

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.context import RECORD
from mockserver.findings import Finding
from mockserver.gateway.journal import Journal, JournalEntry
from mockserver.settings import API_PATH, AUTHENTICATION_PATH, LogFormat

Write = Callable[..., object]
"""Takes a function that returns a line, and its arguments, and calls it when it writes the line."""

_API_PREFIXES = API_PATH + "/", AUTHENTICATION_PATH + "/"
_MAX_TEXT = 200
_MAX_PATH = 2 * _MAX_TEXT
_NO_ENTRY = JournalEntry(
    operation="",
    method="",
    path=b"",
    query=b"",
    headers=b"",
    request=b"",
    status=0,
    response=b"",
    key="",
    end_user=None,
    findings=(),
    notes=(),
    fault=b"",
    reply=None,
    stream=None,
    started_at=0.0,
    duration=0.0,
    item_types=(),
    size=0,
)
"""Stands for an exchange that the journal does not have."""
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~[]"
_PLAIN_PATH = re.compile(rb"[!-~]{0,%d}" % _MAX_TEXT).fullmatch


class AccessLog:
    """Passes one line for each request to `write`, without credentials, query or body.

    The line has the fingerprint of the API key (JSON only), and the location, pointer and code of each finding
    and note. It consists of printable ASCII characters. `log_format` is `text` or `json`.

    Exchanges with the API come from the journal, because a layer around them would cost a request a tenth of its
    time. The log is a layer for the other requests.
    """

    def __init__(self, app: ASGIApp, journal: Journal, log_format: LogFormat, write: Write) -> None:
        self._app = app
        self._log_entry: Callable[[JournalEntry], object] = (
            partial(_write_as_json, write) if log_format == "json" else partial(write, _format_text)
        )
        journal.on_entry = self._log_entry

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        is_in_journal = scope["type"] != "http" or (
            scope["path"].startswith(_API_PREFIXES) and scope["method"] != "OPTIONS"
        )
        return self._app(scope, receive, send) if is_in_journal else self._log_request(scope, receive, send)

    async def _log_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        def observe(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            if RECORD not in scope:
                duration = time.perf_counter() - started
                path = scope["raw_path"][:_MAX_PATH]
                self._log_entry(
                    _NO_ENTRY._replace(method=scope["method"], path=path, status=status, duration=duration)
                )


class LogHandler(logging.Handler):
    """A handler that passes other messages of the server to `write`, in the format of the access log."""

    def __init__(self, log_format: LogFormat, write: Write) -> None:
        super().__init__()
        self._is_json = log_format == "json"
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the lines of a message and of its traceback."""
        message = self.format(record)
        if self._is_json:
            entry = {"time": _iso_time(record.created), "level": record.levelname, "message": message}
            self._write(_dump_json, entry)
        else:
            for line in message.splitlines():
                self._write(str, line)


def describe_dropped_lines(log_format: LogFormat, number: int) -> str:
    """Return a line that says how many lines were dropped."""
    if log_format == "json":
        return _dump_json({"time": _iso_time(time.time()), "dropped": number})
    return f"{number} lines of the log were dropped, because nobody read them."


def _write_as_json(write: Write, entry: JournalEntry) -> None:
    write(_format_json, time.time(), entry)


def _format_text(entry: JournalEntry) -> str:
    line = f"{entry.method} {_quote_path(entry.path)} {entry.status} {entry.duration * 1000:.1f} ms"
    if entry.findings or entry.notes:
        line += _format_findings([*entry.findings, *entry.notes])
    return line


def _format_findings(findings: Sequence[Finding]) -> str:
    text = ""
    for finding in findings:
        pointer = _shorten(quote(finding.pointer[:_MAX_TEXT], safe="/"))
        text += f"; {finding.location}{pointer and ' ' + pointer} {finding.code}"
    return text


def _format_json(now: float, entry: JournalEntry) -> str:
    return _dump_json(
        {
            "time": _iso_time(now),
            "method": entry.method,
            "path": _quote_path(entry.path),
            "operation": entry.operation or None,
            "status": entry.status,
            "milliseconds": round(entry.duration * 1000, 2),
            "key": entry.key or None,
            "findings": [
                {"in": finding.location, "pointer": _shorten(finding.pointer), "code": finding.code}
                for finding in (*entry.findings, *entry.notes)
            ],
        }
    )


def _quote_path(path: bytes) -> str:
    # On the wire, a path has no other characters; an application in the same process may send any.
    return path.decode() if _PLAIN_PATH(path) else _shorten(quote(path[:_MAX_PATH], safe=_PATH_CHARACTERS))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


def _iso_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")


def _dump_json(value: dict[str, Any]) -> str:
    with suppress(orjson.JSONEncodeError):  # A lone surrogate.
        line = orjson.dumps(value).decode()
        if line.isascii() and line.isprintable():
            return line
    # Control characters beyond ASCII control a terminal as well, and `json` escapes all but one of them.
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f")
