"""The exchanges of a test, with assertions about them."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from mockserver.errors import UsageError
from mockserver.gateway.auth import key_fingerprint
from mockserver.testing.control_client import ControlClient
from mockserver.testing.exchanges import Exchange, count, format_json, list_exchanges
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

_MAX_NEAR_MISSES = 3
_MAX_DIFFERENCES = 10


class Requests(Sequence[Exchange]):
    """The exchanges of this test so far, oldest first."""

    def __init__(self, control: ControlClient, exchanges: Sequence[Exchange] | None = None) -> None:
        self._control = control
        self._exchanges = exchanges

    @property
    def dropped(self) -> int:
        """The number of exchanges that the journal had no room for; they were the oldest."""
        dropped: int = self._control("GET", "/requests", limit=1)["dropped"]
        return dropped

    def __len__(self) -> int:
        return len(self._load())

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | Sequence[Exchange]:
        return self._load()[index]

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._load())

    def __repr__(self) -> str:
        return f"<Requests: {', '.join(map(str, self._load())) or 'none'}>"

    def filter(
        self,
        operation: str | None = None,
        *,
        status: int | None = None,
        key: str | None = None,
        end_user: str | None = None,
    ) -> "Requests":
        """Return the exchanges so far that match; `key` is an API key or its fingerprint."""
        if operation is not None:
            self._check_operation(operation)
        return Requests(
            self._control,
            [
                exchange
                for exchange in self._load()
                if operation in (None, exchange.operation)
                and status in (None, exchange.status)
                and (key is None or exchange.key in (key, key_fingerprint(key)))
                and end_user in (None, exchange.end_user)
            ],
        )

    @property
    def last(self) -> Exchange:
        """The newest exchange; AssertionError if there is none."""
        exchanges = self._load()
        if not exchanges:
            raise AssertionError(f"expected a request, there was none{self._list_unfiltered()}")
        return exchanges[-1]

    def one(self) -> Exchange:
        """Return the only exchange; AssertionError if there are several, or none."""
        exchanges = self._load()
        if len(exchanges) != 1:
            listing = f":{list_exchanges(exchanges)}" if exchanges else self._list_unfiltered()
            raise AssertionError(f"expected 1 request, there {_count_found(len(exchanges))}{listing}")
        return exchanges[0]

    def clear(self) -> None:
        """Delete the exchanges of this test; none of them can fail it any more."""
        self._control("DELETE", "/requests")

    def assert_called(self, operation: str, *, times: int | None = None, body: Any = None) -> None:
        """Assert that the operation was called: at least once, or exactly `times` times.

        With `body`, a call counts only if its body has at least these fields with these values, at any depth; lists
        must have the same length. The failure shows how the nearest calls differ.
        """
        self._check_operation(operation)
        exchanges, dropped = self._load(), self.dropped
        calls = [exchange for exchange in exchanges if exchange.operation == operation]
        compared = [(call, find_differences(body, call.request) if body is not None else []) for call in calls]
        matching = sum(not differences for _, differences in compared)
        if (matching == times and not dropped) or (times is None and matching):
            return
        expected = "at least 1 call" if times is None else count(times, "call")
        with_body = "" if body is None else " with this body"
        lines = [f"expected {expected} of {operation}{with_body}, there {_count_found(matching)}"]
        if dropped:
            requests = count(dropped, "older request")
            lines.append(f"  not counted: {requests} of this test, for which the journal had no room")
        if body is not None:
            lines.append(f"  {format_json(body, 1000)}")
            near_misses = sorted((pair for pair in compared if pair[1]), key=lambda pair: len(pair[1]))
            for call, differences in near_misses[:_MAX_NEAR_MISSES]:
                lines += [f"  near: {call}", *(f"    {line}" for line in differences[:_MAX_DIFFERENCES])]
                if len(differences) > _MAX_DIFFERENCES:
                    lines.append(f"    ... and {len(differences) - _MAX_DIFFERENCES} more")
        raise AssertionError("\n".join([*lines, f"requests of this test:{list_exchanges(exchanges)}"]))

    def _load(self) -> Sequence[Exchange]:
        if self._exchanges is not None:
            return self._exchanges
        return [Exchange.from_dict(data) for data in self._control("GET", "/requests", limit=10_000)["data"]]

    def _list_unfiltered(self) -> str:
        if self._exchanges is None:
            return ""
        return f"; requests of this test:{list_exchanges(Requests(self._control))}"

    def _check_operation(self, operation: str) -> None:
        coverage = self._control("GET", "/coverage")
        known = [*coverage["operations"], *coverage["unused"]["operations"]]
        if operation not in known:
            near = difflib.get_close_matches(operation, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"the operations are {', '.join(sorted(known))}"
            raise UsageError(f"there is no operation {operation!r}; {hint}")


def _count_found(number: int) -> str:
    """Return the number with its verb, such as `was none` or `were 2`."""
    return "was none" if number == 0 else "was 1" if number == 1 else f"were {number}"


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


def _is_bool_for_number(expected: Any, actual: Any) -> bool:
    """Return whether the two are equal in Python only, as True and 1 are."""
    are_numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return are_numbers and isinstance(expected, bool) != isinstance(actual, bool)
