"""Comparison of a request body with the one that a test expects."""

import json
from collections.abc import Mapping
from typing import Any

from mockserver.testing.exchanges import count


def find_differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return a line for each place where `actual` differs; fields that `expected` does not name may be there."""
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


def _is_bool_for_number(expected: Any, actual: Any) -> bool:
    """Return whether the two are equal in Python only, as True and 1 are."""
    are_numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return are_numbers and isinstance(expected, bool) != isinstance(actual, bool)


def format_json(value: Any, limit: int = 120) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= limit else text[: limit - 3] + "..."
