"""What Schemathesis finds by itself: `python -m tests.mutants.schemathesis_alone NAME...`.

It is run as its manual says, from the command line, with our document and a key, and with nothing else of ours: no
hooks, no configuration, the default settings and all checks. What it also reports of the fake without a defect is left
out, so that only what the defect has brought about is counted.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver import create_app, run_server
from tests.mutants.api import KEY_ONE, SETTINGS
from tests.mutants.defect import Defect
from tests.mutants.defects import DEFECTS
from tests.mutants.proxy import Planted

SEED = 1
BASELINE_RUNS = ((SEED, ()), (SEED + 1, ()), (SEED, ("--continue-on-failure",)))
"""The seeds and further options of the runs against the sound fake."""
LONGEST = 300
"""Seconds after which a run is given up. An option of its own for that, `--max-time`, makes other runs longer."""


class Finding(NamedTuple):
    """A failed check, the operation that failed it, and the status it answered."""

    check: str
    operation: str
    status: int

    def __str__(self) -> str:
        return f"{self.check}: {self.operation} -> {self.status}"


@dataclass(frozen=True)
class Run:
    """`requests` are those that reached the server; a run that was given up is not `complete`."""

    findings: frozenset[Finding]
    requests: int
    seconds: float
    complete: bool


@dataclass(frozen=True)
class Outcome:
    """`checks` are the findings that the fake without the defect does not have; see `Finding`."""

    defect: str
    failed: bool
    checks: tuple[str, ...]
    requests: int
    seconds: float
    complete: bool


def alone(defect_name: str, *, workers: int = 1, options: Sequence[str] = ()) -> Outcome:
    """Run Schemathesis against the fake with this defect; `options` are further ones of its command line.

    The first call, and the first with other options, runs it against the sound fake as well, which takes minutes.
    """
    run = _run(DEFECTS[defect_name], workers, tuple(options))
    new = sorted(map(str, run.findings - baseline(workers, tuple(options))))
    return Outcome(defect_name, bool(new), tuple(new), run.requests, run.seconds, run.complete)


@cache
def baseline(workers: int = 1, options: tuple[str, ...] = ()) -> frozenset[Finding]:
    """What Schemathesis reports of the fake without a defect, in any of several runs.

    Several, because the fake's ids are random and two runs are not quite the same: with one alone, chance findings
    would count as the defect's. What the defect brings about under the name of one of these stays unseen.
    """
    runs = (_run(None, workers, (*options, *more), seed) for seed, more in BASELINE_RUNS)
    return frozenset().union(*(run.findings for run in runs))


def _run(defect: Defect | None, workers: int, options: tuple[str, ...], seed: int = SEED) -> Run:
    start = time.monotonic()
    with _served(defect) as (url, counter), TemporaryDirectory() as folder:
        report = Path(folder) / "report.ndjson"
        command = [
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{url}/openapi.json", "--url", url, "-H", f"Authorization: {KEY_ONE}"),
            *("--seed", str(seed), "--workers", str(workers), "--report", "ndjson", "--report-ndjson-path", report),
            *options,
        ]
        try:
            ended = subprocess.run(command, cwd=folder, capture_output=True, timeout=LONGEST, check=False).returncode
        except subprocess.TimeoutExpired:
            ended = None
        if ended is not None and not report.exists():
            raise RuntimeError(f"Schemathesis did not run at all and ended with {ended}")
        findings = _findings(report) if ended is not None else frozenset()
    return Run(findings, counter.requests, time.monotonic() - start, complete=ended in (0, 1))


def _findings(report: Path) -> frozenset[Finding]:
    """All failed checks of a report that has an event in each line."""
    found = set()
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for case_id, checks in recorder.get("checks", {}).items():
            case = recorder["cases"][case_id]["value"]
            status = (recorder["interactions"].get(case_id, {}).get("response") or {}).get("status_code", 0)
            operation = f"{case['method']} {case['path']}"
            found |= {Finding(check["name"], operation, status) for check in checks if check["status"] == "failure"}
    return frozenset(found)


@contextmanager
def _served(defect: Defect | None) -> Iterator[tuple[str, "_Counter"]]:
    counter = _Counter(Planted(create_app(SETTINGS), defect))
    with run_server(counter) as server:
        yield server.url, counter


class _Counter:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += scope["type"] == "http" and scope["path"].startswith("/api/")
        await self._app(scope, receive, send)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=DEFECTS, metavar="NAME")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--continue-on-failure", action="store_true", help="hand this option on")
    arguments = parser.parse_args()
    options = ("--continue-on-failure",) if arguments.continue_on_failure else ()
    for finding in sorted(baseline(arguments.workers, options)):
        print("without a defect:", finding, flush=True)  # noqa: T201
    for name in arguments.names:
        print(alone(name, workers=arguments.workers, options=options), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
