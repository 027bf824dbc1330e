"""Time and ids, passed in wherever they are needed: a fake that cannot repeat itself cannot be debugged.

Both are asked on behalf of an account, so that parallel tests with a key each do not disturb one another.
"""

import random
import time
from collections import Counter
from typing import Protocol


class Clock(Protocol):
    def now(self, account: str) -> float:
        """Unix seconds."""
        ...

    def reset(self, account: str | None = None) -> None:
        """Begin anew, for one account or for all."""
        ...


class IdSource(Protocol):
    def new_id(self, prefix: str, account: str) -> str:
        """`prefix`, an underscore and 32 lower-case hex digits."""
        ...

    def reset(self, account: str | None = None) -> None:
        """Begin anew, for one account or for all."""
        ...


class AdjustableClock:
    """The real time until it is frozen or moved, for one account or for all that have no clock of their own."""

    def __init__(self) -> None:
        self._shared = _Time()
        self._own: dict[str, _Time] = {}

    def now(self, account: str) -> float:
        return self._time(account).now()

    def before(self, seconds: float, account: str) -> float:
        """What `now` was, so many seconds of the real time ago."""
        return self._time(account).now(ago=seconds)

    def is_frozen(self, account: str | None = None) -> bool:
        return self._time(account).frozen_at is not None

    def freeze(self, at: float | None = None, account: str | None = None) -> None:
        """Stand still at Unix second `at`, or where it is."""
        time_ = self._for_change(account)
        time_.frozen_at = time_.now() if at is None else at

    def advance(self, seconds: float, account: str | None = None) -> None:
        """Move on, frozen or not."""
        time_ = self._for_change(account)
        if time_.frozen_at is not None:
            time_.frozen_at += seconds
        else:
            time_.offset += seconds

    def resume(self, account: str | None = None) -> None:
        """Go with the real time again; without an account, all of them."""
        if account is None:
            self._shared = _Time()
            self._own.clear()
        else:
            self._own[account] = _Time()

    def reset(self, account: str | None = None) -> None:
        """As if it had never been touched; an account goes by the shared clock again."""
        if account is None:
            self.resume()
        else:
            self._own.pop(account, None)

    def _time(self, account: str | None) -> "_Time":
        return self._shared if account is None else self._own.get(account, self._shared)

    def _for_change(self, account: str | None) -> "_Time":
        if account is None:
            return self._shared
        return self._own.setdefault(account, _Time(self._shared.frozen_at, self._shared.offset))


class _Time:
    def __init__(self, frozen_at: float | None = None, offset: float = 0.0) -> None:
        self.frozen_at = frozen_at
        self.offset = offset

    def now(self, ago: float = 0.0) -> float:
        """Or what it was, so many seconds of the real time ago."""
        return time.time() + self.offset - ago if self.frozen_at is None else self.frozen_at


class RandomIds:
    """Ids that no one can foretell, or, with a `seed`, the same ones in every run."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - ids of a fake guard nothing

    def new_id(self, prefix: str, account: str) -> str:
        return f"{prefix}_{self._random.getrandbits(128).to_bytes(16, 'big').hex()}"

    def reset(self, account: str | None = None) -> None:
        """Begin anew; what is shared by all accounts is not begun anew for one."""
        if account is None:
            self._random.seed(self._seed)


class SequentialIds:
    """1, 2, 3 and so on, counted for each prefix and account."""

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
