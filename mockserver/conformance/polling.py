"""Checks of results that may come late, such as an entry in a search index."""

import time
from collections.abc import Callable, Iterable

from mockserver.conformance.expectations import expect

_PAUSES = (0.5, 1.0, 2.0)
_MAX_FULL_WAITS = 2


class Polling:
    """Repeated looks at one target.

    A target with which waiting never helps gets two full waits. After that, each wait is its first pause only.
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
