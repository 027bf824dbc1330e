"""Sixteen workers share one server, each with an API key of its own, and none of them notices the others."""

import asyncio
import json
import random
from urllib.parse import urlsplit

from mockserver import Settings, create_app, run_server
from mockserver.gateway.auth import default_account, key_fingerprint

WORKERS = 16
TESTS = 1000
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


class Worker:
    """One process of a test run, as the server sees it: a connection of its own, as bare as it can be."""

    def __init__(self, number, reader, writer):
        self.key = f"key-of-worker-{number}"
        self.random = random.Random(number)
        self._reader = reader
        self._writer = writer

    async def api(self, method, path, body=None):
        return await self._exchange(method, f"/api/v1/llm{path}", body)

    async def control(self, method, route, body=None):
        status, answer = await self._exchange(method, f"/_mock{route}?api_key={self.key}", body)
        assert status == 200, answer
        return answer

    async def _exchange(self, method, target, body):
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer {self.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        status, *headers = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        length = dict(header.split(b": ") for header in headers)[b"content-length"]
        return int(status.split()[1]), json.loads(await self._reader.readexactly(int(length)))

    async def close(self):
        self._writer.close()
        await self._writer.wait_closed()

    async def test(self, number):
        """One small test; each looks at all that there is, so that a trace of another's would be seen."""
        await self.control("POST", "/reset")
        at = self.random.randrange(1_000_000_000)
        await self.control("PUT", "/clock", {"freeze": at})
        if number % 2:
            await self.control("POST", "/state", {"conversations": [{"id": "conv_seed", "items": [MESSAGE]}]})
        await self.control("POST", "/faults", {"operation": "conversations.create", "status": 503})
        assert (await self.api("POST", "/conversations", {}))[0] == 503
        await self.control("PUT", "/clock", {"advance": number})
        made = [(await self.api("POST", "/conversations", {"items": [MESSAGE]}))[1] for _ in range(2)]
        assert [one["id"] for one in made] == [f"conv_{count:032x}" for count in (1, 2)]
        assert {one["created_at"] for one in made} == {at + number}
        await self.look(number, at)

    async def look(self, number, at):
        seeded = number % 2
        state = (await self.control("GET", "/state"))["conversations"]
        assert [one["id"] for one in state] == ["conv_seed"] * seeded + [f"conv_{count:032x}" for count in (1, 2)]
        assert {one["account"] for one in state} == {default_account(self.key)}
        items = [item["id"] for one in state for item in one["items"]]
        assert items == [f"msg_{count + 1:032x}" for count in range(2 + seeded)]
        exchanges = (await self.control("GET", "/requests"))["data"]
        assert [one["status"] for one in exchanges] == [503, 200, 200]
        assert [one["started_at"] for one in exchanges] == [at, at + number, at + number]
        assert {one["key"] for one in exchanges} == {key_fingerprint(self.key)}
        (fault,) = (await self.control("GET", "/faults"))["data"]
        assert (fault["key"], fault["seen"], fault["fired"]) == (key_fingerprint(self.key), 3, 1)
        assert await self.control("GET", "/clock") == {"now": at + number, "frozen": True}
        assert (await self.control("GET", "/coverage"))["items"] == {"message": 2}


async def run(url):
    address = urlsplit(url)
    workers = [
        Worker(number, *await asyncio.open_connection(address.hostname, address.port)) for number in range(WORKERS)
    ]
    waiting = iter(range(TESTS))
    done = [0] * WORKERS

    async def work(place):
        for number in waiting:
            await workers[place].test(number)
            done[place] += 1

    async with asyncio.TaskGroup() as group:
        for place in range(WORKERS):
            group.create_task(work(place))
    for worker in workers:
        await worker.close()
    return done


def test_parallel_workers_do_not_disturb_one_another():
    with run_server(create_app(Settings(ids="sequential", rate_limits=("10/d",)))) as server:
        done = asyncio.run(run(server.url))
    assert sum(done) == TESTS
    assert min(done) > 0
