"""Time and ids, passed in wherever they are needed: a fake that cannot repeat itself cannot be debugged."""

import random
import time
from collections import Counter
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds."""
        ...


class IdSource(Protocol):
    def new_id(self, prefix: str) -> str:
        """`prefix`, an underscore and 32 lower-case hex digits."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()


class FixedClock:
    """Stands still until it is moved."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


class RandomIds:
    """Ids that no one can foretell, or, with a `seed`, the same ones in every run."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids of a fake guard nothing

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._random.getrandbits(128):032x}"


class SequentialIds:
    """1, 2, 3 and so on, counted for each prefix."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def new_id(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]:032x}"
