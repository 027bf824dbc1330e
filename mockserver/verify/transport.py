"""The transport: the only way to the target. It paces, counts and records every request, and inserts the keys."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NamedTuple

import httpx

from mockserver.contract.operations import Match, Operations
from mockserver.retry_after import parse_retry_after
from mockserver.settings import Rate
from mockserver.verify.report.model import StopReason

PREFLIGHT = "preflight"
CLEANUP = "cleanup"
EXCERPT_LENGTH = 300

_MAX_RETRY_WAIT = 120.0  # seconds
_MAX_RETRIES = 5
_POLL_INTERVAL = 0.1  # Seconds between looks for an interrupt: a signal handler cannot wake a thread that sleeps.
_MIN_KEY_LENGTH = 8
_RESERVED_REQUESTS = 3  # The request itself, and the two that delete the conversation it may create and verify that.


class Stopped(Exception):
    """The run sends no more requests; `Transport.stop_reason` says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a run. `rate` spaces the requests evenly; `seconds` count from the start of the run."""

    rate: Rate | None = None
    max_requests: int | None = None
    seconds: float | None = None


class WireRequest(NamedTuple):
    """A request with placeholders instead of keys. `target` is the path with the query, as sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _find_header(self.headers, name)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class WireResponse(NamedTuple):
    """A response with decoded content."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return _find_header(self.headers, name)

    @property
    def is_success(self) -> bool:
        return self.status < 300

    @property
    def excerpt(self) -> str:
        """The start of the body as text."""
        text = self.body.decode("utf-8", "replace")
        return text if len(text) <= EXCERPT_LENGTH else text[: EXCERPT_LENGTH - 3] + "..."

    @property
    def json(self) -> Any:
        """The parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def id(self) -> str | None:
        """The id of the object in the body."""
        body = self.json
        value = body.get("id") if isinstance(body, dict) else None
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class WireExchange:
    """A request with its response, if there was one. `number` counts the requests of the phase."""

    phase: str
    number: int
    request: WireRequest
    response: WireResponse | None
    match: Match | None

    @property
    def end_user(self) -> str | None:
        return self.request.header("x-on-behalf-of")


Observer = Callable[[WireExchange], None]


class Transport:
    """The gate that every request of a run passes, one at a time.

    `keys` maps placeholders to the real keys. `reserve` returns the number of requests that the cleanup will need;
    they are held back from `limits`. Every observer gets every exchange, also one without a response.
    """

    def __init__(
        self,
        operations: Operations,
        keys: Mapping[str, str],
        limits: Limits,
        reserve: Callable[[], int] = lambda: 0,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._operations = operations
        self._keys = keys
        self._limits = limits
        self._reserve = reserve
        self._interval = limits.rate.seconds / limits.rate.limit if limits.rate else 0.0
        self._started = time.monotonic()
        self._next_slot = 0.0
        self._lock = Lock()
        self.observers = list(observers)
        self.phase = PREFLIGHT
        self.counts: dict[str, int] = {}
        """The number of requests by phase."""
        self.stop_reason: StopReason | None = None
        self.is_interrupted = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    # -- Stop ----------------------------------------------------------------------------------------------

    def stop(self, reason: StopReason) -> None:
        """Reject all further requests, except those of the cleanup."""
        self.stop_reason = self.stop_reason or reason

    def interrupt(self) -> None:
        """Stop, and end every wait at once."""
        self.stop(StopReason.INTERRUPTED)
        self.is_interrupted = True

    def start_cleanup(self) -> None:
        """Accept requests again, the reserved ones."""
        self.phase = CLEANUP
        self.is_interrupted = False

    # -- Keys ----------------------------------------------------------------------------------------------

    def insert_keys(self, text: str) -> str:
        """Replace the placeholders by the keys."""
        for placeholder, key in self._keys.items():
            text = text.replace(placeholder, key)
        return text

    def mask_keys(self, text: str) -> str:
        """Replace the keys by their placeholders, because a target may echo them.

        A key that is too short to be told from an ordinary word stays.
        """
        for placeholder, key in self._keys.items():
            if len(key) >= _MIN_KEY_LENGTH:
                text = text.replace(key, placeholder)
        return text

    # -- Send ----------------------------------------------------------------------------------------------

    def send(self, request: WireRequest, perform: Callable[[], WireResponse]) -> WireResponse:
        """Call `perform` when it is the request's turn, and again after a 429; return the last response.

        Raises:
            Stopped: a limit is reached, or the run was stopped.
        """
        match = self._operations.match(request.method, request.path)
        for attempt in range(_MAX_RETRIES + 1):
            response = self._send_once(request, perform, match)
            wait = _retry_wait(response, attempt)
            if wait is None or wait > _MAX_RETRY_WAIT or self._is_out_of_time(wait) or attempt == _MAX_RETRIES:
                break
            self._sleep(wait)
        return response

    def _send_once(
        self, request: WireRequest, perform: Callable[[], WireResponse], match: Match | None
    ) -> WireResponse:
        number = self._wait_for_turn()
        response = None
        try:
            response = perform()
            return response
        finally:  # Observed even without a response: the target may have created something.
            exchange = WireExchange(self.phase, number, request, response, match)
            for observer in self.observers:
                observer(exchange)

    def _wait_for_turn(self) -> int:
        with self._lock:
            self._check_limits()
            now = time.monotonic()
            wait = max(0.0, self._next_slot - now)
            self._next_slot = max(now, self._next_slot) + self._interval
        if wait:
            self._sleep(wait)
            self._check_limits()
        with self._lock:
            self.counts[self.phase] = self.counts.get(self.phase, 0) + 1
            return self.counts[self.phase]

    def _check_limits(self) -> None:
        if self.phase == CLEANUP:
            return
        limit = self._limits.max_requests
        if limit is not None and self.total + self._reserve() + _RESERVED_REQUESTS > limit:
            self.stop(StopReason.MAX_REQUESTS)
        if self._is_out_of_time():
            self.stop(StopReason.MAX_TIME)
        if self.stop_reason is not None:
            raise Stopped(self.stop_reason)

    def _is_out_of_time(self, wait: float = 0.0) -> bool:
        if self._limits.seconds is None:
            return False
        cleanup_time = (self._reserve() + _RESERVED_REQUESTS) * max(self._interval, 0.01)
        return time.monotonic() + wait + cleanup_time >= self._started + self._limits.seconds

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.is_interrupted:
                raise Stopped(self.stop_reason)
            time.sleep(min(left, _POLL_INTERVAL))


class HttpxTransport(httpx.BaseTransport):
    """Transport of an httpx client that sends through the transport of the run."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._inner = httpx.HTTPTransport(retries=1)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        target = request.extensions.get("target") or request.url.raw_path
        body = request.read() if isinstance(request.stream, httpx.ByteStream) else b""  # Others can be read only once.
        with_keys = httpx.Request(
            request.method,
            request.url,
            headers=[(name, self._transport.insert_keys(value)) for name, value in headers],
            stream=request.stream,
            extensions=request.extensions,
        )

        def perform() -> WireResponse:
            response = self._inner.handle_request(with_keys)
            response.read()
            if response.status_code >= 500:  # Some servers close the connection after an error without saying so.
                self._inner.close()
            return WireResponse(response.status_code, tuple(response.headers.multi_items()), response.content)

        wire_request = WireRequest(request.method, target.decode("ascii"), tuple(headers), body)
        response = self._transport.send(wire_request, perform)
        # The content is decoded already.
        kept = [pair for pair in response.headers if pair[0] not in ("content-encoding", "transfer-encoding")]
        return httpx.Response(response.status, headers=kept, content=response.body, request=request)

    def close(self) -> None:
        self._inner.close()


def _find_header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _retry_wait(response: WireResponse, attempt: int) -> float | None:
    """Return the seconds to wait before the next attempt, or None if the response is final."""
    if response.status != 429:
        return None
    wait = parse_retry_after(response.header("retry-after"), datetime.now(UTC))
    return float(2**attempt) if wait is None else wait
