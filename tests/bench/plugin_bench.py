"""The cost of the pytest plugin: `python tests/bench/plugin_bench.py --help`.

Prints one line for each figure, in milliseconds: the median, and the middle half of all runs.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from mockserver.testing import open_server
from mockserver.testing.marker import MarkerOptions
from mockserver.testing.violations import ViolationMonitor

_OTHERS = ["schemathesis", "hypothesispytest", "anyio", "xdist", "cacheprovider"]
"""Other plugins, switched off so that they do not hide the figure."""


def measure_starts(runs: int) -> None:
    """Measure the start of pytest on an empty file, with and without the plugin in turns.

    Processor time is measured, which a busy machine disturbs less.
    """
    times: dict[str, list[float]] = {"with": [], "without": []}
    without_others = [word for name in _OTHERS for word in ("-p", f"no:{name}")]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_empty.py").touch()
        command = [sys.executable, "-m", "pytest", "--co", "-q", *without_others]
        for turn in range(runs + 1):
            for which, more in (("with", []), ("without", ["-p", "no:mka1"])):
                started = _child_processor_seconds()
                subprocess.run([*command, *more], cwd=folder, capture_output=True, check=False)
                if turn:  # The first run may write byte code.
                    times[which].append(_child_processor_seconds() - started)
    for which, seconds in times.items():
        _report(f"pytest --co on an empty file, {which} the plugin", seconds)
    differences = [one - other for one, other in zip(times["with"], times["without"], strict=True)]
    _report("cost of the plugin, pair by pair", differences)


def measure_clean_states(runs: int) -> None:
    """Measure the work before and after each test, in a run of many."""
    opened = time.perf_counter()
    with open_server() as server:
        _report("first fixture of a run: the server starts", [time.perf_counter() - opened])
        folder = Path()
        plain = MarkerOptions.parse({})
        others = MarkerOptions.parse({"ids": "sequential", "identity_mode": "raw"})

        def use() -> None:
            headers = {**api.headers, "Content-Type": "application/json"}
            with urlopen(Request(f"{api.api_url}/conversations", b"{}", headers)) as response:
                response.read()

        def check() -> None:
            monitor = ViolationMonitor(api, server.reproduction, strict=True)
            monitor.check_exchanges()
            monitor.check_plans()

        started, checked, with_settings = [], [], []
        for _ in range(runs):
            started.append(_measure(lambda: server.start_test(plain, folder)))
            api = server.start_test(plain, folder)
            use()
            checked.append(_measure(check))
            with_settings.append(_measure(lambda: server.start_test(others, folder)))
        _report("clean state for a test", started)
        _report("clean state with other settings", with_settings)
        _report("checks after a test with one request", checked)


def _child_processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _report(what: str, seconds: list[float]) -> None:
    milliseconds = [value * 1000 for value in seconds]
    middle = statistics.median(milliseconds)
    spread = ""
    if len(milliseconds) > 3:
        lower, _, upper = statistics.quantiles(milliseconds, n=4)
        spread = f"  ({lower:.3f} to {upper:.3f}, n={len(milliseconds)})"
    sys.stdout.write(f"{what:<56} {middle:>10.3f} ms{spread}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=15, help="runs of pytest (default: %(default)s)")
    parser.add_argument("--states", type=int, default=1000, help="clean states (default: %(default)s)")
    options = parser.parse_args()
    measure_clean_states(options.states)
    measure_starts(options.starts)


if __name__ == "__main__":
    main()
