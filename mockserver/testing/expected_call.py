"""What a test expects of a call, and how a call differs from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from mockserver.errors import UsageError
from mockserver.gateway.auth import key_fingerprint
from mockserver.gateway.journal_headers import is_secret
from mockserver.testing.exchanges import Exchange, count, format_json
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error


class CallFields(TypedDict, total=False):
    """The parts of a call that a test may expect.

    `body` has fields that the body must have, at any depth; lists must have the same length. `headers` and `query`
    have headers and parameters that the request must have; numbers stand for their text. `key` is an API key.
    """

    body: Any
    headers: Mapping[str, Any]
    query: Mapping[str, Any]
    end_user: str
    key: str


@dataclass(frozen=True)
class ExpectedCall:
    """The expected parts of a call."""

    fields: CallFields

    @classmethod
    def build(cls, fields: CallFields) -> "ExpectedCall":
        """Leave out parts that are None; UsageError if a part cannot be compared."""
        given = {name: value for name, value in fields.items() if value is not None}
        for name in fields.get("headers") or ():
            if is_secret(name):
                raise UsageError(f"the journal does not show the value of {name}; use key= for the API key")
        return cls(cast(CallFields, given))

    def find_differences(self, exchange: Exchange) -> list[str]:
        """Return a line for each place where a call differs."""
        expected = self.fields
        lines = find_differences(expected["body"], exchange.request) if "body" in expected else []
        for name, value in expected.get("headers", {}).items():
            lines += _compare(f"header {name}", _as_text(value), exchange.headers.get(name))
        for name, value in expected.get("query", {}).items():
            lines += _compare(f"query {name}", _as_text(value), exchange.query_params.get(name))
        if "end_user" in expected:
            lines += _compare("end user", expected["end_user"], exchange.end_user)
        if "key" in expected and exchange.key not in (expected["key"], key_fingerprint(expected["key"])):
            lines.append(f"key: the call has another one, with the fingerprint {exchange.key}")
        return lines

    def __str__(self) -> str:
        """Return the names of the expected parts, such as ` with this body and these headers`."""
        phrases = {"body": "this body", "headers": "these headers", "query": "this query"}
        phrases |= {"end_user": "this end user", "key": "this key"}
        parts = [phrases[name] for name in self.fields]
        return f" with {' and '.join(parts)}" if parts else ""

    def describe_values(self) -> list[str]:
        """Return a line for each expected part, except the secret one."""
        return [format_json(value, 1000) for name, value in self.fields.items() if name != "key"]


def find_differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return a line for each place where `actual` differs; it may have fields that `expected` does not name."""
    place = path or "the body"
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        lines = []
        for name, value in expected.items():
            inner = f"{path}.{name}" if path else str(name)
            if name in actual:
                lines += find_differences(value, actual[name], inner)
            else:
                lines.append(f"{inner}: expected {format_json(value)}, is missing")
        return lines
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{place}: expected {count(len(expected), 'entry', 'entries')}, received {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in find_differences(one, other, f"{path}[{index}]")]
    if expected == actual and not _is_bool_for_number(expected, actual):
        return []
    return [f"{place}: expected {format_json(expected)}, received {format_json(actual)}"]


def _compare(place: str, expected: Any, actual: Any) -> list[str]:
    if actual is None:
        return [f"{place}: expected {format_json(expected)}, is missing"]
    return find_differences(expected, actual, place)


def _as_text(value: Any) -> Any:
    """Return a number or a boolean as it is written in a query."""
    if isinstance(value, list | tuple):
        texts = [_as_text(one) for one in value]
        return texts[0] if len(texts) == 1 else texts
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _is_bool_for_number(expected: Any, actual: Any) -> bool:
    """Return whether the two are equal in Python only, as True and 1 are."""
    are_numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return are_numbers and isinstance(expected, bool) != isinstance(actual, bool)
