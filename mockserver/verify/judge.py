"""The verdicts of a run: on every behaviour, and on every operation in every phase."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mockserver.conformance.catalogue import Behaviour
from mockserver.contract.operations import Operation
from mockserver.verify.baseline import BaselineEntry, apply_baseline
from mockserver.verify.behaviours import BehaviourChecks
from mockserver.verify.fuzzing.phases import SchemathesisPhases
from mockserver.verify.merge import merge_deviations
from mockserver.verify.preflight import Preflight
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
from mockserver.verify.reproduction import Evidence
from mockserver.verify.response_checks import ResponseChecks
from mockserver.verify.transport import WireExchange


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks of a run."""

    preflight: Preflight
    responses: ResponseChecks
    behaviours: BehaviourChecks
    schemathesis: SchemathesisPhases

    @property
    def missing(self) -> Mapping[str, Deviation]:
        """The deviations of missing operations, by operation."""
        return self.preflight.missing

    def deviations(self, catalogue: Sequence[Behaviour], reused_ids: Sequence[WireExchange]) -> list[Deviation]:
        """Return the deviations of all checks, each cause once, the gravest first."""
        found = [
            *self.missing.values(),
            *self.behaviours.deviations(reused_ids),
            *self.responses.deviations,
            *self.schemathesis.deviations,
        ]
        by_kind = {**self.responses.deviations.by_kind, **self.schemathesis.deviations.by_kind}
        return merge_deviations(found, catalogue, by_kind, self.behaviours.server_errors)

    def evidence(self) -> Mapping[str, Evidence]:
        """Return how to show the deviations again, by case."""
        return ChainMap(
            self.behaviours.evidence,
            self.preflight.evidence,
            self.responses.deviations.evidence,
            self.schemathesis.deviations.evidence,
        )


def judge(
    report: Report,
    checks: Checks,
    found: Sequence[Deviation],
    baseline: Iterable[BaselineEntry],
    operations: Iterable[Operation],
) -> Report:
    """Return the report with the deviations and the verdicts on behaviours and operations; apply the baseline."""
    unreached = _unreached_reason(report.phases)
    is_complete = {row.phase for row in report.phases if row.state == "done"} == set(PHASES)
    unchecked = {row.id: row.verdict == "unchecked" for row in checks.behaviours.rows(found, unreached)}

    included = {case for deviation in found for case in deviation.includes}

    def was_checked(case: str) -> bool:
        if case in included:
            return False  # It occurs, but another case tells it.
        return not unchecked[case] if case in unchecked else is_complete

    judged, notes = apply_baseline(baseline, found, datetime.now(UTC).date(), was_checked)
    deviations = sorted(judged, key=lambda one: VERDICTS.index(one.verdict))  # The baseline changes verdicts.
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
