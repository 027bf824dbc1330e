"""Deviations that are known and accepted for a time, in a file that the user keeps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mockserver.contract.document import DocumentError, read_yaml
from mockserver.errors import UsageError
from mockserver.verify.report.model import BaselineNote, Deviation

_FIELDS = ("case", "reason", "evidence", "expires")


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted case: why, how it is known, and until when (that day included)."""

    case: str
    reason: str
    evidence: str
    expires: date


def load_baseline(path: Path) -> list[Entry]:
    """The entries of a baseline: a YAML list of `case`, `reason`, `evidence` and `expires` (such as 2027-03-31).

    Raises:
        UsageError: the file cannot be read, or an entry is not of that form; names the entry.
    """
    try:
        content = read_yaml(path)
    except DocumentError as error:
        raise UsageError(f"the baseline cannot be read: {error}") from error
    if not isinstance(content, list):
        raise UsageError(f"{path}: a baseline is a list of entries with {', '.join(_FIELDS)}")
    entries = [_entry(entry, f"{path}: entry {number}") for number, entry in enumerate(content, start=1)]
    twice = {one.case for one in entries if [other.case for other in entries].count(one.case) > 1}
    if twice:
        raise UsageError(f"{path}: {', '.join(sorted(twice))} is there twice")
    return entries


def apply_baseline(
    entries: Iterable[Entry], deviations: Iterable[Deviation], today: date, was_checked: Callable[[str], bool]
) -> list[BaselineNote]:
    """Mark the deviations that an entry accepts; returns what is to be said of the entries themselves."""
    found = {deviation.case: deviation for deviation in deviations}
    notes = []
    for entry in entries:
        deviation = found.get(entry.case)
        if deviation is None and was_checked(entry.case):
            notes.append(BaselineNote(entry.case, "no longer occurs; take the entry out"))
        elif deviation is not None and today > entry.expires:
            notes.append(BaselineNote(entry.case, f"has expired on {entry.expires}, and still occurs"))
        elif deviation is not None:
            deviation.verdict = "accepted"
            deviation.evidence = f"{entry.reason} ({entry.evidence}; until {entry.expires})"
    return notes


def _entry(entry: Any, place: str) -> Entry:
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise UsageError(f"{place}: must have exactly {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if not isinstance(entry[field], str) or not entry[field].strip():
            raise UsageError(f"{place}: {field} must be text")
    try:
        expires = date.fromisoformat(entry["expires"])
    except ValueError:
        raise UsageError(f"{place}: expires must be a day such as 2027-03-31, not {entry['expires']}") from None
    return Entry(entry["case"], entry["reason"], entry["evidence"], expires)
