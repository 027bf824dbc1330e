"""The layer that applies faults to requests."""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver.asgi import Disconnected, send_error
from mockserver.context import CONTEXT, Context
from mockserver.errors import ApiError
from mockserver.gateway.faults.faulty_connection import FaultyConnection
from mockserver.gateway.faults.header import FAULT_HEADER, FaultHeader
from mockserver.gateway.faults.model import Fault
from mockserver.gateway.faults.plan import FaultPlan, PlannedFault
from mockserver.gateway.faults.response import BufferedResponse, alter_response, is_changed
from mockserver.gateway.faults.stream import FaultyStream


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
        planned = (
            self._plan.fire(context.operation_id, context.key, is_stream=_asks_for_stream(context))
            if is_planned
            else ()
        )
        if planned or requested:
            return self._apply(planned, requested, scope, receive, send)
        return self._app(scope, receive, send)

    async def _apply(
        self, planned: Sequence[PlannedFault], requested: list[Fault], scope: Scope, receive: Receive, send: Send
    ) -> None:
        faults = [*(one.fault for one in planned), *requested]
        if not await apply_faults(faults, self._app, scope, receive, send):
            for one in planned:
                if one.fault.alters_response:
                    one.count_as_unchanged()


async def apply_faults(faults: Sequence[Fault], app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Call an application for a request, and let faults strike; return False if there was nothing to alter."""
    context: Context = scope[CONTEXT]
    asks_for_stream = _asks_for_stream(context)
    faults = [fault for fault in faults if asks_for_stream or not fault.is_mid_stream]
    if not faults:
        await app(scope, receive, send)
        return False
    connection = FaultyConnection(scope, receive, send)
    # All delays count, but only the first fault that alters the response.
    fault = next((fault for fault in faults if fault.alters_response), Fault())
    delay = sum(fault.delay for fault in faults if not fault.is_mid_stream)
    context.fault = faults[0].as_dict() if len(faults) == 1 else {"faults": [fault.as_dict() for fault in faults]}

    if asks_for_stream and fault.alters_stream and (fault.is_mid_stream or not fault.commit):
        if delay and await connection.disconnects_within(delay):
            return True
        return await _alter_stream(fault, app, scope, receive, send)
    response = await _call_app(app, scope, receive) if any(fault.commit for fault in faults) else None
    if delay and fault.action != "drip" and await connection.disconnects_within(delay):
        return True
    if fault.action == "time_out":
        await connection.stay_silent(context)
        return True
    if fault.action == "close":
        if context.record is not None:
            context.record()  # A test may look for the entry as soon as its client gives up.
        await connection.close()
        return True
    if response is None:
        response = BufferedResponse(200, [], b"") if fault.replaces_response else await _call_app(app, scope, receive)
    has_struck = True
    if fault.alters_response:
        altered = alter_response(response, fault)
        if fault.replaces_response or fault.delay or fault.action is not None or is_changed(response, altered):
            context.bypasses_contract = True
            response = altered
        else:
            has_struck = False
            if not delay:
                context.fault = None
    if fault.action == "reset":
        await connection.reset(response)
    elif fault.action == "drip":
        await connection.drip(response, delay)
    else:
        await connection.send(response)
    return has_struck


async def _call_app(app: ASGIApp, scope: Scope, receive: Receive) -> BufferedResponse:
    """Return the whole response of an application."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    content = b"".join(message.get("body", b"") for message in messages)
    return BufferedResponse(messages[0]["status"], list(messages[0]["headers"]), content)


async def _alter_stream(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    context: Context = scope[CONTEXT]
    stream = FaultyStream(fault, context, FaultyConnection(scope, receive, send), send)
    try:
        await app(scope, receive, stream.send)
    except Disconnected:
        if not stream.is_cut:
            raise
    if stream.is_cut:
        await stream.cut()
    return stream.has_struck or not fault.is_mid_stream


def _asks_for_stream(context: Context) -> bool:
    """Whether the response of a request is an event stream, unless the request fails."""
    body = context.body
    return (isinstance(body, dict) and body.get("stream") is True) or context.query.get("stream") is True
