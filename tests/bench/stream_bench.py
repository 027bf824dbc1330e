"""The speed of event streams, checked and unchecked."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from report import Report, Table
from subjects import API, HERE, OURS, Server, Subject, pin_to_core, start_server

DELTAS = 50
EVENTS = DELTAS + 8
UNCHECKED = Subject("unchecked", [sys.executable, str(HERE / "unchecked_server.py"), "--port", "{port}"])


@dataclass(frozen=True)
class StreamFigures:
    """The figures of one load: processor microseconds an event, streams a second, milliseconds to the first event."""

    processor: float
    rate: float
    first_p50: float
    first_p99: float


def measure_streams(server: Server, streams: int, connections: int = 16) -> StreamFigures:
    """Read streams of 50 deltas; exit if one of them lacks an event or has one out of order."""
    command = [*pin_to_core(1), sys.executable, str(HERE / "stream_load.py"), str(server.port)]
    command += ["--streams", str(streams), "--connections", str(connections), "--deltas", str(DELTAS)]
    before = server.processor_seconds()
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    used = server.processor_seconds() - before
    if found["broken"]:
        raise SystemExit(f"{found['broken']} of {streams} streams are not complete, or out of order")
    rate = streams / found["seconds"]
    return StreamFigures(used / (streams * EVENTS) * 1e6, rate, found["first_p50_ms"], found["first_p99_ms"])


def streams(report: Report, rounds: int) -> None:
    """Compare a checked stream with the same one unchecked; then read 1,000 at once, and 10,000 in all."""
    found: dict[str, list[StreamFigures]] = {OURS.name: [], UNCHECKED.name: []}
    for number in range(2 * rounds):
        for subject in (OURS, UNCHECKED) if number % 2 else (UNCHECKED, OURS):
            with start_server(subject) as server:
                measure_streams(server, 50)
                found[subject.name].append(measure_streams(server, 500))
    table = Table(
        f"Streams of {DELTAS} deltas, {EVENTS} events",
        ["", "connections", "streams a second", "processor, an event", "first event, p50", "p99"],
    )
    for name, figures in found.items():
        table.rows.append(_row(name, 16, _median(figures)))
    pairs = list(zip(found[OURS.name], found[UNCHECKED.name], strict=True))
    of_unchecked = statistics.median(other.processor / one.processor for one, other in pairs)
    first = _median(found[OURS.name]).first_p99
    report.bar(
        "a checked stream", ">= 0.8 x the same unchecked, by processor time", f"{of_unchecked:.2f} x",
        reached=of_unchecked >= 0.8,
    )  # fmt: skip
    report.bar("first event, 16 connections, p99", "<= 5 ms", f"{first:.1f} ms", reached=first <= 5)
    with start_server(OURS) as server:
        table.rows.append(_row(OURS.name, 1000, measure_streams(server, 1000, connections=1000)))
        report.bar("1,000 streams at once", "none lost, none out of order", "none", reached=True)
        server.request("POST", "/_mock/reset")
    with start_server(OURS) as server:
        growth = _memory_growth(server)
        report.bar("memory after 10,000 streams", "<= 2 MiB more", f"{growth:+.1f} MiB", reached=growth <= 2)
    report.add(table)


def _memory_growth(server: Server) -> float:
    """Return by how many MiB memory grows with 10,000 streams after the first 1,000; resets empty the journal."""
    sizes = []
    for count in (1000, 10_000):
        for _ in range(count // 1000):
            measure_streams(server, 1000)
            server.request("POST", "/_mock/reset")
        server.request("GET", API)
        sizes.append(server.resident_bytes())
    return (sizes[1] - sizes[0]) / 2**20


def _median(figures: list[StreamFigures]) -> StreamFigures:
    return StreamFigures(
        *(statistics.median(getattr(one, name) for one in figures) for name in StreamFigures.__annotations__)
    )


def _row(name: str, connections: int, one: StreamFigures) -> list[str]:
    return [
        name,
        f"{connections:,}",
        f"{one.rate:,.0f}/s",
        f"{one.processor:.1f} us",
        f"{one.first_p50:.1f} ms",
        f"{one.first_p99:.1f} ms",
    ]
