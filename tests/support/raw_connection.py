"""A TCP connection to a server: requests are bytes, and may be incomplete, malformed or pipelined."""

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from tests.support.response import Response


class RawConnection:
    """One connection to the server at `url`."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=timeout)
        self._received = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def read_response(self) -> Response | None:
        """Read the next response, or return None if the server has closed the connection.

        The body is as long as `Content-Length` says; without one, a closing server ends it.
        """
        first = self._received.readline()
        if not first:
            return None
        raw = []
        while line := self._received.readline().strip():
            name, _, value = line.partition(b": ")
            raw.append((name.lower(), value))
        headers = Headers(raw=raw)
        ends_with_connection = headers.get("connection") == "close" and "content-length" not in headers
        length = -1 if ends_with_connection else int(headers.get("content-length", "0"))
        content = self._received.read(length)
        return Response(int(first.split()[1]), headers, content)

    def read_to_end(self) -> bytes:
        """Read until the server closes or resets the connection."""
        received = b""
        with suppress(ConnectionResetError):
            while chunk := self._received.read1(65536):
                received += chunk
        return received

    def close(self) -> None:
        self._received.close()
        self.socket.close()

    def reset(self) -> None:
        """Close with a TCP reset, so that the server sees an error instead of an end."""
        if self.socket.fileno() != -1:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def build_request(
    method: str, path: str, body: bytes | None = None, headers: Iterable[str] = ("Authorization: Bearer k",)
) -> bytes:
    """Return a request with these header lines; a body adds its content type and length unless they are given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    given = {line.partition(":")[0].lower() for line in lines[1:]}
    if body is not None and "content-type" not in given:
        lines.append("Content-Type: application/json")
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
