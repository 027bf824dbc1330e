"""The behaviours phase: scenarios over HTTP, judged by the behaviours that they check."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from mockserver.conformance.catalogue import Behaviour
from mockserver.conformance.client import ApiClient
from mockserver.conformance.response import ApiResponse, UnexpectedResponse
from mockserver.conformance.scenario import (
    AccountItself,
    FakeSettings,
    ListedKeys,
    Need,
    Outcome,
    OwnKey,
    Result,
    Scenario,
    ScenarioError,
    SecondKey,
    run,
)
from mockserver.contract.operations import Operations
from mockserver.verify.report.model import BehaviourRow, Deviation, Reason, Suspect, UncheckedReason, Verdict
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.transport import WireExchange

UNIQUE_IDS = "conversations.create.ids-are-unique"
"""The behaviour that the whole run checks, because every conversation counts."""


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """A running server as the target of scenarios; its settings cannot be chosen."""

    client: ApiClient
    may_act_for_account: bool
    accepts_any_key: bool = False

    def client_for(self, needs: Need | None) -> ApiClient | None:
        match needs:
            case FakeSettings():
                is_offered = False
            case OwnKey():
                is_offered = self.client.api_key is not None
            case ListedKeys():
                is_offered = self.client.api_key is not None and not self.accepts_any_key
            case SecondKey():
                is_offered = self.client.second_key is not None
            case AccountItself(second_key=needs_second):
                is_offered = self.may_act_for_account and not (needs_second and self.client.second_key is None)
            case _:
                is_offered = True
        return self.client if is_offered else None


@dataclass(frozen=True, slots=True)
class _ScenarioRun:
    """The outcome of a scenario, with the reproduction of its failure."""

    outcome: Outcome
    operation: str | None = None
    reproduction: tuple[str, ...] = ()
    request_number: int = 0
    blocked_by: str = ""
    """The case of a missing operation that makes the outcome meaningless."""

    def result(self, behaviour: Behaviour) -> tuple[Result, Reason | None]:
        """Return the result for one behaviour, with the reason if it could not be checked."""
        if self.blocked_by:
            return Result.NOT_CHECKABLE, Reason(UncheckedReason.BLOCKED, self.blocked_by)
        result, reason = self.outcome.for_behaviour(behaviour.id)
        return result, Reason(UncheckedReason.SCENARIO, reason) if result is Result.NOT_CHECKABLE else None


class BehaviourChecks:
    """The scenario runs by behaviour. `missing` maps the operations that the target does not have to their cases."""

    def __init__(
        self,
        catalogue: Sequence[Behaviour],
        target: RemoteTarget,
        operations: Operations,
        log: ExchangeLog,
        missing: Mapping[str, str],
    ) -> None:
        self._catalogue = catalogue
        self._target = target
        self._operations = operations
        self._log = log
        self._missing = missing
        self._runs: dict[str, list[_ScenarioRun]] = {behaviour.id: [] for behaviour in catalogue}

    @property
    def ids(self) -> set[str]:
        return set(self._runs)

    def run(self, scenario: Scenario) -> None:
        """Run a scenario. If the run is stopped within it, the scenario does not count."""
        with self._log.capture() as exchanges:
            outcome = run(scenario, self._target)
        scenario_run = self._assess(outcome, exchanges[: len(outcome.responses)])
        for behaviour in scenario.behaviours:
            self._runs[behaviour].append(scenario_run)

    def _assess(self, outcome: Outcome, exchanges: Sequence[WireExchange]) -> _ScenarioRun:
        called = [exchange.match.operation.id for exchange in exchanges if exchange.match]
        culprit = self._find_culprit(outcome) or (called[-1] if called else None)
        has_failed = outcome.result is Result.FAILED
        # In a scenario that passed, the expected error may have been that of a missing operation.
        needed = called if not has_failed else [culprit] if culprit else []
        blocked_by = next((self._missing[one] for one in needed if one in self._missing), "")
        if blocked_by or not has_failed:
            return _ScenarioRun(replace(outcome, responses=()), blocked_by=blocked_by)
        number = exchanges[-1].number if exchanges else 0
        return _ScenarioRun(replace(outcome, responses=()), culprit, self._log.render_commands(exchanges), number)

    def _find_culprit(self, outcome: Outcome) -> str | None:
        """Return the operation of the response that the scenario did not expect."""
        if not isinstance(outcome.failure, UnexpectedResponse):
            return None
        response = outcome.failure.response
        match = self._operations.match(response.method, response.path.partition("?")[0])
        return match.operation.id if match else None

    # -- Results -------------------------------------------------------------------------------------------

    def deviations(self, reused_ids: Sequence[WireExchange] = ()) -> list[Deviation]:
        """Return the behaviours that do not hold, in the order of the catalogue.

        Behaviours that failed for the same cause are one deviation: the first, which blocks the others. `reused_ids`
        are the exchanges of the run that created a conversation with the id of another one.
        """
        found: dict[str, Deviation] = {}
        blocked: dict[str, list[str]] = {}
        first_by_cause: dict[tuple[object, ...], str] = {}
        for behaviour in sorted(self._catalogue, key=lambda one: one.status == "assumed"):
            runs = self._runs[behaviour.id]
            failed = next((one for one in runs if one.result(behaviour)[0] is Result.FAILED), None)
            if failed is None:
                continue
            cause = _find_cause(failed)
            first = first_by_cause.setdefault(cause, behaviour.id) if cause else behaviour.id
            if first == behaviour.id:
                found[behaviour.id] = _failure_deviation(behaviour, failed)
            else:
                blocked.setdefault(first, []).append(behaviour.id)
        if reused_ids and UNIQUE_IDS not in found:
            found[UNIQUE_IDS] = self._reused_id_deviation(reused_ids)
        return [
            replace(found[behaviour.id], blocks=tuple(blocked.get(behaviour.id, ())))
            for behaviour in self._catalogue
            if behaviour.id in found
        ]

    def _reused_id_deviation(self, exchanges: Sequence[WireExchange]) -> Deviation:
        behaviour = next(behaviour for behaviour in self._catalogue if behaviour.id == UNIQUE_IDS)
        first = exchanges[0]
        return replace(
            _deviation(behaviour, "conversations.create", first.number, self._log.render_commands([first])),
            expected="an id that no other conversation of the run has",
            received=first.response.excerpt if first.response else "",
            phases=(first.phase,),
            count=len(exchanges),
        )

    def rows(self, deviations: Iterable[Deviation], unreached: Reason) -> list[BehaviourRow]:
        """Return one row for each behaviour; `unreached` is the reason for those that no scenario reached."""
        by_case = {deviation.case: deviation for deviation in deviations}
        blocked = {behaviour: one.case for one in by_case.values() for behaviour in one.blocks}
        rows = []
        for behaviour in self._catalogue:
            verdict: Verdict
            reason: Reason | None = None
            if behaviour.id in by_case:
                verdict = by_case[behaviour.id].verdict
            elif behaviour.id in blocked:
                verdict, reason = "unchecked", Reason(UncheckedReason.BLOCKED, blocked[behaviour.id])
            else:
                results = [one.result(behaviour) for one in self._runs[behaviour.id]]
                has_passed = any(result is Result.PASSED for result, _ in results)
                reason = next((found for _, found in results if found), None if has_passed else unreached)
                verdict = "conforms" if has_passed else "unchecked"
            rows.append(
                BehaviourRow(behaviour.id, behaviour.statement, behaviour.source, behaviour.status, verdict, reason)
            )
        return rows


def _find_cause(scenario_run: _ScenarioRun) -> tuple[object, ...] | None:
    """Return a key for the cause of a failure that is not about the behaviour itself.

    Such a cause is an unreadable response, a server error, or the rejection of a request that should succeed.
    """
    failure, operation = scenario_run.outcome.failure, scenario_run.operation
    if isinstance(failure, ScenarioError):
        return operation, failure.error_type
    if not isinstance(failure, UnexpectedResponse):
        return None
    response = failure.response
    if response.status >= 500:
        return operation, "server_error"
    if failure.expected_status != 200:
        return None
    return operation, response.method, response.status, *_identify_error(response)


def _identify_error(response: ApiResponse) -> tuple[object, ...]:
    """Return the type of an error, and the parameters that the error or else the request names."""
    error = response.body.get("error") if isinstance(response.body, dict) else None
    details = error if isinstance(error, dict) else {}
    if details.get("param"):
        return str(details.get("type")), str(details["param"])
    query = {name for name, _ in parse_qsl(urlsplit(response.url).query, keep_blank_values=True)}
    return str(details.get("type")), *sorted(query)


def _failure_deviation(behaviour: Behaviour, failed: _ScenarioRun) -> Deviation:
    deviation = _deviation(behaviour, failed.operation, failed.request_number, failed.reproduction)
    failure = failed.outcome.failure
    if failure is None or isinstance(failure, ScenarioError):
        return replace(deviation, received=failed.outcome.reason)
    expected = f"{failure.subject}: {failure.expected}"
    return replace(deviation, place=failure.subject, expected=expected, received=failure.received)


def _deviation(
    behaviour: Behaviour, operation: str | None, request_number: int, reproduction: tuple[str, ...]
) -> Deviation:
    suspect, reason = _SUSPECTS[behaviour.status]
    return Deviation(
        case=behaviour.id,
        verdict="learned" if behaviour.status == "assumed" else "violates",
        statement=behaviour.statement,
        source=behaviour.source,
        expected=behaviour.statement,
        received="",
        suspect=suspect,
        reason=reason,
        operations=(operation,) if operation else (),
        reproduction=reproduction,
        phases=("behaviours",),
        first_request=request_number,
    )


_SUSPECTS: dict[str, tuple[Suspect, str]] = {
    "documented": ("target", "the API documentation says otherwise"),
    "observed": ("target", "the published SDK relies on it; if the target is right, the SDK must change"),
    "assumed": ("document", "the behaviour is undocumented; the catalogue only assumed it"),
}
