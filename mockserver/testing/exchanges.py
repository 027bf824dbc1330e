"""What the fake was asked, and what it answered."""

import difflib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

from mockserver.errors import UsageError
from mockserver.gateway.auth import key_fingerprint
from mockserver.testing.control_client import Control, hidden

__tracebackhide__ = hidden

_LONGEST_BODY = 64 * 1024  # The journal cuts longer ones.


@dataclass(frozen=True)
class Exchange:
    """One request that reached the fake, and its answer; bodies are parsed.

    `operation` is None when the request was for none. `status` is 0 when the client got no answer, `key` the
    fingerprint of the API key. `findings` are what was wrong, `notes` what was let through all the same, such as a
    field that the document does not know; both are `{"side", "in", "pointer", "message"}`. `fault` is the planned
    fault that made the answer, or None. `started_at` is in Unix seconds by the fake's clock, `duration` in seconds.
    """

    operation: str | None
    method: str
    path: str
    query: str
    request: Any
    status: int
    response: Any
    key: str | None
    end_user: str | None
    findings: list[dict[str, str]]
    notes: list[dict[str, str]]
    fault: dict[str, Any] | None
    started_at: float
    duration: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Exchange":
        return cls(**{one.name: data[one.name] for one in fields(cls)})

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.method} {self.path}{query} -> {self.status or 'no answer'}"

    def curl(self, url: str, api_key: str | None = None) -> str:
        """A command that repeats the request to the server at `url`; without a key, it says `$MKA1_API_KEY`."""
        target = f"{url}{self.path}" + (f"?{self.query}" if self.query else "")
        words = ["curl", *(["-g"] if re.search(r"[][{}]", target) else [])]
        words += ["--path-as-is"] if "/." in self.path else []
        words += ["-I"] if self.method == "HEAD" else ["-X", self.method]
        words += [shlex.quote(target), "-H", f'"Authorization: Bearer {api_key or "$MKA1_API_KEY"}"']
        if self.end_user is not None:
            words += ["-H", shlex.quote(f"X-On-Behalf-Of: {self.end_user}")]
        if self.request is not None:
            words += ["-H", "'Content-Type: application/json'", "--data-raw", shlex.quote(self._body())]
        return " ".join(words)

    @property
    def can_be_repeated(self) -> bool:
        """Whether `curl` tells all of it: a body that was cut and headers of its own it does not know."""
        in_headers = self.status == 415 or any(finding["in"] == "header" for finding in self.findings)
        return not in_headers and len(self._body()) < _LONGEST_BODY

    def mistakes(self, side: str, *, notes: bool = False) -> list[str]:
        """What was wrong with the `request` or the `response`, a line each; `notes`: also what was let through."""
        found = [*self.findings, *(self.notes if notes else ())]
        return [f"{one['in']} {one['pointer']}: {one['message']}" for one in found if one["side"] == side]

    def refusal(self) -> str | None:
        """Why the request was refused before it was looked at: nothing has its path or method, or takes its body."""
        if self.fault is not None or (self.operation is not None and self.status not in (413, 415)):
            return None
        error = self.response.get("error") if isinstance(self.response, dict) else None
        return str(error["message"]) if isinstance(error, dict) else f"answered {self.status}"

    def _body(self) -> str:
        if isinstance(self.request, str) and any(finding["code"] == "invalid_json" for finding in self.findings):
            return self.request
        return json.dumps(self.request, ensure_ascii=False)


class Requests(Sequence[Exchange]):
    """The exchanges of this test so far, the oldest first."""

    def __init__(self, control: Control, exchanges: Sequence[Exchange] | None = None) -> None:
        self._control = control
        self._exchanges = exchanges

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | Sequence[Exchange]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._all())

    def __repr__(self) -> str:
        return f"<Requests: {', '.join(map(str, self._all())) or 'none'}>"

    def filter(
        self,
        operation: str | None = None,
        *,
        status: int | None = None,
        key: str | None = None,
        end_user: str | None = None,
    ) -> "Requests":
        """Only those of an operation, a status, an API key (or its fingerprint), an end user; as they are by now.

        Raises:
            UsageError: there is no such operation.
        """
        if operation is not None:
            self._check(operation)
        return Requests(
            self._control,
            [
                exchange
                for exchange in self._all()
                if operation in (None, exchange.operation)
                and status in (None, exchange.status)
                and (key is None or exchange.key in (key, key_fingerprint(key)))
                and end_user in (None, exchange.end_user)
            ],
        )

    @property
    def last(self) -> Exchange:
        """The newest one.

        Raises:
            AssertionError: there is none.
        """
        exchanges = self._all()
        if not exchanges:
            raise AssertionError(f"there is no request{self._but()}")
        return exchanges[-1]

    def one(self) -> Exchange:
        """The only one.

        Raises:
            AssertionError: there are more, or none.
        """
        exchanges = self._all()
        if len(exchanges) != 1:
            found = f"there are {len(exchanges)}:{listed(exchanges)}" if exchanges else f"there is none{self._but()}"
            raise AssertionError(f"expected one request, {found}")
        return exchanges[0]

    def clear(self) -> None:
        """Forget all the requests of this test; nothing in them is held against it any more."""
        self._control("DELETE", "/requests")

    def assert_called(self, operation: str, *, times: int | None = None, body: Any = None) -> None:
        """Assert that the operation was called: at least once, or exactly `times` times.

        With `body`, only calls count whose body has at least these fields with these values, at any depth; lists must
        have the same length.

        Raises:
            AssertionError: it was not; says what came nearest, and how it differs.
            UsageError: there is no such operation.
        """
        self._check(operation)
        exchanges = self._all()
        calls = [exchange for exchange in exchanges if exchange.operation == operation]
        differing = [(differences(body, call.request) if body is not None else [], call) for call in calls]
        matching = sum(not lines for lines, _ in differing)
        if matching == times or (times is None and matching):
            return
        wanted = "at least one call" if times is None else count(times, "call")
        with_body = "" if body is None else " with this body"
        lines = [f"expected {wanted} of {operation}{with_body}, there {_were(matching)}"]
        if body is not None:
            lines.append(f"  {_json(body, 1000)}")
            near = sorted((pair for pair in differing if pair[0]), key=lambda pair: len(pair[0]))
            for found, call in near[:3]:
                lines += [f"  near: {call}", *(f"    {line}" for line in found[:10])]
                lines += [f"    ... and {len(found) - 10} more"] if len(found) > 10 else []
        raise AssertionError("\n".join([*lines, f"requests of this test:{listed(exchanges)}"]))

    def _all(self) -> Sequence[Exchange]:
        if self._exchanges is not None:
            return self._exchanges
        return [Exchange.from_dict(data) for data in self._control("GET", "/requests", limit=10_000)["data"]]

    def _but(self) -> str:
        """What there is beside the filtered ones."""
        return "" if self._exchanges is None else f"; requests of this test:{listed(Requests(self._control))}"

    def _check(self, operation: str) -> None:
        counted = self._control("GET", "/coverage")
        known = [*counted["operations"], *counted["unused"]["operations"]]
        if operation not in known:
            near = difflib.get_close_matches(operation, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"
            raise UsageError(f"there is no operation {operation!r}{hint}")


def differences(expected: Any, actual: Any, at: str = "") -> list[str]:
    """How `actual` differs from what is expected of it, a line for each place; nothing when it does not."""
    place = at or "the body"
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        lines = []
        for name, value in expected.items():
            inner = f"{at}.{name}" if at else str(name)
            if name in actual:
                lines += differences(value, actual[name], inner)
            else:
                lines.append(f"{inner}: expected {_json(value)}, is missing")
        return lines
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{place}: expected {count(len(expected), 'entry', 'entries')}, received {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{at}[{index}]")]
    if expected == actual and not _only_in_python_equal(expected, actual):
        return []
    return [f"{place}: expected {_json(expected)}, received {_json(actual)}"]


def listed(exchanges: Sequence[Exchange]) -> str:
    """The newest twenty, a line each."""
    lines = [f"\n  {exchange.operation or 'no operation'}: {exchange}" for exchange in exchanges]
    older = [f"\n  ({len(lines) - 20} before)"] if len(lines) > 20 else []
    return "".join([*older, *lines[-20:]]) or " none"


def count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _only_in_python_equal(expected: Any, actual: Any) -> bool:
    """True and 1 are not the same in JSON."""
    numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return numbers and isinstance(expected, bool) != isinstance(actual, bool)


def _were(number: int) -> str:
    return "was none" if number == 0 else "was 1" if number == 1 else f"were {number}"


def _json(value: Any, limit: int = 120) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= limit else text[: limit - 3] + "..."
