"""Sixteen workers share one server, each with an API key of its own, and do not affect one another."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

from mockserver import Settings, create_app, run_server
from mockserver.gateway.auth import default_account, key_fingerprint
from tests.support.raw_connection import RawConnection, build_request

WORKERS = 16
TESTS = 1000
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


class Worker:
    """One process of a test run, as the server sees it: a connection and an API key of its own."""

    def __init__(self, number, url):
        self.key = f"key-of-worker-{number}"
        self.random = random.Random(number)
        self.connection = RawConnection(url)

    def api(self, method, path, body=None):
        return self._request(method, f"/api/v1/llm{path}", body)

    def control(self, method, route, body=None):
        response = self._request(method, f"/_mock{route}?api_key={self.key}", body)
        assert response.status_code == 200, response.content
        return response.json()

    def _request(self, method, target, body):
        content = None if body is None else json.dumps(body).encode()
        request = build_request(method, target, content, [f"Authorization: Bearer {self.key}"])
        return self.connection.send(request).read_response()

    def run_test(self, number):
        """Run one small test, which sees traces of other tests if there are any."""
        self.control("POST", "/reset")
        at = self.random.randrange(1_000_000_000)
        self.control("PUT", "/clock", {"freeze": at})
        if number % 2:
            self.control("POST", "/state", {"conversations": [{"id": "conv_seed", "items": [MESSAGE]}]})
        self.control("POST", "/faults", {"operation": "conversations.create", "status": 503})
        assert self.api("POST", "/conversations", {}).status_code == 503
        self.control("PUT", "/clock", {"advance": number})
        created = [self.api("POST", "/conversations", {"items": [MESSAGE]}).json() for _ in range(2)]
        assert [one["id"] for one in created] == [f"conv_{count:032x}" for count in (1, 2)]
        assert {one["created_at"] for one in created} == {at + number}
        self.check_controls(number, at)

    def check_controls(self, number, at):
        seeded = number % 2
        state = self.control("GET", "/state")["conversations"]
        assert [one["id"] for one in state] == ["conv_seed"] * seeded + [f"conv_{count:032x}" for count in (1, 2)]
        assert {one["account"] for one in state} == {default_account(self.key)}
        items = [item["id"] for one in state for item in one["items"]]
        assert items == [f"msg_{count + 1:032x}" for count in range(2 + seeded)]
        exchanges = self.control("GET", "/requests")["data"]
        assert [one["status"] for one in exchanges] == [503, 200, 200]
        assert [one["started_at"] for one in exchanges] == [at, at + number, at + number]
        assert {one["key"] for one in exchanges} == {key_fingerprint(self.key)}
        (fault,) = self.control("GET", "/faults")["data"]
        assert (fault["key"], fault["seen"], fault["fired"]) == (key_fingerprint(self.key), 3, 1)
        assert self.control("GET", "/clock") == {"now": at + number, "frozen": True}
        assert self.control("GET", "/coverage")["items"] == {"message": 2}


def test_parallel_workers_do_not_affect_one_another():
    numbers = iter(range(TESTS))

    def work(worker):
        count = 0
        for number in numbers:
            worker.run_test(number)
            count += 1
        worker.connection.close()
        return count

    with (
        run_server(create_app(Settings(ids="sequential", rate_limits=("10/d",)))) as server,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        counts = list(pool.map(work, [Worker(number, server.url) for number in range(WORKERS)]))
    assert sum(counts) == TESTS
    assert min(counts) > 0
