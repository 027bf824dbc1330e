"""The little of ASGI that several layers share."""

import orjson
from starlette.types import Scope, Send

from mockserver.errors import ApiError

JSON = b"application/json"


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a request header; `name` in lower case."""
    return [value for key, value in scope["headers"] if key == name]


async def send_json(send: Send, status: int, content: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """A whole JSON answer."""
    length = str(len(content)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", JSON), (b"content-length", length), *headers],
        }
    )
    await send({"type": "http.response.body", "body": content})


async def send_error(send: Send, error: ApiError) -> None:
    headers = tuple((name.lower().encode(), value.encode()) for name, value in error.headers.items())
    await send_json(send, error.status, orjson.dumps(error.body()), headers)
