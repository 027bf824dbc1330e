"""Replay: the run tries the commands of each deviation before it prints them, and shortens them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from mockserver.conformance.client import ApiClient, Withheld
from mockserver.conformance.names import unique_name
from mockserver.contract.json_text import JsonError, parse_response
from mockserver.verify.cleanup import CREATES
from mockserver.verify.report.model import Deviation
from mockserver.verify.reproduction import (
    Evidence,
    ExchangeLog,
    is_successful_write,
    response_ids,
    select_creators,
    select_writes,
)
from mockserver.verify.transport import REPRODUCTION, Stopped, Transport, WireExchange, WireRequest

_MAX_REQUESTS = 60
"""Requests that a run sends at most to show one deviation again; the first try may take more."""
_MAX_STEPS = 120
_MIN_ID_LENGTH = 6
_MAX_ID_LENGTH = 40
_END_USER = "x-on-behalf-of"
_ADDED_HEADERS = ("host", "content-length", "connection", "accept-encoding", "transfer-encoding", "user-agent")
_VOLATILE = ("created_at", "deleted_at", "updated_at", "completed_at", "identity")
"""Fields whose values differ between two runs of the same requests."""

Steps = tuple[WireExchange, ...]


class Replay:
    """Tries to show deviations again, with requests for end users and with ids that are new each time."""

    def __init__(self, client: ApiClient, transport: Transport, log: ExchangeLog) -> None:
        self._client = client
        self._transport = transport
        self._log = log
        self._left = 0

    def reproduce(self, deviation: Deviation, evidence: Evidence | None) -> Deviation:
        """Return a deviation with the shortest commands that show it again, and whether they did."""
        if evidence is None:
            return deviation
        self._left = _MAX_REQUESTS
        steps: Steps | None = None
        try:
            is_tried = not any(map(_may_leave_something, evidence.steps))
            steps = self._find_steps(evidence) if is_tried else None
        except Stopped:
            is_tried = False
        chosen = steps or _candidates(evidence)[0]
        return replace(
            deviation,
            reproduction=self._log.render_commands(_rename(chosen, _fresh_names(chosen))),
            is_reproduced=steps is not None if is_tried else None,
        )

    def _find_steps(self, evidence: Evidence) -> Steps | None:
        for steps in _candidates(evidence):
            if len(steps) <= _MAX_STEPS and self._shows(evidence, steps):
                return self._shorten(evidence, steps)
        return None

    def _shorten(self, evidence: Evidence, steps: Steps) -> Steps:
        """Leave out one step after the other, as long as the others still show the deviation."""
        *earlier, last = steps
        kept = select_writes(earlier, last) if evidence.needs_writes else select_creators(earlier, last)
        for step in earlier:
            if any(step is one for one in kept):
                continue
            shorter = tuple(one for one in steps if one is not step)
            if self._left >= len(shorter) and self._shows(evidence, shorter):
                steps = shorter
        return steps

    def _shows(self, evidence: Evidence, steps: Steps) -> bool:
        names = _fresh_names(steps)
        repeated = self._send_all(_rename(steps, names))
        self._delete_created(repeated)
        if len(repeated) < len(steps):
            return False
        if evidence.shows is not None:
            return evidence.shows(repeated[-1])
        return _normalise(steps, {}) == _normalise(repeated, {new: old for old, new in names.items()})

    def _send_all(self, steps: Steps) -> Steps:
        """Send requests again with the ids that the target assigns now, up to the first that gets no response."""
        ids: dict[str, str] = {}
        sent: list[WireExchange] = []
        for step in steps:
            self._left -= 1
            exchange = self._send(_replace_texts(step.request, ids))
            if exchange is None:
                break
            now = dict(response_ids(exchange))
            ids |= {value: now[path] for path, value in response_ids(step) if path in now and value not in ids}
            sent.append(exchange)
        return tuple(sent)

    def _delete_created(self, exchanges: Steps) -> None:
        """Delete what was created, so that the next try meets the same state."""
        for one in exchanges:
            is_create = one.match is not None and one.match.operation.id in CREATES and is_successful_write(one)
            if is_create and one.response is not None and one.response.created_id:
                target = f"{one.request.path}/{quote(one.response.created_id, safe='')}"
                headers = [pair for pair in one.request.headers if pair[0].lower() != "content-type"]
                self._send(WireRequest("DELETE", target, tuple(headers), b""))

    def _send(self, request: WireRequest) -> WireExchange | None:
        headers = [
            (name.encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in request.headers
            if name.lower() not in _ADDED_HEADERS
        ]
        with self._log.capture() as exchanges:
            try:
                self._client.http.request(
                    request.method,
                    self._client.base_url,
                    content=request.body,
                    headers=headers,
                    extensions={"target": request.target.encode("ascii", "replace")},
                )
            except (httpx.HTTPError, Withheld):
                return None
        return exchanges[-1] if exchanges and exchanges[-1].response is not None else None


@contextmanager
def replaying(transport: Transport) -> Iterator[None]:
    """Attribute the requests of the block to the reproduction."""
    phase, transport.phase = transport.phase, REPRODUCTION
    try:
        yield
    finally:
        transport.phase = phase


def _may_leave_something(step: WireExchange) -> bool:
    """Return whether a request may create what nobody could delete: its response does not name it."""
    is_create = step.match is not None and step.match.operation.id in CREATES
    response = step.response
    return is_create and (response is None or (response.is_success and response.created_id is None))


def _candidates(evidence: Evidence) -> list[Steps]:
    """Return the steps that may show a deviation, the fewest first."""
    *earlier, last = evidence.steps
    creators = (*select_creators(earlier, last), last)
    writes = (*select_writes(earlier, last), last)
    all_writes = (*(one for one in earlier if is_successful_write(one)), last)
    candidates = [writes, all_writes, evidence.steps] if evidence.needs_writes else [creators, writes, evidence.steps]
    found: list[Steps] = []
    for steps in candidates:
        if not any(len(steps) == len(one) for one in found):
            found.append(steps)
    return found


# -- Names and ids ---------------------------------------------------------------------------------------------


def _fresh_names(steps: Sequence[WireExchange]) -> dict[str, str]:
    """Return new names for the end users of requests, and new ids for those that the requests chose."""
    users = sorted({step.end_user for step in steps if step.end_user}, key=len)
    names: dict[str, str] = {}
    for user in users:
        base = next((one for one in names if one in user), None)
        names[user] = user.replace(base, names[base]) if base else unique_name("verify")
    assigned = {
        value
        for step in steps
        for _, value in response_ids(step)
        if value not in step.request.body.decode("utf-8", "replace")
    }
    for step in steps:
        for value in _chosen_ids(step.request.body):
            if value not in assigned and _MIN_ID_LENGTH <= len(value) <= _MAX_ID_LENGTH:
                names.setdefault(value, unique_name(value[:8]))
    return names


def _chosen_ids(content: bytes) -> Iterator[str]:
    try:
        pending = [parse_response(content)] if content else []
    except JsonError:
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("id"), str) and value["id"].isascii() and value["id"].isprintable():
                yield value["id"]
            pending += value.values()
        elif isinstance(value, list):
            pending += value


def _rename(steps: Steps, names: Mapping[str, str]) -> Steps:
    return tuple(replace(step, request=_replace_texts(step.request, names)) for step in steps)


def _replace_texts(request: WireRequest, texts: Mapping[str, str]) -> WireRequest:
    target, body = request.target, request.body
    headers = dict(request.headers)
    for old in sorted(texts, key=len, reverse=True):
        target = target.replace(old, texts[old])
        body = body.replace(old.encode(), texts[old].encode())
        headers = {
            name: value.replace(old, texts[old]) if name.lower() == _END_USER else value
            for name, value in headers.items()
        }
    changed = tuple((name, headers[name]) for name, _ in request.headers) if headers else request.headers
    return WireRequest(request.method, target, changed, body)


# -- Comparison ------------------------------------------------------------------------------------------------


def _normalise(steps: Steps, names: Mapping[str, str]) -> tuple[int, Any]:
    """Return the last response without what differs each time: ids, end users and times."""
    response = steps[-1].response
    if response is None:
        return 0, None
    texts = dict(names)
    for number, step in enumerate(steps):
        for path, value in _list_ids(step.response.json if step.response else None):
            texts.setdefault(value, f"<{number}{path}>")
    if response.json is None:
        return response.status, None
    text = json.dumps(response.json, ensure_ascii=False)
    for old in sorted(texts, key=len, reverse=True):
        text = text.replace(old, texts[old])
    return response.status, _without_volatile(json.loads(text))


def _list_ids(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every id in a body with its place."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _list_ids(child, f"{path}/{index}")
    elif isinstance(value, dict):
        for name, child in value.items():
            if name == "id" and isinstance(child, str) and len(child) >= _MIN_ID_LENGTH:
                yield path, child
            yield from _list_ids(child, f"{path}/{name}")


def _without_volatile(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_volatile(child) for child in value]
    if not isinstance(value, dict):
        return value
    return {
        name: type(child).__name__ if name in _VOLATILE else _without_volatile(child) for name, child in value.items()
    }
