"""What a scenario is, how a module of scenarios collects its own, and how one is run."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from mockserver.conformance.api import Answer, Api, NoAnswer

ACCOUNTS = ("account-one", "account-two")


@dataclass(frozen=True, slots=True)
class SecondKey:
    """The scenario needs an API key of a second account (`api.with_second_key()`)."""

    reason = "needs an API key of a second account"


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """The scenario needs a server that was started with these options, for itself alone.

    It has two keys then; the accounts behind them are `ACCOUNTS`.
    """

    identity_mode: Literal["sha256", "raw"] = "sha256"
    rate_limits: tuple[str, ...] = ()
    unknown_fields: Literal["note", "reject"] = "note"
    max_body: int | None = None

    reason = "needs a server started with other settings"


Need = SecondKey | FakeSettings
Run = Callable[[Api], None]
_Run = TypeVar("_Run", bound=Run)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A function that checks some behaviours of the catalogue and fails with an AssertionError."""

    behaviours: tuple[str, ...]
    run: Run
    needs: Need | None = None

    @property
    def name(self) -> str:
        return self.run.__name__


class Scenarios(list[Scenario]):
    """The scenarios of one module; called as a decorator, it takes one more.

    >>> scenario = Scenarios()
    >>> @scenario("conversations.delete.twice-is-404")
    ... def deleting_twice_answers_404(api: Api) -> None: ...
    """

    def __call__(self, *behaviours: str, needs: Need | None = None) -> Callable[[_Run], _Run]:
        def register(run: _Run) -> _Run:
            self.append(Scenario(behaviours, run, needs))
            return run

        return register


class Target(Protocol):
    """A server that scenarios are run against."""

    def api(self, needs: Need | None) -> Api | None:
        """A caller of the server, or None where the server cannot offer what the scenario needs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went. `answers` are those of a scenario that failed, for showing how to repeat it."""

    scenario: Scenario
    verdict: Literal["passed", "failed", "not checkable"]
    message: str = ""
    answers: tuple[Answer, ...] = ()


def run(scenario: Scenario, target: Target) -> Outcome:
    """Run a scenario for an end user of its own, and clean up after it."""
    caller = target.api(scenario.needs)
    if caller is None:
        assert scenario.needs is not None
        return Outcome(scenario, "not checkable", scenario.needs.reason)
    api = caller.fresh()
    try:
        scenario.run(api)
    except AssertionError as error:
        return Outcome(scenario, "failed", str(error), tuple(api.answers))
    except (NoAnswer, LookupError, TypeError, ValueError) as error:  # An answer of a shape that nobody expected.
        return Outcome(scenario, "failed", f"{type(error).__name__}: {error}", tuple(api.answers))
    finally:
        with suppress(NoAnswer):
            api.clean_up()
    return Outcome(scenario, "passed")


def expect(received: object, expected: object, what: str) -> None:
    """Fail unless the two are equal, and say what they are."""
    assert received == expected, f"{what}: expected {expected!r}, received {received!r}"
