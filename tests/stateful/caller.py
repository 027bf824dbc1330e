"""Call an ASGI application as a client would, without a socket."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp, Message


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Caller:
    """One client of one application; it needs an event loop of its own, so close it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.close()

    def __call__(
        self,
        method: str,
        *path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request; `path` are the segments behind `/api/v1/llm/conversations`, not yet encoded."""
        return self._loop.run_until_complete(self._call(method, path, query, body, headers or {}))

    async def _call(
        self, method: str, path: Sequence[str], query: Sequence[tuple[str, str]], body: Any, headers: dict[str, str]
    ) -> Answer:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: Message) -> None:
            sent.append(message)

        if body is not None:
            headers = {"content-type": "application/json"} | headers
        segments = ("api", "v1", "llm", "conversations", *path)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": "".join(f"/{segment}" for segment in segments),
            "raw_path": "".join(f"/{quote(segment, safe='')}" for segment in segments).encode(),
            "query_string": urlencode(query).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        await self._app(scope, receive, send)
        start, *rest = sent
        content = b"".join(message.get("body", b"") for message in rest)
        return Answer(
            start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, json.loads(content)
        )
