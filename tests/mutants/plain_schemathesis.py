"""What plain Schemathesis finds: `python -m tests.mutants.plain_schemathesis NAME...`.

It runs from its command line, as its manual says, with our document and a key: no hooks, no configuration, default
settings, all checks. Findings that the original fake shows too are left out: only those count that the mutant causes.
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
from tests.mutants.client import KEY_ONE, SETTINGS
from tests.mutants.mutant import Mutant
from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS

SEED = 1
ORIGINAL_RUNS = ((SEED, ()), (SEED + 1, ()), (SEED, ("--continue-on-failure",)))
"""Seeds and further options of the runs against the original fake."""
TIMEOUT = 300
"""Seconds after which a run is stopped; Schemathesis' own `--max-time` makes other runs longer."""


class Finding(NamedTuple):
    """A failed check with the operation and the status of its response."""

    check: str
    operation: str
    status: int

    def __str__(self) -> str:
        return f"{self.check}: {self.operation} -> {self.status}"


@dataclass(frozen=True)
class Run:
    """The result of one run; `requests` counts those that reached the server, and a stopped run is not `complete`."""

    findings: frozenset[Finding]
    requests: int
    seconds: float
    complete: bool


@dataclass(frozen=True)
class Outcome:
    """The result for one mutant; `checks` holds the findings that the original does not have."""

    mutant: str
    failed: bool
    checks: tuple[str, ...]
    requests: int
    seconds: float
    complete: bool


def run_against_mutant(mutant_name: str, *, workers: int = 1, options: Sequence[str] = ()) -> Outcome:
    """Run Schemathesis against a mutant; `options` are added to its command line.

    The first call, and the first with other options, also runs it against the original, which takes minutes.
    """
    run = _run(MUTANTS[mutant_name], workers, tuple(options))
    new = sorted(map(str, run.findings - original_findings(workers, tuple(options))))
    return Outcome(mutant_name, bool(new), tuple(new), run.requests, run.seconds, run.complete)


@cache
def original_findings(workers: int = 1, options: tuple[str, ...] = ()) -> frozenset[Finding]:
    """Return the union of what Schemathesis reports of the original in several runs.

    Ids are random, so that two runs differ: after a single run, chance findings would count as the mutant's. A finding
    of the mutant that looks like one of these stays unseen.
    """
    runs = (_run(None, workers, (*options, *more), seed) for seed, more in ORIGINAL_RUNS)
    return frozenset().union(*(run.findings for run in runs))


def _run(mutant: Mutant | None, workers: int, options: tuple[str, ...], seed: int = SEED) -> Run:
    start = time.monotonic()
    with _serve_mutant(mutant) as (url, counter), TemporaryDirectory() as folder:
        report = Path(folder) / "report.ndjson"
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{url}/openapi.json", "--url", url, "-H", f"Authorization: {KEY_ONE}"),
            *(
                "--seed",
                str(seed),
                "--workers",
                str(workers),
                "--report",
                "ndjson",
                "--report-ndjson-path",
                str(report),
            ),
            *options,
        ]
        try:
            ended = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIMEOUT, check=False).returncode
        except subprocess.TimeoutExpired:
            ended = None
        if ended is not None and not report.exists():
            raise RuntimeError(f"Schemathesis did not run; exit code {ended}")
        findings = _findings(report) if ended is not None else frozenset()
    return Run(findings, counter.requests, time.monotonic() - start, complete=ended in (0, 1))


def _findings(report: Path) -> frozenset[Finding]:
    """Return all failed checks of an NDJSON report."""
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
def _serve_mutant(mutant: Mutant | None) -> Iterator[tuple[str, "_Counter"]]:
    counter = _Counter(MutatedApp(create_app(SETTINGS), mutant))
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
    parser.add_argument("names", nargs="+", choices=MUTANTS, metavar="NAME")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--continue-on-failure", action="store_true", help="pass this option on")
    arguments = parser.parse_args()
    options = ("--continue-on-failure",) if arguments.continue_on_failure else ()
    for finding in sorted(original_findings(arguments.workers, options)):
        print("original:", finding, flush=True)  # noqa: T201
    for name in arguments.names:
        print(run_against_mutant(name, workers=arguments.workers, options=options), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
