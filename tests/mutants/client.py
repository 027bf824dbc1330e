"""An in-process client of the API, for the probes of mutants."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp

from mockserver import Settings
from tests.mutants.proxy import RESPONSES, Json, Request, Response, call, json_request, parse_events

SETTINGS = Settings(api_keys=("key-one=account-one", "key-two=account-two"))
KEY_ONE = "Bearer key-one"
KEY_TWO = "Bearer key-two"


@dataclass(frozen=True)
class MutantClient:
    """A caller of an ASGI application.

    `key` is the whole Authorization header. Paths are relative to the list of conversations.
    """

    app: ASGIApp
    runner: asyncio.Runner
    key: str | None = KEY_ONE
    end_user: str | None = None

    def as_end_user(self, end_user: str | None) -> "MutantClient":
        """Return the same client on behalf of an end user."""
        return replace(self, end_user=end_user)

    def with_key(self, key: str | None) -> "MutantClient":
        return replace(self, key=key)

    def send(self, request: Request) -> Response:
        """Send a request unchanged."""
        return self.runner.run(call(self.app, request))

    def fetch(self, method: str, path: str, body: Json = None, query: Mapping[str, Any] | None = None) -> Response:
        """Send a request with the caller's headers."""
        callers = ((b"authorization", self.key), (b"x-on-behalf-of", self.end_user))
        headers = [(name, value.encode()) for name, value in callers if value is not None]
        return self.send(json_request(method, path, query=query, body=body, headers=headers))

    def get(self, path: str = "", **query: Any) -> Response:
        return self.fetch("GET", path, query=query)

    def post(self, path: str = "", body: Json = None) -> Response:
        return self.fetch("POST", path, {} if body is None else body)

    def delete(self, path: str, body: Json = None) -> Response:
        return self.fetch("DELETE", path, body)

    def create(self, **body: Json) -> str:
        """Create a conversation and return its path."""
        return f"/{self.post(body=body).json['id']}"

    def create_with_messages(self, *texts: str) -> str:
        """Create a conversation, add messages to it, and return its path."""
        path = self.create()
        if texts:
            self.add(path, *map(user_message, texts))
        return path

    def respond(self, input: Json = "Say hello.", **fields: Json) -> Response:  # noqa: A002 - as the API calls it
        """Create a response."""
        return self.post(RESPONSES, {"model": "auto", "input": input, **fields})

    def stream(self, **fields: Json) -> list[dict[str, Json]]:
        """Create a streamed response and return the data of its events."""
        return parse_events(self.respond(stream=True, **fields))

    def add(self, path: str, *items: Json) -> list[str]:
        """Add items and return their ids."""
        return [item["id"] for item in self.post(f"{path}/items", {"items": items}).json["data"]]

    def list_texts(self, path: str, **query: Any) -> list[Json]:
        """Return the content of all listed items."""
        return [item.get("content") for item in self.get(f"{path}/items", **query).json.get("data", ())]

    def list_paths(self, **query: Any) -> list[str]:
        """Return the paths of the listed conversations."""
        return [f"/{found['id']}" for found in self.get(**query).json.get("data", ())]


def user_message(text: Json, **fields: Json) -> Json:
    """Return a message with the role user."""
    return {"role": "user", "content": text, **fields}
