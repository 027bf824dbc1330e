"""Copy Python values that JSON can represent, such as those read from YAML."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from mockserver.contract.json_text import MAX_DEPTH, JsonError
from mockserver.findings import Code, describe, json_pointer

_MAX_REPEATED = 100_000


def copy_json(value: Any) -> Any:
    """Return a copy of a value as plain JSON. A part that occurs more than once is copied each time.

    Raises:
        JsonError: JSON cannot represent a part of the value, it is nested too deeply, or its copy would be huge.
    """
    return _Copier().copy(value, [], is_repeated=False)


class _Copier:
    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated = 0

    def copy(self, value: Any, path: list[str | int], *, is_repeated: bool) -> Any:
        """Return a copy; `path` leads to the value, and is the same afterwards."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._check_text(value, path)
        if isinstance(value, int | float):
            if isinstance(value, float) and not isfinite(value):
                raise self._error(path, "invalid_json", f"must be a JSON value, not {value}")
            if isinstance(value, int) and not -(2**63) <= value < 2**64:
                raise self._error(path, "number_too_large", f"is out of range: {describe(value)}")
            return value
        if not isinstance(value, Mapping | list | tuple):
            raise self._error(path, "invalid_json", f"must be a JSON value, not of the type {type(value).__name__}")
        if len(path) >= MAX_DEPTH:
            raise self._error([], "nested_too_deeply", f"is nested deeper than {MAX_DEPTH} levels")
        is_repeated = is_repeated or id(value) in self._seen
        self._seen.add(id(value))
        self._repeated += is_repeated * (1 + len(value))
        if self._repeated > _MAX_REPEATED:
            message = f"repeats more than {_MAX_REPEATED:,} values of other parts"
            raise self._error(path, "too_many_values", message)
        if isinstance(value, Mapping):
            return dict(self._copy_fields(value, path, is_repeated=is_repeated))
        return [self._copy_part(index, part, path, is_repeated=is_repeated) for index, part in enumerate(value)]

    def _copy_fields(
        self, value: Mapping[Any, Any], path: list[str | int], *, is_repeated: bool
    ) -> Iterator[tuple[str, Any]]:
        for name, part in value.items():
            if not isinstance(name, str):
                message = f"has a name that is no string: {_name(name)}; put it in quotes"
                raise self._error(path, "invalid_json", message)
            self._check_text(name, path)
            yield name, self._copy_part(name, part, path, is_repeated=is_repeated)

    def _copy_part(self, token: str | int, part: Any, path: list[str | int], *, is_repeated: bool) -> Any:
        path.append(token)
        copied = self.copy(part, path, is_repeated=is_repeated)
        path.pop()
        return copied

    def _check_text(self, text: str, path: list[str | int]) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self._error(path, "lone_surrogate", "contains a lone surrogate") from None
        return text

    def _error(self, path: list[str | int], code: Code, message: str) -> JsonError:
        return JsonError(json_pointer(path), code, message)


def _name(name: Any) -> str:
    return describe(name) if name is None or isinstance(name, bool | int | float) else type(name).__name__
