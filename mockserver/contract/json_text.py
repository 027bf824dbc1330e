"""Parse JSON text: strictly by I-JSON (RFC 7493) for requests, by RFC 8259 alone for responses."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jiter
import orjson

from mockserver.findings import Code, describe, json_pointer

MAX_DEPTH = 200  # About as deep as jiter goes.
_MAX_DIGITS = 77  # `describe` shows no longer ones.
_LONG = 256 * 1024
_BEFORE_VALUES = (b",", b"[", b"{")
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,\[{]', re.DOTALL)


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
        if len(text) > _LONG and _has_few_values(text):
            value = _read(text)
            if not _has_usual_numbers(value):
                raise ValueError("a number is out of range")
        else:  # This is faster than to look at each number.
            orjson.loads(text)  # Rejects what overflows a double, which jiter reads as infinity.
            value = _read(text)
            orjson.dumps(value)  # Rejects an integer of more than 64 bits, which orjson reads as a rounded double.
    except (ValueError, TypeError) as error:
        raise _diagnose(text, str(error)) from error
    return value


def _read(text: bytes) -> Any:
    return jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")


def _has_usual_numbers(value: Any) -> bool:
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as members:
                pending += members.values()
            case list() as elements:
                pending += elements
            case int() | float() as number if not _fits(number):
                return False
    return True


def has_more_values(text: bytes, limit: int) -> bool:
    """Whether a JSON text has more values than `limit`. This takes much less time than parsing it."""
    if len(text) <= limit or _has_few_values(text, limit):
        return False
    count = 0
    for number, match in enumerate(_TOKENS.finditer(text)):
        count += match[0] in _BEFORE_VALUES
        if count >= limit or number > 4 * limit:  # So many strings without a comma between them are not JSON.
            return True
    return False


def _has_few_values(text: bytes, limit: int = 10_000) -> bool:
    """Whether a look at each byte of some kinds shows that a JSON text has no more values than `limit`."""
    return sum(_count(text, mark, limit) for mark in _BEFORE_VALUES) < limit


def _count(text: bytes, mark: bytes, limit: int) -> int:
    """Count a byte, up to a limit: in a long text with few of them, this is faster than `bytes.count`."""
    count, at = 0, text.find(mark)
    while at >= 0 and count < limit:
        count, at = count + 1, text.find(mark, at + 1)
    return count


class _Duplicates(NamedTuple):
    """Stands for an object with a duplicate name."""

    name: str


class _NotANumber(NamedTuple):
    name: str


class _HugeInteger(NamedTuple):
    """Stands for an integer whose digits take long to convert."""


def _diagnose(text: bytes, reason: str) -> JsonError:
    """Return the error of a text that was rejected: a lenient parser reads it again to find the place."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        return JsonError("", "invalid_encoding", f"is not UTF-8 (byte {error.start})")
    if decoded.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
        return JsonError("", "invalid_json", "is not valid JSON: starts with a byte order mark")
    try:
        value = json.loads(
            decoded, object_pairs_hook=_build_object, parse_constant=_NotANumber, parse_int=_read_integer
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return JsonError("", "invalid_json", f"is not valid JSON: {error.msg} ({place})")
    except RecursionError:
        return JsonError("", "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels")
    for path, code, message in _find_mistakes(value, []):
        return JsonError(json_pointer(path), code, message)
    return JsonError("", "invalid_json", f"is not valid JSON: {reason}")


def _build_object(pairs: list[tuple[str, Any]]) -> Any:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            return _Duplicates(name)
        seen[name] = value
    return seen


def _read_integer(digits: str) -> int | _HugeInteger:
    return int(digits) if len(digits) <= _MAX_DIGITS else _HugeInteger()


def _find_mistakes(value: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], Code, str]]:
    """Yield mistakes in the order of the text; `path` changes while this runs."""
    match value:
        case None | bool():
            pass
        case str():
            if not _has_no_surrogate(value):
                yield path, "lone_surrogate", "contains a lone surrogate"
        case int() | float():
            if not _fits(value):
                yield path, "number_too_large", f"is out of range: {describe(value)}"
        case _HugeInteger():
            yield path, "number_too_large", "is out of range: a huge integer"
        case _Duplicates(name):
            yield [*path, name], "duplicate_name", "is a duplicate field"
        case _NotANumber(name):
            yield path, "invalid_json", f"must be a JSON value, not {name}"
        case _ if len(path) >= MAX_DEPTH:
            yield [], "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels"
        case _:
            if isinstance(value, dict) and not all(map(_has_no_surrogate, value)):
                yield path, "lone_surrogate", "contains a name with a lone surrogate"
            for token, child in value.items() if isinstance(value, dict) else enumerate(value):
                path.append(token)
                yield from _find_mistakes(child, path)
                path.pop()


def _has_no_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(value: float) -> bool:
    return -(2**63) <= value < 2**64 if isinstance(value, int) else abs(value) != float("inf")
