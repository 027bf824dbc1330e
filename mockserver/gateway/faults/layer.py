"""The layer that applies faults to requests."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.errors import ApiError
from mockserver.gateway.faults.faulty_connection import FaultyConnection
from mockserver.gateway.faults.header import FAULT_HEADER, FaultHeader
from mockserver.gateway.faults.model import Fault
from mockserver.gateway.faults.plan import FaultPlan, PlannedFault
from mockserver.gateway.faults.response import BufferedResponse, alter_response, is_changed

_MAX_SILENCE = 600


class FaultLayer:
    """A layer that applies the planned faults, and those that a request asks for, unless `header` is None."""

    def __init__(self, app: ASGIApp, plan: FaultPlan, header: FaultHeader | None) -> None:
        self._app = app
        self._plan = plan
        self._header = header

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        requested: list[Fault] = []
        if self._header is not None and FAULT_HEADER in context.headers:
            try:
                requested = self._header.read(context.headers)
            except ApiError as error:
                context.findings += tuple(error.findings)
                return send_error(send, error)
        is_planned = self._plan and context.past is None
        planned = self._plan.fire(context.operation_id, context.key) if is_planned else []
        if planned or requested:
            return _apply_faults(planned, requested, self._app, scope, receive, send)
        return self._app(scope, receive, send)


async def _apply_faults(
    planned: list[PlannedFault], requested: list[Fault], app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    context: Context = scope[CONTEXT]
    faults = [*(one.fault for one in planned), *requested]
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
        altered = alter_response(response, fault)
        if fault.replaces_response or fault.delay or fault.action is not None or is_changed(response, altered):
            context.bypasses_contract = True
            response = altered
        else:
            for one in planned:
                if one.fault is fault:
                    one.count_as_unchanged()
            if not delay:
                context.fault = None
    if fault.action == "reset":
        await connection.reset(response)
    elif fault.action == "drip":
        await connection.drip(response, delay)
    else:
        await connection.send(response)
