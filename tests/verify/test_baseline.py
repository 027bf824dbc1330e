"""The baseline: the deviations that it accepts, until when, and the entries that need attention."""

from datetime import date
from pathlib import Path

import pytest

from mockserver.errors import UsageError
from mockserver.verify.baseline import apply_baseline, load_baseline
from mockserver.verify.report.model import BaselineNote, Deviation

ENTRY = """
- case: {case}
  reason: The gateway is older.
  evidence: ticket GW-12
  expires: {expires}
"""


@pytest.fixture
def write_baseline(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "baseline.yaml"
        path.write_text(text)
        return path

    return write


KNOWN, OTHER = (Deviation(case, "violates", "A.", "docs", "this", "that", "target", "because") for case in "ab")


@pytest.mark.parametrize(
    ("expires", "found", "was_checked", "verdicts", "notes"),
    [
        ("2027-03-31", [KNOWN, OTHER], True, ["accepted", "violates"], []),
        ("2027-03-30", [KNOWN], True, ["violates"], [BaselineNote("a", "expired", "2027-03-30")]),
        ("2027-03-31", [], True, [], [BaselineNote("a", "not_found", "2027-03-31")]),
        ("2027-03-30", [OTHER], True, ["violates"], [BaselineNote("a", "not_found", "2027-03-30")]),
        ("2027-03-31", [], False, [], []),
    ],
    ids=["accepted until the last day", "expired", "not found", "not found and expired", "not checked"],
)
def test_an_entry_accepts_its_deviation_or_needs_attention(
    write_baseline, expires, found, was_checked, verdicts, notes
) -> None:
    entries = load_baseline(write_baseline(ENTRY.format(case="a", expires=expires)))
    judged, attention = apply_baseline(entries, found, date(2027, 3, 31), lambda case: was_checked)
    assert [deviation.verdict for deviation in judged] == verdicts
    assert attention == notes
    accepted = [deviation.evidence for deviation in judged if deviation.verdict == "accepted"]
    assert accepted == ["The gateway is older. (ticket GW-12; until 2027-03-31)"] * len(accepted)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b", "must be a list of entries"),
        ("- case: a", "entry 1: must have exactly case, reason, evidence, expires"),
        (ENTRY.format(case="''", expires="2030-01-01"), "entry 1: case must be a non-empty string"),
        (ENTRY.format(case="a", expires="soon"), "entry 1: expires must be a date such as 2027-03-31, not soon"),
        (ENTRY.format(case="a", expires="2030-01-01") * 2, "entry 2: a has an earlier entry"),
        ("[", "the baseline cannot be read"),
    ],
)
def test_a_malformed_baseline_is_a_usage_error(write_baseline, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_baseline(write_baseline(text))


def test_a_missing_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_baseline(Path("nowhere.yaml"))
