"""Suggest the name that was probably meant."""

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Any

_MAX_LENGTH = 50
_MAX_CANDIDATES = 50


def closest_match(name: Any, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is spelled most like `name`, if one is close."""
    if not isinstance(name, str) or len(name) > _MAX_LENGTH:
        return None
    short = (candidate for candidate in islice(candidates, _MAX_CANDIDATES) if len(candidate) <= _MAX_LENGTH)
    folded = {candidate.casefold(): candidate for candidate in short}
    matches = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return folded[matches[0]] if matches else None


def suggest(name: Any, candidates: Iterable[str]) -> str:
    """Return a hint such as ` (did you mean 'content'?)`, or nothing."""
    match = closest_match(name, candidates)
    return f" (did you mean '{match}'?)" if match else ""
