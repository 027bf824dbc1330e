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

Write = Callable[[Callable[[], str]], object]
"""Takes a function that returns a line, and calls it when it writes the line."""

_API_PREFIXES = API_PATH + "/", AUTHENTICATION_PATH + "/"
_MAX_TEXT = 200
_MAX_PATH = 2 * _MAX_TEXT
_MAX_KEPT = 4096
"""Bytes of the largest entry that is kept as it is until its line is written."""
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
        self._format = _format_json if log_format == "json" else _format_text
        self._write = write
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
                request = scope["method"], scope["raw_path"][:_MAX_PATH], status, time.perf_counter() - started
                self._write(partial(self._format, time.time(), *request))

    def _log_entry(self, entry: JournalEntry) -> None:
        if entry.size > _MAX_KEPT:  # The entry stays in memory until the line is written.
            path = entry.path[:_MAX_PATH]
            entry = entry._replace(path=path, query=b"", request=b"", response=b"", fault=b"", item_types=())
        self._write(partial(self._format_entry, time.time(), entry))

    def _format_entry(self, now: float, entry: JournalEntry) -> str:
        request = entry.method, entry.path[:_MAX_PATH], entry.status, entry.duration
        return self._format(now, *request, entry.operation, entry.key, entry.findings, entry.notes)


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
            self._write(partial(_dump_json, entry))
        else:
            for line in message.splitlines():
                self._write(line.__str__)


def describe_dropped_lines(log_format: LogFormat, number: int) -> str:
    """Return a line that says how many lines were dropped."""
    if log_format == "json":
        return _dump_json({"time": _iso_time(time.time()), "dropped": number})
    return f"{number} lines of the log were dropped, because nobody read them."


def _format_text(
    _now: float,
    method: str,
    path: bytes,
    status: int,
    duration: float,
    _operation: str = "",
    _key: str = "",
    findings: Sequence[Finding] = (),
    notes: Sequence[Finding] = (),
) -> str:
    line = f"{method} {_quote_path(path)} {status} {duration * 1000:.1f} ms"
    return line + _format_findings([*findings, *notes]) if findings or notes else line


def _format_findings(findings: Sequence[Finding]) -> str:
    text = ""
    for finding in findings:
        pointer = _shorten(quote(finding.pointer[:_MAX_TEXT], safe="/"))
        text += f"; {finding.location}{pointer and ' ' + pointer} {finding.code}"
    return text


def _format_json(
    now: float,
    method: str,
    path: bytes,
    status: int,
    duration: float,
    operation: str = "",
    key: str = "",
    findings: Sequence[Finding] = (),
    notes: Sequence[Finding] = (),
) -> str:
    entry = {
        "time": _iso_time(now),
        "method": method,
        "path": _quote_path(path),
        "operation": operation or None,
        "status": status,
        "milliseconds": round(duration * 1000, 2),
        "key": key or None,
        "findings": [
            {"in": finding.location, "pointer": _shorten(finding.pointer), "code": finding.code}
            for finding in (*findings, *notes)
        ],
    }
    return _dump_json(entry)


def _quote_path(path: bytes) -> str:
    # On the wire, a path has no other characters; an application in the same process may send any.
    return path.decode() if _PLAIN_PATH(path) else _shorten(quote(path, safe=_PATH_CHARACTERS))


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
