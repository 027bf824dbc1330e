"""A server that receives webhooks."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

_PATIENCE = 10.0


class Notification(NamedTuple):
    """One received request; `signature` is its `X-Webhook-Signature`."""

    content: bytes
    signature: str | None


@dataclass
class WebhookReceiver:
    """The requests received so far; it responds with `statuses` in turn, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[Notification] = field(default_factory=list)

    def wait_for(self, count: int) -> Sequence[Notification]:
        """Return the requests, once there are so many, or after ten seconds."""
        deadline = time.monotonic() + _PATIENCE
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return tuple(self.received)


@contextmanager
def receive_webhooks(*statuses: int) -> Iterator[WebhookReceiver]:
    """Run a receiver on the loopback address."""
    receiver = WebhookReceiver(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.end_headers()
            receiver.received.append(Notification(content, self.headers["X-Webhook-Signature"]))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
