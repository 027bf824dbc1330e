"""Which items a search finds, worked out anew for every item."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from unicodedata import category, name, normalize

_WITHOUT_SPACES = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def matches(search: str, item: Mapping[str, Any]) -> bool:
    """Whether one item has all words and phrases of a search that is not blank."""
    wanted = _wanted(search)
    parts = [_runs(text) for text in _texts(item)]
    return bool(wanted) and all(any(_stands_in(phrase, part) for part in parts) for phrase in wanted)


def _wanted(search: str) -> list[list[str]]:
    """The phrases, a single word being a phrase too."""
    wanted: list[list[str]] = []
    quoted = False
    pieces = search.split('"')
    for place, piece in enumerate(pieces):
        is_closed = place < len(pieces) - 1
        if quoted and is_closed:
            wanted.append(_runs(piece))
        else:
            wanted += [[run] for run in _runs(piece)]
        quoted = not quoted
    return [phrase for phrase in wanted if phrase]


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    for field in ("content", "summary", "queries"):
        value = item.get(field, ())
        for part in [value] if isinstance(value, str) else value:
            yield part if isinstance(part, str) else part.get("text", part.get("refusal", ""))
    for field in ("arguments", "output"):
        if field in item:
            try:
                yield " ".join(_leaves(json.loads(item[field])))
            except ValueError:
                yield item[field]


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


@cache
def _runs(text: str) -> list[str]:
    """The words; what is written without spaces is a word of its own, also next to letters of other scripts."""
    text = normalize("NFKC", normalize("NFKC", text).casefold())
    runs: list[str] = []
    before = ""
    for character in text:
        if category(character) == "Cf":
            continue
        if category(character)[0] not in "LMN":
            before = ""
            continue
        script = "without spaces" if _is_without_spaces(character) else "with spaces"
        if script == before:
            runs[-1] += character
        else:
            runs.append(character)
        before = script
    return runs


def _is_without_spaces(character: str) -> bool:
    return name(character, "").startswith(_WITHOUT_SPACES)


def _stands_in(phrase: list[str], part: list[str]) -> bool:
    return any(_stands_at(phrase, part[place:]) for place in range(len(part)))


def _stands_at(phrase: list[str], runs: list[str]) -> bool:
    """Whether the text goes on with the phrase. Where there are no spaces, it may begin and end within a run."""
    if len(runs) < len(phrase):
        return False
    if len(phrase) == 1:
        return phrase[0] in runs[0] if _is_without_spaces(phrase[0][0]) else phrase[0] == runs[0]
    first, *middle, last = zip(phrase, runs, strict=False)
    return (
        (first[1].endswith(first[0]) if _is_without_spaces(first[0][0]) else first[0] == first[1])
        and (last[1].startswith(last[0]) if _is_without_spaces(last[0][0]) else last[0] == last[1])
        and all(wanted == there for wanted, there in middle)
    )
