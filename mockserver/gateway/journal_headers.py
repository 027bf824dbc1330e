"""Request headers in the journal: stored as they were sent, and shown without secrets."""

import re
from collections.abc import Iterable

MASK = "***"
"""Stands for a secret value."""

_SECRET_NAME = re.compile(r"authorization|cookie|token|secret|password|api-?key|x-mock-")
_SCHEME = re.compile(r"(?:bearer|basic) ", re.IGNORECASE)
_SEPARATOR = b"\n"


def store_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the headers as one text, which takes a quarter of their memory and may be cut."""
    return _SEPARATOR.join(map(_SEPARATOR.join, headers))


def show_headers(stored: bytes) -> dict[str, str]:
    """Return the values by lower-case name, without secrets; values of a repeated header are joined by commas."""
    parts = stored.decode("latin-1").split(_SEPARATOR.decode())
    headers: dict[str, str] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=False):
        shown = _mask(name, value)
        headers[name] = f"{headers[name]}, {shown}" if name in headers else shown
    return headers


def is_secret(name: str) -> bool:
    """Return whether the value of a header is never shown."""
    return _SECRET_NAME.search(name.lower()) is not None


def _mask(name: str, value: str) -> str:
    if not is_secret(name):
        return value
    scheme = _SCHEME.match(value)
    return (scheme[0] if scheme else "") + MASK
