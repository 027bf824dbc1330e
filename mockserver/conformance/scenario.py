"""Scenarios: their needs, their collection in modules, their runs and outcomes."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from mockserver.conformance.client import ApiClient, NoResponse, Withheld
from mockserver.conformance.expectations import ScenarioFailure
from mockserver.conformance.response import ApiResponse
from mockserver.settings import IdentityMode, UnknownFields

ACCOUNTS = ("account-one", "account-two")


@dataclass(frozen=True, slots=True)
class SecondKey:
    """Need for an API key of a second account (`api.with_second_key()`)."""

    reason = "needs an API key of a second account"


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """Need for a server of its own, started with these options and with one key for each of `ACCOUNTS`."""

    identity_mode: IdentityMode = "sha256"
    rate_limits: tuple[str, ...] = ()
    unknown_fields: UnknownFields = "note"
    max_body: int | None = None

    reason = "needs a server started with other settings"


@dataclass(frozen=True, slots=True)
class AccountItself:
    """Need to act for the account itself, without an end user, and so to touch data of other callers."""

    second_key: bool = False

    reason = "acts for the account itself, outside the end users of this run"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """Need for an API key, for scenarios about authentication."""

    reason = "the run has no API key"


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """Need for an API key, and for a target that does not accept every key on purpose, as a fake can."""

    reason = "needs an API key, and a target that rejects others; start a mockserver with --api-key"


Need = SecondKey | OwnKey | ListedKeys | FakeSettings | AccountItself
Run = Callable[[ApiClient], None]
_Run = TypeVar("_Run", bound=Run)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A function that checks behaviours of the catalogue and raises ScenarioFailure for one that does not hold."""

    behaviours: tuple[str, ...]
    run: Run
    needs: Need | None = None

    @property
    def name(self) -> str:
        return self.run.__name__


class Scenarios(list[Scenario]):
    """The scenarios of one module. As a decorator, it adds the decorated function.

    >>> scenario = Scenarios()
    >>> @scenario("conversations.delete.twice-is-404")
    ... def deleting_twice_returns_404(api: ApiClient) -> None: ...
    """

    def __call__(self, *behaviours: str, needs: Need | None = None) -> Callable[[_Run], _Run]:
        def register(run: _Run) -> _Run:
            self.append(Scenario(behaviours, run, needs))
            return run

        return register


class Target(Protocol):
    """A server that scenarios run against."""

    def client_for(self, needs: Need | None) -> ApiClient | None:
        """Return a client, or None where the server cannot offer what the scenario needs."""


class Result(Enum):
    """Result of a scenario, or of one of its behaviours."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKABLE = "not checkable"


class ScenarioError(ScenarioFailure):
    """An exception in a scenario: the target did not respond, or its response has an unexpected form."""

    def __init__(self, error: Exception, last: ApiResponse | None) -> None:
        is_unread = last is None or isinstance(error, NoResponse)
        received = str(error) if is_unread or last is None else f"{last.method} {last.path}: {last.summary}"
        super().__init__("response", "one of the documented form", received)
        self.error_type = type(error)

    def __str__(self) -> str:
        return self.received


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a scenario.

    `behaviours` are the behaviours that the scenario set; the failure counts against the last of them. `responses` are
    all that the scenario received.
    """

    scenario: Scenario
    result: Result
    reason: str = ""
    failure: ScenarioFailure | None = None
    behaviours: tuple[str, ...] = ()
    responses: tuple[ApiResponse, ...] = ()

    def for_behaviour(self, behaviour: str) -> tuple[Result, str]:
        """Return the result for one of the scenario's behaviours, with the reason."""
        if self.result is not Result.FAILED or not self.behaviours or behaviour == self.behaviours[-1]:
            return self.result, self.reason
        if behaviour in self.behaviours:
            return Result.PASSED, ""
        return Result.NOT_CHECKABLE, f"its scenario ended before, at {self.behaviours[-1]}"


def run(scenario: Scenario, target: Target) -> Outcome:
    """Run a scenario for an end user of its own, then delete the conversations that it created."""
    client = target.client_for(scenario.needs)
    if client is None:
        return Outcome(scenario, Result.NOT_CHECKABLE, scenario.needs.reason if scenario.needs else "")
    api = client.for_scenario()
    failure: ScenarioFailure | None = None
    withheld = ""
    try:
        scenario.run(api)
    except ScenarioFailure as error:
        failure = error
    except (NoResponse, LookupError, TypeError, ValueError, AttributeError) as error:
        failure = ScenarioError(error, api.responses[-1] if api.responses else None)
    except Withheld as error:
        withheld = str(error)
    finally:
        responses = tuple(api.responses)
        with suppress(NoResponse, Withheld):
            api.delete_created()
    if withheld:
        return Outcome(scenario, Result.NOT_CHECKABLE, withheld, responses=responses)
    if failure is None:
        return Outcome(scenario, Result.PASSED, responses=responses)
    return Outcome(scenario, Result.FAILED, str(failure), failure, tuple(api.behaviours), responses)
