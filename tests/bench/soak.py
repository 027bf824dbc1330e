"""A soak test of a running fake under hostile clients: `make soak ARGS=--help`.

After fixed steps come random attacks of all families of `tests/hostile`, for ten minutes. Each step prints its result
and whether it passed; the exit code is 1 if any failed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attacks import Attackers
from load import MESSAGE, MIXED
from raw_client import RawConnection, build_request, chunked_request, mutate
from subjects import API, HERE, OURS, Server, Subject, start_server

LIMIT = 256 * 1024
MIB = 1024 * 1024
MAX_BLOCK = 50  # Milliseconds.
MAX_GROWTH = 16  # MiB.
WARM_UP = 5  # Minutes, after which the heap has grown around the largest bodies.
WATCHED = Subject(
    "mockserver, watched",
    [sys.executable, str(HERE / "soak_server.py"), "serve", "--port", "{port}", "--log-format", "none"],
)
# A request must arrive within a minute; a little more for the sweep that looks.
REQUEST_WITHIN = 70


class Soak:
    def __init__(self, server: Server, arguments: argparse.Namespace) -> None:
        self.server = server
        self.port = server.port
        self.arguments = arguments
        self.failed = False
        self.path = f"{API}/{server.request('POST', API, {})['id']}/items"
        self.stalled: list[RawConnection] = []
        self.stalled_at = 0.0

    def report(self, step: str, figure: str, passed: bool) -> None:
        self.failed |= not passed
        sys.stdout.write(f"{'ok  ' if passed else 'FAIL'}  {step:<58} {figure}\n")
        sys.stdout.flush()

    async def send_once(self, data: bytes, within: float = 20) -> tuple[int, bytes]:
        connection = await RawConnection.open(self.port)
        try:
            await connection.send(data)
            return await connection.read_response(within)
        finally:
            connection.abort()

    async def slowest_probe(self, count: int = 200) -> float:
        """Return the slowest of some plain requests in milliseconds, infinity if one does not return 200."""
        slowest = 0.0
        for _ in range(count):
            started = time.perf_counter()
            if (await self.send_once(build_request("GET", API)))[0] != 200:
                return float("inf")
            slowest = max(slowest, time.perf_counter() - started)
        return slowest * 1000

    # -- the steps

    async def many_connections(self) -> None:
        connections = await asyncio.gather(*(RawConnection.open(self.port) for _ in range(self.arguments.connections)))
        statuses: Counter[int] = Counter()
        started = time.perf_counter()
        for _ in range(5):
            await asyncio.gather(
                *(
                    connection.send(build_request("POST", self.path, {"items": [MESSAGE]}))
                    for connection in connections
                )
            )
            statuses.update(
                status
                for status, _ in await asyncio.gather(*(connection.read_response() for connection in connections))
            )
        took = time.perf_counter() - started
        for connection in connections:
            connection.abort()
        step = f"{len(connections):,} connections at once, 5 requests on each"
        self.report(step, f"{dict(statuses)} in {took:.1f} s", set(statuses) == {200})

    async def stall(self) -> None:
        """Open connections that never finish their request; `stalled_requests_time_out` checks them at the end."""
        whole = build_request("POST", self.path, {"items": [MESSAGE]})
        for data in (whole[:40], whole[:-20], whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"):
            for _ in range(100):
                connection = await RawConnection.open(self.port)
                await connection.send(data)
                self.stalled.append(connection)
        self.stalled_at = time.monotonic()
        slowest = await self.slowest_probe()
        self.report(
            f"{len(self.stalled)} incomplete requests, other clients meanwhile",
            f"slowest {slowest:.0f} ms",
            slowest < 1000,
        )

    async def drip(self) -> None:
        """Send a request byte by byte."""
        connection = await RawConnection.open(self.port)
        started = time.perf_counter()
        for byte in build_request("POST", self.path, {"items": [MESSAGE]}):
            await connection.send(bytes([byte]))
            await asyncio.sleep(0.002)
        status, _ = await connection.read_response()
        connection.abort()
        self.report(
            "a request sent byte by byte", f"{status} after {time.perf_counter() - started:.1f} s", status == 200
        )

    async def disconnect(self) -> None:
        whole = build_request("POST", self.path, {"items": MIXED})
        await asyncio.sleep(0.5)
        before = self.open_files()
        for number in range(1000):
            connection = await RawConnection.open(self.port)
            await connection.send(whole[: (number * 37) % (len(whole) + 1)])
            connection.abort()
        slowest = await self.slowest_probe(50)
        await asyncio.sleep(0.5)
        left = self.open_files() - before
        self.report("1,000 clients that disconnect anywhere in a request", f"{left} connections left over", left <= 0)
        self.report("other clients meanwhile", f"slowest {slowest:.0f} ms", slowest < 1000)

    async def limits(self) -> None:
        def body(size: int) -> bytes:
            frame = json.dumps({"items": [{"type": "message", "role": "user", "content": ""}], "padding": ""}).encode()
            return frame.replace(b'"padding": ""', b'"padding": "' + b"x" * (size - len(frame)) + b'"')

        for size, expected in ((LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 20, 413)):
            content = body(size)
            assert len(content) == size
            sent = {
                "Content-Length": build_request("POST", self.path, content),
                "chunked": chunked_request(self.path, content),
                "Expect": build_request("POST", self.path, content, b"Expect: 100-continue\r\n").partition(
                    b"\r\n\r\n"
                )[0]
                + b"\r\n\r\n",
            }
            for how, data in sent.items():
                if how == "Expect" and expected == 200:
                    expected = 100
                status, _ = await self.send_once(data)
                self.report(f"a body of the limit {size - LIMIT:+,} bytes, {how}", str(status), status == expected)

    async def pipelines(self) -> None:
        in_order = 0
        for number in range(50):
            ids = [f"msg_{number:04x}{part:028x}" for part in range(40)]
            connection = await RawConnection.open(self.port)
            await connection.send(
                b"".join(build_request("POST", self.path, {"items": [MESSAGE | {"id": one}]}) for one in ids)
            )
            responses = [await connection.read_response() for _ in ids]
            connection.abort()
            in_order += [json.loads(body or b"{}").get("last_id") for _, body in responses] == ids
        self.report("50 connections with 40 requests in one write", f"{in_order} in order", in_order == 50)

    async def fuzz(self) -> None:
        rng = random.Random(self.arguments.seed)
        memory: list[int] = []
        statuses: Counter[int] = Counter()
        broken: list[tuple[bytes, int]] = []
        for round_ in range(self.arguments.rounds + 1):
            # The first round warms up: bounded buffers, such as the journal, are full after it.
            valid = self.valid_requests()
            per_worker = self.arguments.cases // self.arguments.rounds // 8
            await asyncio.gather(*(self._fuzz(rng, per_worker, valid, statuses, broken) for _ in range(8)))
            self.server.request("POST", "/_mock/reset")
            self.path = f"{API}/{self.server.request('POST', API, {})['id']}/items"
            memory.append(self.server.resident_bytes())
            step = f"fuzzing, round {round_} of {self.arguments.rounds}" + (" (warms up)" if round_ == 0 else "")
            self.report(step, f"{memory[-1] / MIB:.1f} MiB", not broken)
        counted = ", ".join(f"{count:,} x {status or 'no response'}" for status, count in sorted(statuses.items()))
        self.report(f"{statuses.total():,} mutated requests, no 5xx response", counted, not broken)
        for data, status in broken[:5]:
            sys.stdout.write(f"      {status}: {data!r}\n")
        growth = (memory[-1] - memory[0]) / MIB
        self.report("memory since the warm-up", f"{growth:+.1f} MiB", growth < 4)

    def valid_requests(self) -> list[bytes]:
        made = self.server.request("POST", self.path, {"items": MIXED})
        item = f"{self.path}/{made['last_id']}"
        conversation = self.path.rpartition("/")[0]
        return [
            build_request("POST", API, {"metadata": {"channel": "support"}, "items": MIXED[:4]}),
            build_request(
                "GET", f"{API}?limit=5&order=desc&metadata=%7B%22channel%22%3A%22support%22%7D&search=ticket"
            ),
            build_request("GET", conversation),
            build_request("POST", conversation, {"metadata": {"a": "b"}}),
            build_request("POST", self.path, {"items": MIXED}),
            build_request("GET", f"{self.path}?limit=3&after={made['data'][0]['id']}"),
            build_request("GET", item),
            build_request("DELETE", f"{self.path}/{made['data'][1]['id']}"),
        ]

    async def _fuzz(
        self,
        rng: random.Random,
        count: int,
        valid: list[bytes],
        statuses: Counter[int],
        broken: list[tuple[bytes, int]],
    ) -> None:
        for _ in range(count):
            data = mutate(rng, rng.choice(valid))
            with contextlib.suppress(ConnectionError):
                status, _ = await self.send_once(data, within=0.05)
                statuses[status] += 1
                if status >= 500:
                    broken.append((data, status))

    async def stalled_requests_time_out(self) -> None:
        await asyncio.sleep(max(0.0, self.stalled_at + REQUEST_WITHIN - time.monotonic()))
        responses = await asyncio.gather(*(connection.read_response(within=1) for connection in self.stalled))
        statuses = Counter(status for status, _ in responses)
        for connection in self.stalled:
            connection.abort()
        counted = ", ".join(f"{count} x {status or 'nothing'}" for status, count in statuses.items())
        self.report("incomplete requests get a 408", counted, set(statuses) == {408})

    async def stop(self) -> None:
        """Send SIGTERM during requests: they are finished, and the exit code is 0."""
        begun = [await RawConnection.open(self.port) for _ in range(50)]
        whole = build_request("POST", f"{API}", {"metadata": {"a": "b"}})
        for connection in begun:
            await connection.send(whole[:-10])
        idle = await RawConnection.open(self.port)
        await idle.send(build_request("GET", API))
        await idle.read_response()
        await asyncio.sleep(0.2)
        os.kill(self.server.process.pid, signal.SIGTERM)
        started = time.monotonic()
        await asyncio.sleep(0.5)
        for connection in begun:
            await connection.send(whole[-10:])
        statuses = Counter(
            status for status, _ in await asyncio.gather(*(connection.read_response() for connection in begun))
        )
        code = await asyncio.to_thread(self.server.process.wait, 30)
        took = time.monotonic() - started
        self.report("SIGTERM: 50 incomplete requests are finished", str(dict(statuses)), statuses == {200: 50})
        self.report("SIGTERM: exit code", f"{code} after {took:.1f} s", code == 0 and took < 5)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.server.process.pid}/fd").iterdir()))


async def attack(soak: Soak, minutes: float, seed: int) -> None:
    """Attack with all families at random, and check memory, blocks and log."""
    attackers = Attackers(soak.port, seed)
    loop, server = asyncio.get_running_loop(), soak.server
    stops_at = loop.time() + minutes * 60
    memory: list[float] = []
    blocks: list[tuple[float, list[str]]] = []
    while loop.time() < stops_at:
        part_ends = min(stops_at, loop.time() + minutes * 6)
        await asyncio.gather(*(attackers.attack(part_ends) for _ in range(8)))
        found = await asyncio.to_thread(server.request, "GET", "/soak")
        if memory:  # The first part compiles schemas.
            blocks += [(milliseconds, requests) for milliseconds, requests in found]
        await asyncio.to_thread(server.request, "POST", "/_mock/reset")
        await asyncio.to_thread(server.request, "GET", "/soak")  # Forgets the reset of that much data.
        memory.append(server.resident_bytes() / MIB)
    classes: Counter[str] = Counter()
    for status, count in attackers.statuses.items():
        classes[f"{status // 100}xx" if status else "none"] += count
    statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(classes.items()))
    for family, count in sorted(attackers.counts.items()):
        soak.report(f"attacks by {family}", f"{count:,}", count > 0)
    soak.report("responses, none of them a failure", statuses, not attackers.failures)
    warm = max(memory[: len(memory) // 3 + 1])
    figures = ", ".join(f"{one:.0f}" for one in memory)
    is_flat = memory[-1] - warm < MAX_GROWTH or minutes < WARM_UP
    soak.report("memory after each part, in MiB", figures, is_flat)
    blocks.sort(reverse=True)
    soak.report("longest block of the event loop", f"{blocks[0][0]:.1f} ms", blocks[0][0] <= MAX_BLOCK)
    for milliseconds, requests in blocks[:5]:
        sys.stdout.write(f"      {milliseconds:.1f} ms: {'; '.join(requests)}\n")
    output = server.read_output()
    soak.report("tracebacks in the log", str(output.count("Traceback")), "Traceback" not in output)
    first = output.find("Traceback")
    for line in [*attackers.failures[:5], *(output[first:][:3000].splitlines() if first >= 0 else ())]:
        sys.stdout.write(f"      {line}\n")


async def steps(soak: Soak) -> None:
    run: list[Callable[[], Coroutine[Any, Any, None]]] = [
        soak.stall,
        soak.many_connections,
        soak.drip,
        soak.disconnect,
        soak.limits,
        soak.pipelines,
        soak.fuzz,
        soak.stalled_requests_time_out,
        soak.stop,
    ]
    for step in run:
        await step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="mutated requests, besides the warm-up")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of them")
    parser.add_argument("--connections", type=int, default=1000, help="connections at once")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the mutations")
    parser.add_argument("--minutes", type=float, default=10, help="time for random attacks of all families")
    parser.add_argument("--only-attacks", action="store_true", help="leave out all other steps")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    subject = Subject(OURS.name, [*OURS.command, "--max-body", str(LIMIT)])
    started_at = time.monotonic()
    failed = False
    if not arguments.only_attacks:
        with start_server(subject) as server:
            soak = Soak(server, arguments)
            asyncio.run(steps(soak))
        failed = soak.failed
    with start_server(WATCHED) as server:
        soak = Soak(server, arguments)
        asyncio.run(attack(soak, arguments.minutes, arguments.seed))
    failed |= soak.failed
    sys.stdout.write(f"{'failed' if failed else 'passed'}, {time.monotonic() - started_at:.0f} s\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
