"""What a scenario is, how a module of scenarios collects its own, and how one is run."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from mockserver.conformance.client import Answer, Api, NoAnswer, UnexpectedAnswer

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


@dataclass(frozen=True, slots=True)
class AccountItself:
    """The scenario acts for the account itself, without an end user, and so outside of what is its own."""

    second_key: bool = False

    reason = "acts for the account itself, outside of the run's own end users"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The scenario is about API keys."""

    reason = "the run has no API key"


Need = SecondKey | OwnKey | FakeSettings | AccountItself
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


Went = Literal["passed", "failed", "not checkable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went.

    `rules` are the behaviours that it came to, where it says so; the last of them is the one that failed. `answers`
    are all that it received, for showing how to repeat it; `unexpected` is the one that it failed on.
    """

    scenario: Scenario
    verdict: Went
    message: str = ""
    rules: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    unexpected: UnexpectedAnswer | None = None

    def of(self, behaviour: str) -> tuple[Went, str]:
        """How it went for one of the scenario's behaviours, and why."""
        if self.verdict != "failed" or not self.rules or behaviour == self.rules[-1]:
            return self.verdict, self.message
        if behaviour in self.rules:
            return "passed", ""
        return "not checkable", f"{self.scenario.name} ended before, at {self.rules[-1]}"


def run(scenario: Scenario, target: Target) -> Outcome:
    """Run a scenario for an end user of its own, and clean up after it."""
    caller = target.api(scenario.needs)
    if caller is None:
        assert scenario.needs is not None
        return Outcome(scenario, "not checkable", scenario.needs.reason)
    api = caller.fresh()
    try:
        scenario.run(api)
        answers = tuple(api.answers)
    except UnexpectedAnswer as error:
        return _failed(scenario, api, str(error), error)
    except AssertionError as error:
        return _failed(scenario, api, str(error))
    except (NoAnswer, LookupError, TypeError, ValueError, AttributeError) as error:  # An answer of a strange shape.
        return _failed(scenario, api, f"{type(error).__name__}: {error}")
    finally:
        with suppress(NoAnswer):
            api.clean_up()
    return Outcome(scenario, "passed", answers=answers)


def _failed(scenario: Scenario, api: Api, message: str, unexpected: UnexpectedAnswer | None = None) -> Outcome:
    return Outcome(scenario, "failed", message, tuple(api.rules), tuple(api.answers), unexpected)


def expect(received: object, expected: object, what: str) -> None:
    """Fail unless the two are equal, and say what they are."""
    assert received == expected, f"{what}: expected {expected!r}, received {received!r}"


def expect_soon(api: Api, find: Callable[[], list[str]], expected: Iterable[str], what: str) -> None:
    """Fail unless these are found, in any order, at once or after some waiting."""
    wanted, found = sorted(expected), sorted(find())
    if found == wanted:
        return
    for pause in api.patience.pauses():
        time.sleep(pause)
        found = sorted(find())
        if found == wanted:
            api.patience.help()
            return
    expect(found, wanted, what)
