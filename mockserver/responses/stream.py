"""The responses to a request that creates a response: JSON at once or later, or a stream of events."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from mockserver.asgi import send_response
from mockserver.context import Context
from mockserver.contract.endpoint import AsyncResponse
from mockserver.contract.event_streams import serialise_event
from mockserver.gateway.faults.layer import apply_faults
from mockserver.gateway.faults.model import Fault
from mockserver.responses.connection import ClientConnection
from mockserver.responses.run import ResponseRun, Step


def respond(
    run: ResponseRun, context: Context, *, stream: bool, has_pauses: bool, fault: Mapping[str, Any] | None = None
) -> bytes | AsyncResponse:
    """Return what sends the response of a run in the foreground.

    `has_pauses` says that the run takes time, because its output has delays. `fault` strikes while it is sent.
    """
    if not (stream or has_pauses or fault):
        return orjson.dumps(run.finish())
    return with_fault(RunResponse(run, context, is_stream=stream), fault)


def with_fault(response: AsyncResponse, fault: Mapping[str, Any] | None) -> AsyncResponse:
    """Return the response as a fault lets it through, if there is one."""
    return response if fault is None else FaultyResponse(Fault.from_dict(fault), response)


class FaultyResponse:
    """A response that a fault alters."""

    def __init__(self, fault: Fault, response: AsyncResponse) -> None:
        self._fault = fault
        self._response = response

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response as the fault lets it through."""
        await apply_faults([self._fault], self._response.send, scope, receive, send)


class RunResponse:
    """The response of a run, with its pauses in real time: a stream whose events are sent one by one, or JSON.

    If the client is gone before the end, the response ends as cancelled: its conversation stays as it was.
    """

    def __init__(self, run: ResponseRun, context: Context, *, is_stream: bool) -> None:
        self._run = run
        self._context = context
        self._is_stream = is_stream

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events, or else the response object at the end."""
        run = self._run
        try:
            async with ClientConnection(scope, receive, send) as connection:
                if self._is_stream:
                    await connection.start_stream()
                while (step := take_step(run, self._context)) is not None:
                    if step.event is None:
                        await connection.wait(step.wait)
                    elif self._is_stream:
                        await connection.send_part(serialise_event(step.event))
                if self._is_stream:
                    await connection.end_stream()
                else:
                    await send_response(send, 200, orjson.dumps(run.response))
        finally:
            abandon(run, self._context)


def take_step(run: ResponseRun, context: Context) -> Step | None:
    """Take a step of a run, in the state from before a reset if there was one; return None at the end."""
    with context.past() if context.past else nullcontext():
        return next(run.steps(), None)


def abandon(run: ResponseRun, context: Context) -> None:
    """Cancel a run that nobody waits for, unless it has ended."""
    if run.has_ended:
        return
    run.cancel()
    with context.past() if context.past else nullcontext():
        run.finish()
