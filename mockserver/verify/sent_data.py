"""The data that a run sent itself, and that responses only show again."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mockserver.contract.json_text import JsonError, parse_response
from mockserver.findings import Finding, unescape_token
from mockserver.verify.places import resolve
from mockserver.verify.request_checks import find_mistakes
from mockserver.verify.transport import WireExchange


class SentData:
    """What the run itself sent against the document. A response that only shows it again does not deviate."""

    def __init__(self) -> None:
        self._tainted: set[str] = set()
        """The ids of objects that a successful request created or changed with an invalid body."""
        self._members: set[tuple[str, str]] = set()
        """The names and values of all fields that were sent."""

    def note(self, exchange: WireExchange) -> None:
        """Note the body of a request, and the objects that it created or changed if it was invalid."""
        response = exchange.response
        if response is None or not response.is_success or not exchange.request.body:
            return
        self._members.update(_list_members(_parse(exchange.request.body)))
        if _has_invalid_body(exchange):
            body = response.content
            self._tainted.update(_ids_of(body))
            if exchange.match is not None and isinstance(body, dict) and "data" not in body:
                self._tainted.update(exchange.match.parameters.values())

    def without_echoes(self, findings: Iterable[Finding], exchange: WireExchange) -> list[Finding]:
        """Return the findings that do not only concern what the run itself sent."""
        findings = list(findings)
        response, match = exchange.response, exchange.match
        if not findings or response is None or match is None or not response.is_success:
            return findings
        body = response.content
        is_tainted = (
            _has_invalid_body(exchange)
            or (exchange.request.method == "GET" and not self._tainted.isdisjoint(match.parameters.values()))
            or response.created_id in self._tainted
        )
        return [
            finding
            for finding in findings
            if finding.location != "body"
            or not (is_tainted or self._is_tainted_entry(body, finding) or self._is_echo(body, finding))
        ]

    def _is_tainted_entry(self, body: Any, finding: Finding) -> bool:
        tokens = finding.pointer.split("/")
        if len(tokens) < 3 or tokens[1] != "data" or not tokens[2].isdecimal():
            return False
        entry = resolve(body, f"/data/{tokens[2]}")
        return isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"] in self._tainted

    def _is_echo(self, body: Any, finding: Finding) -> bool:
        if finding.code != "unknown_field":
            return False
        value = resolve(body, finding.pointer)
        name = unescape_token(finding.pointer.rpartition("/")[2])
        return value is not None and (name, _dump(value)) in self._members


def _has_invalid_body(exchange: WireExchange) -> bool:
    if not exchange.request.body:
        return False
    return any(one.location == "body" for one in find_mistakes(exchange.request, exchange.match))


def _ids_of(body: Any) -> Iterator[str]:
    data = body.get("data") if isinstance(body, dict) else None
    for one in [body, *(data if isinstance(data, list) else [])]:
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            yield one["id"]


def _list_members(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield name, _dump(child)
            yield from _list_members(child)
    elif isinstance(value, list):
        for child in value:
            yield from _list_members(child)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _parse(content: bytes) -> Any:
    try:
        return parse_response(content)
    except JsonError:
        return None
