"""A client that reads event streams as they arrive."""

import json
from collections.abc import Iterator
from typing import Any

import httpx


class StreamClient:
    """Creates responses at a server, with a key of its own, and controls the fake for that key."""

    def __init__(self, url: str, key: str = "key-of-streams", timeout: float = 5) -> None:
        self.key = key
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    def __enter__(self) -> "StreamClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.control("POST", "/reset")
        self._http.close()

    def control(self, method: str, route: str, body: Any = None) -> Any:
        """Send a control request that must succeed."""
        response = self._http.request(method, f"/_mock{route}", params={"api_key": self.key}, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to the API."""
        return self._http.request(method, f"/api/v1/llm{path}", **options)

    def plan_reply(self, **reply: Any) -> None:
        """Plan what the model says."""
        self.control("POST", "/replies", reply)

    def plan_fault(self, **fault: Any) -> None:
        """Plan a fault of the creation of a response."""
        self.control("POST", "/faults", {"operation": "createResponse", **fault})

    def stream_lines(self, headers: dict[str, str] | None = None, **fields: Any) -> Iterator[str]:
        """Create a response, and yield the lines of its stream as they arrive."""
        body = {"model": "auto", "input": "hi", "stream": True, **fields}
        with self._http.stream("POST", "/api/v1/llm/responses", json=body, headers=headers) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"] == "text/event-stream"
            yield from response.iter_lines()

    def stream(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Create a response, and yield its events as they arrive; one that is not JSON becomes `{"type": None}`."""
        for line in self.stream_lines(**options):
            if line.startswith("data: "):
                try:
                    yield json.loads(line.removeprefix("data: "))
                except ValueError:
                    yield {"type": None}

    def last_entry(self) -> dict[str, Any]:
        """Return the newest entry of the journal."""
        entry: dict[str, Any] = self.control("GET", "/requests")["data"][-1]
        return entry
