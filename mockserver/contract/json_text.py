"""Read JSON text as RFC 8259 and I-JSON (RFC 7493) want it: UTF-8, no name twice, no number that would be lost."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import jiter
import orjson

from mockserver.findings import Code, describe, json_pointer

MAX_DEPTH = 200  # About as deep as jiter goes.


class JsonError(Exception):
    """The text is not acceptable JSON; `pointer` is the place, as far as there is one."""

    def __init__(self, pointer: str, code: Code, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.code: Code = code
        self.message = message


def parse_response(text: bytes) -> Any:
    """The value of a JSON text from a server: by RFC 8259 alone, which is fast.

    Raises:
        JsonError: not JSON, not UTF-8, or a number that no double can hold.
    """
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise _explained(text, str(error)) from error


def parse(text: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        JsonError: not JSON, not UTF-8, an object has a name twice, a lone surrogate, a number that fits neither a
            64-bit integer nor a double, or more than 200 levels.
    """
    try:
        orjson.loads(text)  # Refuses what overflows a double, which jiter reads as infinity.
        value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
        orjson.dumps(value)  # Refuses an integer of more than 64 bits, which orjson reads as a rounded double.
    except (ValueError, TypeError) as error:
        raise _explained(text, str(error)) from error
    return value


class _Duplicates(NamedTuple):
    """Stands for an object that has a name twice."""

    name: str


class _NotANumber(NamedTuple):
    name: str


def _explained(text: bytes, reason: str) -> JsonError:
    """The same text read again by a reader that lets nearly everything pass, to find the place."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        return JsonError("", "invalid_encoding", f"is not UTF-8 (byte {error.start})")
    if decoded.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
        return JsonError("", "invalid_json", "is not JSON: it begins with a byte order mark")
    try:
        value = json.loads(decoded, object_pairs_hook=_pairs, parse_constant=_NotANumber)
    except json.JSONDecodeError as error:
        return JsonError("", "invalid_json", f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})")
    except RecursionError:
        return JsonError("", "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels")
    except ValueError:  # More digits than Python turns into an integer.
        return JsonError("", "number_too_large", "has a number that is too large")
    for path, code, message in _faults(value):
        return JsonError(json_pointer(path), code, message)
    return JsonError("", "invalid_json", f"is not JSON: {reason}")


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            return _Duplicates(name)
        seen[name] = value
    return seen


def _faults(root: Any) -> Iterator[tuple[list[str | int], Code, str]]:
    """In the order of the text, without recursion: the text may be nested deeply."""
    stack: list[tuple[list[str | int], Any]] = [([], root)]
    while stack:
        path, value = stack.pop()
        match value:
            case _Duplicates(name):
                yield [*path, name], "duplicate_name", "is there twice"
            case _NotANumber(name):
                yield path, "invalid_json", f"must be a JSON value, not {name}"
            case str() if not _is_text(value):
                yield path, "lone_surrogate", "has half a surrogate pair"
            case int() | float() if not isinstance(value, bool) and not _fits(value):
                yield path, "number_too_large", f"is a number that is too large: {describe(value)}"
            case dict() | list() if len(path) >= MAX_DEPTH:
                yield [], "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels"
            case dict():
                for name in value:
                    if not _is_text(name):
                        yield path, "lone_surrogate", "has a name with half a surrogate pair"
                stack.extend(([*path, name], child) for name, child in reversed(value.items()))
            case list():
                stack.extend(([*path, index], child) for index, child in reversed(list(enumerate(value))))


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _fits(value: float) -> bool:
    return -(2**63) <= value < 2**64 if isinstance(value, int) else abs(value) != float("inf")
