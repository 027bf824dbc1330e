"""The first phase: every rule of the catalogue, as a scenario over HTTP."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mockserver.conformance.catalogue import Behaviour
from mockserver.conformance.client import ApiClient
from mockserver.conformance.response import UnexpectedResponse
from mockserver.conformance.scenario import (
    AccountItself,
    FakeSettings,
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
from mockserver.verify.transport import Transport, WireExchange


@dataclass(frozen=True, slots=True)
class Gateway:
    """Somebody's server, as scenarios see it: its settings are what they are."""

    caller: ApiClient
    may_act_for_the_account: bool

    def client_for(self, needs: Need | None) -> ApiClient | None:
        match needs:
            case FakeSettings():
                return None
            case OwnKey():
                return self.caller if self.caller.api_key else None
            case SecondKey():
                return self.caller if self.caller.second_key else None
            case AccountItself(second_key=True):
                return self.caller if self.caller.second_key and self.may_act_for_the_account else None
            case AccountItself():
                return self.caller if self.may_act_for_the_account else None
        return self.caller


@dataclass(frozen=True, slots=True)
class _Ran:
    """How a scenario went, where its requests are, and the first of them."""

    outcome: Outcome
    script: list[str]
    first_request: int
    operation: str | None
    blocked_by: str | None = None
    """The case of a missing operation that the scenario needs."""


class Behaviours:
    """Runs scenarios, and tells rule by rule what came out."""

    def __init__(
        self,
        catalogue: Sequence[Behaviour],
        gateway: Gateway,
        transport: Transport,
        log: ExchangeLog,
        operations: Operations,
        missing: Mapping[str, str],
    ) -> None:
        self._catalogue = catalogue
        self._gateway = gateway
        self._transport = transport
        self._log = log
        self._operations = operations
        self._missing = missing
        self._ran: dict[str, list[_Ran]] = {behaviour.id: [] for behaviour in catalogue}

    @property
    def ids(self) -> set[str]:
        return set(self._ran)

    def run(self, scenario: Scenario) -> None:
        """Run a scenario.

        Raises:
            Stopped: a limit was reached; the scenario does not count.
        """
        before = self._transport.counts.get("behaviours", 0)
        outcome = run(scenario, self._gateway)
        exchanges = self._log.since("behaviours", before)[: len(outcome.responses)]
        called = [exchange.match.operation.id for exchange in exchanges if exchange.match]
        culprit = self._culprit(outcome) or (called[-1] if called else None)
        wanted = [culprit] if outcome.result is Result.FAILED else called
        missed = next((operation for operation in wanted if operation in self._missing), None)
        ran = _Ran(outcome, [], before + 1, None)
        if missed is not None:
            # It failed for want of an operation; or passed, where a refusal may have been what it wanted.
            outcome = Outcome(scenario, Result.NOT_CHECKABLE)
            ran = _Ran(outcome, [], before + 1, None, blocked_by=self._missing[missed])
        elif outcome.result is Result.FAILED:
            ran = _Ran(outcome, self._log.script(exchanges), before + max(1, len(exchanges)), culprit)
        for behaviour in scenario.behaviours:
            self._ran[behaviour].append(ran)

    def _culprit(self, outcome: Outcome) -> str | None:
        """Return the operation of the response that a scenario failed on."""
        if not isinstance(outcome.failure, UnexpectedResponse):
            return None
        response = outcome.failure.response
        match = self._operations.match(response.method, response.path.partition("?")[0])
        return match.operation.id if match else None

    def deviations(self, reused_ids: Sequence[WireExchange] = ()) -> list[Deviation]:
        """What does not hold, in the order of the catalogue. That no id is `reused_ids` is a rule for the whole run.

        Where several rules failed because a request that should succeed was refused in the same words, they are one
        deviation: the first of them, which names the others.
        """
        failures: dict[tuple[str, ...], list[tuple[Behaviour, _Ran]]] = {}
        for behaviour in sorted(self._catalogue, key=lambda one: one.status == "assumed"):
            failed = next((ran for ran in self._ran[behaviour.id] if _result(ran, behaviour) is Result.FAILED), None)
            if failed is not None:
                failures.setdefault(_cause(failed) or (behaviour.id,), []).append((behaviour, failed))
        found = [
            replace(_failed(*first), blocks=tuple(behaviour.id for behaviour, _ in others))
            for first, *others in failures.values()
        ]
        if reused_ids and _UNIQUE not in {deviation.case for deviation in found}:
            found.append(self._reused_id(reused_ids))
        order = [behaviour.id for behaviour in self._catalogue]
        return sorted(found, key=lambda one: order.index(one.case))

    def _reused_id(self, exchanges: Sequence[WireExchange]) -> Deviation:
        behaviour = next(behaviour for behaviour in self._catalogue if behaviour.id == _UNIQUE)
        first = exchanges[0]
        deviation = _deviation(behaviour, first.number, "conversations.create", self._log.script([first]))
        return replace(
            deviation,
            expected="an id that no conversation of the run has had",
            received=first.response.body.decode("utf-8", "replace")[:300] if first.response else "",
            phases=(first.phase,),
            count=len(exchanges),
        )

    def rows(self, deviations: Iterable[Deviation], why_not: Reason) -> list[BehaviourRow]:
        """Return one row for each behaviour; `why_not` is the reason for those that no scenario reached."""
        verdicts = {deviation.case: deviation for deviation in deviations}
        causes = {behaviour: deviation for deviation in verdicts.values() for behaviour in deviation.blocks}
        return [self._row(behaviour, verdicts, causes, why_not) for behaviour in self._catalogue]

    def _row(
        self,
        behaviour: Behaviour,
        verdicts: dict[str, Deviation],
        causes: dict[str, Deviation],
        why_not: Reason,
    ) -> BehaviourRow:
        def row(verdict: Verdict, why: Reason | None = None) -> BehaviourRow:
            return BehaviourRow(behaviour.id, behaviour.statement, behaviour.source, behaviour.status, verdict, why)

        if behaviour.id in verdicts:
            return row(verdicts[behaviour.id].verdict)
        if behaviour.id in causes:
            return row("unchecked", Reason(UncheckedReason.BLOCKED, causes[behaviour.id].case))
        ran = self._ran[behaviour.id]
        reasons = [_unchecked_reason(one, behaviour) for one in ran if _result(one, behaviour) is Result.NOT_CHECKABLE]
        if any(_result(one, behaviour) is Result.PASSED for one in ran):
            return row("conforms", reasons[0] if reasons else None)
        return row("unchecked", reasons[0] if reasons else why_not)


def _result(ran: _Ran, behaviour: Behaviour) -> Result:
    return ran.outcome.for_behaviour(behaviour.id)[0]


def _unchecked_reason(ran: _Ran, behaviour: Behaviour) -> Reason:
    if ran.blocked_by is not None:
        return Reason(UncheckedReason.BLOCKED, ran.blocked_by)
    return Reason(UncheckedReason.SCENARIO, ran.outcome.for_behaviour(behaviour.id)[1])


_UNIQUE = "conversations.create.ids-are-unique"
_VARYING = re.compile(r"[0-9a-f]{8,}|\d+")


def _cause(ran: _Ran) -> tuple[str, ...] | None:
    """Return the common cause of failures: a rejected request that should succeed, or an unreadable response."""
    failure = ran.outcome.failure
    if isinstance(failure, ScenarioError):
        return str(ran.operation), failure.error_type.__name__
    if not isinstance(failure, UnexpectedResponse):
        return None
    if failure.response.status >= 500:
        return str(ran.operation), "a server error"
    if failure.expected_status != 200:
        return None
    return str(ran.operation), failure.response.method, _VARYING.sub("", failure.response.summary)


def _failed(behaviour: Behaviour, ran: _Ran) -> Deviation:
    deviation = _deviation(behaviour, ran.first_request, ran.operation, ran.script)
    failure = ran.outcome.failure
    if failure is None:
        return deviation
    if isinstance(failure, ScenarioError):
        return replace(deviation, received=failure.received)
    expected = f"{failure.subject}: {failure.expected}"
    return replace(deviation, place=failure.subject, expected=expected, received=failure.received)


def _deviation(behaviour: Behaviour, first_request: int, operation: str | None, script: list[str]) -> Deviation:
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
        reproduction=tuple(script),
        phases=("behaviours",),
        first_request=first_request,
    )


_SUSPECTS: dict[str, tuple[Suspect, str]] = {
    "documented": ("target", "the API's documentation says otherwise"),
    "observed": ("target", "the published SDK relies on it; if the target is right, the SDK has to change"),
    "assumed": ("document", "nobody has documented this; the catalogue assumed it, and can learn"),
}
