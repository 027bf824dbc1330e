"""Checks of the scenarios: functions that raise, so that they also check under `python -O`."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

_PAUSES = (0.5, 1.0, 2.0)
_MAX_FULL_WAITS = 2


class ScenarioFailure(Exception):
    """A difference between the promised and the received behaviour.

    `details` are further differences of the same kind. `response` is the response that shows the difference, if it is
    not the last one.
    """

    def __init__(
        self, subject: str, expected: str, received: str, *, details: Iterable[str] = (), response: Any = None
    ) -> None:
        super().__init__(f"{subject}: expected {expected}, received {received}")
        self.subject = subject
        self.expected = expected
        self.received = received
        self.details = tuple(details)
        self.response = response


class _Absent:
    """The value of a field that is not there."""


ABSENT = _Absent()


def show(value: Any) -> str:
    """Return a value as a reader of the wire knows it: JSON, or `no such field`."""
    if isinstance(value, tuple):
        return " and ".join(map(show, value))
    return "no such field" if value is ABSENT else json.dumps(value, ensure_ascii=False, default=str)


def expect(received: object, expected: object, subject: str, *, response: Any = None) -> None:
    """Fail unless the two are equal; `response` is the one that shows it, if it is not the last one."""
    if received != expected:
        raise ScenarioFailure(subject, show(expected), show(received), response=response)


def require(condition: object, subject: str, expected: str, received: object, *, response: Any = None) -> None:
    """Fail unless the condition holds; `expected` describes it in words, `response` is as in `expect`."""
    if not condition:
        raise ScenarioFailure(subject, expected, show(received), response=response)


def require_text(value: object, subject: str) -> None:
    """Fail unless the value is a string that is not empty."""
    require(isinstance(value, str) and value, subject, "some text", value)


class Polling:
    """Checks of results that may come late, such as an entry in a search index.

    If waiting has not helped in two full waits for a target, each further wait is only the first pause.
    """

    def __init__(self) -> None:
        self._waits = 0
        self._has_helped = False

    def expect(self, find: Callable[[], list[str]], expected: Iterable[str], subject: str) -> None:
        """Fail unless `find` returns the expected values in any order, at once or after a wait."""
        wanted, found = sorted(expected), sorted(find())
        if found == wanted:
            return
        for pause in self._next_pauses():
            time.sleep(pause)
            found = sorted(find())
            if found == wanted:
                self._has_helped = True
                return
        expect(found, wanted, subject)

    def _next_pauses(self) -> tuple[float, ...]:
        if self._has_helped:
            return _PAUSES
        self._waits += 1
        return _PAUSES if self._waits <= _MAX_FULL_WAITS else _PAUSES[:1]
