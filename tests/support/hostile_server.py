"""A server on a socket that answers as a function says, HTTP or not."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread


@dataclass
class HostileServer:
    """A running server. `respond` gets each request line and body, and the connection to write to."""

    respond: Callable[[str, bytes, socket.socket], None]
    listener: socket.socket
    requests: list[str] = field(default_factory=list)
    is_closed: bool = False

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()
        return f"http://{host}:{port}"

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection), connection.makefile("rb") as received, suppress(OSError, ValueError):
            while (line := received.readline()) and not self.is_closed:
                length = 0
                while header := received.readline().strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                body = received.read(length)
                self.requests.append(line.decode("latin-1").strip())
                self.respond(self.requests[-1], body, connection)


@contextmanager
def run_hostile_server(respond: Callable[[str, bytes, socket.socket], None]) -> Iterator[HostileServer]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = HostileServer(respond, listener)
        Thread(target=server.accept, daemon=True).start()
        yield server
        server.is_closed = True


def build_response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a response with its length; the headers may replace the content type."""
    given = {header.partition(":")[0].lower() for header in headers}
    lines = [f"HTTP/1.1 {status}", *headers]
    lines += [] if "content-type" in given else ["Content-Type: application/json"]
    lines += [] if given & {"content-length", "transfer-encoding"} else [f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
