"""A client of one fake in this process: of its API with several keys, and of its control API."""

from dataclasses import replace
from typing import Any

from tests.support.asgi_client import AsgiClient
from tests.support.response import Response

MINE, YOURS = "key-that-is-mine", "key-that-is-yours"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


class FakeClient:
    """Sends requests to a fake; methods that return JSON require the status 200."""

    def __init__(self, client: AsgiClient) -> None:
        self._client = replace(client, headers={})

    def request_path(self, method: str, path: str, **options: Any) -> Response:
        return self._client.root.request(method, path, **options)

    def request_control(self, method: str, route: str, **options: Any) -> Response:
        return self.request_path(method, f"/_mock{route}", **options)

    def request_api(self, method: str, path: str = "/conversations", key: str = MINE, **options: Any) -> Response:
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return self._client.request(method, path, headers=headers, **options)

    def create(self, key: str = MINE, **body: Any) -> Response:
        return self.request_api("POST", key=key, json=body)

    def get(self, route: str, **query: Any) -> Any:
        return self.send("GET", route, **query)

    def send(self, method: str, route: str, body: Any = None, **query: Any) -> Any:
        response = self.request_control(method, route, params=query, json=body)
        if response.status_code != 200:
            raise AssertionError(f"{method} {route}: {response.status_code} {response.text}")
        return response.json()
