"""Run an ASGI application on a port, in a thread or in the foreground."""

import asyncio
import errno
import gc
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import context_of
from mockserver.errors import UsageError
from mockserver.gateway.faults import TRANSPORT

_KEEP_ALIVE = 75  # Longer than any client's pool keeps a connection, so that none is closed under a request.
_REQUEST_WITHIN = 60  # How long a request may take to arrive.
_TIMED_OUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"connection: close\r\n\r\nThe request did not arrive in time."
)


Answer = TypeVar("Answer")


class RunningServer:
    """`url` has no slash at its end; `api_url` is what the `openai` client takes as its base URL."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._loop = loop

    def call(self, function: Callable[[], Answer]) -> Answer:
        """Run `function` in the thread of the server, between two steps of its requests, and wait for its answer."""
        answer: Future[Answer] = Future()

        def run() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return answer.result()

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
        yield RunningServer(url_of(listener), server.loop)
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
    gc.set_threshold(50_000, 20, 50)  # What comes is stored or gone at once, and hardly ever in a cycle.
    gc.enable()
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


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _with_transport(app: ASGIApp) -> ASGIApp:
    """Leave the connection in the scope, for faults that cut it; uvicorn's `send` is bound to what holds it."""

    def app_with_transport(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        return app(scope, receive, send)

    return app_with_transport


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                _with_transport(app),
                interface="asgi3",
                proxy_headers=False,  # They would tell of the client and the scheme, for which nobody asks.
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=10,
            )
        )
        self._on_ready = on_ready
        self._arriving: dict[Any, float] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._cut_faulty_answers()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            self._give_up_on_stalled_requests()
        return await super().on_tick(counter)

    def _cut_faulty_answers(self) -> None:
        """Do not wait for answers that a planned fault holds back."""
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                context = context_of(cycle.scope)
                if context is not None and context.fault is not None:
                    connection.transport.abort()

    def _give_up_on_stalled_requests(self) -> None:
        """Answer 408, in plain text as uvicorn's own 400, where a request does not arrive; uvicorn waits for ever."""
        now = time.monotonic()
        arriving = {}
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or (cycle.more_body and not cycle.response_started):
                request = cycle or connection
                arriving[request] = self._arriving.get(request, now)
                if now - arriving[request] > _REQUEST_WITHIN:
                    connection.transport.write(_TIMED_OUT)
                    connection.transport.close()
        self._arriving = arriving
