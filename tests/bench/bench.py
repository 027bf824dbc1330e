"""The speed of the fake, side by side with alternatives: `make bench`, or `python tests/bench/bench.py --help`.

Every load is a short run of wrk against a fresh server, so that no state piles up. The subjects take turns, and
medians are compared. With two cores and `taskset`, the server has the first core to itself and the load the second.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlencode

from filled_server import LONG, conversation_id, item_id
from load import MESSAGE, SCENARIOS, Figures, Request, Scenario, measure_load, median, require_wrk
from report import Report, Table
from stream_bench import streams
from subjects import (
    API,
    BARE,
    DEFAULTS,
    ECHO,
    HERE,
    OURS,
    Server,
    Subject,
    build_environment,
    find_openapi_core,
    find_prism,
    pin_to_core,
    start_server,
)

from mockserver.context import Tenant
from mockserver.store.memory import MemoryStore
from mockserver.store.records import Conversation, Item


def with_separators(number: float) -> str:
    return f"{number:,.0f}"


# -- throughput


def throughput(report: Report, subjects: Sequence[Subject], rounds: int, seconds: int) -> None:
    table = Table(
        "Requests each second",
        ["operation", "subject", "median", "lowest to highest", "p99", "processor", "of bare", "by processor"],
        note="`processor` is the server's processor time a request, `of bare` the rate as a multiple of bare "
        "Starlette's in the same round, `by processor` the same by processor time, which other work on the machine "
        "disturbs less.",
    )
    for scenario in SCENARIOS:
        found = _measure_in_turns(scenario, subjects, rounds, seconds)
        ratios = {name: _ratios_to(figures, found[BARE.name]) for name, figures in found.items()}
        for name, figures in found.items():
            one, (of_bare, by_processor) = median(figures), ratios[name]
            rates = [figure.rate for figure in figures]
            table.rows.append(
                [
                    scenario.name,
                    name,
                    f"{with_separators(one.rate)}/s",
                    f"{with_separators(min(rates))} to {with_separators(max(rates))}",
                    f"{one.p99:.1f} ms",
                    f"{one.processor:.0f} us",
                    f"{of_bare:.2f}",
                    f"{by_processor:.2f}",
                ]
            )
        for subject, label in ((OURS, "access log off"), (DEFAULTS, "as started by default")):
            if scenario.bar is None:
                continue
            of_bare, by_processor = ratios[subject.name]
            report.bar(
                f"{scenario.name}, both guards on, {label}",
                f">= {scenario.bar} x bare Starlette",
                f"{of_bare:.2f} x ({by_processor:.2f} x by processor time)",
                reached=of_bare >= scenario.bar,
            )
    report.add(table)


def _measure_in_turns(
    scenario: Scenario, subjects: Sequence[Subject], rounds: int, seconds: int
) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {subject.name: [] for subject in subjects}
    turns = [subjects] * rounds
    if scenario.bar is not None:  # A bar takes more turns, because the machine is never quiet.
        turns += [(OURS, DEFAULTS, BARE)] * (2 * rounds)
    for number, turn in enumerate(turns):
        for subject in turn if number % 2 else reversed(turn):
            with start_server(subject) as server:
                found[subject.name].append(measure_load(server, scenario.prepare(server), seconds))
    return found


def _ratios_to(figures: Sequence[Figures], others: Sequence[Figures]) -> tuple[float, float]:
    """Return the median ratio of the rates, and of the processor times, over the turns.

    Ratios are taken within a turn, in which all subjects met nearly the same machine.
    """
    pairs = list(zip(figures, others, strict=False))
    return (
        statistics.median(one.rate / other.rate for one, other in pairs),
        statistics.median(other.processor / one.processor for one, other in pairs),
    )


# -- start


_IMPORT_AND_BIND = """
import socket, sys, starlette, uvicorn
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print("bound", flush=True)
sys.stdin.read()
"""


def start(report: Report, rounds: int) -> None:
    with_port_0 = [part.replace("{port}", "0") for part in OURS.command]
    measurements: dict[str, Callable[[], float]] = {
        "`import starlette, uvicorn`, and the bind": partial(
            _seconds_to_line, [sys.executable, "-c", _IMPORT_AND_BIND]
        ),
        "bare Starlette, first response": partial(_seconds_to_response, BARE),
        "mockserver, `Listening on`": partial(_seconds_to_line, with_port_0),
        "mockserver, first response": partial(_seconds_to_response, OURS),
    }
    found: dict[str, list[float]] = {name: [] for name in measurements}
    for measure in measurements.values():
        measure()  # Warms up byte code and the file cache.
    for _ in range(rounds):
        for name, measure in measurements.items():
            found[name].append(measure())
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    base, *_, ours = medians.values()
    table = Table("Process start", ["until", "median", "lowest to highest", "of the import"])
    for name, seconds in found.items():
        spread = f"{min(seconds) * 1e3:.0f} to {max(seconds) * 1e3:.0f} ms"
        table.rows.append([name, f"{medians[name] * 1e3:.0f} ms", spread, f"{medians[name] / base:.2f}"])
    report.add(table)
    report.bar(
        "process start to first response", "<= 2 x the import", f"{ours / base:.2f} x", reached=ours <= 2 * base
    )
    report.bar("process start to first response", "< 0.5 s", f"{ours:.2f} s", reached=ours < 0.5)


def _seconds_to_line(command: Sequence[str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        [*pin_to_core(0), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=build_environment(),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = time.perf_counter() - started
        process.terminate()
    if not line:
        raise SystemExit(f"{' '.join(command)} printed nothing")
    return took


def _seconds_to_response(subject: Subject) -> float:
    started = time.perf_counter()
    with start_server(subject) as server:
        server.request("GET", API)
        return time.perf_counter() - started


# -- large stores


def sizes_of_store(report: Report, sizes: Sequence[int], rounds: int, seconds: int) -> None:
    """Measure pages, filters and searches over HTTP at several sizes of the store."""
    cursor = "the middle"
    names = {
        "first page": {},
        "page from the middle": {"after": cursor},
        "last page, desc": {"order": "desc"},
        "filter, 1 in 1,000 matches": {"metadata": '{"rare":"yes"}'},
        "filter, 1 in 10 matches": {"metadata": '{"topic":"invoice"}'},
        "search, 1 in 1,000 matches": {"search": "zebra"},
        "search, 1 in 10 matches": {"search": "invoice"},
    }
    found: dict[str, dict[int, list[Figures]]] = {name: {size: [] for size in sizes} for name in names}
    index: dict[int, float] = {}
    servers = [(size, start_server(_filled(f"{size:,} conversations", conversations=size))) for size in sizes]
    opened: list[tuple[int, Server]] = []
    try:
        opened = [(size, entered.__enter__()) for size, entered in servers]
        for size, server in opened:
            asked = time.perf_counter()
            server.request("GET", f"{API}?search=zebra")
            index[size] = time.perf_counter() - asked
        for name, query in names.items():
            for _ in range(rounds):
                for size, server in opened:
                    asked_for = {"limit": 20} | query
                    if query.get("after") == cursor:
                        asked_for["after"] = conversation_id(size // 2)
                    found[name][size].append(
                        measure_load(server, Request("GET", f"{API}?{urlencode(asked_for)}"), seconds)
                    )
    finally:
        for _, entered in servers[: len(opened)]:
            entered.__exit__(None, None, None)
    table = Table(
        "A page of 20 conversations, over HTTP, processor time for one",
        ["conversations", *(f"{size:,}" for size in sizes), "largest of smallest"],
        note="The first search builds the index; it took "
        + ", ".join(f"{index[size]:.2f} s at {size:,}" for size in sizes)
        + ". Every conversation has one message.",
    )
    for name, by_size in found.items():
        medians = [median(figures).processor for figures in by_size.values()]
        ratio = medians[-1] / medians[0]
        table.rows.append([name, *(f"{one:.0f} us" for one in medians), f"{ratio:.2f}"])
        if name == "first page":
            report.bar(
                f"a page at {sizes[-1]:,} conversations",
                f"<= 1.5 x the same at {sizes[0]:,}",
                f"{ratio:.2f} x",
                reached=ratio <= 1.5,
            )
    report.add(table)


def _filled(name: str, **options: int) -> Subject:
    arguments = [part for option, value in options.items() for part in (f"--{option}", str(value))]
    return Subject(name, [sys.executable, str(HERE / "filled_server.py"), "--port", "{port}", *arguments])


def memory(report: Report, messages: int) -> None:
    table = Table("Resident memory", ["", "whole process", "for each message"])
    with start_server(OURS) as server:
        server.request("GET", API)
        empty = server.resident_bytes()
    table.rows.append(["started, nothing stored", f"{empty / 2**20:.0f} MiB", ""])
    for label, conversations, each in (
        (f"{messages:,} messages, 1,000 in a conversation", messages // 1000, 1000),
        (f"{messages:,} messages, 1 in a conversation", messages, 1),
    ):
        with start_server(_filled(label, conversations=conversations, messages=each)) as server:
            server.request("GET", API)
            one = (server.resident_bytes() - empty) / messages
            table.rows.append([label, f"{server.resident_bytes() / 2**20:,.0f} MiB", f"{one:,.0f} bytes"])
        if each > 1:
            report.bar(
                f"memory of a short message, at {messages:,}", "<= 1 KiB", f"{one:,.0f} bytes", reached=one <= 1024
            )
    report.add(table)


def long_conversation(report: Report, items: int, rounds: int, seconds: int) -> None:
    path = f"{API}/{LONG}/items"
    requests = {
        "add one message": Request("POST", path, {"items": [MESSAGE]}),
        "first page": Request("GET", f"{path}?limit=20"),
        "page from the middle": Request("GET", f"{path}?limit=20&after={item_id(items // 2)}"),
        "last page": Request("GET", f"{path}?limit=20&after={item_id(items - 21)}"),
        "first page, desc": Request("GET", f"{path}?limit=20&order=desc"),
        "page from the middle, desc": Request("GET", f"{path}?limit=20&order=desc&after={item_id(items // 2)}"),
        "last page, desc": Request("GET", f"{path}?limit=20&order=desc&after={item_id(20)}"),
    }
    found: dict[str, tuple[list[Figures], list[Figures]]] = {name: ([], []) for name in requests}
    with start_server(_filled("short", long=100)) as short, start_server(_filled("long", long=items)) as long:
        for name, request in requests.items():
            for _ in range(rounds):
                if name == "add one message" or name.startswith("first"):
                    found[name][0].append(measure_load(short, request, seconds))
                found[name][1].append(measure_load(long, request, seconds))
    title = f"A conversation of {items:,} items, over HTTP, processor time for one request"
    table = Table(title, ["", "with 100 items", f"with {items:,}", "rate"])
    for name, (few, many) in found.items():
        of_few = f"{median(few).processor:.0f} us" if few else ""
        table.rows.append(
            [name, of_few, f"{median(many).processor:.0f} us", f"{with_separators(median(many).rate)}/s"]
        )
    report.add(table)


# -- connections, search, reset


def connections(report: Report, rounds: int, seconds: int) -> None:
    counts = (16, 100, 1000)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[int, list[Figures]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            with start_server(OURS) as server:
                found[count].append(measure_load(server, SCENARIOS[0].prepare(server), seconds, count))
    table = Table("Add one message, many connections at once", ["connections", "median", "p50", "p99"])
    for count, figures in found.items():
        one = median(figures)
        table.rows.append([f"{count:,}", f"{with_separators(one.rate)}/s", f"{one.p50:.1f} ms", f"{one.p99:.1f} ms"])
    report.add(table)


def search(report: Report) -> None:
    """Measure searches in the store with `store_bench.py`, which mixes queries with language-like texts."""
    done = subprocess.run(
        [*pin_to_core(0), sys.executable, str(HERE / "store_bench.py"), "--only", "search", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    table = Table("Search over 100,000 items, in the store", ["", "p50", "p99"])
    worst = 0.0
    for figure in map(json.loads, done.stdout.splitlines()):
        if figure.get("case") in ("all of these", "among writes"):
            table.rows.append([figure["name"], f"{figure['p50_ms']:.2f} ms", f"{figure['p99_ms']:.2f} ms"])
            worst = max(worst, figure["p99_ms"])
    if not table.rows:
        raise SystemExit("store_bench.py printed no figures of searches")
    report.add(table)
    report.bar("search over 100,000 items, p99", "<= 25 ms", f"{worst:.2f} ms", reached=worst <= 25)


def expensive(report: Report) -> None:
    """Measure the worst requests that are known, see `tests/hostile/worst_requests.py`."""
    bars = dict.fromkeys((10, 100, 1024, 5 * 1024, 10 * 1024), 50)  # To the largest body that is accepted.
    done = subprocess.run(
        [*pin_to_core(0), sys.executable, "-m", "tests.hostile.worst_requests", "--json", *map(str, bars)],
        check=True,
        capture_output=True,
        text=True,
        cwd=HERE.parent.parent,
    )
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    table = Table("The most expensive requests, processor time", ["size", "worst", "request"])
    for size, bar in bars.items():
        worst = max((one for one in figures if one["size"] == size * 1024), key=itemgetter("milliseconds"))
        took = worst["milliseconds"]
        table.rows.append([f"{size:,} KiB", f"{took:.1f} ms", worst["name"]])
        report.bar(f"any request of {size:,} KiB", f"<= {bar} ms", f"{took:.1f} ms", reached=took <= bar)
    report.add(table)


def reset(report: Report, rounds: int = 200) -> None:
    table = Table("Clean state: store.reset()", ["after", "p50", "p99"])
    for messages in (0, 20, 1000):
        took = sorted(_reset_seconds(messages) for _ in range(rounds))
        p50, p99 = took[rounds // 2], took[rounds * 99 // 100]
        table.rows.append([f"{messages:,} messages", f"{p50 * 1e6:.1f} us", f"{p99 * 1e6:.1f} us"])
        if messages == 20:
            report.bar("clean state for a test, p99", "<= 0.2 ms", f"{p99 * 1e3:.3f} ms", reached=p99 <= 0.0002)
    report.add(table)


def _reset_seconds(messages: int) -> float:
    store, tenant = MemoryStore(), Tenant("bench")
    for start in range(0, messages, 10):
        items = [Item(item_id(number), b'{"type":"message"}') for number in range(start, start + 10)]
        store.create_conversation(tenant, Conversation(conversation_id(start), 1, {"a": "b"}), items)
    started = time.perf_counter()
    store.reset()
    return time.perf_counter() - started


# -- command line


def main() -> None:
    parts = ["throughput", "start", "sizes_of_store", "memory", "long", "connections", "streams", "search"]
    parts += ["expensive", "reset"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a run of about two minutes: few rounds, small stores")
    parser.add_argument("--rounds", type=int, help="rounds of each load (5, or 3 with --quick)")
    parser.add_argument("--seconds", type=int, help="seconds for each load (2, or 1 with --quick)")
    parser.add_argument("--prism", action="store_true", help="also measure Prism with the same document")
    parser.add_argument("--only", choices=parts, action="append", help="run only this part; repeatable")
    parser.add_argument(
        "--markdown", type=Path, metavar="PAGE", help="replace the tables between the markers of this page"
    )
    arguments = parser.parse_args()
    require_wrk()
    rounds = arguments.rounds or (3 if arguments.quick else 5)
    seconds = arguments.seconds or (1 if arguments.quick else 2)
    most = 100_000 if arguments.quick else 1_000_000
    others = [find_openapi_core(), find_prism() if arguments.prism else None]
    subjects = [OURS, DEFAULTS, BARE, *filter(None, others), ECHO]
    report = Report()
    few = max(rounds // 2, 1)
    sizes = [size for size in (1000, 100_000, 1_000_000) if size <= most]
    calls: dict[str, Callable[[], None]] = {
        "throughput": partial(throughput, report, subjects, rounds, seconds),
        "start": partial(start, report, 5 if arguments.quick else 10),
        "sizes_of_store": partial(sizes_of_store, report, sizes, few, 1),
        "memory": partial(memory, report, most),
        "long": partial(long_conversation, report, 100_000, few, 1),
        "connections": partial(connections, report, few, seconds),
        "streams": partial(streams, report, few),
        "search": partial(search, report),
        "expensive": partial(expensive, report),
        "reset": partial(reset, report),
    }
    asked = time.perf_counter()
    for part in arguments.only or (part for part in parts if not (arguments.quick and part == "search")):
        calls[part]()
    command = " ".join(["python", "tests/bench/bench.py", *sys.argv[1:]])
    report.finish(
        f"Made by `{command}` in {(time.perf_counter() - asked) / 60:.0f} minutes, {rounds} rounds of {seconds} s, on "
        f"{os.cpu_count()} shared cores ({platform.system()}, {platform.machine()}), Python "
        f"{platform.python_version()}, uvicorn {version('uvicorn')}, Starlette {version('starlette')}.",
        arguments.markdown,
    )


if __name__ == "__main__":
    main()
