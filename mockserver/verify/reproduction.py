"""Reproduction: the latest exchanges of a run, and shell commands that send some of them again."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mockserver.curl import curl_command
from mockserver.verify.transport import WireExchange

_MAX_EXCHANGES = 5000
_MAX_BYTES = 64 * 1024 * 1024
_MAX_STEPS = 12
_MIN_ID_LENGTH = 6  # A shorter value may occur by chance.
_TEST_CASE_HEADER = "X-Schemathesis-TestCaseId"


class ExchangeLog:
    """The latest exchanges of a run."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._exchanges: deque[WireExchange] = deque()
        self._size = 0
        self._captures: list[list[WireExchange]] = []

    def add(self, exchange: WireExchange) -> None:
        self._exchanges.append(exchange)
        self._size += _size(exchange)
        while self._size > _MAX_BYTES or len(self._exchanges) > _MAX_EXCHANGES:
            self._size -= _size(self._exchanges.popleft())
        for captured in self._captures:
            captured.append(exchange)

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

    def reproduce(self, exchange: WireExchange) -> tuple[str, ...]:
        """Return the commands that reproduce an exchange: the writes that led to it, then the request itself."""
        return self.render_commands(self.select_steps(exchange))

    def select_steps(self, exchange: WireExchange) -> list[WireExchange]:
        """Return the logged exchanges that led to the state that `exchange` met, and `exchange` as the last.

        They are the successful writes to the same conversation; for a list of conversations, those of the same end
        user.
        """
        conversation = _conversation_of(exchange)
        steps = []
        for earlier in list(self._exchanges):  # A copy: another thread may add to the log.
            if earlier is exchange:
                break
            if earlier.request.method == "GET" or earlier.response is None or not earlier.response.is_success:
                continue
            if conversation is not None:
                is_step = _conversation_of(earlier) == conversation
            else:
                is_step = exchange.request.method == "GET" and earlier.end_user == exchange.end_user
            if is_step:
                steps.append(earlier)
        return [*steps[-_MAX_STEPS:], exchange]

    def render_commands(self, exchanges: Sequence[WireExchange]) -> tuple[str, ...]:
        """Return shell commands that send the requests again.

        An id that the target assigned is read with `jq` from the response that had it first. So the commands also work
        after everything is deleted.
        """
        variables: dict[str, str] = {}
        commands: list[str] = []
        for position, exchange in enumerate(exchanges):
            later = "".join(_request_text(one) for one in exchanges[position + 1 :])
            used_later = {
                value: path
                for path, value in _response_ids(exchange)
                if value not in variables and value in later and value not in _request_text(exchange)
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


def _size(exchange: WireExchange) -> int:
    return len(exchange.request.body) + (len(exchange.response.body) if exchange.response else 0)


def _response_ids(exchange: WireExchange) -> Iterator[tuple[str, str]]:
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


def _conversation_of(exchange: WireExchange) -> str | None:
    """Return the conversation that the request names, or the one that it created."""
    if exchange.match is None:
        return None
    conversation = exchange.match.parameters.get("conversation_id")
    if conversation is None and exchange.request.method == "POST" and exchange.response is not None:
        conversation = exchange.response.created_id
    return conversation


def _request_text(exchange: WireExchange) -> str:
    return exchange.request.target + exchange.request.body.decode("utf-8", "replace")
