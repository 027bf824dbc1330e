"""Known deviations: what a baseline accepts, for how long, and what it wants to be told."""

from datetime import date
from pathlib import Path

import pytest

from mockserver.errors import UsageError
from mockserver.verify.baseline import apply_baseline, load_baseline
from mockserver.verify.report.model import Deviation

ENTRY = """
- case: {case}
  reason: The gateway is older.
  evidence: ticket GW-12
  expires: {expires}
"""


@pytest.fixture
def baseline(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "baseline.yaml"
        path.write_text(text)
        return path

    return write


def violation(case: str) -> Deviation:
    return Deviation(case, "violates", "A.", "docs", "this", "that", "target", "because")


def applied(path: Path, *deviations: Deviation, today: str = "2027-03-31", checked: bool = True):
    return [
        (note.case, note.note)
        for note in apply_baseline(load_baseline(path), deviations, date.fromisoformat(today), lambda case: checked)
    ]


def test_a_known_violation_is_accepted_until_the_last_day(baseline) -> None:
    known, other = violation("a/known"), violation("an/other")
    assert applied(baseline(ENTRY.format(case="a/known", expires="2027-03-31")), known, other) == []
    assert (known.verdict, other.verdict) == ("accepted", "violates")
    assert known.evidence == "The gateway is older. (ticket GW-12; until 2027-03-31)"


def test_an_expired_entry_accepts_nothing(baseline) -> None:
    known = violation("a/known")
    notes = applied(baseline(ENTRY.format(case="a/known", expires="2027-03-30")), known)
    assert notes == [("a/known", "has expired on 2027-03-30, and still occurs")]
    assert known.verdict == "violates"


def test_an_entry_that_no_longer_occurs_is_reported_if_it_was_checked(baseline) -> None:
    path = baseline(ENTRY.format(case="a/known", expires="2030-01-01"))
    assert applied(path) == [("a/known", "no longer occurs; take the entry out")]
    assert applied(path, checked=False) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b", "a baseline is a list of entries"),
        ("- case: a", "entry 1: must have exactly case, reason, evidence, expires"),
        (ENTRY.format(case="''", expires="2030-01-01"), "entry 1: case must be text"),
        (ENTRY.format(case="a", expires="soon"), "entry 1: expires must be a day such as 2027-03-31, not soon"),
        (ENTRY.format(case="a", expires="2030-01-01") * 2, "a is there twice"),
        ("[", "the baseline cannot be read"),
    ],
)
def test_a_broken_baseline_is_refused(baseline, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_baseline(baseline(text))


def test_without_a_file() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_baseline(Path("nowhere.yaml"))
