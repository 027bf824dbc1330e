"""The responses to a request that creates a response: JSON at once or later, or a stream of events."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext

import orjson
from starlette.types import Receive, Scope, Send

from mockserver.asgi import send_response
from mockserver.context import Context
from mockserver.contract.endpoint import AsyncResponse
from mockserver.responses.events import Event
from mockserver.responses.run import ResponseRun, Step

_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


def respond(run: ResponseRun, context: Context, *, stream: bool, has_pauses: bool) -> bytes | AsyncResponse:
    """Return what sends the response of a run in the foreground.

    `has_pauses` says that the run takes time, because its output has delays.
    """
    if stream:
        return EventStream(run, context)
    if has_pauses:
        return LateResponse(run, context)
    return orjson.dumps(run.finish())


def serialise_event(event: Event) -> bytes:
    """Return an event as a frame of server-sent events."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


class LateResponse:
    """The JSON of a run whose pauses are taken in real time."""

    def __init__(self, run: ResponseRun, context: Context) -> None:
        self._run = run
        self._context = context

    async def send(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Take all steps, then send the response object."""
        steps = self._run.steps()
        while (step := next_step(steps, self._context)) is not None:
            await asyncio.sleep(step.wait)
        await send_response(send, 200, orjson.dumps(self._run.response))


class EventStream:
    """The events of a run, each sent before the next is made."""

    def __init__(self, run: ResponseRun, context: Context) -> None:
        self._run = run
        self._context = context

    async def send(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        steps = self._run.steps()
        while (step := next_step(steps, self._context)) is not None:
            if step.event is None:
                await asyncio.sleep(step.wait)
            else:
                await send({"type": "http.response.body", "body": serialise_event(step.event), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def next_step(steps: Iterator[Step], context: Context) -> Step | None:
    """Take a step of a run, in the state from before a reset if there was one; return None at the end."""
    with context.past() if context.past else nullcontext():
        return next(steps, None)
