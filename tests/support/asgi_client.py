"""An HTTP client for an ASGI application in this process: no socket, no server, no thread."""

import asyncio
import json as json_module
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import unquote, urlencode

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from mockserver.settings import API_PATH as API_PATH
from tests.support.response import Response

HeaderInput = Mapping[str, str] | Iterable[tuple[str, str]]

_SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


async def call_app(app: ASGIApp, scope: Scope, chunks: Iterable[bytes] = (b"",)) -> Response | None:
    """Send one request, its body in these chunks, and return the response, or None if the application sends none.

    The client disconnects after the response.
    """
    body = list(chunks)
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    messages[-1]["more_body"] = False
    sent: list[Message] = []
    is_complete = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await is_complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            is_complete.set()

    await app({**_SCOPE, **scope}, receive, send)
    if not sent:
        return None
    headers = [(bytes(name), bytes(value)) for name, value in sent[0].get("headers", ())]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Response(sent[0]["status"], Headers(raw=headers), content)


@dataclass(frozen=True)
class AsgiClient:
    """A client of `app`; use it as a context manager, so that its event loop is closed.

    Arguments are named as in httpx. Paths are percent-encoded and relative to `base_path`.
    """

    app: ASGIApp
    headers: dict[str, str]
    base_path: str
    runner: asyncio.Runner

    @classmethod
    def connect(cls, app: ASGIApp, headers: dict[str, str] | None = None, base_path: str = API_PATH) -> Self:
        return cls(app, headers or {}, base_path, asyncio.Runner())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.close()

    @property
    def root(self) -> Self:
        """The same client with paths relative to the root of the server."""
        return replace(self, base_path="")

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        headers: HeaderInput = (),
        content: bytes = b"",
        json: Any = None,
    ) -> Response:
        """Send a request; `json` is a body other than null, and sets the content type."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        defaults = dict(self.headers)
        if json is not None:
            content = json_module.dumps(json).encode()
            defaults["Content-Type"] = "application/json"
        given = {name.lower() for name, _ in pairs}
        pairs += [(name, value) for name, value in defaults.items() if name.lower() not in given]
        path, _, query = (self.base_path + path).partition("?")
        query = query or urlencode(list(params.items() if isinstance(params, Mapping) else params))
        scope = {
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        }
        response = self.runner.run(call_app(self.app, scope, [content]))
        if response is None:
            raise ConnectionError(f"{method} {path}: no response")
        return response

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Response:
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        return self.request("DELETE", path, **options)
