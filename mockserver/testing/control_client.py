"""Calls to the control API, with and without a socket; and to the API of a gateway."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NamedTuple, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from starlette.types import ASGIApp

from mockserver.app import CONTROL_PATH
from mockserver.errors import UsageError, parameter_name


def hidden(error: Any) -> bool:
    """Whether pytest shall leave out the frames of this package: when the mistake is the test's, not ours."""
    is_the_tests: bool = error.errisinstance((UsageError, AssertionError))
    return is_the_tests


__tracebackhide__ = hidden


class Control(Protocol):
    """Calls the control API and gives the parsed answer.

    Raises:
        UsageError: it refuses; the fake's own words say why.
    """

    def __call__(self, method: str, route: str, body: Any = None, /, **query: Any) -> Any: ...


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: Mapping[str, str]


def parsed(answer: Answer) -> Any:
    """What the control API has answered.

    Raises:
        UsageError: it has refused.
    """
    try:
        body = json.loads(answer.content)
        if answer.status == 200:
            return body
        error = body["error"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"the control API answers {answer.status}, and in no form that is known here") from None
    findings = [(parameter_name(one["in"], one["pointer"]), one["message"]) for one in error.get("findings", ())]
    lines = [f"{name}: {message}" if name else message for name, message in findings]
    raise UsageError("; ".join(lines) or error["message"])


def as_json(body: Any) -> bytes:
    """The body of a request; nothing for None.

    Raises:
        UsageError: it is more than JSON can say.
    """
    if body is None:
        return b""
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"cannot be written as JSON: {error}") from None


def called(app: ASGIApp, method: str, route: str, content: bytes, query: Mapping[str, Any]) -> Answer:
    """Call the control API of an application without a socket."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    path = CONTROL_PATH + route
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "headers": [(b"content-type", b"application/json")],
    }
    step = run()
    try:
        step.send(None)  # The control API waits for nothing, so that one step is the whole way.
    except StopIteration:
        return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent), {})
    step.close()
    raise RuntimeError(f"{method} {route} waited for something")


def fetched(url: str, method: str, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Call over HTTP.

    Raises:
        UsageError: no answer comes.
    """
    sent = {"Content-Type": "application/json", **(headers or {})} if content else dict(headers or {})
    request = Request(url, content or None, sent, method=method)  # noqa: S310 - the URL is the user's own
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return Answer(answer.status, answer.read(), dict(answer.headers.items()))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers.items()))
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        parts = urlsplit(url)  # The query may hold the API key, and so may the frames of the cause.
        what = f"{parts.scheme}://{parts.netloc}{parts.path}"
        raise UsageError(f"{what} does not answer: {str(reason) or type(reason).__name__}") from None
