"""Planned faults: what shall go wrong, for which requests, how often."""

import asyncio
import copy
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.contract import json_text
from mockserver.contract.schemas import Schema
from mockserver.errors import InvalidRequest, RateLimitExceeded, Unauthorized, envelope
from mockserver.findings import Code, Finding, json_pointer, unescaped

FAULT_HEADER = b"x-mock-fault"
TRANSPORT = "mockserver.transport"
"""Where in the ASGI scope the server leaves the connection, for faults that cut it."""

Action = Literal["time_out", "close", "reset", "truncate", "garbage", "drip"]

_LONGEST_TIME_OUT = 600
_PLANNING = ("operation", "api_key", "times", "after", "every", "probability", "seed")
_FRAMING = (b"content-length", b"transfer-encoding")
_WITHOUT_BODY = (204, 304)
_GARBAGE = b'{"id": "\xff\xfe <!-- not what you asked for'


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that shall go wrong; the shape is described in `spec/control.yaml`.

    `key` is the fingerprint of the only API key that it is for. `times` None is without end.
    """

    operation: str | None = None
    key: str | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Mapping[str, Any], ...] = ()
    delay: float = 0.0
    action: Action | None = None
    commit: bool = False
    times: int | None = 1
    after: int = 0
    every: int = 1
    probability: float = 1.0
    seed: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], key: str | None = None) -> Self:
        """From a mapping that the document's schema has passed; `key` is the fingerprint of its `api_key`."""
        values = {name: value for name, value in data.items() if name != "api_key"}
        return cls(**values | {"patch": tuple(data.get("patch", ())), "key": key})

    def as_dict(self) -> dict[str, Any]:
        """What was set."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        default = Fault()
        return {
            name: list(value) if name == "patch" else value
            for name, value in values.items()
            if value != getattr(default, name) or name == "times"
        }

    @property
    def objection(self) -> tuple[str, str] | None:
        """What the schema cannot say is wrong with it: the place and the reason."""
        if not self.answers and not self.delay:
            return "", "must say what goes wrong: status, body, headers, patch, delay or action"
        for name in self.headers:
            if name.lower().encode() in _FRAMING:
                return json_pointer(["headers", name]), "is the server's own: it says where the answer ends"
        return None

    @property
    def answers(self) -> bool:
        """Whether it does more than to delay."""
        return bool(self.status or self.body is not None or self.headers or self.patch or self.action)


class PlannedFault:
    """A fault in the plan. `seen` counts the requests that it could have hit, `fired` those that it did."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - not for secrets

    @property
    def is_used_up(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times

    def is_for(self, operation: str, key: str) -> bool:
        return self.fault.operation in (None, operation) and self.fault.key in (None, key)

    def draw(self) -> bool:
        """Count a request; whether the fault hits it."""
        self.seen += 1
        turn = self.seen - self.fault.after
        if self.is_used_up or turn < 1 or turn % self.fault.every != 0:
            return False
        if self.fault.probability < 1 and self._random.random() >= self.fault.probability:
            return False
        self.fired += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.number, **self.fault.as_dict(), "seen": self.seen, "fired": self.fired}


class FaultPlan:
    """The planned faults, in the order they were planned."""

    def __init__(self) -> None:
        self._planned: list[PlannedFault] = []
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._planned)

    def add(self, fault: Fault) -> PlannedFault:
        self._last_number += 1
        planned = PlannedFault(self._last_number, fault)
        self._planned.append(planned)
        return planned

    def planned(self, key: str | None = None) -> list[PlannedFault]:
        """All, or those of one key alone."""
        return [planned for planned in self._planned if key is None or planned.fault.key == key]

    def remove(self, number: int, key: str | None = None) -> bool:
        """Whether there was one of this number (and key)."""
        kept = [p for p in self._planned if p.number != number or (key is not None and p.fault.key != key)]
        removed = len(kept) < len(self._planned)
        self._planned = kept
        return removed

    def clear(self, key: str | None = None) -> None:
        self._planned = [] if key is None else [p for p in self._planned if p.fault.key != key]
        if key is None:
            self._last_number = 0

    def unfired(self, key: str | None = None) -> list[PlannedFault]:
        """Those that were to hit a given number of requests and have not hit so many."""
        return [
            planned
            for planned in self.planned(key)
            if not planned.is_used_up and planned.fault.times is not None and planned.fault.probability == 1
        ]

    def fire(self, operation: str, key: str) -> list[Fault]:
        """The faults that hit a request: every delay, and the first of those that do more."""
        hit: list[Fault] = []
        answered = False
        for planned in self._planned:
            if planned.is_for(operation, key) and not (planned.fault.answers and answered) and planned.draw():
                hit.append(planned.fault)
                answered = answered or planned.fault.answers
        return hit


class Faults:
    """Makes go wrong what is planned, and what a request asks for in `X-Mock-Fault`.

    `schema` gives that of a fault, once it is needed.
    """

    def __init__(self, app: ASGIApp, plan: FaultPlan, schema: Callable[[], Schema]) -> None:
        self._app = app
        self._plan = plan
        self._schema = schema

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        asked: list[Fault] = []
        for text in context.headers.all(FAULT_HEADER):
            fault, findings = self._asked_for(text)
            if fault is None:
                context.findings += tuple(findings)
                return send_error(send, InvalidRequest(findings))
            asked.append(fault)
        faults = [*self._plan.fire(context.operation_id, context.key), *asked] if self._plan else asked
        if faults:
            return _FaultyAnswer(self._app, faults, context, scope, receive, send).give()
        return self._app(scope, receive, send)

    def _asked_for(self, text: bytes) -> tuple[Fault | None, list[Finding]]:
        """The fault that the header describes, or what is wrong with it."""
        try:
            data = json_text.parse(text)
        except json_text.JsonError as error:
            return None, [_in_header(error.pointer, error.code, error.message)]
        findings = self._schema().refusals(data, "request", "header", "/X-Mock-Fault")
        if findings:
            return None, findings
        meaningless = [name for name in _PLANNING if name in data]
        if meaningless:
            message = "is for planned faults; this header is for its request alone"
            return None, [_in_header(f"/{name}", "unknown_field", message) for name in meaningless]
        fault = Fault.from_dict(data)
        objection = fault.objection
        if objection is None:
            return fault, []
        pointer, message = objection
        return None, [_in_header(pointer, "invalid_fault", message)]


def _in_header(pointer: str, code: Code, message: str) -> Finding:
    return Finding("request", "header", "/X-Mock-Fault" + pointer, code, message)


class _FaultyAnswer:
    """One request and the faults that hit it."""

    def __init__(
        self, app: ASGIApp, faults: list[Fault], context: Context, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._app = app
        self._faults = faults
        self._fault = next((fault for fault in faults if fault.answers), Fault())
        self._context = context
        self._scope = scope
        self._receive = receive
        self._send = send

    async def give(self) -> None:
        fault, context = self._fault, self._context
        shown = [one.as_dict() for one in self._faults]
        context.fault = shown[0] if len(shown) == 1 else {"faults": shown}
        answer = await self._real_answer() if any(one.commit for one in self._faults) else None
        if self._delay and fault.action != "drip" and await self._client_leaves_within(self._delay):
            return
        if fault.action in ("time_out", "close"):
            if context.record is not None:
                context.record()
            if fault.action == "close" or not await self._client_leaves_within(_LONGEST_TIME_OUT):
                await self._cut(self._transport().close)
            return
        if answer is None:
            replaced = fault.status is not None or fault.body is not None
            answer = (200, [], b"") if replaced else await self._real_answer()
        context.bypasses_contract = fault.answers
        await self._answer(*(self._changed(*answer) if fault.answers else answer))

    @property
    def _delay(self) -> float:
        return sum(one.delay for one in self._faults)

    async def _real_answer(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(self._scope, self._receive, keep)
        content = b"".join(message.get("body", b"") for message in messages)
        return messages[0]["status"], list(messages[0]["headers"]), content

    def _changed(
        self, status: int, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        fault = self._fault
        if fault.status is not None or fault.body is not None:
            status = fault.status or status
            headers, content = _replacement(status, fault.body)
        if fault.patch and not isinstance(fault.body, str):
            content = orjson.dumps(patched(orjson.loads(content), fault.patch))
        if fault.action == "truncate":
            content = content[: len(content) // 2]
        elif fault.action == "garbage":
            content = _GARBAGE
        given = {name.lower().encode(): value.encode() for name, value in fault.headers.items()}
        headers = [pair for pair in headers if pair[0] not in given and pair[0] != b"content-length"]
        return status, [*headers, *given.items()], content

    async def _answer(self, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        if status in _WITHOUT_BODY:  # A client would take the body for the beginning of the next answer.
            content = b""
            headers = [pair for pair in headers if pair[0] != b"content-type"]
        else:
            length = (b"content-length", str(len(content)).encode())
            headers = [*(pair for pair in headers if pair[0] != length[0]), length]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if self._fault.action == "reset":
            await self._send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            await asyncio.sleep(0.01)  # Let what was sent get out before the connection is cut.
            await self._cut(self._transport().abort)
        elif self._fault.action == "drip":
            await self._drip(content)
        else:
            await self._send({"type": "http.response.body", "body": content})

    async def _drip(self, content: bytes) -> None:
        pause = self._delay / max(len(content), 1)
        for index in range(len(content)):
            if await self._client_leaves_within(pause):
                return
            await self._send({"type": "http.response.body", "body": content[index : index + 1], "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _client_leaves_within(self, seconds: float) -> bool:
        """Wait so long, or until the connection is gone; the body of the request has been read by now."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def _cut(self, cut: Callable[[], None]) -> None:
        cut()
        # The server takes it for a mistake of the application's when that returns before the connection is gone.
        await self._client_leaves_within(1)

    def _transport(self) -> Any:
        transport = self._scope.get(TRANSPORT)
        if transport is None:
            raise RuntimeError("this server gives no access to its connections, so none can be cut")
        return transport


def _replacement(status: int, body: Any) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the content of an answer in the place of the handler's; without a body, the API's own error."""
    headers: list[tuple[bytes, bytes]] = []
    if body is None:
        body = RateLimitExceeded().body() if status == 429 else envelope(status, "This is a planned fault.")
        if status == 401:
            headers = [(name.lower().encode(), value.encode()) for name, value in Unauthorized("").headers.items()]
    if isinstance(body, str):
        return [*headers, (b"content-type", b"text/plain")], body.encode()
    return [*headers, (b"content-type", b"application/json")], orjson.dumps(body)


def patched(document: Any, operations: tuple[Mapping[str, Any], ...]) -> Any:
    """`document` changed by the `add`, `remove` and `replace` of a JSON Patch (RFC 6902).

    An operation whose place is not there does nothing: a fault shall not fail.
    """
    changed = copy.deepcopy(document)
    for operation in operations:
        *path, last = [unescaped(token) for token in operation["path"].split("/")[1:]]
        owner = changed
        for token in path:
            owner = _child(owner, token)
        # A copy, for a later operation may change it, and the fault may hit again.
        value = copy.deepcopy(operation.get("value"))
        if isinstance(owner, dict):
            if operation["op"] == "remove":
                owner.pop(last, None)
            elif operation["op"] == "add" or last in owner:
                owner[last] = value
        elif isinstance(owner, list) and (last == "-" or _INDEX.fullmatch(last)):
            place = len(owner) if last == "-" else int(last)
            if operation["op"] == "add" and place <= len(owner):
                owner.insert(place, value)
            elif operation["op"] != "add" and place < len(owner):
                owner[place : place + 1] = [] if operation["op"] == "remove" else [value]
    return changed


_INDEX = re.compile("0|[1-9][0-9]{0,8}")


def _child(owner: Any, token: str) -> Any:
    if isinstance(owner, dict):
        return owner.get(token)
    if isinstance(owner, list) and _INDEX.fullmatch(token) and int(token) < len(owner):
        return owner[int(token)]
    return None
