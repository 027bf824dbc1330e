"""Requests of Schemathesis, sent through the transport of the run.

Schemathesis has no transport or session to configure: its probes and its authentication checks create sessions that
bypass the one of the engine. All of them pass `requests.adapters.HTTPAdapter.send`, which is therefore replaced while
the phases run. For this reason, pyproject.toml limits the versions of both libraries.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from mockserver.verify.transport import Transport, WireRequest, WireResponse

_END_USER = "X-On-Behalf-Of"


@contextmanager
def send_requests_through(transport: Transport, choose_end_user: Callable[[str | None], str]) -> Iterator[None]:
    """Send all requests of `requests` through the transport.

    `choose_end_user` maps the end user of a request to one of the run, so that nothing is done for anybody else.
    """
    original = HTTPAdapter.send
    used: set[HTTPAdapter] = set()

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request = request.copy()
        request.headers[_END_USER] = choose_end_user(_to_text(request.headers.get(_END_USER)))
        with_keys = request.copy()
        for name, value in request.headers.items():
            text = _to_text(value) or ""
            if (inserted := transport.insert_keys(text)) != text:
                with_keys.headers[name] = inserted
        responses: list[requests.Response] = []

        def perform() -> WireResponse:
            used.add(adapter)
            response = original(adapter, with_keys, *args, **options)
            responses.append(response)
            content = response.content
            if response.status_code >= 500:  # Some servers close the connection after an error without saying so.
                adapter.close()
            return WireResponse(response.status_code, tuple(response.raw.headers.items()), content)

        wire_response = transport.send(_to_wire(request), perform)
        response = responses[-1]
        response.request = request
        response._content = wire_response.body
        return response

    HTTPAdapter.send = send  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign]
        for adapter in used:
            adapter.close()


def _to_wire(request: requests.PreparedRequest) -> WireRequest:
    headers = tuple((name, _to_text(value) or "") for name, value in request.headers.items())
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return WireRequest(request.method or "", request.path_url, headers, body if isinstance(body, bytes) else b"")


def _to_text(value: str | bytes | None) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value
