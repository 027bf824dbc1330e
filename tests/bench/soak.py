"""Treat a running fake badly and see that it keeps its ground: `make soak`, or `python tests/bench/soak.py --help`.

Each step prints what it found and whether that is well; the exit code is 1 when anything is not.
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

from load import MESSAGE, MIXED
from subjects import API, OURS, Server, Subject, running

LIMIT = 256 * 1024
MIB = 1024 * 1024
HEADERS = b"Host: 127.0.0.1\r\nAuthorization: Bearer bench-key\r\nX-On-Behalf-Of: bench-user\r\n"
# A request must arrive within a minute; a little more for the sweep that looks.
REQUEST_WITHIN = 70


class Wire:
    """A connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, within: float = 20) -> tuple[int, bytes]:
        """Status and body of the next answer; 0 when there is none."""
        try:
            async with asyncio.timeout(within):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                return int(head[9:12]), await self.reader.readexactly(length)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return 0, b""

    def drop(self) -> None:
        """Gone, without a goodbye."""
        self.writer.transport.abort()


def request(method: str, path: str, body: Any = None, more: bytes = b"") -> bytes:
    if body is None:
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode(), path.encode(), HEADERS, more)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(content)
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n%b" % (method.encode(), path.encode(), HEADERS, length, more, content)


def chunked(path: str, content: bytes, size: int = 8192) -> bytes:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (path.encode(), HEADERS, head, body)


class Soak:
    def __init__(self, server: Server, given: argparse.Namespace) -> None:
        self.server = server
        self.port = server.port
        self.given = given
        self.failed = False
        self.path = f"{API}/{server.call('POST', API, {})['id']}/items"
        self.stalled: list[Wire] = []
        self.stalled_at = 0.0

    def tell(self, step: str, figure: str, well: bool) -> None:
        self.failed |= not well
        sys.stdout.write(f"{'ok  ' if well else 'FAIL'}  {step:<58} {figure}\n")
        sys.stdout.flush()

    async def once(self, data: bytes, within: float = 20) -> tuple[int, bytes]:
        wire = await Wire.open(self.port)
        try:
            await wire.send(data)
            return await wire.answer(within)
        finally:
            wire.drop()

    async def probes(self, count: int = 200) -> float:
        """The slowest of some plain requests, in milliseconds, or infinity when one is not answered 200."""
        slowest = 0.0
        for _ in range(count):
            asked = time.perf_counter()
            if (await self.once(request("GET", API)))[0] != 200:
                return float("inf")
            slowest = max(slowest, time.perf_counter() - asked)
        return slowest * 1000

    # -- the steps

    async def many_connections(self) -> None:
        wires = await asyncio.gather(*(Wire.open(self.port) for _ in range(self.given.connections)))
        statuses: Counter[int] = Counter()
        asked = time.perf_counter()
        for _ in range(5):
            await asyncio.gather(*(wire.send(request("POST", self.path, {"items": [MESSAGE]})) for wire in wires))
            statuses.update(status for status, _ in await asyncio.gather(*(wire.answer() for wire in wires)))
        took = time.perf_counter() - asked
        for wire in wires:
            wire.drop()
        step = f"{len(wires):,} connections at once, 5 requests on each"
        self.tell(step, f"{dict(statuses)} in {took:.1f} s", set(statuses) == {200})

    async def stall(self) -> None:
        """Open connections that never finish their request; they are looked at again in the end."""
        whole = request("POST", self.path, {"items": [MESSAGE]})
        for data in (whole[:40], whole[:-20], whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"):
            for _ in range(100):
                wire = await Wire.open(self.port)
                await wire.send(data)
                self.stalled.append(wire)
        self.stalled_at = time.monotonic()
        slowest = await self.probes()
        self.tell(
            f"{len(self.stalled)} requests half sent: others are served", f"slowest {slowest:.0f} ms", slowest < 1000
        )

    async def drip(self) -> None:
        """A request that comes byte by byte is a request."""
        wire = await Wire.open(self.port)
        asked = time.perf_counter()
        for byte in request("POST", self.path, {"items": [MESSAGE]}):
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.002)
        status, _ = await wire.answer()
        wire.drop()
        self.tell("a request sent byte by byte", f"{status} after {time.perf_counter() - asked:.1f} s", status == 200)

    async def vanish(self) -> None:
        whole = request("POST", self.path, {"items": MIXED})
        await asyncio.sleep(0.5)
        before = self.open_files()
        for number in range(1000):
            wire = await Wire.open(self.port)
            await wire.send(whole[: (number * 37) % (len(whole) + 1)])
            wire.drop()
        slowest = await self.probes(50)
        await asyncio.sleep(0.5)
        left = self.open_files() - before
        self.tell("1,000 clients that vanish anywhere in a request", f"{left} connections left over", left <= 0)
        self.tell("... and others are served", f"slowest {slowest:.0f} ms", slowest < 1000)

    async def limits(self) -> None:
        def body(size: int) -> bytes:
            frame = json.dumps({"items": [{"type": "message", "role": "user", "content": ""}], "padding": ""}).encode()
            return frame.replace(b'"padding": ""', b'"padding": "' + b"x" * (size - len(frame)) + b'"')

        for size, expected in ((LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 20, 413)):
            content = body(size)
            assert len(content) == size
            sent = {
                "Content-Length": request("POST", self.path, content),
                "chunked": chunked(self.path, content),
                "Expect": request("POST", self.path, content, b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")[0]
                + b"\r\n\r\n",
            }
            for how, data in sent.items():
                if how == "Expect" and expected == 200:
                    expected = 100
                status, _ = await self.once(data)
                self.tell(f"a body of the limit {size - LIMIT:+,} bytes, {how}", str(status), status == expected)

    async def pipelines(self) -> None:
        in_order = 0
        for number in range(50):
            ids = [f"msg_{number:04x}{part:028x}" for part in range(40)]
            wire = await Wire.open(self.port)
            await wire.send(b"".join(request("POST", self.path, {"items": [MESSAGE | {"id": one}]}) for one in ids))
            answers = [await wire.answer() for _ in ids]
            wire.drop()
            in_order += [json.loads(body or b"{}").get("last_id") for _, body in answers] == ids
        self.tell("50 connections with 40 requests in one write", f"{in_order} answered in order", in_order == 50)

    async def fuzz(self) -> None:
        rng = random.Random(self.given.seed)
        memory: list[int] = []
        statuses: Counter[int] = Counter()
        broken: list[tuple[bytes, int]] = []
        for round_ in range(self.given.rounds + 1):
            # The first round warms up: what is kept within bounds, such as the journal, is full after it.
            valid = self.valid_requests()
            per_worker = self.given.cases // self.given.rounds // 8
            await asyncio.gather(*(self._fuzz(rng, per_worker, valid, statuses, broken) for _ in range(8)))
            self.server.call("POST", "/_mock/reset")
            self.path = f"{API}/{self.server.call('POST', API, {})['id']}/items"
            memory.append(self.server.resident())
            step = f"fuzzing, round {round_} of {self.given.rounds}" + (" (warms up)" if round_ == 0 else "")
            self.tell(step, f"{memory[-1] / MIB:.1f} MiB", not broken)
        counted = ", ".join(f"{count:,} x {status or 'no answer'}" for status, count in sorted(statuses.items()))
        self.tell(f"{statuses.total():,} mutated requests, none answered 5xx", counted, not broken)
        for data, status in broken[:5]:
            sys.stdout.write(f"      {status}: {data!r}\n")
        growth = (memory[-1] - memory[0]) / MIB
        self.tell("memory since the warm-up", f"{growth:+.1f} MiB", growth < 4)

    def valid_requests(self) -> list[bytes]:
        made = self.server.call("POST", self.path, {"items": MIXED})
        item = f"{self.path}/{made['last_id']}"
        conversation = self.path.rpartition("/")[0]
        return [
            request("POST", API, {"metadata": {"channel": "support"}, "items": MIXED[:4]}),
            request("GET", f"{API}?limit=5&order=desc&metadata=%7B%22channel%22%3A%22support%22%7D&search=ticket"),
            request("GET", conversation),
            request("POST", conversation, {"metadata": {"a": "b"}}),
            request("POST", self.path, {"items": MIXED}),
            request("GET", f"{self.path}?limit=3&after={made['data'][0]['id']}"),
            request("GET", item),
            request("DELETE", f"{self.path}/{made['data'][1]['id']}"),
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
            data = mutated(rng, rng.choice(valid))
            with contextlib.suppress(ConnectionError):
                status, _ = await self.once(data, within=0.05)
                statuses[status] += 1
                if status >= 500:
                    broken.append((data, status))

    async def stalled_are_closed(self) -> None:
        await asyncio.sleep(max(0.0, self.stalled_at + REQUEST_WITHIN - time.monotonic()))
        answers = await asyncio.gather(*(wire.answer(within=1) for wire in self.stalled))
        statuses = Counter(status for status, _ in answers)
        for wire in self.stalled:
            wire.drop()
        told = ", ".join(f"{count} x {status or 'nothing'}" for status, count in statuses.items())
        self.tell("the requests half sent were given up with a 408", told, set(statuses) == {408})

    async def stop(self) -> None:
        """SIGTERM while requests are under way: those that were begun are finished, and the exit code is 0."""
        begun = [await Wire.open(self.port) for _ in range(50)]
        whole = request("POST", f"{API}", {"metadata": {"a": "b"}})
        for wire in begun:
            await wire.send(whole[:-10])
        idle = await Wire.open(self.port)
        await idle.send(request("GET", API))
        await idle.answer()
        await asyncio.sleep(0.2)
        os.kill(self.server.process.pid, signal.SIGTERM)
        asked = time.monotonic()
        await asyncio.sleep(0.5)
        for wire in begun:
            await wire.send(whole[-10:])
        statuses = Counter(status for status, _ in await asyncio.gather(*(wire.answer() for wire in begun)))
        code = await asyncio.to_thread(self.server.process.wait, 30)
        took = time.monotonic() - asked
        self.tell("SIGTERM: 50 requests half sent are finished", str(dict(statuses)), statuses == {200: 50})
        self.tell("SIGTERM: exit code", f"{code} after {took:.1f} s", code == 0 and took < 5)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.server.process.pid}/fd").iterdir()))


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A valid request with up to three mistakes; mostly, the Content-Length is made right again."""
    text = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.randrange(len(text))
        end = min(len(text), start + rng.randint(1, 12))
        match rng.randrange(6):
            case 0:
                text[start] ^= 1 << rng.randrange(8)
            case 1:
                del text[start:end]
            case 2:
                text[start:start] = text[start:end]
            case 3:
                text[start:start] = rng.choice(_SPICES)
            case 4:
                text[start:end] = rng.randbytes(end - start)
            case 5:
                other = rng.randrange(len(text))
                text[start:end] = text[other : other + end - start]
        if not text:
            break
    head, separator, body = bytes(text).partition(b"\r\n\r\n")
    if rng.random() < 0.9 and separator:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
    return head + separator + body


_SPICES = [
    b'"', b"\\", b"{", b"]", b",", b"null", b"-1", b"1e999", b"\\ud800", b"\xff", b"\x00", b"%00", b"%ff", b"&", b"=",
    b"\r\n", b"[]", b"99999999999999999999", b"metadata[", b"..", b"/", b"//", b"?", b"#", b"\xe2\x80\xae", b"A" * 300,
]  # fmt: skip


async def steps(soak: Soak) -> None:
    run: list[Callable[[], Coroutine[Any, Any, None]]] = [
        soak.stall,
        soak.many_connections,
        soak.drip,
        soak.vanish,
        soak.limits,
        soak.pipelines,
        soak.fuzz,
        soak.stalled_are_closed,
        soak.stop,
    ]
    for step in run:
        await step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="how many mutated requests, besides the warm-up")
    parser.add_argument("--rounds", type=int, default=5, help="in how many rounds")
    parser.add_argument("--connections", type=int, default=1000, help="how many at once")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    subject = Subject(OURS.name, [*OURS.command, "--max-body", str(LIMIT)])
    began = time.monotonic()
    with running(subject) as server:
        soak = Soak(server, given)
        asyncio.run(steps(soak))
    sys.stdout.write(
        f"{'something is not well' if soak.failed else 'all is well'}, {time.monotonic() - began:.0f} s\n"
    )
    sys.exit(1 if soak.failed else 0)


if __name__ == "__main__":
    main()
