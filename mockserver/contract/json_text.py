"""Parse JSON text: strictly by I-JSON (RFC 7493) for requests, by RFC 8259 alone for responses."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import jiter
import orjson

from mockserver.findings import Code, describe, json_pointer

MAX_DEPTH = 200  # About as deep as jiter goes.


class JsonError(Exception):
    """Text that is not acceptable JSON; `pointer` is the place, empty if unknown."""

    def __init__(self, pointer: str, code: Code, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.code: Code = code
        self.message = message


def parse_response(text: bytes) -> Any:
    """Return the value of a JSON text from a server, read by RFC 8259 alone, which is fast.

    Raises:
        JsonError: the text is not JSON, not UTF-8, or has a number that no double can hold.
    """
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise _diagnose(text, str(error)) from error


def parse(text: bytes) -> Any:
    """Return the value of a JSON text, read strictly.

    Raises:
        JsonError: the text is not JSON, not UTF-8 or nested deeper than 200 levels, or has a duplicate name, a lone
            surrogate, or a number that fits neither a 64-bit integer nor a double.
    """
    try:
        orjson.loads(text)  # Rejects what overflows a double, which jiter reads as infinity.
        value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
        orjson.dumps(value)  # Rejects an integer of more than 64 bits, which orjson reads as a rounded double.
    except (ValueError, TypeError) as error:
        raise _diagnose(text, str(error)) from error
    return value


class _Duplicates(NamedTuple):
    """Stands for an object with a duplicate name."""

    name: str


class _NotANumber(NamedTuple):
    name: str


def _diagnose(text: bytes, reason: str) -> JsonError:
    """Return the error of a text that was rejected: a lenient parser reads it again to find the place."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        return JsonError("", "invalid_encoding", f"is not UTF-8 (byte {error.start})")
    if decoded.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
        return JsonError("", "invalid_json", "is not valid JSON: starts with a byte order mark")
    try:
        value = json.loads(decoded, object_pairs_hook=_build_object, parse_constant=_NotANumber)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return JsonError("", "invalid_json", f"is not valid JSON: {error.msg} ({place})")
    except RecursionError:
        return JsonError("", "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels")
    except ValueError:  # More digits than Python turns into an integer.
        return JsonError("", "number_too_large", "contains a number that is out of range")
    for path, code, message in _find_mistakes(value):
        return JsonError(json_pointer(path), code, message)
    return JsonError("", "invalid_json", f"is not valid JSON: {reason}")


def _build_object(pairs: list[tuple[str, Any]]) -> Any:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            return _Duplicates(name)
        seen[name] = value
    return seen


def _find_mistakes(root: Any) -> Iterator[tuple[list[str | int], Code, str]]:
    """Yield mistakes in the order of the text, without recursion: the text may be nested deeply."""
    stack: list[tuple[list[str | int], Any]] = [([], root)]
    while stack:
        path, value = stack.pop()
        match value:
            case _Duplicates(name):
                yield [*path, name], "duplicate_name", "is a duplicate field"
            case _NotANumber(name):
                yield path, "invalid_json", f"must be a JSON value, not {name}"
            case str() if not _has_no_surrogate(value):
                yield path, "lone_surrogate", "contains a lone surrogate"
            case int() | float() if not isinstance(value, bool) and not _fits(value):
                yield path, "number_too_large", f"is out of range: {describe(value)}"
            case dict() | list() if len(path) >= MAX_DEPTH:
                yield [], "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels"
            case dict():
                for name in value:
                    if not _has_no_surrogate(name):
                        yield path, "lone_surrogate", "contains a name with a lone surrogate"
                stack.extend(([*path, name], child) for name, child in reversed(value.items()))
            case list():
                stack.extend(([*path, index], child) for index, child in reversed(list(enumerate(value))))


def _has_no_surrogate(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _fits(value: float) -> bool:
    return -(2**63) <= value < 2**64 if isinstance(value, int) else abs(value) != float("inf")
