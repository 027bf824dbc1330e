"""The verdicts of a run: on every behaviour, and on every operation in every phase."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mockserver.contract.operations import Operation
from mockserver.verify.baseline import BaselineEntry, apply_baseline
from mockserver.verify.behaviours import BehaviourChecks
from mockserver.verify.fuzzing.phases import SchemathesisPhases
from mockserver.verify.report.model import (
    PHASES,
    VERDICTS,
    Cell,
    Deviation,
    OperationRow,
    PhaseRow,
    Reason,
    Report,
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


def judge(
    report: Report,
    checks: Checks,
    baseline: Iterable[BaselineEntry],
    operations: Iterable[Operation],
    reused_ids: Sequence[WireExchange],
) -> Report:
    """Return the report with the deviations and the verdicts on behaviours and operations; apply the baseline."""
    found = [
        *checks.behaviours.deviations(reused_ids),
        *checks.missing.values(),
        *checks.responses.deviations,
        *checks.schemathesis.deviations,
    ]
    unreached = _unreached_reason(report.phases)
    is_complete = {row.phase for row in report.phases if row.state == "done"} == set(PHASES)
    unchecked = {row.id: row.verdict == "unchecked" for row in checks.behaviours.rows(found, unreached)}

    def was_checked(case: str) -> bool:
        return not unchecked[case] if case in unchecked else is_complete

    judged, notes = apply_baseline(baseline, found, datetime.now(UTC).date(), was_checked)
    deviations = sorted(judged, key=lambda one: VERDICTS.index(one.verdict))
    return replace(
        report,
        deviations=tuple(deviations),
        behaviours=tuple(checks.behaviours.rows(deviations, unreached)),
        operations=tuple(_operation_row(one, report.phases, checks, deviations) for one in operations),
        baseline=tuple(notes),
    )


def _operation_row(
    operation: Operation, phases: Iterable[PhaseRow], checks: Checks, deviations: Sequence[Deviation]
) -> OperationRow:
    cells = {row.phase: _cell(operation.id, row, checks, deviations) for row in phases}
    return OperationRow(operation.id, operation.method, operation.path, cells)


def _unreached_reason(phases: Sequence[PhaseRow]) -> Reason:
    for row in phases:
        if row.phase == "behaviours":
            return row.reason or Reason(UncheckedReason.NOT_REACHED)
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
        return Cell("unchecked", 0, row.reason or Reason(UncheckedReason.NO_REQUEST))
    if key not in checks.responses.successes:
        return Cell("unchecked", responses, Reason(UncheckedReason.NO_SUCCESS))
    return Cell("conforms", responses)
