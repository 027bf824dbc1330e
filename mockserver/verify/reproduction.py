"""The latest exchanges of a run, what shows a deviation again, and shell commands for it."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mockserver.curl import curl_command
from mockserver.verify.report.model import PHASES
from mockserver.verify.transport import WireExchange

_MAX_EXCHANGES = 5000
_MAX_BYTES = 64 * 1024 * 1024
_MAX_WRITES = 30
_MAX_ORIGINS = 50_000
_MIN_ID_LENGTH = 6  # A shorter value may occur by chance.
_SEPARATOR = re.compile(r"[\"/?&=%\\]")
_READING_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
_TEST_CASE_HEADER = "X-Schemathesis-TestCaseId"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The exchanges that showed a deviation, the one that shows it last.

    `shows` recognises the deviation in a repeated exchange; without it, the response must be the same. With
    `needs_writes`, what the last request may return depends on the writes before it, so that none can be left out.
    """

    steps: tuple[WireExchange, ...]
    shows: Callable[[WireExchange], bool] | None = None
    needs_writes: bool = False


class ExchangeLog:
    """The latest exchanges of a run."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._exchanges: deque[WireExchange] = deque()
        self._size = 0
        self._captures: list[list[WireExchange]] = []
        self._origins: dict[str, WireExchange] = {}
        """The exchanges whose responses assigned ids."""
        self._written: dict[int, set[str]] = {}
        """The ids that each logged write created or named, by the identity of the exchange."""

    def add(self, exchange: WireExchange) -> None:
        self._exchanges.append(exchange)
        self._size += _size(exchange)
        if is_successful_write(exchange):
            self._note_write(exchange)
        while self._size > _MAX_BYTES or len(self._exchanges) > _MAX_EXCHANGES:
            oldest = self._exchanges.popleft()
            self._size -= _size(oldest)
            self._written.pop(id(oldest), None)
        for captured in self._captures:
            captured.append(exchange)

    def _note_write(self, exchange: WireExchange) -> None:
        ids = {value for _, value in response_ids(exchange)}
        if len(self._origins) < _MAX_ORIGINS:
            for value in ids:
                self._origins.setdefault(value, exchange)
        conversation = conversation_of(exchange)
        self._written[id(exchange)] = ids | ({conversation} if conversation else set())

    @contextmanager
    def capture(self) -> Iterator[list[WireExchange]]:
        """Collect the exchanges that are added within the block."""
        captured: list[WireExchange] = []
        self._captures.append(captured)
        try:
            yield captured
        finally:
            self._captures.pop()

    def find_test_case(self, case_id: str) -> WireExchange | None:
        """Return the latest exchange with this id of a Schemathesis test case."""
        header = (_TEST_CASE_HEADER, case_id)
        return next((one for one in reversed(list(self._exchanges)) if header in one.request.headers), None)

    def select_steps(self, exchange: WireExchange) -> tuple[WireExchange, ...]:
        """Return the exchanges that led to the state that `exchange` met, and `exchange` as the last.

        They are the requests that created what it names, and the latest successful writes to the same conversation;
        for a list of conversations, those of the same end user.
        """
        is_list = _lists_all(exchange)
        needed, writes, is_earlier = _names_in(exchange), list[WireExchange](), False
        for one in reversed(list(self._exchanges)):  # A copy: another thread may add to the log.
            if one is exchange:
                is_earlier = True
            elif is_earlier and id(one) in self._written:
                is_needed = not self._written[id(one)].isdisjoint(needed)
                if is_needed or (is_list and one.end_user == exchange.end_user):
                    writes.insert(0, one)
                    needed |= _names_in(one)
            if len(writes) == _MAX_WRITES:
                break
        creators = self._find_creators([*writes, exchange])
        rest = [one for one in creators if not any(one is other for other in (*writes, exchange))]
        return (*rest, *writes, exchange)

    def _find_creators(self, exchanges: Iterable[WireExchange]) -> list[WireExchange]:
        """Return the exchanges whose responses assigned the ids that these name, and those that they need."""
        found: dict[int, WireExchange] = {}
        pending = list(exchanges)
        while pending:
            for name in _names_in(pending.pop()):
                origin = self._origins.get(name)
                if origin is not None and id(origin) not in found:
                    found[id(origin)] = origin
                    pending.append(origin)
        return sorted(found.values(), key=lambda one: (_order_of(one.phase), one.number))

    def render_commands(self, exchanges: Sequence[WireExchange]) -> tuple[str, ...]:
        """Return shell commands that send the requests again.

        An id that the target assigned is read with `jq` from the response that had it first. So the commands also work
        after everything is deleted.
        """
        variables: dict[str, str] = {}
        commands: list[str] = []
        for position, exchange in enumerate(exchanges):
            later = "".join(request_text(one) for one in exchanges[position + 1 :])
            used_later = {
                value: path
                for path, value in response_ids(exchange)
                if value not in variables and value in later and value not in request_text(exchange)
            }
            if not used_later:
                commands.append(self._render_command(exchange, variables, "-i"))
                continue
            response = f"response{len(commands) + 1}"
            commands.append(f"{response}=$({self._render_command(exchange, variables, '-s')})")
            for value, path in used_later.items():
                variables[value] = f"id{len(variables) + 1}"
                commands.append(f"{variables[value]}=$(jq -r '{path}' <<<\"${response}\")")
        return tuple(commands)

    def _render_command(self, exchange: WireExchange, variables: dict[str, str], option: str) -> str:
        request = exchange.request
        headers = [(name, value) for name, value in request.headers if name != _TEST_CASE_HEADER]
        url = self._origin + request.target
        return curl_command(request.method, url, headers, request.body, options=[option], variables=variables)


def _names_in(exchange: WireExchange) -> set[str]:
    """Return everything in a request that may be an id."""
    return {name for name in _SEPARATOR.split(request_text(exchange)) if len(name) >= _MIN_ID_LENGTH}


def _order_of(phase: str) -> int:
    return PHASES.index(phase) if phase in PHASES else -1  # The preflight comes first.


def _size(exchange: WireExchange) -> int:
    return len(exchange.request.body) + (len(exchange.response.body) if exchange.response else 0)


def response_ids(exchange: WireExchange) -> Iterator[tuple[str, str]]:
    """Yield the ids in a response, each with its `jq` path."""
    body = exchange.response.json if exchange.response else None
    if not isinstance(body, dict):
        return
    data = body.get("data")
    entries: list[tuple[str, Any]] = [(".id", body)]
    entries += [(f".data[{index}].id", one) for index, one in enumerate(data if isinstance(data, list) else [])]
    for path, entry in entries:
        value = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(value, str) and len(value) >= _MIN_ID_LENGTH:
            yield path, value


def is_successful_write(exchange: WireExchange) -> bool:
    """Return whether an exchange changed something."""
    response = exchange.response
    return exchange.request.method not in _READING_METHODS and response is not None and response.is_success


def select_creators(earlier: Sequence[WireExchange], exchange: WireExchange) -> list[WireExchange]:
    """Return the exchanges that assigned the ids that a request names, and those that they need themselves."""
    needed, chosen = request_text(exchange), list[WireExchange]()
    for one in reversed(earlier):
        if is_successful_write(one) and any(
            value in needed and value not in one.request.target for _, value in response_ids(one)
        ):
            chosen.insert(0, one)
            needed += request_text(one)
    return chosen


def select_writes(earlier: Sequence[WireExchange], exchange: WireExchange) -> list[WireExchange]:
    """Return the successful writes to what a request names, and to what these name themselves.

    Those that lead to a list are all of the same end user.
    """
    needed, chosen, is_list = request_text(exchange), list[WireExchange](), _lists_all(exchange)
    for one in reversed(earlier):
        if not is_successful_write(one):
            continue
        conversation = conversation_of(one)
        is_named = conversation is not None and len(conversation) >= _MIN_ID_LENGTH and conversation in needed
        is_listed = is_list and one.end_user == exchange.end_user
        if is_named or is_listed or any(value in needed for _, value in response_ids(one)):
            chosen.insert(0, one)
            needed += request_text(one)
    return chosen


def _lists_all(exchange: WireExchange) -> bool:
    """Return whether a request names nothing, and so may return everything of its end user."""
    return exchange.match is not None and not exchange.match.parameters and exchange.request.method == "GET"


def conversation_of(exchange: WireExchange) -> str | None:
    """Return the conversation that the request names, or the one that it created."""
    if exchange.match is None:
        return None
    conversation = exchange.match.parameters.get("conversation_id")
    if conversation is None and exchange.request.method == "POST" and exchange.response is not None:
        conversation = exchange.response.created_id
    return conversation


def request_text(exchange: WireExchange) -> str:
    """Return the part of a request that can name ids."""
    return exchange.request.target + exchange.request.body.decode("utf-8", "replace")
