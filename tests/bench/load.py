"""Load from wrk, on the other core."""

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from subjects import API, HERE, Server, pin_to_core

WORDS = ["refund", "invoice", "parcel", "delivery", "account", "password", "window", "garden", "river", "coffee"]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Figures:
    """The figures of one load: requests a second, latencies in milliseconds, processor microseconds a request."""

    rate: float
    p50: float
    p99: float
    processor: float


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: `apt-get install wrk` or `brew install wrk`")


def measure_load(server: Server, request: Request, seconds: int, connections: int = 16) -> Figures:
    """Repeat a request for some seconds; exit if any response is not a 200."""
    for _ in range(100):
        server.request(request.method, request.path, request.body)
    arguments = [request.method, request.path]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        if request.body is not None:
            file.write(json.dumps(request.body).encode())
            file.flush()
            arguments.append(file.name)
        command = [*pin_to_core(1), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "request.lua")]
        command += [f"http://127.0.0.1:{server.port}", "--", *arguments]
        before = server.processor_seconds()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        used = server.processor_seconds() - before
    found = json.loads(done.stdout.strip().rpartition("\n")[2])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise SystemExit(f"{request.method} {request.path}: not every response was a 200: {found}")
    rate = found["requests"] / found["seconds"]
    return Figures(rate, found["p50"], found["p99"], used / found["requests"] * 1e6)


def median(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(one, name) for one in figures) for name in Figures.__annotations__))


# -- scenarios

MESSAGE = {"type": "message", "role": "user", "content": "Summarize the latest support ticket, please."}
_ITEMS: list[dict[str, Any]] = [
    MESSAGE,
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is on this picture?"}]},
    {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Lisbon"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": '{"celsius":21}'},
]
MIXED = [_ITEMS[number % len(_ITEMS)] for number in range(20)]


@dataclass(frozen=True)
class Scenario:
    """A request to repeat; `prepare` fills an empty server and returns it, `bar` is the ratio to reach."""

    name: str
    prepare: Callable[[Server], Request]
    bar: float | None = None


def _conversation(server: Server, items: int = 0) -> str:
    made = server.request("POST", API, {"metadata": {"channel": "support"}})
    conversation_id: str = made.get("id", "conv_1")  # The echo makes none.
    for _ in range(items // 20):
        server.request("POST", f"{API}/{conversation_id}/items", {"items": MIXED})
    return conversation_id


def _conversations(server: Server) -> None:
    for number in range(200):
        word = WORDS[number % 10]
        texts = [MESSAGE | {"content": f"Message {part} of {number} is about the {word}"} for part in range(5)]
        server.request("POST", API, {"metadata": {"topic": word, "half": str(number % 2)}, "items": texts})


def _add_one(server: Server) -> Request:
    return Request("POST", f"{API}/{_conversation(server)}/items", {"items": [MESSAGE]})


def _add_twenty(server: Server) -> Request:
    return Request("POST", f"{API}/{_conversation(server)}/items", {"items": MIXED})


def _page(server: Server) -> Request:
    return Request("GET", f"{API}/{_conversation(server, 60)}/items?limit=20")


def _retrieve(server: Server) -> Request:
    return Request("GET", f"{API}/{_conversation(server)}")


def _filter(server: Server) -> Request:
    _conversations(server)
    return Request("GET", f"{API}?{urlencode({'limit': 20, 'metadata': json.dumps({'topic': 'invoice'})})}")


def _search(server: Server) -> Request:
    _conversations(server)
    return Request("GET", f"{API}?{urlencode({'limit': 20, 'search': 'invoice'})}")


SCENARIOS = [
    Scenario("add one message", _add_one, 0.9),
    Scenario("add 20 mixed items", _add_twenty),
    Scenario("a page of 20 items", _page, 0.8),
    Scenario("retrieve a conversation", _retrieve),
    Scenario("list by metadata", _filter),
    Scenario("search", _search),
]
