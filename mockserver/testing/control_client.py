"""A client of the control API, in process or over HTTP."""

import json
import os
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from starlette.types import ASGIApp

from mockserver.control import CONTROL_PATH
from mockserver.errors import UsageError, parameter_name
from mockserver.server import RunningServer
from mockserver.testing.http_client import HttpResponse, send_request
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

CONTROL_TOKEN_VARIABLE = "MOCKSERVER_CONTROL_TOKEN"  # noqa: S105 - the name of a variable; `serve` reads it, too


class ControlClient(Protocol):
    """Sends a request to the control API and returns the parsed response body.

    Raises:
        UsageError: the control API rejects the request; the message is its own.
    """

    def __call__(self, method: str, route: str, body: Any = None, /, **query: Any) -> Any: ...


def in_process_client(app: ASGIApp, server: RunningServer) -> ControlClient:
    """Return a client that calls `app` in the thread of the server that runs it.

    In that thread, an exchange is in the journal as soon as its client has the response. A forked process, which does
    not have the thread, sends its requests over HTTP.
    """
    over_http = http_client(server.url)

    def control(method: str, route: str, body: Any = None, /, **query: Any) -> Any:
        if not server.is_in_this_process:
            return over_http(method, route, body, **query)
        content = _serialise_body(body)
        return _parse_response(server.call(lambda: call_in_process(app, method, route, content, query)))

    return control


def http_client(url: str, api_key: str | None = None) -> ControlClient:
    """Return a client of the server at `url`, for all data or for that of one API key."""
    key = {} if api_key is None else {"api_key": api_key}

    def control(method: str, route: str, body: Any = None, /, **query: Any) -> Any:
        content = _serialise_body(body)
        query_string = urlencode({**query, **key})
        return _parse_response(
            send_request(f"{url}{CONTROL_PATH}{route}?{query_string}", method, content, control_headers())
        )

    return control


def control_headers() -> dict[str, str]:
    """Return the headers with the control token, if the environment has one."""
    token = os.environ.get(CONTROL_TOKEN_VARIABLE)
    return {"Authorization": f"Bearer {token}"} if token else {}


def call_in_process(
    app: ASGIApp, method: str, route: str, content: bytes = b"", query: Mapping[str, Any] | None = None
) -> HttpResponse:
    """Send a control request to an application without a socket and without an event loop."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: Any) -> None:
        sent.append(message)

    path = CONTROL_PATH + route
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query or {}).encode(),
        "headers": [(b"content-type", b"application/json")],
    }

    async def run() -> None:
        await app(scope, receive, send)

    coroutine = run()
    try:
        coroutine.send(None)  # The control API never awaits anything pending, so one step runs all of it.
    except StopIteration:
        return HttpResponse(sent[0]["status"], b"".join(message.get("body", b"") for message in sent), {})
    coroutine.close()
    raise RuntimeError(f"{method} {route}: the control API is waiting")


def _serialise_body(body: Any) -> bytes:
    if body is None:
        return b""
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"cannot be represented in JSON: {error}") from None


def _parse_response(response: HttpResponse) -> Any:
    body = response.json()
    if response.status == 200:
        return body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        raise UsageError(f"the control API returned status {response.status} without a known error body")
    findings = [(parameter_name(one["in"], one["pointer"]), one["message"]) for one in error.get("findings", ())]
    lines = [f"{name}: {message}" if name else message for name, message in findings]
    raise UsageError("; ".join(lines) or error["message"])
