"""Rate limits per API key."""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.determinism import Clock
from mockserver.errors import RateLimitExceeded
from mockserver.settings import Rate

_MAX_KEYS = 10_000


class RateCounter:
    """The number of requests of each key in its current window of one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._windows: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def has_room(self, key: str, now: float) -> bool:
        """Return whether the rate allows one more request."""
        start, count = self._windows.get(key, (now, 0))
        return count < self._rate.limit or self._is_over(start, now)

    def count(self, key: str, now: float) -> None:
        """Count a request; start a new window if the last one is over."""
        start, count = self._windows.get(key, (now, 0))
        self._windows[key] = (now, 1) if self._is_over(start, now) else (start, count + 1)
        if len(self._windows) > _MAX_KEYS:
            self._windows = {k: window for k, window in self._windows.items() if not self._is_over(window[0], now)}

    def clear(self, key: str | None = None) -> None:
        """Forget the requests of one key, or of all keys."""
        if key is None:
            self._windows.clear()
        else:
            self._windows.pop(key, None)

    def _is_over(self, start: float, now: float) -> bool:
        return not start <= now < start + self._rate.seconds


class RateLimit:
    """A layer that responds 429 if any of the counters has no room for the request; such a request does not count."""

    def __init__(self, app: ASGIApp, counters: Sequence[RateCounter], clock: Clock) -> None:
        self._app = app
        self._counters = counters
        self._clock = clock

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        now = self._clock.now(context.caller.account)
        if not all(counter.has_room(context.key, now) for counter in self._counters):
            return send_error(send, RateLimitExceeded())
        for counter in self._counters:
            counter.count(context.key, now)
        return self._app(scope, receive, send)
