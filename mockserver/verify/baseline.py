"""The baseline: a file of deviations that are known and accepted until a date."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from mockserver.contract.document import DocumentError
from mockserver.contract.yaml_file import read_yaml
from mockserver.errors import UsageError
from mockserver.verify.report.model import BaselineNote, Deviation

_FIELDS = ("case", "reason", "evidence", "expires")


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One accepted case: the reason, the evidence, and the last day on which it is accepted."""

    case: str
    reason: str
    evidence: str
    expires: date


def load_baseline(path: Path) -> list[BaselineEntry]:
    """Read a YAML list of entries with `case`, `reason`, `evidence` and `expires` (such as 2027-03-31)."""
    try:
        content = read_yaml(path)
    except DocumentError as error:
        raise UsageError(f"the baseline cannot be read: {error}") from error
    if not isinstance(content, list):
        raise UsageError(f"{path}: must be a list of entries with {', '.join(_FIELDS)}")
    entries: dict[str, BaselineEntry] = {}
    for number, value in enumerate(content, start=1):
        entry = _parse_entry(value, f"{path}: entry {number}")
        if entry.case in entries:
            raise UsageError(f"{path}: entry {number}: {entry.case} has an earlier entry; remove one of them")
        entries[entry.case] = entry
    return list(entries.values())


def apply_baseline(
    entries: Iterable[BaselineEntry],
    deviations: Iterable[Deviation],
    today: date,
    was_checked: Callable[[str], bool],
) -> tuple[list[Deviation], list[BaselineNote]]:
    """Return the deviations, with those accepted that an entry lists, and the entries that need attention."""
    entries, deviations = list(entries), list(deviations)
    valid = {entry.case: entry for entry in entries if today <= entry.expires}
    judged = [_accept(one, valid[one.case]) if one.case in valid else one for one in deviations]
    found = {deviation.case for deviation in deviations}
    notes = []
    for entry in entries:
        if entry.case not in found and was_checked(entry.case):
            notes.append(BaselineNote(entry.case, "not_found", str(entry.expires)))
        elif entry.case in found and entry.case not in valid:
            notes.append(BaselineNote(entry.case, "expired", str(entry.expires)))
    return judged, notes


def _accept(deviation: Deviation, entry: BaselineEntry) -> Deviation:
    evidence = f"{entry.reason} ({entry.evidence}; until {entry.expires})"
    return replace(deviation, verdict="accepted", evidence=evidence)


def _parse_entry(value: Any, place: str) -> BaselineEntry:
    if not isinstance(value, dict) or set(value) != set(_FIELDS):
        raise UsageError(f"{place}: must have exactly {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if not isinstance(value[field], str) or not value[field].strip():
            raise UsageError(f"{place}: {field} must be a non-empty string")
    try:
        expires = date.fromisoformat(value["expires"])
    except ValueError:
        raise UsageError(f"{place}: expires must be a date such as 2027-03-31, not {value['expires']}") from None
    return BaselineEntry(value["case"], value["reason"], value["evidence"], expires)
