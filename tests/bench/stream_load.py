"""Read many event streams at once, and check each: `python tests/bench/stream_load.py PORT --help`.

The figures are printed as one JSON line. A stream is broken unless it has all events, in order, to the terminal one.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator

PATH = b"/api/v1/llm/responses"


def build_request(deltas: int) -> bytes:
    """Return a request for a stream with so many deltas; the default output repeats the words of the input."""
    words = " ".join(f"word{number}" for number in range(deltas - 2))
    body = json.dumps({"model": "auto", "input": words, "stream": True, "store": False}).encode()
    return (
        b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench-key\r\nX-On-Behalf-Of: bench-user\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (PATH, len(body), body)
    )


class Stream:
    """One stream; `first` is the time of its first event after the request, in seconds."""

    def __init__(self) -> None:
        self.first = 0.0
        self.content = bytearray()

    async def read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        started = time.perf_counter()
        writer.write(request)
        while not self.content.endswith(b"\r\n0\r\n\r\n"):
            data = await reader.read(64 * 1024)
            if not data:
                return
            self.content += data
            if not self.first and b"event: " in data:
                self.first = time.perf_counter() - started

    def is_whole(self, deltas: int) -> bool:
        events = list(self._events())
        numbers = [event["sequence_number"] for event in events]
        count = sum(event["type"] == "response.output_text.delta" for event in events)
        return numbers == list(range(len(events))) and count == deltas and events[-1]["type"] == "response.completed"

    def _events(self) -> Iterator[dict[str, object]]:
        body = self.content.partition(b"\r\n\r\n")[2]
        while size := int(body.partition(b"\r\n")[0], 16):
            start = body.index(b"\r\n") + 2
            yield json.loads(body[start : start + size].partition(b"data: ")[2])
            body = body[start + size + 2 :]


async def run(port: int, total: int, connections: int, deltas: int) -> dict[str, float]:
    """Read `total` streams, `connections` at a time."""
    request = build_request(deltas)
    streams = [Stream() for _ in range(total)]
    pending = iter(streams)

    async def work(pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        for stream in pending:
            await stream.read(*pair, request)
        pair[1].close()

    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    started = time.perf_counter()
    await asyncio.gather(*map(work, pairs))
    took = time.perf_counter() - started
    firsts = sorted(stream.first for stream in streams)
    return {
        "streams": total,
        "seconds": took,
        "broken": sum(not stream.is_whole(deltas) for stream in streams),
        "first_p50_ms": firsts[total // 2] * 1000,
        "first_p99_ms": firsts[total * 99 // 100] * 1000,
        "first_max_ms": firsts[-1] * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--deltas", type=int, default=50)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures = asyncio.run(run(given.port, given.streams, given.connections, given.deltas))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
