"""The behaviours phase: scenarios over HTTP, judged by the behaviours that they check."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from mockserver.conformance.catalogue import Behaviour
from mockserver.conformance.client import ApiClient
from mockserver.conformance.response import ApiResponse, UnexpectedError, UnexpectedResponse
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
from mockserver.verify.places import Mistake
from mockserver.verify.report.model import (
    BehaviourRow,
    Deviation,
    Kind,
    Reason,
    Suspect,
    UncheckedReason,
    Verdict,
    Weight,
    merge_kinds,
)
from mockserver.verify.reproduction import Evidence, ExchangeLog
from mockserver.verify.request_checks import list_mistakes
from mockserver.verify.response_checks import ERROR_BODIES, ResponseChecks
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
    """The outcome of a scenario, with the exchanges that led to its failure, the culprit last."""

    outcome: Outcome
    operation: str | None = None
    steps: tuple[WireExchange, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    """The mistakes in the request of the culprit, if the target accepted it."""
    has_other_errors: bool = False
    """Whether the culprit is an error of another form than the document describes."""
    shows_alone: bool = False
    """Whether the response of the culprit shows the failure, whatever was written before."""
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
        responses: ResponseChecks,
    ) -> None:
        self._catalogue = catalogue
        self._target = target
        self._operations = operations
        self._log = log
        self._missing = missing
        self._responses = responses
        self._status = {behaviour.id: behaviour.status for behaviour in catalogue}
        self.evidence: dict[str, Evidence] = {}
        """How to show the deviations again, by case."""
        self.server_errors: dict[str, str] = {}
        """The cases of the server errors for which behaviours failed, by behaviour."""
        self._runs: dict[str, list[_ScenarioRun]] = {behaviour.id: [] for behaviour in catalogue}

    @property
    def ids(self) -> set[str]:
        return set(self._runs)

    def run(self, scenario: Scenario) -> None:
        """Run a scenario, and check all of its responses. If the run is stopped within it, it does not count."""
        outcome: Outcome | None = None
        with self._log.capture() as exchanges:
            try:
                outcome = run(scenario, self._target)
            finally:
                culprit = _find_culprit_exchange(outcome, exchanges)
                is_assumed = outcome is not None and self._expects_assumed_error(outcome)
                for exchange in exchanges:
                    self._responses.check(
                        exchange,
                        origin=scenario.behaviours[0],
                        is_shape_assumed=is_assumed and exchange is culprit,
                    )
        scenario_run = self._assess(outcome, exchanges, culprit)
        for behaviour in scenario.behaviours:
            self._runs[behaviour].append(scenario_run)

    def _expects_assumed_error(self, outcome: Outcome) -> bool:
        """Return whether an assumed behaviour failed because a request succeeded."""
        failure = outcome.failure
        return (
            isinstance(failure, UnexpectedResponse)
            and failure.expected_status != 200
            and bool(outcome.behaviours or outcome.scenario.behaviours)
            and self._status.get((outcome.behaviours or outcome.scenario.behaviours)[-1]) == "assumed"
        )

    def _assess(
        self, outcome: Outcome, exchanges: Sequence[WireExchange], culprit: WireExchange | None
    ) -> _ScenarioRun:
        called = [exchange.match.operation.id for exchange in exchanges if exchange.match]
        operation = self._find_culprit(outcome)
        if operation is None and culprit is not None and culprit.match is not None:
            operation = culprit.match.operation.id
        has_failed = outcome.result is Result.FAILED
        # In a scenario that passed, the expected error may have been that of a missing operation.
        needed = called if not has_failed else [operation] if operation else []
        blocked_by = next((self._missing[one] for one in needed if one in self._missing), "")
        if blocked_by or not has_failed or culprit is None:
            return _ScenarioRun(replace(outcome, responses=()), operation, blocked_by=blocked_by)
        response, failure = culprit.response, outcome.failure
        is_accepted = response is not None and response.is_success and isinstance(failure, UnexpectedResponse)
        behaviour = (outcome.behaviours or outcome.scenario.behaviours)[-1]
        is_about_error = isinstance(failure, UnexpectedError) or behaviour.partition(".")[0] == _ERRORS_THEME
        has_other_errors = (
            is_about_error
            and not isinstance(failure, UnexpectedResponse | ScenarioError)
            and ERROR_BODIES in self._responses.cases_of(culprit)
        )
        return _ScenarioRun(
            replace(outcome, responses=()),
            operation,
            tuple(exchanges[: exchanges.index(culprit) + 1]),
            list_mistakes(culprit) if is_accepted else (),
            has_other_errors,
            failure is not None and failure.response is not None and not isinstance(failure, UnexpectedResponse),
        )

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
        included: dict[str, list[str]] = {}
        first_by_cause: dict[tuple[object, ...], str] = {}
        for behaviour in sorted(self._catalogue, key=lambda one: (one.status == "assumed", not one.covers)):
            runs = self._runs[behaviour.id]
            failed = next((one for one in runs if one.result(behaviour)[0] is Result.FAILED), None)
            if failed is None:
                continue
            cause = _find_cause(failed)
            first = first_by_cause.setdefault(cause, behaviour.id) if cause else behaviour.id
            if first == behaviour.id:
                found[behaviour.id] = _failure_deviation(behaviour, failed)
                failure = failed.outcome.failure
                if isinstance(failure, UnexpectedResponse) and failure.response.status >= 500:
                    self.server_errors[behaviour.id] = f"{failed.operation}/{failure.response.status}"
                if failed.steps:
                    self.evidence[behaviour.id] = Evidence(failed.steps, needs_writes=not failed.shows_alone)
            elif _is_judged(failed):
                included.setdefault(first, []).append(behaviour.id)
                found[first] = replace(found[first], kinds=merge_kinds(found[first].kinds, _kinds_of(failed)))
            else:
                blocked.setdefault(first, []).append(behaviour.id)
        if reused_ids and UNIQUE_IDS not in found:
            found[UNIQUE_IDS] = self._reused_id_deviation(reused_ids)
        return [
            replace(
                found[behaviour.id],
                blocks=tuple(blocked.get(behaviour.id, ())),
                includes=tuple(included.get(behaviour.id, ())),
            )
            for behaviour in self._catalogue
            if behaviour.id in found
        ]

    def _reused_id_deviation(self, exchanges: Sequence[WireExchange]) -> Deviation:
        behaviour = next(behaviour for behaviour in self._catalogue if behaviour.id == UNIQUE_IDS)
        first = exchanges[0]
        self.evidence[UNIQUE_IDS] = Evidence((first,), needs_writes=True)
        return replace(
            _deviation(behaviour, "conversations.create", first.number),
            weight=Weight.DATA,
            expected="an id that no other conversation of the run has",
            received=first.response.excerpt if first.response else "",
            phases=(first.phase,),
            count=len(exchanges),
        )

    def rows(self, deviations: Iterable[Deviation], unreached: Reason) -> list[BehaviourRow]:
        """Return one row for each behaviour; `unreached` is the reason for those that no scenario reached."""
        by_case = {deviation.case: deviation for deviation in deviations}
        blocked = {behaviour: one.case for one in by_case.values() for behaviour in one.blocks}
        included = {behaviour: one for one in by_case.values() for behaviour in one.includes}
        rows = []
        for behaviour in self._catalogue:
            verdict: Verdict
            reason: Reason | None = None
            if behaviour.id in by_case:
                verdict = by_case[behaviour.id].verdict
            elif behaviour.id in included:
                main = included[behaviour.id]
                verdict = main.verdict if main.verdict == "accepted" else _verdict_of(behaviour)
                reason = Reason(UncheckedReason.INCLUDED, main.case)
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


def _find_culprit_exchange(outcome: Outcome | None, exchanges: Sequence[WireExchange]) -> WireExchange | None:
    """Return the exchange of the response that the scenario did not expect, else that of its last response."""
    if outcome is None or outcome.result is not Result.FAILED:
        return None
    if outcome.failure is not None and outcome.failure.response is not None:
        response: ApiResponse = outcome.failure.response
    elif outcome.responses:
        response = outcome.responses[-1]
    else:
        return next(iter(exchanges), None)
    sent = (response.method, response.path, response.sent)
    return next(
        (
            one
            for one in reversed(exchanges)
            if (one.request.method, one.request.target, one.request.body) == sent
            and one.response is not None
            and one.response.status == response.status
        ),
        None,
    )


def _find_cause(scenario_run: _ScenarioRun) -> tuple[object, ...] | None:
    """Return a key for the cause of a failure that several behaviours may share.

    Such a cause is an unreadable response, a server error, errors of another form, the rejection of a request that
    should succeed, or the acceptance of data that one part of the document forbids.
    """
    failure, operation = scenario_run.outcome.failure, scenario_run.operation
    if isinstance(failure, ScenarioError):
        return operation, failure.error_type
    if scenario_run.has_other_errors:
        return (ERROR_BODIES,)
    if not isinstance(failure, UnexpectedResponse):
        return None
    response = failure.response
    if response.status >= 500:
        return operation, "server_error"
    if scenario_run.mistakes:
        return "accepts", scenario_run.mistakes[0].rule
    type_, *names = _identify_error(response)
    if failure.expected_status == 200 or (names and response.is_client_error):
        return operation, response.method, response.status, type_, *names
    return None


def _is_judged(scenario_run: _ScenarioRun) -> bool:
    """Return whether a failure shows that the behaviour itself does not hold, and not only that it is not reached."""
    failure = scenario_run.outcome.failure
    return bool(scenario_run.mistakes) or (
        isinstance(failure, UnexpectedResponse) and failure.response.status < 500 and failure.expected_status != 200
    )


def _identify_error(response: ApiResponse) -> tuple[object, ...]:
    """Return the type of an error, and the parameters that it concerns.

    These are the one that it names, else those of the request whose values it quotes, else all of the request.
    """
    error = response.body.get("error") if isinstance(response.body, dict) else None
    details = error if isinstance(error, dict) else {}
    if details.get("param"):
        return str(details.get("type")), str(details["param"])
    query = parse_qsl(urlsplit(response.url).query, keep_blank_values=True)
    quoted = {name for name, value in query if len(value) > 1 and value in response.summary}
    return str(details.get("type")), *sorted(quoted or {name for name, _ in query})


def _kinds_of(failed: _ScenarioRun) -> tuple[Kind, ...]:
    details = failed.outcome.failure.details if failed.outcome.failure else ()
    return tuple(Kind(one.name, rule=one.rule) for one in failed.mistakes[:1]) or tuple(map(Kind, details))


def _failure_deviation(behaviour: Behaviour, failed: _ScenarioRun) -> Deviation:
    number = failed.steps[-1].number if failed.steps else 0
    deviation = replace(
        _deviation(behaviour, failed.operation, number),
        weight=_weigh(behaviour, failed),
        kinds=_kinds_of(failed),
    )
    failure = failed.outcome.failure
    if failure is None:
        return replace(deviation, received=failed.outcome.reason)
    expected = f"{failure.subject}: {failure.expected}"
    return replace(deviation, place=failure.subject, expected=expected, received=failure.received)


def _weigh(behaviour: Behaviour, failed: _ScenarioRun) -> Weight:
    failure = failed.outcome.failure
    response = failure.response if isinstance(failure, UnexpectedResponse) else None
    if behaviour.id.partition(".")[0] in _ISOLATION_THEMES:
        return Weight.ISOLATION
    if isinstance(failure, ScenarioError) or (response is not None and response.status >= 500):
        return Weight.FAILURE
    if failed.has_other_errors or (isinstance(failure, UnexpectedResponse) and failure.expected_status != 200):
        return Weight.FORM
    return Weight.DATA


def _verdict_of(behaviour: Behaviour) -> Verdict:
    return "learned" if behaviour.status == "assumed" else "violates"


def _deviation(behaviour: Behaviour, operation: str | None, request_number: int) -> Deviation:
    suspect, reason = SUSPECTS[behaviour.status]
    return Deviation(
        case=behaviour.id,
        verdict=_verdict_of(behaviour),
        statement=behaviour.statement,
        source=behaviour.source,
        expected=behaviour.statement,
        received="",
        suspect=suspect,
        reason=reason,
        operations=(operation,) if operation else (),
        phases=("behaviours",),
        first_request=request_number,
    )


_ERRORS_THEME = "errors"
_ISOLATION_THEMES = ("auth", "isolation", "tenancy")
SUSPECTS: dict[str, tuple[Suspect, str]] = {
    "documented": ("target", "the API documentation says otherwise"),
    "observed": ("target", "the published SDK relies on it; if the target is right, the SDK must change"),
    "assumed": ("document", "the behaviour is undocumented; the catalogue only assumed it"),
}
