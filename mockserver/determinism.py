"""Clocks and sources of ids, which are passed in wherever they are needed, so that a run can be reproduced.

All of their methods take an account, so that parallel tests with an API key each do not affect one another.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

LAST_SECOND = 253402300799
"""The last second of the year 9999."""


class Clock(Protocol):
    """The current time, for each account."""

    def now(self, account: str) -> float:
        """Return the time in Unix seconds."""
        ...

    def reset(self, account: str | None = None) -> None:
        """Return to the initial state, for one account or for all."""
        ...


class IdSource(Protocol):
    """A generator of ids; it does not know which are in use."""

    def new_id(self, prefix: str, account: str) -> str:
        """Return an id: `prefix`, an underscore and 32 lower-case hex digits."""
        ...

    def reset(self, account: str | None = None) -> None:
        """Return to the initial state, for one account or for all."""
        ...


class AdjustableClock:
    """The real time until a test freezes or advances it, for one account or for all without a clock of their own.

    `on_change`, if set, is called after each change with the account, or with None if it affects several.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[str | None], None] | None = None
        self._shared = _Time()
        self._own: dict[str, _Time] = {}

    def now(self, account: str) -> float:
        return self._own.get(account, self._shared).now()

    def time_ago(self, seconds: float, account: str) -> float:
        """Return what `now` was this many real seconds ago."""
        return self._own.get(account, self._shared).now(seconds)

    def is_frozen(self, account: str | None = None) -> bool:
        return self._time(account).frozen_at is not None

    def freeze(self, at: float | None = None, account: str | None = None) -> None:
        """Stop at Unix second `at`, or at the current time."""
        time_ = self._clock_to_change(account)
        time_.frozen_at = time_.now() if at is None else at
        self._notify(account)

    def advance(self, seconds: float, account: str | None = None) -> None:
        """Move the time, frozen or not."""
        time_ = self._clock_to_change(account)
        if time_.frozen_at is not None:
            time_.frozen_at += seconds
        else:
            time_.offset += seconds
        self._notify(account)

    def resume(self, account: str | None = None) -> None:
        """Return to the real time; without an account, drop the clocks of all accounts."""
        if account is None:
            self._shared = _Time()
            self._own.clear()
        else:
            self._own[account] = _Time()
        self._notify(account)

    def reset(self, account: str | None = None) -> None:
        """Return to the initial state; an account follows the shared clock again."""
        if account is None:
            self.resume()
        else:
            self._own.pop(account, None)
            self._notify(account)

    def _notify(self, account: str | None) -> None:
        if self.on_change is not None:
            self.on_change(account)

    def _time(self, account: str | None) -> "_Time":
        return self._shared if account is None else self._own.get(account, self._shared)

    def _clock_to_change(self, account: str | None) -> "_Time":
        if account is None:
            return self._shared
        return self._own.setdefault(account, _Time(self._shared.frozen_at, self._shared.offset))


class _Time:
    def __init__(self, frozen_at: float | None = None, offset: float = 0.0) -> None:
        self.frozen_at = frozen_at
        self.offset = offset

    def now(self, ago: float = 0.0) -> float:
        """Return the time, or what it was this many real seconds ago."""
        return time.time() + self.offset - ago if self.frozen_at is None else self.frozen_at


class RandomIds:
    """Unpredictable ids or, with a `seed`, the same ones in every run."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - the ids of a fake protect nothing

    def new_id(self, prefix: str, account: str) -> str:
        return f"{prefix}_{self._random.getrandbits(128).to_bytes(16, 'big').hex()}"

    def reset(self, account: str | None = None) -> None:
        """Restart the sequence, which all accounts share; for one account, do nothing."""
        if account is None:
            self._random.seed(self._seed)


class SequentialIds:
    """The numbers 1, 2, 3 and so on, for each prefix and account."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def new_id(self, prefix: str, account: str) -> str:
        counts = self._counts.setdefault(account, Counter())
        counts[prefix] += 1
        return f"{prefix}_{counts[prefix]:032x}"

    def reset(self, account: str | None = None) -> None:
        if account is None:
            self._counts.clear()
        else:
            self._counts.pop(account, None)
