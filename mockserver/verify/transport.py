"""The one way to the target: every request of every phase is paced, counted, signed and recorded here."""

import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, current_thread, main_thread
from types import FrameType
from typing import Any, NamedTuple

import httpx
import requests
from requests.adapters import HTTPAdapter

from mockserver.contract.operations import Match, Operations
from mockserver.retry_after import parse_retry_after
from mockserver.settings import Rate
from mockserver.verify.report.model import StopReason

_LONGEST_WAIT = 120.0  # Seconds; a server that wants more is not waited for.
_NAP = 0.1  # Seconds after which an interrupt is seen; a lock must not be waited for, signal handlers would take it.
_RETRIES = 5
_SHORTEST_KEY = 8
_CLEANUP = "cleanup"
_MOST_AT_ONCE = 3  # A request, and the two with which a conversation that it makes is deleted and looked for.


class Stopped(Exception):
    """No more requests: the time or the requests are used up, or somebody interrupted the run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use. `rate` is kept by spacing the requests evenly; `seconds` count from its start."""

    rate: Rate | None = None
    max_requests: int | None = None
    seconds: float | None = None


class WireRequest(NamedTuple):
    """A request as it is shown: with placeholders in the place of keys."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _header(self.headers, name)


class WireResponse(NamedTuple):
    """What came back, its content decoded."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _header(self.headers, name)

    @property
    def json(self) -> Any:
        """The body, parsed; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def id(self) -> str | None:
        """The id of the object in the body."""
        body = self.json
        found = body.get("id") if isinstance(body, dict) else None
        return found if isinstance(found, str) else None


def _header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class WireExchange:
    """A request and its answer, None where there was none. `number` counts within its phase."""

    phase: str
    number: int
    request: WireRequest
    response: WireResponse | None
    match: Match | None


class Transport:
    """Lets requests through, one at a time.

    `keys` are the real keys by their placeholders. `observe` sees every exchange. `pending` tells how many requests
    the clean-up will still need: they are held back from `limits`.
    """

    def __init__(
        self,
        operations: Operations,
        keys: Mapping[str, str],
        limits: Limits,
        observe: Callable[[WireExchange], None],
        pending: Callable[[], int] = lambda: 0,
    ) -> None:
        self._operations = operations
        self._keys = keys
        self._limits = limits
        self._observe = observe
        self._pending = pending
        self._interval = limits.rate.seconds / limits.rate.limit if limits.rate else 0.0
        self._started = time.monotonic()
        self._next = 0.0
        self._lock = Lock()
        self._interrupted = False
        self.stopped: StopReason | None = None
        """Why there are no more requests, once there are none."""
        self.phase = ""
        self.counts: dict[str, int] = {}
        """Requests by phase."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def interrupt(self) -> None:
        """Let nothing more through, but for the clean-up; ends every wait."""
        self.stopped = self.stopped or StopReason.INTERRUPTED
        self._interrupted = True

    @contextmanager
    def interrupted_by_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM let the request under way come to its end, and nothing after it but the clean-up.

        Only the next one is a KeyboardInterrupt, and so is one that comes in the clean-up. A signal that is ignored
        stays so, and in any other thread but the main one all are left as they are.
        """
        if current_thread() is not main_thread():
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self._interrupted or self.phase == _CLEANUP:
                raise KeyboardInterrupt
            self.interrupt()

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
        for number in before:
            signal.signal(number, interrupt)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def clean_up(self) -> None:
        """From now on, let through what was held back for the clean-up."""
        self.phase = _CLEANUP
        self._interrupted = False

    def exchange(self, request: WireRequest, send: Callable[[], WireResponse]) -> WireResponse:
        """Send a request when its time has come, once more if the target asks to wait, and pass on the last answer.

        Raises:
            Stopped: it may not be sent, or not any more.
        """
        match = self._operations.match(request.method, request.target.partition("?")[0])
        for attempt in range(_RETRIES + 1):
            reply = self._observed(request, send, match)
            wait = _wait(reply, attempt)
            if wait is None or wait > _LONGEST_WAIT or self._is_too_late(wait) or attempt == _RETRIES:
                break
            self._sleep(wait)
        return reply

    def _observed(self, request: WireRequest, send: Callable[[], WireResponse], match: Match | None) -> WireResponse:
        number, reply = self._admit(), None
        try:
            reply = send()
            return reply
        finally:  # Whatever comes in between: the clean-up must know what was sent.
            self._observe(WireExchange(self.phase, number, request, reply, match))

    def signed(self, value: str) -> str:
        """A header's value with the real keys in it."""
        for placeholder, key in self._keys.items():
            value = value.replace(placeholder, key)
        return value

    def masked(self, text: str) -> str:
        """A text without the keys: a target may send back what it was sent.

        What is shorter than a key can be is left, it could be any word.
        """
        for placeholder, key in self._keys.items():
            if len(key) >= _SHORTEST_KEY:
                text = text.replace(key, placeholder)
        return text

    def _admit(self) -> int:
        with self._lock:
            self._check()
            now = time.monotonic()
            wait = max(0.0, self._next - now)
            self._next = max(now, self._next) + self._interval
        if wait:
            self._sleep(wait)
            self._check()
        with self._lock:
            self.counts[self.phase] = self.counts.get(self.phase, 0) + 1
            return self.counts[self.phase]

    def _check(self) -> None:
        if self.phase == _CLEANUP:
            return
        limits = self._limits
        most = limits.max_requests
        if self.stopped is None and most is not None and self.total + self._pending() + _MOST_AT_ONCE > most:
            self.stopped = StopReason.MAX_REQUESTS
        if self.stopped is None and self._is_too_late():
            self.stopped = StopReason.MAX_TIME
        if self.stopped:
            raise Stopped(self.stopped)

    def _is_too_late(self, wait: float = 0.0) -> bool:
        if self._limits.seconds is None:
            return False
        needed = (self._pending() + _MOST_AT_ONCE) * max(self._interval, 0.01)
        return time.monotonic() + wait + needed >= self._started + self._limits.seconds

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._interrupted:
                raise Stopped(self.stopped)
            time.sleep(min(left, _NAP))


def _wait(reply: WireResponse, attempt: int) -> float | None:
    """How long to wait before trying again; None where there is nothing to wait for."""
    if reply.status != 429:
        return None
    wait = parse_retry_after(reply.header("retry-after"), datetime.now(UTC))
    return float(2**attempt) if wait is None else wait


class HttpxTransport(httpx.BaseTransport):
    """Carries the requests of an httpx client through the transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._inner = httpx.HTTPTransport(retries=1)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        target = request.extensions.get("target") or request.url.raw_path
        can_be_resent = isinstance(request.stream, httpx.ByteStream)
        content = request.read() if can_be_resent else b""
        sent = WireRequest(request.method, target.decode("ascii"), tuple(headers), content)
        signed = httpx.Request(
            request.method,
            request.url,
            headers=[(name, self._transport.signed(value)) for name, value in headers],
            stream=request.stream,
            extensions=request.extensions,
        )

        def send() -> WireResponse:
            response = self._inner.handle_request(signed)
            response.read()
            if response.status_code >= 500:  # Some servers close the connection behind it, without saying so.
                self._inner.close()
            return WireResponse(response.status_code, tuple(response.headers.multi_items()), response.content)

        reply = self._transport.exchange(sent, send)
        # The content is decoded by now.
        kept = [
            (name, value) for name, value in reply.headers if name not in ("content-encoding", "transfer-encoding")
        ]
        return httpx.Response(reply.status, headers=kept, content=reply.body, request=request)

    def close(self) -> None:
        self._inner.close()


@contextmanager
def requests_through(transport: Transport, own: Callable[[str | None], str]) -> Iterator[None]:
    """Carry whatever `requests` sends through the transport; Schemathesis has no other place to put it.

    `own` makes an end user of the run out of the one that was sent, so that nothing is done for anybody else.
    """
    original = HTTPAdapter.send
    used: set[HTTPAdapter] = set()

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request = request.copy()
        request.headers["X-On-Behalf-Of"] = own(_text(request.headers.get("X-On-Behalf-Of")))
        headers = tuple((name, _text(value) or "") for name, value in request.headers.items())
        body = request.body.encode() if isinstance(request.body, str) else request.body
        sent = WireRequest(request.method or "", request.path_url, headers, body if isinstance(body, bytes) else b"")
        signed = request.copy()
        for name, value in headers:
            if (real := transport.signed(value)) != value:
                signed.headers[name] = real
        received: list[requests.Response] = []

        def through() -> WireResponse:
            used.add(adapter)
            response = original(adapter, signed, *args, **options)
            received.append(response)
            content = response.content
            if response.status_code >= 500:  # As above.
                adapter.close()
            fields = tuple(response.raw.headers.items())
            return WireResponse(response.status_code, fields, content)

        reply = transport.exchange(sent, through)
        response = received[-1]
        response.request = request
        response._content = reply.body
        return response

    HTTPAdapter.send = send  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign]
        for adapter in used:
            adapter.close()


def _text(value: str | bytes | None) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value
