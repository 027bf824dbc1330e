"""Suggest the name that was probably meant."""

import difflib
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

_MAX_LENGTH = 50
_MAX_CANDIDATES = 50
_WORD = re.compile(r"[A-Za-z][a-z0-9]*")
_SYNONYMS = {"retrieve": "get"}


def closest_match(name: Any, candidates: Iterable[str]) -> str | None:
    """Return the candidate that says the same as `name` in another order, or is spelled most like it, if one does."""
    if not isinstance(name, str) or len(name) > _MAX_LENGTH:
        return None
    short = (candidate for candidate in islice(candidates, _MAX_CANDIDATES) if len(candidate) <= _MAX_LENGTH)
    folded = {candidate.casefold(): candidate for candidate in short}
    if same := _find_same_words(name, folded.values()):
        return same
    matches = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return folded[matches[0]] if matches else None


def _find_same_words(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate whose words, at least two, are all in `name`: `createResponse` for `responses.create`."""
    words = _words(name)
    same = [candidate for candidate in candidates if len(_words(candidate)) > 1 and _words(candidate) <= words]
    return max(same, key=lambda candidate: len(_words(candidate)), default=None)


def _words(name: str) -> frozenset[str]:
    words = (word.lower().rstrip("s") for word in _WORD.findall(name))
    return frozenset(_SYNONYMS.get(word, word) for word in words)


def suggest(name: Any, candidates: Iterable[str]) -> str:
    """Return a hint such as ` (did you mean 'content'?)`, or nothing."""
    match = closest_match(name, candidates)
    return f" (did you mean '{match}'?)" if match else ""
