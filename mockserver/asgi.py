"""The little of ASGI that several layers share."""

from collections.abc import Iterable

import orjson
from starlette.types import Send

from mockserver.errors import ApiError

JSON = b"application/json"


class Headers:
    """The headers of a request."""

    __slots__ = ("_by_name", "_has_repeated", "_pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """`pairs` as ASGI gives them, names in lower case."""
        self._pairs = list(pairs)
        self._by_name = dict(self._pairs)
        self._has_repeated = len(self._by_name) < len(self._pairs)

    def all(self, name: bytes) -> list[bytes]:
        """All values of a header; `name` in lower case."""
        if self._has_repeated:
            return [value for key, value in self._pairs if key == name]
        value = self._by_name.get(name)
        return [] if value is None else [value]


async def send_whole(
    send: Send,
    status: int,
    content: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    *,
    media_type: bytes = JSON,
) -> None:
    """A whole answer, JSON unless it is said to be something else."""
    length = str(len(content)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", media_type), (b"content-length", length), *headers],
        }
    )
    await send({"type": "http.response.body", "body": content})


async def send_error(send: Send, error: ApiError) -> None:
    headers = tuple((name.lower().encode(), value.encode()) for name, value in error.headers.items())
    await send_whole(send, error.status, orjson.dumps(error.body()), headers)
