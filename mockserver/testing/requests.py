"""The exchanges of a test, with assertions about them."""

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Unpack, overload

from mockserver.contract.spelling import closest_match
from mockserver.errors import UsageError
from mockserver.gateway.auth import key_fingerprint
from mockserver.testing.control_client import ControlClient
from mockserver.testing.exchanges import Exchange, count, list_exchanges
from mockserver.testing.expected_call import CallFields, ExpectedCall
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

_MAX_NEAR_MISSES = 3
_MAX_DIFFERENCES = 10
_MAX_LOADED = 10_000
_PAUSE = 0.01


class NewExchanges(NamedTuple):
    """The newest exchanges, the number of all so far, and how many of them the journal has dropped."""

    exchanges: list[Exchange]
    total: int
    dropped: int


class Requests(Sequence[Exchange]):
    """The exchanges of this test so far, oldest first."""

    def __init__(self, control: ControlClient, exchanges: Sequence[Exchange] | None = None) -> None:
        self._control = control
        self._exchanges = exchanges

    def load_since(self, number: int) -> "NewExchanges":
        """Return the exchanges after the first `number`; all of them if the journal was cleared."""
        limit = 1
        while True:
            page = self._control("GET", "/requests", limit=limit)
            total, dropped = page["dropped"] + page["total"], page["dropped"]
            new = total - max(number if number <= total else 0, dropped)
            if new <= limit:
                break
            limit = new
        data = page["data"][len(page["data"]) - new :]
        return NewExchanges([Exchange.from_dict(one) for one in data], total, dropped)

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

    def assert_called(self, operation: str, *, times: int | None = None, **call: Unpack[CallFields]) -> None:
        """Assert that the operation was called: at least once, or exactly `times` times.

        With the fields of `CallFields`, only calls with these parts count. The failure shows how the nearest calls
        differ.
        """
        self._check_operation(operation)
        exchanges, dropped, expected = self._load(), self.dropped, ExpectedCall.build(call)
        calls = _Calls.compare(operation, expected, exchanges)
        if (len(calls.matching) == times and not dropped) or (times is None and calls.matching):
            return
        number = "at least 1 call" if times is None else count(times, "call")
        lines = [f"expected {number} of {operation}{expected}, there {_count_found(len(calls.matching))}"]
        if dropped:
            requests = count(dropped, "older request")
            lines.append(f"  not counted: {requests} of this test, for which the journal had no room")
        lines += calls.describe_near_misses(expected)
        raise AssertionError("\n".join([*lines, f"requests of this test:{list_exchanges(exchanges)}"]))

    def assert_order(self, operations: Sequence[str]) -> None:
        """Assert that these operations were called in this order; there may be other calls in between."""
        for operation in operations:
            self._check_operation(operation)
        exchanges = self._load()
        called = iter([exchange.operation for exchange in exchanges])
        for number, operation in enumerate(operations):
            if operation not in called:  # Consumes the calls up to the one that it finds.
                place = f" after {operations[number - 1]} (number {number} in the order)" if number else ""
                raise AssertionError(
                    f"expected calls in this order: {', '.join(operations)}; there is no {operation}{place}\n"
                    f"requests of this test:{list_exchanges(exchanges)}"
                )

    def wait_for(self, operation: str, *, times: int = 1, timeout: float = 5, **call: Unpack[CallFields]) -> Exchange:
        """Wait until a thread or another process has called the operation so many times, and return the last call.

        The fields of `CallFields` select calls, as in `assert_called`. In a coroutine, call it with
        `asyncio.to_thread`, for it blocks the event loop.

        Raises:
            AssertionError: that has not happened within `timeout` seconds.
        """
        if self._exchanges is not None:
            raise UsageError("wait_for waits for new requests: call it on mka1.requests, not on a filtered list")
        self._check_operation(operation)
        expected = ExpectedCall.build(call)
        # Counts pauses, because a test may have replaced the functions of `time`.
        for _ in range(max(1, round(timeout / _PAUSE))):
            exchanges = self._load()
            calls = _Calls.compare(operation, expected, exchanges)
            if len(calls.matching) >= times:
                return calls.matching[times - 1]
            threading.Event().wait(_PAUSE)
        number, found = count(times, "call"), _count_found(len(calls.matching))
        lines = [f"waited {timeout:g} s for {number} of {operation}{expected}, there {found}"]
        lines += calls.describe_near_misses(expected)
        raise AssertionError("\n".join([*lines, f"requests of this test:{list_exchanges(exchanges)}"]))

    def _load(self) -> Sequence[Exchange]:
        if self._exchanges is not None:
            return self._exchanges
        return [Exchange.from_dict(data) for data in self._control("GET", "/requests", limit=_MAX_LOADED)["data"]]

    def _list_unfiltered(self) -> str:
        if self._exchanges is None:
            return ""
        return f"; requests of this test:{list_exchanges(Requests(self._control))}"

    def _check_operation(self, operation: str) -> None:
        coverage = self._control("GET", "/coverage")
        known = [*coverage["operations"], *coverage["unused"]["operations"]]
        if operation not in known:
            near = closest_match(operation, known)
            hint = f"did you mean {near!r}?" if near else f"the operations are {', '.join(sorted(known))}"
            raise UsageError(f"there is no operation {operation!r}; {hint}")


class _Calls(NamedTuple):
    """The calls of an operation that match, and the others with their differences."""

    matching: list[Exchange]
    others: list[tuple[Exchange, list[str]]]

    @classmethod
    def compare(cls, operation: str, expected: ExpectedCall, exchanges: Sequence[Exchange]) -> "_Calls":
        calls = [exchange for exchange in exchanges if exchange.operation == operation]
        compared = [(call, expected.find_differences(call)) for call in calls]
        return cls([call for call, differences in compared if not differences], [pair for pair in compared if pair[1]])

    def describe_near_misses(self, expected: ExpectedCall) -> list[str]:
        lines = [f"  {line}" for line in expected.describe_values()]
        for call, differences in sorted(self.others, key=lambda pair: len(pair[1]))[:_MAX_NEAR_MISSES]:
            lines += [f"  near: {call}", *(f"    {line}" for line in differences[:_MAX_DIFFERENCES])]
            if len(differences) > _MAX_DIFFERENCES:
                lines.append(f"    ... and {len(differences) - _MAX_DIFFERENCES} more")
        return lines


def _count_found(number: int) -> str:
    """Return the number with its verb, such as `was none` or `were 2`."""
    return "was none" if number == 0 else "was 1" if number == 1 else f"were {number}"
