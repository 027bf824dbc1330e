"""Helpers for the tests of real clients."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def message(text: str, **fields: Any) -> dict[str, Any]:
    """Return a message of the user."""
    return {"type": "message", "role": "user", "content": text, **fields}


def ids_of(entries: Iterable[Any]) -> list[str]:
    return [entry.id for entry in entries]


@dataclass
class RecordedRequest:
    """A request as it was sent: `path` and `query` are not decoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.path}?{self.query}" if self.query else f"{self.method} {self.path}"


@dataclass
class RequestRecorder:
    """ASGI middleware that keeps all requests."""

    app: ASGIApp
    requests: list[RecordedRequest] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        request = RecordedRequest(scope["method"], path, query, headers)
        self.requests.append(request)

        async def receive_and_record() -> Message:
            message = await receive()
            request.body += message.get("body", b"")
            return message

        await self.app(scope, receive_and_record, send)

    @property
    def last(self) -> RecordedRequest:
        return self.requests[-1]


class SyncFacade:
    """An asynchronous client with synchronous methods.

    `suffix` is the end of the names of its asynchronous methods.
    """

    def __init__(self, client: Any, runner: asyncio.Runner, suffix: str = "") -> None:
        self._client = client
        self._runner = runner
        self._suffix = suffix

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name + self._suffix)
        if not callable(member):
            return SyncFacade(member, self._runner)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await member(*args, **kwargs)

        return lambda *args, **kwargs: self._runner.run(call(*args, **kwargs))


@contextmanager
def enter_async(manager: AbstractAsyncContextManager[Any], runner: asyncio.Runner) -> Iterator[None]:
    runner.run(manager.__aenter__())
    try:
        yield
    finally:
        runner.run(manager.__aexit__(None, None, None))
