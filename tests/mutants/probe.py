"""Observations that tell a mutant from the original."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.mutants.client import MutantClient


@dataclass(frozen=True)
class Probe:
    """An observation of an empty API: `original` without the mutant, `mutated` with it."""

    observe: Callable[[MutantClient], Any]
    original: Any
    mutated: Any
