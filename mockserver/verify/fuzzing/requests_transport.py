"""Requests of Schemathesis, sent through the transport of the run.

Schemathesis has no transport or session to configure: its probes and its authentication checks create sessions that
bypass the one of the engine. All of them pass `requests.adapters.HTTPAdapter.send`, which is therefore replaced while
the phases run. For this reason, pyproject.toml limits the versions of both libraries.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from mockserver.conformance.client import Withheld
from mockserver.contract.json_text import MAX_DEPTH, JsonError, parse_response
from mockserver.verify.transport import Transport, UnreadableResponse, WireRequest, WireResponse, read_body

_END_USER = "X-On-Behalf-Of"
_REMOVED_HEADERS = ("content-encoding", "location", "transfer-encoding")


@contextmanager
def send_requests_through(
    transport: Transport, origin: str, choose_end_user: Callable[[str | None], str]
) -> Iterator[None]:
    """Send all requests of `requests` through the transport, without the proxies and passwords of the environment.

    Requests to another origin are withheld. `choose_end_user` maps the end user of a request to one of the run, so
    that nothing is done for anybody else.
    """
    sessions: Any = requests.sessions
    original, original_netrc = HTTPAdapter.send, sessions.get_netrc_auth
    used: set[HTTPAdapter] = set()

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if f"{parts.scheme}://{parts.netloc}" != origin:
            raise Withheld(f"{request.method} {parts.netloc} was not sent: it is not the target")
        request = request.copy()
        request.headers[_END_USER] = choose_end_user(_to_text(request.headers.get(_END_USER)))
        with_keys = request.copy()
        for name, value in request.headers.items():
            text = _to_text(value) or ""
            if (inserted := transport.insert_keys(text)) != text:
                with_keys.headers[name] = inserted

        def perform(is_cancelled: Event) -> WireResponse:
            used.add(adapter)
            response = original(adapter, with_keys, **{**options, "stream": True, "proxies": {}})
            raw = response.raw
            try:
                body = read_body(
                    raw.stream(decode_content=False), response.headers.get("content-encoding"), is_cancelled
                )
            except urllib3.exceptions.HTTPError as error:
                raise UnreadableResponse(str(error)) from error
            finally:
                response.close()
            if response.status_code >= 500:  # Some servers close the connection after an error without saying so.
                adapter.close()
            return WireResponse(response.status_code, tuple(raw.headers.items()), body)

        try:
            wire_response = transport.send(_to_wire(request), perform)
        except UnreadableResponse as error:
            raise requests.ConnectionError(str(error)) from error
        return _to_response(adapter, request, wire_response)

    HTTPAdapter.send = send  # type: ignore[method-assign, assignment]
    sessions.get_netrc_auth = lambda *_, **__: None
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign]
        sessions.get_netrc_auth = original_netrc
        for adapter in used:
            adapter.close()


def _to_wire(request: requests.PreparedRequest) -> WireRequest:
    headers = tuple((name, _to_text(value) or "") for name, value in request.headers.items())
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return WireRequest(request.method or "", request.path_url, headers, body if isinstance(body, bytes) else b"")


def _to_response(adapter: HTTPAdapter, request: requests.PreparedRequest, response: WireResponse) -> requests.Response:
    """Return a response that is read and decoded already.

    It has no location, which `requests` parses even if it follows no redirect, and no body that Schemathesis cannot
    parse.
    """
    headers = urllib3.HTTPHeaderDict(pair for pair in response.headers if pair[0].lower() not in _REMOVED_HEADERS)
    raw = urllib3.HTTPResponse(
        BytesIO(response.body if _is_readable(response.body) else b""),
        headers,
        response.status,
        11,
        "HTTP/1.1",
        preload_content=False,
    )
    built = adapter.build_response(request, raw)
    built.encoding = "utf-8"  # That of JSON, whatever the headers say.
    return built


def _is_readable(body: bytes) -> bool:
    try:
        return not _is_deeper(parse_response(body), MAX_DEPTH)
    except JsonError:
        return False


def _is_deeper(value: Any, depth: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth == 0 or any(_is_deeper(child, depth - 1) for child in children)


def _to_text(value: str | bytes | None) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value
