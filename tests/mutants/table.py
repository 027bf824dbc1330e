"""Which planted defects `mockserver verify` finds, and what a plain `schemathesis run` finds of them.

    python -m tests.mutants.table [NAME...] [--sound 10] [--alone EVERY] [--results FILE] [--markdown FILE]

Each defect is verified by the command itself, in a process of its own: the behaviours first, the other phases where
those find nothing. Then the sound fake, with other seeds each time, which must give no violation.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mockserver import create_app, run_server
from tests.mutants.api import SETTINGS
from tests.mutants.defects import DEFECTS, is_assumed_only
from tests.mutants.proxy import Planted
from tests.mutants.schemathesis_alone import alone

BEGIN, END = "<!-- planted: begin -->", "<!-- planted: end -->"
ALL = "behaviours,examples,coverage,fuzzing,stateful"
JOBS = 2


@dataclass(frozen=True)
class Row:
    """What was found of one defect: `verdict` is violates, learned, drift or missed; `alone` is None if not tried."""

    defect: str
    verdict: str
    phase: str
    request: int
    case: str
    alone: bool | None = None


def verified(defect: str | None, phases: str, seed: int) -> dict[str, Any]:
    """The report of a run against the fake with this defect, or without any."""
    app = Planted(create_app(SETTINGS), DEFECTS[defect] if defect else None)
    with run_server(app) as server, TemporaryDirectory() as folder:
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "mockserver", "verify", server.url, "--account-level"),
                *("--phases", phases, "--seed", str(seed), "--report-dir", folder),
            ],
            env={**os.environ, "MKA1_API_KEY": "key-one", "MKA1_SECOND_API_KEY": "key-two"},
            capture_output=True,
            text=True,
            check=False,
        )
        report = Path(folder, "report.json")
        if not report.exists():
            raise RuntimeError(f"verify could not run against {defect}: {finished.stderr}")
        result: dict[str, Any] = json.loads(report.read_bytes())
        return result


def found(defect: str, seed: int) -> Row:
    """What `verify` finds of a defect: a violation if there is one, in the phase that comes first."""
    row = Row(defect, "missed", "-", 0, "-")
    for phases in ("behaviours", "examples,coverage,fuzzing,stateful"):
        for deviation in _by_request(verified(defect, phases, seed)):
            if deviation["verdict"] == "violates":
                return _row(defect, deviation)
            if row.verdict == "missed":
                row = _row(defect, deviation)
    return row


def _by_request(report: dict[str, Any]) -> list[dict[str, Any]]:
    order = ALL.split(",")
    told = [one for one in report["deviations"] if one["verdict"] in ("violates", "learned", "drift")]
    return sorted(told, key=lambda one: (order.index(one["phases"][0]), one["first_request"]))


def _row(defect: str, deviation: dict[str, Any]) -> Row:
    phase, request = deviation["phases"][0], deviation["first_request"]
    return Row(defect, deviation["verdict"], phase, request, deviation["case"])


def main() -> int:
    arguments = _arguments()
    known = _known(arguments.results)
    names = arguments.names or list(DEFECTS)
    rows = {name: row for name in names if (row := known.get(name)) is not None}
    with ThreadPoolExecutor(JOBS) as pool:
        for row in pool.map(lambda name: found(name, arguments.seed), [name for name in names if name not in rows]):
            rows[row.defect] = row
            _keep(arguments.results, row)
            _say(_line(row))
    for name in names[:: arguments.alone] if arguments.alone else []:
        if rows[name].alone is None:
            rows[name] = Row(**{**asdict(rows[name]), "alone": alone(name).failed})
            _keep(arguments.results, rows[name])
            _say(_line(rows[name]))
    with ThreadPoolExecutor(JOBS) as pool:
        seeds = range(arguments.seed, arguments.seed + arguments.sound)
        sound = list(pool.map(lambda seed: verified(None, ALL, seed), seeds))
    noisy = [deviation["case"] for report in sound for deviation in report["deviations"]]
    text = "\n".join(_table([rows[name] for name in names], sound, noisy))
    _say(text)
    if arguments.markdown:
        _put(arguments.markdown, text)
    return 1 if noisy or any(row.verdict == "missed" for row in rows.values()) else 0


def _table(rows: list[Row], sound: list[dict[str, Any]], noisy: list[str]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows)
    yield (
        f"{len(rows)} defects: {counts['violates']} found as violations, {counts['learned']} learned, "
        f"{counts['drift']} told as drift, {counts['missed']} missed."
    )
    tried = [row for row in rows if row.alone is not None]
    if tried:
        number = sum(bool(row.alone) for row in tried)
        yield f"A plain `schemathesis run` finds {number} of the {len(tried)} that it was tried on."
    if sound:
        seconds = sorted(report["seconds"] for report in sound)
        yield (
            f"The sound fake, {len(sound)} runs of all phases with a seed each: {len(noisy)} deviations, "
            f"{seconds[0]:.0f} to {seconds[-1]:.0f} s."
        )
    yield ""
    yield "| family | defect | found as | in phase | by request | case | plain Schemathesis |"
    yield "|---|---|---|---|---:|---|---|"
    for row in rows:
        verdict = row.verdict + (" (only assumed)" if is_assumed_only(DEFECTS[row.defect]) else "")
        plain = {None: "", True: "found", False: "-"}[row.alone]
        cells = (
            DEFECTS[row.defect].family,
            row.defect,
            verdict,
            row.phase,
            f"{row.request:,}",
            f"`{row.case}`",
            plain,
        )
        yield f"| {' | '.join(cells)} |"


def _line(row: Row) -> str:
    return f"{row.verdict:<9} {row.defect:<45} {row.phase:<11} {row.request:>5}  {row.case}"


def _known(path: Path | None) -> dict[str, Row]:
    if path is None or not path.exists():
        return {}
    rows = [Row(**json.loads(line)) for line in path.read_text().splitlines()]
    return {row.defect: row for row in rows}


def _keep(path: Path | None, row: Row) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def _put(path: Path, text: str) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*DEFECTS, []], metavar="NAME", help="all, unless some are named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sound", type=int, default=10, help="runs against the sound fake (%(default)s)")
    parser.add_argument("--alone", type=int, default=0, metavar="N", help="a plain Schemathesis for every Nth defect")
    parser.add_argument("--results", type=Path, help="keep rows in this file, and do not make those in it again")
    parser.add_argument("--markdown", type=Path, help="write the table between the marks in this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
