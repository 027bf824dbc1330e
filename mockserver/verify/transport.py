"""The transport: the only way to the target. It paces, counts and records every request, and inserts the keys."""

import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

import httpx

from mockserver.conformance.client import Withheld
from mockserver.conformance.events import parse_events
from mockserver.contract.json_text import JsonError, parse_response
from mockserver.contract.operations import EVENT_STREAM, Match, Operations, media_type_essence
from mockserver.retry_after import parse_retry_after
from mockserver.secrets import KeyMasker
from mockserver.settings import Rate
from mockserver.verify.report.model import StopReason

PREFLIGHT = "preflight"
REPRODUCTION = "reproduction"
CLEANUP = "cleanup"
EXCERPT_LENGTH = 300

_MAX_RETRY_WAIT = 120.0  # seconds
_MAX_TOTAL_WAIT = 1800.0  # Seconds that a run waits after responses with 429, in all.
_MAX_RETRIES = 5
_MAX_SECONDS = 30.0  # For one request, until the end of its response.
_MIN_SECONDS = 0.5  # The same, shortly before the time limit.
_MAX_LATE_SECONDS = 3.0  # For a request that was aborted by the user, from the start of the cleanup.
_MAX_BODY = 4 * 1024 * 1024  # Bytes, encoded and decoded.
_MAX_FAILURES = 5  # Requests in a row that time out, or are still answered with 429 after the last retry.
_POLL_INTERVAL = 0.1  # Seconds between looks for an interrupt: a signal handler cannot wake a thread that sleeps.
_RESERVED_REQUESTS = 3  # The request itself, and the two that delete the conversation it may create and verify that.


class Stopped(Exception):
    """The run sends no more requests."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


class UnreadableResponse(Exception):
    """The response is too long, takes too long, or cannot be decoded."""


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
    def is_stream(self) -> bool:
        return media_type_essence(self.header("content-type") or "") == EVENT_STREAM

    @property
    def excerpt(self) -> str:
        """The start of the body as text."""
        text = self.body.decode("utf-8", "replace")
        return text if len(text) <= EXCERPT_LENGTH else text[: EXCERPT_LENGTH - 3] + "..."

    @property
    def json(self) -> Any:
        """The parsed body, or None if it is not JSON."""
        try:
            return parse_response(self.body)
        except JsonError:
            return None

    @property
    def created(self) -> Any:
        """The object in the body; for a stream, the response in the first event."""
        if not self.is_stream:
            return self.json
        events = self.content
        return events[0].get("response") if events else None

    @property
    def content(self) -> Any:
        """The parsed body, or the list of the data of the events of a stream."""
        return list(parse_events(self.body.decode("utf-8", "replace"))) if self.is_stream else self.json

    @property
    def created_id(self) -> str | None:
        """The id of the object that `created` is."""
        body = self.created
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
Perform = Callable[[Event], WireResponse]
"""Sends a request. When the event is set, the result is no longer wanted, and the body need not be read to its end."""


class Transport:
    """The gate that every request of a run passes, one at a time.

    `keys` maps placeholders to the real keys. `reserve` returns the number of requests that the cleanup will need;
    they are held back from `limits`. Requests that `may_send` rejects are withheld. Every observer gets every
    exchange, also one without a response. `masker` removes the keys from responses, because a target may echo them;
    what occurs in `public` stays.
    """

    def __init__(
        self,
        operations: Operations,
        keys: Mapping[str, str],
        limits: Limits,
        reserve: Callable[[], int] = lambda: 0,
        observers: Iterable[Observer] = (),
        may_send: Callable[[WireRequest], bool] = lambda request: True,
        public: str = "",
    ) -> None:
        self._operations = operations
        self._keys = keys
        self.masker = KeyMasker(keys, public)
        self._limits = limits
        self._reserve = reserve
        self._interval = limits.rate.seconds / limits.rate.limit if limits.rate else 0.0
        self._started = time.monotonic()
        self._next_slot = 0.0
        self._waited = 0.0
        self._failures = 0
        self._late: list[tuple[WireExchange, Future[WireResponse]]] = []
        self._may_send = may_send
        self._lock = Lock()
        self.observers = list(observers)
        self.phase = PREFLIGHT
        self.counts: dict[str, int] = {}
        """The number of requests by phase."""
        self.stop_reason: StopReason | None = None
        self.is_interrupted = False
        self.withheld = 0
        """The number of requests that were not sent, because they could change data of other callers."""

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
        """Accept requests again, the reserved ones, and wait shortly for the response of an aborted request."""
        self.phase = CLEANUP
        self.is_interrupted = False
        for exchange, outcome in self._late:
            with suppress(Exception):
                exchange = replace(exchange, response=outcome.result(_MAX_LATE_SECONDS))
            self._observe(exchange)

    # -- Keys ----------------------------------------------------------------------------------------------

    def insert_keys(self, text: str) -> str:
        """Replace the placeholders by the keys."""
        for placeholder, key in self._keys.items():
            text = text.replace(placeholder, key)
        return text

    # -- Send ----------------------------------------------------------------------------------------------

    def send(self, request: WireRequest, perform: Perform) -> WireResponse:
        """Call `perform` when it is the request's turn, and again after a 429; return the last response.

        Raises:
            Stopped: a limit is reached, or the run was stopped.
            UnreadableResponse: the response is too long, takes too long, or cannot be decoded.
            Withheld: the request could change data of other callers.
        """
        if not self._may_send(request):
            self.withheld += 1
            raise Withheld(f"{request.method} {request.path} was not sent: the run did not create what it names")
        match = self._operations.match(request.method, request.path)
        for attempt in range(_MAX_RETRIES + 1):
            response = self._send_once(request, perform, match)
            wait = _retry_wait(response, attempt)
            if wait is None:
                self._failures = 0
                return response
            if attempt == _MAX_RETRIES or wait > self._longest_wait() or self._is_out_of_time(wait):
                break
            self._waited += wait
            self._sleep(wait)
        self._count_failure(StopReason.TOO_MANY_REQUESTS)
        return response

    def _longest_wait(self) -> float:
        if self.stop_reason is StopReason.TOO_MANY_REQUESTS:
            return 0.0
        return min(_MAX_RETRY_WAIT, _MAX_TOTAL_WAIT - self._waited)

    def _count_failure(self, reason: StopReason) -> None:
        self._failures += 1
        if self._failures == _MAX_FAILURES:
            self.stop(reason)

    def _send_once(self, request: WireRequest, perform: Perform, match: Match | None) -> WireResponse:
        number = self._wait_for_turn()
        exchange = WireExchange(self.phase, number, request, None, match)
        outcome: Future[WireResponse] = Future()
        try:
            exchange = replace(exchange, response=self._perform(perform, outcome))
        except KeyboardInterrupt:
            self._late.append((exchange, outcome))
            raise
        except BaseException:
            self._observe(exchange)  # Also without a response: the target may have created something.
            raise
        self._observe(exchange)
        return outcome.result()

    def _mask(self, response: WireResponse) -> WireResponse:
        """Return the response without keys, before any part of it is cut off, parsed or quoted."""
        mask = self.masker.mask
        headers = tuple((mask(name), mask(value)) for name, value in response.headers)
        return WireResponse(response.status, headers, self.masker.mask_bytes(response.body))

    def _observe(self, exchange: WireExchange) -> None:
        for observer in self.observers:
            observer(exchange)

    def _perform(self, perform: Perform, outcome: "Future[WireResponse]") -> WireResponse:
        """Return the response, or raise in time, whatever the target does.

        No timeout of the HTTP libraries covers a whole response. So they run in a thread that is left alone if the
        response takes too long.
        """
        seconds = min(_MAX_SECONDS, max(self._seconds_left(), _MIN_SECONDS))
        is_cancelled = Event()

        def work() -> None:
            try:
                outcome.set_result(self._mask(perform(is_cancelled)))
            except BaseException as error:  # noqa: BLE001 - raised in the other thread
                outcome.set_exception(error)

        Thread(target=work, daemon=True).start()
        try:
            return outcome.result(seconds)
        except TimeoutError:
            if outcome.done():
                raise
            is_cancelled.set()
        if seconds < _MAX_SECONDS:
            self.stop(StopReason.MAX_TIME)
            raise Stopped(StopReason.MAX_TIME)
        self._count_failure(StopReason.UNRESPONSIVE)
        raise UnreadableResponse(f"the response takes more than {_MAX_SECONDS:.0f} s")

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
        limit = self._limits.max_requests
        reserve = 0 if self.phase == CLEANUP else self._reserve() + _RESERVED_REQUESTS
        reason = None
        if limit is not None and self.total + max(reserve, 1) > limit:
            reason = StopReason.MAX_REQUESTS
        elif self._is_out_of_time():
            reason = StopReason.MAX_TIME
        if reason is not None:
            self.stop(reason)
            raise Stopped(reason)
        if self.stop_reason is None or self.phase == CLEANUP:
            return
        if self.phase != REPRODUCTION or self.stop_reason is not StopReason.CASE_REPRODUCED:
            raise Stopped(self.stop_reason)

    def _is_out_of_time(self, wait: float = 0.0) -> bool:
        return self._seconds_left() <= wait

    def _seconds_left(self) -> float:
        """Return the seconds until the time limit; except in the cleanup, without those that the cleanup needs."""
        if self._limits.seconds is None:
            return float("inf")
        reserve = 0 if self.phase == CLEANUP else self._reserve() + _RESERVED_REQUESTS
        left = self._started + self._limits.seconds - time.monotonic()
        return left - reserve * max(self._interval, 0.01)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.is_interrupted:
                raise Stopped(StopReason.INTERRUPTED)
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

        def perform(is_cancelled: Event) -> WireResponse:
            with closing(self._inner.handle_request(with_keys)) as response:
                body = read_body(response.iter_raw(), response.headers.get("content-encoding"), is_cancelled)
            if response.status_code >= 500:  # Some servers close the connection after an error without saying so.
                self._inner.close()
            received = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw
            )
            return WireResponse(response.status_code, received, body)

        wire_request = WireRequest(request.method, target.decode("ascii"), tuple(headers), body)
        try:
            response = self._transport.send(wire_request, perform)
        except UnreadableResponse as error:
            raise httpx.ReadError(str(error)) from error
        # The content is decoded already.
        kept = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers
            if name not in ("content-encoding", "transfer-encoding")
        ]
        return httpx.Response(response.status, headers=kept, content=response.body, request=request)

    def close(self) -> None:
        self._inner.close()


def read_body(chunks: Iterable[bytes], encoding: str | None, is_cancelled: Event) -> bytes:
    """Return the decoded body of a response. A body with an encoding that nobody asked for stays encoded.

    Raises:
        UnreadableResponse: it is too long, encoded or decoded, or cannot be decoded.
    """
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 47}.get((encoding or "").strip().lower())
    decoder = zlib.decompressobj(bits) if bits else None
    received, body = 0, bytearray()
    for chunk in chunks:
        received += len(chunk)
        try:
            body += decoder.decompress(chunk, _MAX_BODY + 1 - len(body)) if decoder else chunk
        except zlib.error as error:
            raise UnreadableResponse(f"the content is not valid {encoding}: {error}") from error
        if max(received, len(body)) > _MAX_BODY:
            raise UnreadableResponse(f"the response is longer than {_MAX_BODY // 1024**2} MiB")
        if is_cancelled.is_set():
            break
    return bytes(body)


def _find_header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _retry_wait(response: WireResponse, attempt: int) -> float | None:
    """Return the seconds to wait before the next attempt, or None if the response is final."""
    if response.status != 429:
        return None
    wait = parse_retry_after(response.header("retry-after"), datetime.now(UTC))
    return float(2**attempt) if wait is None else wait
