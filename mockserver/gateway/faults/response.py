"""Responses, and how a fault alters them."""

from typing import Any, NamedTuple

import orjson

from mockserver.errors import RateLimitExceeded, Unauthorized, envelope
from mockserver.gateway.faults.json_patch import apply_patch
from mockserver.gateway.faults.model import Fault

HeaderPairs = list[tuple[bytes, bytes]]

_STATUSES_WITHOUT_BODY = (204, 304)
_GARBAGE = b'{"id": "\xff\xfe <!-- not what you asked for'


class BufferedResponse(NamedTuple):
    """A whole response; header names are in lower case."""

    status: int
    headers: HeaderPairs
    content: bytes


def is_changed(response: BufferedResponse, altered: BufferedResponse) -> bool:
    """Return whether a client sees another response; the order of headers does not count."""
    if (response.status, response.content) != (altered.status, altered.content):
        return True
    return sorted(response.headers) != sorted(altered.headers)


def alter_response(response: BufferedResponse, fault: Fault) -> BufferedResponse:
    """Return the response with the changes that the fault describes."""
    status, headers, content = response
    if fault.replaces_response:
        status = fault.status or status
        headers, content = _build_replacement(status, fault.body)
    if fault.patch and not isinstance(fault.body, str):
        content = orjson.dumps(apply_patch(orjson.loads(content), fault.patch))
    if fault.action == "truncate":
        content = content[: len(content) // 2]
    elif fault.action == "garbage":
        content = _GARBAGE
    headers = alter_headers([pair for pair in headers if pair[0] != b"content-length"], fault)
    if status in _STATUSES_WITHOUT_BODY:  # A client would read the body as the start of the next response.
        return BufferedResponse(status, [(name, value) for name, value in headers if name != b"content-type"], b"")
    return BufferedResponse(status, [*headers, (b"content-length", b"%d" % len(content))], content)


def alter_headers(headers: HeaderPairs, fault: Fault) -> HeaderPairs:
    """Return the headers with those of the fault added or replaced."""
    added = {name.lower().encode(): value.encode() for name, value in fault.headers.items()}
    return [*((name, value) for name, value in headers if name not in added), *added.items()]


def _build_replacement(status: int, body: Any) -> tuple[HeaderPairs, bytes]:
    """Return the headers and content of a response with this body, or with the API's error body for the status."""
    headers: HeaderPairs = []
    if body is None:
        body = RateLimitExceeded().body() if status == 429 else envelope(status, "This is a planned fault.")
        if status == 401:
            headers = [(name.lower().encode(), value.encode()) for name, value in Unauthorized("").headers.items()]
    if isinstance(body, str):
        return [*headers, (b"content-type", b"text/plain")], body.encode()
    return [*headers, (b"content-type", b"application/json")], orjson.dumps(body)
