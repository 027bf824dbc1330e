"""Texts that match a regular expression."""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import product
from typing import Any

_parser: Any = import_module("re._parser")  # The module has no public name, and typeshed does not know it.

_CATEGORIES = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_WORD": "-",
}
_CHARACTERS = "a0A -_.~"
_PROPERTY = re.compile(r"\\p\{(?:Script=)?(\w+)\}")
_NAMED_GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")
_MAX_WORK = 2_000
_MAX_PATTERN = 1_000


class PatternError(Exception):
    """A pattern that cannot be read."""


def texts_matching(pattern: str, least: int, spend: Callable[[int], None]) -> Iterator[str]:
    """Yield texts that probably match a pattern in the syntax of JSON Schema, and have at least that length.

    The first ones have as few repetitions as possible. `spend` is called with the work that each of them takes.

    Raises:
        PatternError: the pattern uses what Python's `re` does not know.
    """
    if len(pattern) > _MAX_PATTERN:
        raise PatternError("is too long")
    # A property of Unicode becomes a character that has it, which also works within a class.
    python = _NAMED_GROUP.sub("(?P<", _PROPERTY.sub(_character_of_property, pattern))
    try:
        tree = _parser.parse(python)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error)) from error
    extras = (*range(8), *range(max(least - 8, 8), least + 1))
    choices = range(4) if set("|[") & set(pattern) else (0,)
    assertions = (True, False) if "(?=" in pattern else (False,)
    for extra, choice, has_assertions in product(extras, choices, assertions):
        writer = _Writer(extra, choice, has_assertions=has_assertions)
        text = writer.write(tree)
        spend(writer.work)
        if least <= len(text):
            yield text


def _character_of_property(match: re.Match[str]) -> str:
    name = match[1]
    return "A" if name in ("Lu", "Uppercase") else "0" if name.startswith("N") else "a"


class _Writer:
    """Writes a text for a parsed pattern.

    A repetition has `extra` more elements than it must have; an alternation takes its branch number `choice`.
    """

    def __init__(self, extra: int, choice: int, *, has_assertions: bool) -> None:
        self._extra = extra
        self._choice = choice
        self._has_assertions = has_assertions
        self._groups: dict[int, str] = {}
        self.work = 0

    def write(self, tree: Any) -> str:
        return "".join(self._write_node(str(kind), value) for kind, value in tree)

    def _write_node(self, kind: str, value: Any) -> str:
        self.work += 1
        match kind:
            case "LITERAL":
                return chr(value)
            case "NOT_LITERAL":
                return next(character for character in _CHARACTERS if character != chr(value))
            case "ANY":
                return "a"
            case "IN":
                return _pick_character(value, self._choice)
            case "BRANCH":
                branches = value[1]
                return self.write(branches[self._choice % len(branches)])
            case "SUBPATTERN":
                group, _, _, tree = value
                text = self.write(tree)
                if group is not None:
                    self._groups[group] = text
                return text
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, tree = value
                return self._repeat(tree, min(least + self._extra, most))
            case "GROUPREF":
                return self._groups.get(value, "")
            case "ATOMIC_GROUP":
                return self.write(value)
            case "ASSERT":
                direction, tree = value
                return self.write(tree) if self._has_assertions and direction > 0 else ""
        return ""

    def _repeat(self, tree: Any, times: int) -> str:
        texts: list[str] = []
        for _ in range(times):
            self.work += 1
            if self.work > _MAX_WORK:
                break
            texts.append(self.write(tree))
        return "".join(texts)


def _pick_character(members: Any, choice: int) -> str:
    """Return a character of a class."""
    kinds = [(str(kind), value) for kind, value in members]
    if kinds and kinds[0][0] == "NEGATE":
        return next((one for one in _CHARACTERS if not any(_is_member(one, *part) for part in kinds[1:])), "\u00e9")
    kind, value = kinds[choice % len(kinds)]
    if kind == "RANGE":
        low, high = value
        return chr(min(low + choice // len(kinds), high))
    return chr(value) if kind == "LITERAL" else _CATEGORIES[str(value)]


def _is_member(character: str, kind: str, value: Any) -> bool:
    if kind == "LITERAL":
        return bool(ord(character) == value)
    if kind == "RANGE":
        return bool(value[0] <= ord(character) <= value[1])
    pattern = {
        "CATEGORY_DIGIT": r"\d",
        "CATEGORY_NOT_DIGIT": r"\D",
        "CATEGORY_SPACE": r"\s",
        "CATEGORY_NOT_SPACE": r"\S",
        "CATEGORY_WORD": r"\w",
        "CATEGORY_NOT_WORD": r"\W",
    }[str(value)]
    return re.fullmatch(pattern, character) is not None
