"""Which mutants `mockserver verify` finds, and which a plain `schemathesis run` finds.

    python -m tests.mutants.table [NAME...] [--originals 10] [--plain EVERY] [--results FILE] [--markdown FILE]

`mockserver verify` runs against each mutant in a process of its own: first the behaviours, then the other phases if
those find no violation. Then it runs against the original fake with several seeds, and must report nothing.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mockserver import create_app, run_server
from tests.mutants.client import SETTINGS
from tests.mutants.plain_schemathesis import run_against_mutant
from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS, is_assumed_only

BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"
PHASES = ("behaviours", "examples", "coverage", "fuzzing", "stateful")
PROCESSES = 2
_RESPONSE_FAMILIES = ("responses", "contexts", "streams")


@dataclass(frozen=True)
class Row:
    """The result for one mutant.

    `verdict` is violates, learned, drift or missed. `plain`: whether plain Schemathesis finds it, None if not tried.
    """

    mutant: str
    verdict: str
    phase: str
    request: int
    case: str
    plain: bool | None = None


def run_verify(mutant: str | None, phases: str, seed: int) -> dict[str, Any]:
    """Return the JSON report of a run against a mutant, or against the original."""
    app = MutatedApp(create_app(SETTINGS), MUTANTS[mutant] if mutant else None)
    with run_server(app) as server, TemporaryDirectory() as folder:
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "mockserver", "verify", server.url, "--account-level"),
                *("--phases", phases, "--seed", str(seed), "--report-dir", folder),
                *(["--include-responses"] if mutant is None or MUTANTS[mutant].family in _RESPONSE_FAMILIES else []),
            ],
            env={**os.environ, "MKA1_API_KEY": "key-one", "MKA1_SECOND_API_KEY": "key-two"},
            capture_output=True,
            text=True,
            check=False,
        )
        report = Path(folder, "report.json")
        if not report.exists():
            raise RuntimeError(f"verify could not run against {mutant}: {finished.stderr}")
        result: dict[str, Any] = json.loads(report.read_bytes())
        return result


def verify_mutant(mutant: str, seed: int) -> Row:
    """Return the first violation of the earliest phase, else the first other deviation."""
    row = Row(mutant, "missed", "-", 0, "-")
    for phases in (PHASES[0], ",".join(PHASES[1:])):
        for deviation in _unaccepted_deviations(run_verify(mutant, phases, seed)):
            if row.verdict == "missed" or deviation["verdict"] == "violates":
                row = _row_of(mutant, deviation)
            if row.verdict == "violates":
                return row
    return row


def _unaccepted_deviations(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the deviations in the order of their first requests."""
    reported = [one for one in report["deviations"] if one["verdict"] in ("violates", "learned", "drift")]
    return sorted(reported, key=lambda one: (PHASES.index(one["phases"][0]), one["first_request"]))


def _row_of(mutant: str, deviation: dict[str, Any]) -> Row:
    phase, request = deviation["phases"][0], deviation["first_request"]
    return Row(mutant, deviation["verdict"], phase, request, deviation["case"])


def main() -> int:
    arguments = _parse_arguments()
    names = arguments.names or list(MUTANTS)
    rows = {name: row for name, row in _read_results(arguments.results).items() if name in names}
    with ThreadPoolExecutor(PROCESSES) as pool:
        missing = [name for name in names if name not in rows]
        for row in pool.map(lambda name: verify_mutant(name, arguments.seed), missing):
            rows[row.mutant] = row
            _append_result(arguments.results, row)
            _print(_format_row(row))
    for name in names[:: arguments.plain] if arguments.plain else []:
        if rows[name].plain is None:
            rows[name] = replace(rows[name], plain=run_against_mutant(name).failed)
            _append_result(arguments.results, rows[name])
            _print(_format_row(rows[name]))
    with ThreadPoolExecutor(PROCESSES) as pool:
        seeds = range(arguments.seed, arguments.seed + arguments.originals)
        originals = list(pool.map(lambda seed: run_verify(None, ",".join(PHASES), seed), seeds))
    false_alarms = [deviation["case"] for report in originals for deviation in report["deviations"]]
    table = "\n".join(_table_lines([rows[name] for name in names], originals, false_alarms))
    _print(table)
    if arguments.markdown:
        _replace_table(arguments.markdown, table)
    return 1 if false_alarms or any(row.verdict == "missed" for row in rows.values()) else 0


def _table_lines(rows: list[Row], originals: list[dict[str, Any]], false_alarms: list[str]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows)
    yield (
        f"{len(rows)} mutants: {counts['violates']} reported as violations, {counts['learned']} as learned, "
        f"{counts['drift']} as drift, {counts['missed']} missed."
    )
    tried = [row for row in rows if row.plain is not None]
    if tried:
        found = sum(bool(row.plain) for row in tried)
        yield f"A plain `schemathesis run` finds {found} of the {len(tried)} that it was run against."
    if originals:
        seconds = sorted(report["seconds"] for report in originals)
        yield (
            f"The original, {len(originals)} runs of all phases with different seeds: {len(false_alarms)} deviations, "
            f"{seconds[0]:.0f} to {seconds[-1]:.0f} s."
        )
    yield ""
    yield "| family | mutant | verdict | phase | request | case | plain Schemathesis |"
    yield "|---|---|---|---|---:|---|---|"
    for row in rows:
        verdict = row.verdict + (" (assumed only)" if is_assumed_only(MUTANTS[row.mutant]) else "")
        plain = {None: "", True: "found", False: "-"}[row.plain]
        family = MUTANTS[row.mutant].family
        yield f"| {family} | {row.mutant} | {verdict} | {row.phase} | {row.request:,} | `{row.case}` | {plain} |"


def _format_row(row: Row) -> str:
    return f"{row.verdict:<9} {row.mutant:<45} {row.phase:<11} {row.request:>5}  {row.case}"


def _read_results(path: Path | None) -> dict[str, Row]:
    if path is None or not path.exists():
        return {}
    rows = [Row(**json.loads(line)) for line in path.read_text().splitlines()]
    return {row.mutant: row for row in rows}


def _append_result(path: Path | None, row: Row) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def _replace_table(path: Path, table: str) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*MUTANTS, []], metavar="NAME", help="the mutants; default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--originals", type=int, default=10, help="runs against the original (%(default)s)")
    parser.add_argument("--plain", type=int, default=0, metavar="N", help="run plain Schemathesis on every Nth mutant")
    parser.add_argument("--results", type=Path, help="store results in this file, and reuse those in it")
    parser.add_argument("--markdown", type=Path, help="replace the table between the markers in this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
