"""Run an ASGI application on a port, in a thread or in the foreground."""

import asyncio
import errno
import gc
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from starlette.types import ASGIApp

from mockserver.errors import UsageError
from mockserver.settings import API_PATH
from mockserver.uvicorn_server import UvicornServer

Result = TypeVar("Result")


class RunningServer:
    """A server in a thread of this process. `url` has no trailing slash."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        self.url = url
        self._loop = loop
        self._thread = thread
        self._process = os.getpid()

    @property
    def api_url(self) -> str:
        """The base URL for the `openai` client."""
        return self.url + API_PATH

    @property
    def is_in_this_process(self) -> bool:
        """Whether the server's thread is in this process and not in the one that this process was forked from."""
        return os.getpid() == self._process

    def call(self, function: Callable[[], Result]) -> Result:
        """Run `function` in the server's thread, between two steps of its event loop, and return the result.

        Once the server has stopped, run it in this thread.

        Raises:
            RuntimeError: this process was forked from that of the server.
        """
        if not self.is_in_this_process:
            raise RuntimeError("the server runs in the parent process, which a forked process reaches over HTTP only")

        if not self._thread.is_alive():
            return function()

        async def run() -> Result:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


@contextmanager
def run_server(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningServer]:
    """Serve `app` in a thread of this process; port 0 selects a free port.

    At the end, started responses are finished; requests that have not arrived completely are cut.

    Raises:
        UsageError: the address is not available.
        RuntimeError: the server cannot start.
    """
    listener = listen(host, port)
    ready = threading.Event()
    server = UvicornServer(app, ready.set, stops_quickly=True)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="mockserver", daemon=True)
    thread.start()
    ready.wait()
    if failures:
        listener.close()
        raise RuntimeError(f"the server cannot start: {failures[0]!r}") from failures[0]
    try:
        yield RunningServer(url_of(listener), server.loop, thread)
    finally:
        if thread.is_alive():
            server.stop()
        thread.join()
        listener.close()


def serve(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve `app` in the foreground until SIGINT or SIGTERM, then finish the accepted requests."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again after a clean shutdown; that must not end the process with an error.
        signal.signal(number, lambda *_: None)
    gc.freeze()  # Objects made so far live as long as the process.
    # Requests leave hardly any cycles behind. A collection of 50,000 objects takes 10 ms or more, so young ones are
    # collected in small numbers; old ones, which take longest, as rarely as ever.
    gc.set_threshold(10_000, 5, 200)
    gc.enable()
    UvicornServer(app, on_ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket to an address; port 0 selects a free port. UsageError if the address is not available."""
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


def is_loopback(listener: socket.socket) -> bool:
    """Return whether only this machine can reach the listener."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """Return the base URL of a listener."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
