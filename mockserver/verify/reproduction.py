"""The latest exchanges, and how to repeat some of them by hand."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from mockserver.curl import curl_command
from mockserver.verify.transport import WireExchange

_MOST = 5000
_MOST_STEPS = 12
_SHORTEST_ID = 6
_TEST_CASE = "X-Schemathesis-TestCaseId"


class ExchangeLog:
    """Remembers the latest exchanges of a run."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._exchanges: deque[WireExchange] = deque(maxlen=_MOST)

    def observe(self, exchange: WireExchange) -> None:
        self._exchanges.append(exchange)

    def since(self, phase: str, number: int) -> list[WireExchange]:
        """The exchanges of a phase after the one of that number."""
        return [one for one in list(self._exchanges) if one.phase == phase and one.number > number]

    def of_test_case(self, case_id: str) -> WireExchange | None:
        """The latest exchange that Schemathesis has given this id."""
        mark = (_TEST_CASE, case_id)
        return next((one for one in reversed(list(self._exchanges)) if mark in one.request.headers), None)

    def steps_leading_to(self, exchange: WireExchange) -> list[WireExchange]:
        """What made the state that `exchange` met, as far as it is remembered, and then itself.

        That is every successful write to the same conversation; for a list of conversations, of the same end user.
        """
        subject, end_user = _conversation(exchange), exchange.request.header("x-on-behalf-of")
        steps = []
        for one in list(self._exchanges):  # Another thread may add to it meanwhile.
            if one is exchange:
                break
            if one.request.method == "GET" or one.response is None or one.response.status >= 300:
                continue
            if subject is not None:
                led = _conversation(one) == subject
            else:
                led = exchange.request.method == "GET" and one.request.header("x-on-behalf-of") == end_user
            if led:
                steps.append(one)
        return [*steps[-_MOST_STEPS:], exchange]

    def script(self, exchanges: Sequence[WireExchange]) -> list[str]:
        """Shell commands that repeat the exchanges, one a line.

        An id that the target made up is read with `jq` from the answer that first had it, so that the commands work
        again though everything is deleted.
        """
        known: dict[str, str] = {}
        lines = []
        for place, exchange in enumerate(exchanges):
            later = "".join(_text(one) for one in exchanges[place + 1 :])
            new = {
                value: path
                for path, value in _ids(exchange)
                if value not in known and value in later and value not in _text(exchange)
            }
            if not new:
                lines.append(self._curl(exchange, known, "-i"))
                continue
            answer = f"answer{len(lines) + 1}"
            lines.append(f"{answer}=$({self._curl(exchange, known, '-s')})")
            for value, path in new.items():
                known[value] = f"id{len(known) + 1}"
                lines.append(f"{known[value]}=$(jq -r '{path}' <<<\"${answer}\")")
        return lines

    def _curl(self, exchange: WireExchange, known: dict[str, str], option: str) -> str:
        sent = exchange.request
        headers = [(name, value) for name, value in sent.headers if name != _TEST_CASE]
        url = self._base_url + sent.target
        return curl_command(sent.method, url, headers, sent.body, options=[option], variables=known)


def _ids(exchange: WireExchange) -> Iterator[tuple[str, str]]:
    """The ids in an answer, each with the `jq` path that finds it."""
    body = exchange.response.json if exchange.response else None
    if not isinstance(body, dict):
        return
    data = body.get("data")
    entries: list[tuple[str, Any]] = [(".id", body)]
    entries += [(f".data[{place}].id", one) for place, one in enumerate(data if isinstance(data, list) else [])]
    for path, entry in entries:
        found = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(found, str) and len(found) >= _SHORTEST_ID:
            yield path, found


def _conversation(exchange: WireExchange) -> str | None:
    """The conversation that an exchange is about, the one that it made included."""
    if exchange.match is None:
        return None
    named = exchange.match.parameters.get("conversation_id")
    if named is None and exchange.request.method == "POST" and exchange.response is not None:
        named = exchange.response.id
    return named


def _text(exchange: WireExchange) -> str:
    return exchange.request.target + exchange.request.body.decode("utf-8", "replace")
