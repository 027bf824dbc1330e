"""What a request shows when a defect is there, and what it shows when none is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.mutants.api import Api


@dataclass(frozen=True)
class Probe:
    """`look` asks an empty API; it sees `sound` without the defect, and `planted` with it."""

    look: Callable[[Api], Any]
    sound: Any
    planted: Any
