"""The layer that applies faults to requests."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.contract import json_text
from mockserver.contract.schemas import Schema
from mockserver.errors import InvalidRequest
from mockserver.findings import Finding
from mockserver.gateway.faults.faulty_connection import FaultyConnection
from mockserver.gateway.faults.model import PLANNING_FIELDS, Fault
from mockserver.gateway.faults.plan import FaultPlan
from mockserver.gateway.faults.response import BufferedResponse, alter_response

_HEADER = b"x-mock-fault"
_POINTER = "/X-Mock-Fault"
_MAX_SILENCE = 600


class FaultLayer:
    """A layer that applies the planned faults, and those that a request asks for in `X-Mock-Fault`.

    `load_schema` returns the schema of a fault; only requests with the header need it.
    """

    def __init__(self, app: ASGIApp, plan: FaultPlan, load_schema: Callable[[], Schema]) -> None:
        self._app = app
        self._plan = plan
        self._load_schema = load_schema

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        requested: list[Fault] = []
        for value in context.headers.get_all(_HEADER):
            try:
                requested.append(self._parse_header(value))
            except InvalidRequest as error:
                context.findings += tuple(error.findings)
                return send_error(send, error)
        faults = [*self._plan.fire(context.operation_id, context.key), *requested] if self._plan else requested
        if faults:
            return _apply_faults(faults, self._app, scope, receive, send)
        return self._app(scope, receive, send)

    def _parse_header(self, value: bytes) -> Fault:
        try:
            data = json_text.parse(value)
        except json_text.JsonError as error:
            finding = Finding("request", "header", _POINTER + error.pointer, error.code, error.message)
            raise InvalidRequest([finding]) from error
        findings = self._load_schema().validate_strictly(data, "request", "header", _POINTER)
        if not findings:
            message = "applies only to planned faults, not to a fault for one request"
            findings = [
                Finding("request", "header", f"{_POINTER}/{name}", "unknown_field", message)
                for name in PLANNING_FIELDS
                if name in data
            ]
        if not findings:
            fault = Fault.from_dict(data)
            findings = fault.validate("header", _POINTER)
        if findings:
            raise InvalidRequest(findings)
        return fault


async def _apply_faults(faults: list[Fault], app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    context: Context = scope[CONTEXT]
    connection = FaultyConnection(scope, receive, send)
    # All delays count, but only the first fault that alters the response.
    fault = next((fault for fault in faults if fault.alters_response), Fault())
    delay = sum(fault.delay for fault in faults)
    context.fault = faults[0].as_dict() if len(faults) == 1 else {"faults": [fault.as_dict() for fault in faults]}

    async def call_app() -> BufferedResponse:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await app(scope, receive, keep)
        content = b"".join(message.get("body", b"") for message in messages)
        return BufferedResponse(messages[0]["status"], list(messages[0]["headers"]), content)

    response = await call_app() if any(fault.commit for fault in faults) else None
    if delay and fault.action != "drip" and await connection.disconnects_within(delay):
        return
    if fault.action in ("time_out", "close"):
        if context.record is not None:
            context.record()  # A test may look for the entry as soon as its client gives up.
        if fault.action == "close" or not await connection.disconnects_within(_MAX_SILENCE):
            await connection.close()
        return
    if response is None:
        response = BufferedResponse(200, [], b"") if fault.replaces_response else await call_app()
    if fault.alters_response:
        context.bypasses_contract = True
        response = alter_response(response, fault)
    if fault.action == "reset":
        await connection.reset(response)
    elif fault.action == "drip":
        await connection.drip(response, delay)
    else:
        await connection.send(response)
