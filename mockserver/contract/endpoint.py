"""The end of a pipeline: the handlers of the operations."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.types import Receive, Scope, Send

from mockserver.asgi import send_error, send_response
from mockserver.context import CONTEXT, Context
from mockserver.contract.document import DocumentError
from mockserver.contract.operations import Operations
from mockserver.errors import ApiError


class AsyncResponse(Protocol):
    """A response that takes time, such as a stream."""

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; an `ApiError` raised before its start is sent in its place."""
        ...


Handler = Callable[[Context], bytes | AsyncResponse]
"""A handler returns the JSON body of a 200, or an asynchronous response; or it raises an `ApiError`."""


class Endpoint:
    """An ASGI application that calls the handler of the request's operation.

    Raises:
        DocumentError: an operation has no handler, or a handler has no operation.
    """

    def __init__(self, handlers: Mapping[str, Handler], operations: Operations) -> None:
        if unmatched := handlers.keys() ^ operations.keys():
            raise DocumentError(f"without handler or without operation: {', '.join(sorted(unmatched))}")
        self._handlers = handlers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        try:
            handler = self._handlers[context.operation_id]
            if context.past is None:
                response = handler(context)
            else:
                with context.past():
                    response = handler(context)
        except ApiError as error:
            return send_error(send, error)
        if isinstance(response, bytes):
            return send_response(send, 200, response)
        return _send_async(response, scope, receive, send)


async def _send_async(response: AsyncResponse, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await response.send(scope, receive, send)
    except ApiError as error:
        await send_error(send, error)
