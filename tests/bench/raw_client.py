"""Raw connections and requests for the soak test."""

import asyncio
import json
import random
from typing import Any

HEADERS = b"Host: 127.0.0.1\r\nAuthorization: Bearer bench-key\r\nX-On-Behalf-Of: bench-user\r\n"


class RawConnection:
    """A connection that sends and receives bytes unchanged."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> "RawConnection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read_response(self, within: float = 20) -> tuple[int, bytes]:
        """Return status and body of the next response; the status is 0 if there is none."""
        try:
            async with asyncio.timeout(within):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                return int(head[9:12]), await self.reader.readexactly(length)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return 0, b""

    def abort(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


def build_request(method: str, path: str, body: Any = None, more: bytes = b"", headers: bytes = HEADERS) -> bytes:
    """Return a request with these header lines and `more` of them."""
    if body is None:
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode(), path.encode(), headers, more)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(content)
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n%b" % (method.encode(), path.encode(), headers, length, more, content)


def chunked_request(path: str, content: bytes, size: int = 8192) -> bytes:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (path.encode(), HEADERS, head, body)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Return a valid request with up to three mistakes; Content-Length is mostly corrected afterwards."""
    text = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.randrange(len(text))
        end = min(len(text), start + rng.randint(1, 12))
        match rng.randrange(6):
            case 0:
                text[start] ^= 1 << rng.randrange(8)
            case 1:
                del text[start:end]
            case 2:
                text[start:start] = text[start:end]
            case 3:
                text[start:start] = rng.choice(_FRAGMENTS)
            case 4:
                text[start:end] = rng.randbytes(end - start)
            case 5:
                other = rng.randrange(len(text))
                text[start:end] = text[other : other + end - start]
        if not text:
            break
    head, separator, body = bytes(text).partition(b"\r\n\r\n")
    if rng.random() < 0.9 and separator:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
    return head + separator + body


_FRAGMENTS = [
    b'"', b"\\", b"{", b"]", b",", b"null", b"-1", b"1e999", b"\\ud800", b"\xff", b"\x00", b"%00", b"%ff", b"&", b"=",
    b"\r\n", b"[]", b"99999999999999999999", b"metadata[", b"..", b"/", b"//", b"?", b"#", b"\xe2\x80\xae", b"A" * 300,
]  # fmt: skip
