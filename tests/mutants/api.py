"""A client that talks to an ASGI application of this process, for the checks that a defect shows."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp

from mockserver import Settings
from tests.mutants.proxy import Answer, Json, Request, call, json_request

SETTINGS = Settings(api_keys=("key-one=account-one", "key-two=account-two"))
KEY_ONE = "Bearer key-one"
KEY_TWO = "Bearer key-two"


@dataclass(frozen=True)
class Api:
    """`key` is the whole Authorization header; paths are the rest behind the list of conversations."""

    app: ASGIApp
    runner: asyncio.Runner
    key: str | None = KEY_ONE
    end_user: str | None = None

    def by(self, end_user: str | None) -> "Api":
        """The same API for an end user."""
        return replace(self, end_user=end_user)

    def with_key(self, key: str | None) -> "Api":
        return replace(self, key=key)

    def send(self, request: Request) -> Answer:
        """Send any request, as it is."""
        return self.runner.run(call(self.app, request))

    def ask(self, method: str, path: str, body: Json = None, query: Mapping[str, Any] | None = None) -> Answer:
        """Send a request with the caller's headers."""
        callers = ((b"authorization", self.key), (b"x-on-behalf-of", self.end_user))
        headers = [(name, value.encode()) for name, value in callers if value is not None]
        return self.send(json_request(method, path, query=query, body=body, headers=headers))

    def get(self, path: str = "", **query: Any) -> Answer:
        return self.ask("GET", path, query=query)

    def post(self, path: str = "", body: Json = None) -> Answer:
        return self.ask("POST", path, {} if body is None else body)

    def delete(self, path: str, body: Json = None) -> Answer:
        return self.ask("DELETE", path, body)

    def new(self, **body: Json) -> str:
        """The path of a new conversation."""
        return f"/{self.post(body=body).json['id']}"

    def holding(self, *texts: str) -> str:
        """The path of a new conversation with messages that were added afterwards."""
        path = self.new()
        if texts:
            self.add(path, *map(said, texts))
        return path

    def add(self, path: str, *items: Json) -> list[str]:
        """The ids of items just added."""
        return [item["id"] for item in self.post(f"{path}/items", {"items": items}).json["data"]]

    def texts(self, path: str, **query: Any) -> list[Json]:
        """The content of all listed messages."""
        return [item.get("content") for item in self.get(f"{path}/items", **query).json.get("data", ())]

    def ids(self, **query: Any) -> list[str]:
        """The paths of the listed conversations."""
        return [f"/{found['id']}" for found in self.get(**query).json.get("data", ())]


def said(text: Json, **fields: Json) -> Json:
    """A message of the user."""
    return {"role": "user", "content": text, **fields}
