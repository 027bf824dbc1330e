"""Request headers and plain responses, for all ASGI layers."""

from collections.abc import Sequence

import orjson
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Send

from mockserver.errors import ApiError

JSON = b"application/json"


class Disconnected(OSError):
    """Raised by `send` when nobody receives the rest of a response, so that the application stops making it."""


class Headers(dict[bytes, bytes]):
    """The headers of a request by lower-case name; the first value of a header that is repeated.

    `has_repeats` tells whether any header is repeated.
    """

    __slots__ = ("_pairs", "has_repeats")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Create headers from the pairs of an ASGI scope."""
        super().__init__(reversed(pairs))
        self._pairs = pairs
        self.has_repeats = len(self) < len(pairs)

    def get_all(self, name: bytes) -> list[bytes]:
        """Return all values of a header."""
        if self.has_repeats:
            return [value for key, value in self._pairs if key == name]
        return [self[name]] if name in self else []


async def send_response(
    send: Send, status: int, content: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a complete JSON response."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", JSON), (b"content-length", b"%d" % len(content)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": content})


async def send_error(send: Send, error: ApiError) -> None:
    """Send an error as a complete response."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in error.headers.items())
    await send_response(send, error.status, orjson.dumps(error.body()), headers)


def wrap_in_layers(app: ASGIApp, layers: Sequence[Middleware]) -> ASGIApp:
    """Wrap `app` in layers; the first of them is the outermost.

    A layer with nothing to do after the response may be a plain function that returns an awaitable, which is faster.
    """
    for cls, args, kwargs in reversed(layers):
        app = cls(app, *args, **kwargs)
    return app
