"""The verdicts of a run: on every behaviour, and on every operation in every phase."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mockserver.contract.operations import Operation
from mockserver.verify.baseline import apply_baseline
from mockserver.verify.behaviours import BehaviourChecks
from mockserver.verify.fuzzing.phases import SchemathesisPhases
from mockserver.verify.options import Options
from mockserver.verify.report.model import (
    PHASES,
    VERDICTS,
    BaselineNote,
    BehaviourRow,
    Cell,
    Deviation,
    OperationRow,
    PhaseRow,
    Reason,
    UncheckedReason,
)
from mockserver.verify.response_checks import ResponseChecks
from mockserver.verify.transport import WireExchange


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks of a run. `missing` are the deviations of missing operations, by operation."""

    missing: Mapping[str, Deviation]
    responses: ResponseChecks
    behaviours: BehaviourChecks
    schemathesis: SchemathesisPhases


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The results of a run, as its report shows them."""

    deviations: tuple[Deviation, ...]
    behaviours: tuple[BehaviourRow, ...]
    operations: tuple[OperationRow, ...]
    baseline: tuple[BaselineNote, ...]


def judge(
    options: Options,
    checks: Checks,
    phases: Sequence[PhaseRow],
    operations: Collection[Operation],
    reused_ids: Sequence[WireExchange],
) -> Verdicts:
    """Collect the deviations, apply the baseline, and give every behaviour and operation its verdict."""
    found = [
        *checks.behaviours.deviations(reused_ids),
        *checks.missing.values(),
        *checks.responses.deviations,
        *checks.schemathesis.deviations,
    ]
    unreached = _unreached_reason(phases)
    is_complete = all(row.state == "done" for row in phases) and set(options.phases) == set(PHASES)
    was_unchecked = {row.id: row.verdict == "unchecked" for row in checks.behaviours.rows(found, unreached)}

    def was_checked(case: str) -> bool:
        return not was_unchecked[case] if case in was_unchecked else is_complete

    today = datetime.now(UTC).date()
    judged, notes = apply_baseline(options.baseline, found, today, was_checked)
    deviations = sorted(judged, key=lambda one: VERDICTS.index(one.verdict))
    return Verdicts(
        deviations=tuple(deviations),
        behaviours=tuple(checks.behaviours.rows(deviations, unreached)),
        operations=tuple(
            OperationRow(
                one.id, one.method, one.path, {row.phase: _cell(one.id, row, checks, deviations) for row in phases}
            )
            for one in operations
        ),
        baseline=tuple(notes),
    )


def _unreached_reason(phases: Sequence[PhaseRow]) -> Reason:
    for row in phases:
        if row.phase == "behaviours":
            return row.why or Reason(UncheckedReason.NOT_REACHED)
    return Reason(UncheckedReason.NOT_SELECTED)


def _cell(operation: str, row: PhaseRow, checks: Checks, deviations: Sequence[Deviation]) -> Cell:
    key = (row.phase, operation)
    responses = checks.responses.counts[key]
    found = [one for one in deviations if operation in one.operations and row.phase in one.phases]
    if operation in checks.missing:
        return Cell("unchecked", 0, Reason(UncheckedReason.BLOCKED, checks.missing[operation].case))
    if found:
        return Cell(found[0].verdict, responses, cases=tuple(one.case for one in found))
    if not responses:
        return Cell("unchecked", 0, row.why or Reason(UncheckedReason.NO_REQUEST))
    if key not in checks.responses.successes:
        return Cell("unchecked", responses, Reason(UncheckedReason.NO_SUCCESS))
    return Cell("conforms", responses)
