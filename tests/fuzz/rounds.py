"""Run Schemathesis, as a command of its own, against a fake that listens on a real socket."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mockserver.verify.fuzzing
from mockserver import Settings, create_app, run_server

CONFIGURATION = Path(mockserver.verify.fuzzing.__file__).parent
KEYS = ("fuzz-key-1", "fuzz-key-2")


@dataclass(frozen=True)
class Round:
    """The result of one run. `passed` is also false if too few valid requests were accepted."""

    seed: int
    cases: int
    failures: int
    seconds: float
    passed: bool
    output: str
    outcomes: dict[str, dict[str, int]]
    """For each operation, how many valid requests were accepted, unreachable (404) and so on."""


def create_target() -> Any:
    """Return the application under test: with default settings, two keys, and the same ids in every run."""
    return create_app(Settings(api_keys=KEYS, ids="sequential"))


def run_schemathesis(*options: str, app: Any = None) -> Round:
    """Run Schemathesis with these options, against `app` or a new fake."""
    with run_server(app or create_target()) as server, TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
                *("run", f"{server.url}/openapi.json", "--url", server.url, "--no-color"),
                *("--report", "json", "--report-json-path", str(report), *options),
            ],
            cwd=CONFIGURATION,
            env=_environment()
            | dict(zip(("MKA1_API_KEY", "MKA1_SECOND_API_KEY"), KEYS, strict=True))
            | {"HYPOTHESIS_STORAGE_DIRECTORY": folder, "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if not report.exists():
            raise RuntimeError(f"Schemathesis did not run:\n{finished.stdout}")
        return _read_report(json.loads(report.read_bytes()), finished)


def _environment() -> dict[str, str]:
    """Return the environment without coverage, which doubles the time of Schemathesis for nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def _read_report(report: dict[str, Any], finished: subprocess.CompletedProcess[str]) -> Round:
    outcomes = {
        operation: {kind: sum(counts[kind] for counts in phases.values()) for kind in next(iter(phases.values()))}
        for operation, phases in report["valid_rates"].items()
    }
    return Round(
        seed=report["seed"],
        cases=report["test_cases"]["generated"],
        failures=report["test_cases"]["unique_failures"] + sum(error["count"] for error in report["errors"]),
        seconds=report["running_time"] or 0.0,
        passed=finished.returncode == 0,
        output=finished.stdout,
        outcomes=outcomes,
    )
