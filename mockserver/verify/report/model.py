"""What a run found, as values; everything that shows a verdict shows these."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

Phase = Literal["behaviours", "examples", "coverage", "fuzzing", "stateful"]
PHASES: tuple[Phase, ...] = ("behaviours", "examples", "coverage", "fuzzing", "stateful")

Verdict = Literal["conforms", "violates", "learned", "drift", "accepted", "unchecked"]
"""
violates   what the document says, or a documented or observed behaviour, does not hold
learned     an assumed behaviour does not hold: the target has shown what it really does
drift      an answer has a field or a value that the document does not know, where it expects to be outgrown
accepted   a violation that the baseline knows
unchecked  could not be checked; the reason stands beside it
"""

VERDICTS: tuple[Verdict, ...] = ("violates", "learned", "drift", "accepted", "unchecked", "conforms")
"""In the order in which a reader wants to hear of them."""

Suspect = Literal["target", "document", "SDK"]


@dataclass(slots=True)
class Deviation:
    """One thing that is not as it should be, told once however often it was met."""

    case: str
    """Its name, the same in every run: the behaviour's id, or operation and place such as `conversations.list/418`."""
    verdict: Verdict
    statement: str
    """The rule that is broken, as a sentence."""
    source: str
    """Where the rule is from."""
    expected: str
    received: str
    suspect: Suspect
    reason: str
    """Why that one is probably wrong."""
    operations: list[str] = field(default_factory=list)
    """The operations that showed it."""
    place: str | None = None
    """Where in the answer, such as `body /data/0/id`."""
    curl: list[str] = field(default_factory=list)
    """Shell commands that repeat it, the key left to $MKA1_API_KEY; the last of them shows it."""
    phases: list[str] = field(default_factory=list)
    """Where it was met, first to last."""
    first_request: int = 0
    """The number, within the first of its phases, of the request that showed it first."""
    count: int = 1
    """How often it was met."""
    also: list[str] = field(default_factory=list)
    """Behaviours that could not be checked because of it."""
    evidence: str | None = None
    """What the baseline says of it."""

    def merge(self, other: "Deviation") -> None:
        """Count another sighting of the same case."""
        self.count += other.count
        self.phases += [phase for phase in other.phases if phase not in self.phases]
        self.operations += [operation for operation in other.operations if operation not in self.operations]


def keep(found: dict[str, Deviation], deviation: Deviation) -> bool:
    """Put a deviation with those that were found, by case; returns whether it is a new one, or one more sighting."""
    known = found.setdefault(deviation.case, deviation)
    if known is not deviation:
        known.merge(deviation)
    return known is deviation


@dataclass(frozen=True, slots=True)
class BehaviourRow:
    """What came out for one behaviour of the catalogue."""

    id: str
    statement: str
    source: str
    status: str
    verdict: Verdict
    why: str = ""
    """Why it could not be checked, in whole or in part; what does not hold is told by the deviation of its id."""


@dataclass(slots=True)
class Cell:
    """What came out for one operation in one phase."""

    verdict: Verdict
    answers: int = 0
    """Answers of the operation that were held to the document."""
    why: str = ""
    cases: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OperationRow:
    id: str
    method: str
    path: str
    cells: dict[Phase, Cell]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """How a phase went: `state` is done, stopped (by a limit or by hand), crashed, or skipped, and why."""

    phase: Phase
    state: Literal["done", "stopped", "crashed", "skipped"]
    requests: int
    seconds: float
    why: str = ""

    @property
    def is_unfinished(self) -> bool:
        """Whether it ended as nobody wanted; a limit that was reached is a wish."""
        return self.state == "crashed" or self.why == "interrupted"


@dataclass(frozen=True, slots=True)
class CheckOff:
    """A check of Schemathesis that is switched off; on `operations` alone, where there are any."""

    check: str
    operations: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A conversation that could not be deleted."""

    conversation: str
    end_user: str | None
    why: str


@dataclass(frozen=True, slots=True)
class BaselineNote:
    """An entry of the baseline that wants attention: it has expired, or no longer occurs."""

    case: str
    note: str


@dataclass(slots=True)
class Report:
    """The verdict of one run."""

    target: str
    version: str
    """Of mka1-mockserver."""
    seed: int
    started_at: str
    """ISO 8601, UTC."""
    seconds: float = 0.0
    requests: int = 0
    """All of them, clean-up included."""
    strict: bool = False
    phases: list[PhaseRow] = field(default_factory=list)
    operations: list[OperationRow] = field(default_factory=list)
    behaviours: list[BehaviourRow] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    checks_off: list[CheckOff] = field(default_factory=list)
    left_over: list[LeftOver] = field(default_factory=list)
    baseline: list[BaselineNote] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What else the reader should know, such as that there was no second key."""

    def of(self, verdict: Verdict) -> list[Deviation]:
        return [deviation for deviation in self.deviations if deviation.verdict == verdict]

    def fails(self, verdict: Verdict) -> bool:
        """Whether one deviation of this verdict makes the target fail; in a strict run, all but accepted ones do."""
        return verdict == "violates" or (self.strict and verdict in ("learned", "drift"))

    @property
    def exit_code(self) -> int:
        """0 it conforms, 1 it does not, 2 the run did not get to its end and found nothing until then."""
        if any(self.fails(deviation.verdict) for deviation in self.deviations) or (self.strict and self.baseline):
            return 1
        return 2 if any(row.is_unfinished for row in self.phases) else 0

    def masked(self, mask: Callable[[str], str]) -> "Report":
        """A copy in which every text has gone through `mask`."""
        copy: Report = _masked(self, mask)
        return copy

    def as_dict(self) -> dict[str, Any]:
        """As it stands in report.json."""
        return {"exit_code": self.exit_code, **asdict(self)}


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return type(value)(_masked(child, mask) for child in value)
    if isinstance(value, dict):
        return {name: _masked(child, mask) for name, child in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _masked(getattr(value, one.name), mask) for one in fields(value)})
    return value
