"""Run an ASGI application on a port, in a thread or in the foreground."""

import errno
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from mockserver.errors import UsageError

_KEEP_ALIVE = 75  # Longer than any client's pool keeps a connection, so that none is closed under a request.


@dataclass(frozen=True, slots=True)
class RunningServer:
    """`url` has no slash at its end; `api_url` is what the `openai` client takes as its base URL."""

    url: str

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/v1/llm"


@contextmanager
def run_server(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningServer]:
    """Serve `app` from a thread of this process; a `port` of 0 takes a free one.

    Raises:
        UsageError: the address cannot be had.
    """
    listener = listen(host, port)
    ready = threading.Event()
    server = _Server(app, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="mockserver", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield RunningServer(url_of(listener))
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve `app` in the foreground until SIGINT or SIGTERM; what was accepted by then is finished."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises again what stopped it; that it stopped is no failure.
        signal.signal(number, lambda *_: None)
    gc.freeze()  # What is there by now stays: the collector need not look at it again.
    _Server(app, on_ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        UsageError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        advice = "; choose another port, or 0 for a free one" if error.errno == errno.EADDRINUSE else ""
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}{advice}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=10,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()
