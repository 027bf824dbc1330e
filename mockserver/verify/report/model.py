"""The results of a verification run as immutable values, from which every form of the report is made."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, Literal

Phase = Literal["behaviours", "examples", "coverage", "fuzzing", "stateful"]
PHASES: tuple[Phase, ...] = ("behaviours", "examples", "coverage", "fuzzing", "stateful")

Verdict = Literal["violates", "learned", "drift", "accepted", "unchecked", "conforms"]
"""
violates   breaks the document, or a behaviour that is documented or observed
learned    breaks an assumed behaviour: the target shows the real one
drift      a response has a field or value that is newer than the document, at an extensible place
accepted   a violation that the baseline lists
unchecked  could not be checked; the row has the reason
"""

VERDICTS: tuple[Verdict, ...] = ("violates", "learned", "drift", "accepted", "unchecked", "conforms")
"""All verdicts, the most important first."""

Suspect = Literal["target", "document", "SDK"]


class StopReason(StrEnum):
    """Why a run stopped sending requests."""

    INTERRUPTED = "interrupted"
    MAX_REQUESTS = "max_requests"
    MAX_TIME = "max_time"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNRESPONSIVE = "unresponsive"
    CASE_REPRODUCED = "case_reproduced"


_LIMITS = (StopReason.MAX_REQUESTS, StopReason.MAX_TIME, StopReason.TOO_MANY_REQUESTS, StopReason.UNRESPONSIVE)


class Weight(StrEnum):
    """What a deviation is about; the first is the gravest."""

    MISSING_OPERATION = "missing operation"
    ISOLATION = "isolation"
    FAILURE = "server error"
    DATA = "lost or wrong data"
    FORM = "limit or form"


class UncheckedReason(StrEnum):
    """Why a phase, an operation or a behaviour was not checked, or not to its end."""

    CRASHED = "crashed"
    EARLIER_CRASH = "earlier_crash"
    NOT_SELECTED = "not_selected"
    NOT_REACHED = "not_reached"
    BLOCKED = "blocked"
    INCLUDED = "included"
    NO_REQUEST = "no_request"
    NO_SUCCESS = "no_success"
    SCENARIO = "scenario"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with its detail: the error of a crash, the case that blocks, or the text of the scenario."""

    code: StopReason | UncheckedReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """Occurrences of a deviation that are alike, such as one field of many that are null."""

    name: str
    count: int = 1
    rule: str = ""
    """What it breaks: kinds of one rule have one cause."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference between target and contract, reported once however often it occurred."""

    case: str
    """The stable name: the id of a behaviour, or operation and place such as `conversations.list/418`."""
    verdict: Verdict
    statement: str
    """The broken statement of the contract, as a sentence."""
    source: str
    """Where the statement is written down."""
    expected: str
    received: str
    suspect: Suspect
    reason: str
    """Why the suspect is probably at fault."""
    operations: tuple[str, ...] = ()
    place: str | None = None
    """Where in the response, such as `body /data/0/id`."""
    origin: str = ""
    """The operation, or a behaviour of the scenario, whose requests showed it first; empty if its case says that."""
    weight: Weight = Weight.FORM
    kinds: tuple[Kind, ...] = ()
    """The kinds of its occurrences, for a case that has many, the most frequent first."""
    shown_kind: str = ""
    """The kind that `received` and the commands show."""
    reproduction: tuple[str, ...] = ()
    """Shell commands that reproduce it, with $MKA1_API_KEY for the key; the last one shows it."""
    is_reproduced: bool | None = None
    """Whether the commands showed it again when the run tried them; None if it did not try."""
    phases: tuple[str, ...] = ()
    first_request: int = 0
    """The number of the first request that showed it, within the first of its phases."""
    count: int = 1
    blocks: tuple[str, ...] = ()
    """Behaviours that could not be checked because of it."""
    includes: tuple[str, ...] = ()
    """Further behaviours and cases that it breaks for the same cause, and that are not reported themselves."""
    evidence: str | None = None
    """The baseline's reason for accepting it."""


_MAX_KINDS = 200


class Deviations:
    """The deviations of a run: the first of each case, with all of its occurrences counted."""

    def __init__(self) -> None:
        self._by_case: dict[str, Deviation] = {}
        self.evidence: dict[str, Any] = {}
        """How to show the first occurrence of each case again, and of each kind of a case."""
        self.by_kind: dict[str, Deviation] = {}
        """The first occurrence of each kind, by case and kind."""

    def __contains__(self, case: str) -> bool:
        return case in self._by_case

    def __iter__(self) -> Iterator[Deviation]:
        return iter(self._by_case.values())

    def add(self, deviation: Deviation, find_evidence: Callable[[], Any] | None = None) -> None:
        """Count an occurrence. Only the first one of a case or kind calls `find_evidence`, which is expensive."""
        kind = deviation.kinds[0].name if deviation.kinds else ""
        deviation = replace(deviation, shown_kind=kind)
        first = self._by_case.get(deviation.case)
        name = name_kind(deviation.case, kind)
        if kind and name not in self.by_kind and len(self.by_kind) < _MAX_KINDS:
            self.by_kind[name] = deviation
            if find_evidence is not None:
                self.evidence[name] = find_evidence()
        if first is not None:
            deviation = replace(
                first,
                count=first.count + deviation.count,
                operations=merge_names(first.operations, deviation.operations),
                kinds=merge_kinds(first.kinds, deviation.kinds),
                phases=merge_names(first.phases, deviation.phases),
            )
        elif find_evidence is not None and not kind:
            self.evidence[deviation.case] = find_evidence()
        self._by_case[deviation.case] = deviation


def name_kind(case: str, kind: str) -> str:
    """Return the name of one kind of a case."""
    return f"{case}: {kind}" if kind else case


def merge_names(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of both without repetitions."""
    return tuple(dict.fromkeys(first + second))


def merge_kinds(first: tuple[Kind, ...], second: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return the kinds of both with their counts added up, the most frequent first."""
    counts: Counter[str] = Counter()
    for kind in (*first, *second):
        counts[kind.name] += kind.count
    rules = {kind.name: kind.rule for kind in (*second, *first)}
    return tuple(Kind(name, count, rules[name]) for name, count in counts.most_common())


@dataclass(frozen=True, slots=True)
class BehaviourRow:
    """The result for one behaviour of the catalogue."""

    id: str
    statement: str
    source: str
    status: str
    verdict: Verdict
    reason: Reason | None = None
    """Why it was not checked, or not in all its scenarios."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The result for one operation in one phase."""

    verdict: Verdict
    responses: int = 0
    reason: Reason | None = None
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationRow:
    """The results for one operation, by phase."""

    id: str
    method: str
    path: str
    cells: dict[Phase, Cell]


PhaseState = Literal["done", "stopped", "crashed", "skipped"]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """How one phase ended."""

    phase: Phase
    state: PhaseState
    requests: int
    seconds: float
    reason: Reason | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether the phase crashed or was interrupted."""
        is_interrupted = self.reason is not None and self.reason.code == StopReason.INTERRUPTED
        return self.state == "crashed" or is_interrupted

    @property
    def is_cut_short(self) -> bool:
        """Whether a limit ended the phase, or kept it from starting."""
        return self.reason is not None and self.reason.code in _LIMITS


@dataclass(frozen=True, slots=True)
class DisabledCheck:
    """A Schemathesis check that is disabled; for `operations` alone, if there are any."""

    check: str
    operations: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """A conversation or a response that could not be deleted; `collection` is the name in its path."""

    collection: str
    id: str
    end_user: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class BaselineNote:
    """A baseline entry that needs attention: it has expired, or its deviation no longer occurs."""

    case: str
    problem: Literal["expired", "not_found"]
    expires: str
    """The last day of the entry, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one run."""

    target: str
    version: str
    """The version of mka1-mockserver."""
    seed: int
    started_at: str
    """ISO 8601, UTC."""
    seconds: float = 0.0
    requests: int = 0
    """The number of all requests, cleanup included."""
    strict: bool = False
    phases: tuple[PhaseRow, ...] = ()
    operations: tuple[OperationRow, ...] = ()
    behaviours: tuple[BehaviourRow, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    """Sorted by verdict and weight, the most important first."""
    disabled_checks: tuple[DisabledCheck, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    baseline: tuple[BaselineNote, ...] = ()
    notes: tuple[str, ...] = ()
    """Further remarks for the reader, such as that there was no second key."""

    def of(self, verdict: Verdict) -> list[Deviation]:
        """Return the deviations with this verdict."""
        return [deviation for deviation in self.deviations if deviation.verdict == verdict]

    def fails(self, verdict: Verdict) -> bool:
        """Return whether a deviation with this verdict fails the run."""
        return verdict == "violates" or (self.strict and verdict in ("learned", "drift"))

    @property
    def exit_code(self) -> int:
        """0: the target conforms; 1: it does not; 2: nothing found in an unfinished run; 3: nothing until a limit."""
        if any(self.fails(deviation.verdict) for deviation in self.deviations) or (self.strict and self.baseline):
            return 1
        if any(row.is_unfinished for row in self.phases):
            return 2
        return 3 if any(row.is_cut_short for row in self.phases) else 0

    def masked(self, mask: Callable[[str], str]) -> "Report":
        """Return a copy with `mask` applied to every text."""
        copy: Report = _map_texts(self, mask)
        return copy

    def as_dict(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {"exit_code": self.exit_code, **asdict(self)}


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, StrEnum):
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_map_texts(child, change) for child in value)
    if isinstance(value, dict):
        return {name: _map_texts(child, change) for name, child in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _map_texts(getattr(value, one.name), change) for one in fields(value)})
    return value
