"""Rate limits per API key."""

from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.determinism import Clock
from mockserver.errors import RateLimitExceeded
from mockserver.settings import Rate

_MAX_KEYS = 10_000
"""Windows that may be over before they are removed."""


class _Window(NamedTuple):
    account: str
    start: float
    requests: int


class RateCounter:
    """The number of requests of each key in its current window of one rate, by the clock of the key's account."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def has_room(self, key: str) -> bool:
        """Return whether the rate allows one more request."""
        window = self._windows.get(key)
        return window is None or window.requests < self._rate.limit or self._is_over(window)

    def count(self, key: str, account: str) -> None:
        """Count a request; start a new window if the last one is over."""
        window = self._windows.get(key)
        if window is None or self._is_over(window):
            self._windows[key] = _Window(account, self._clock.now(account), 1)
        else:
            self._windows[key] = window._replace(requests=window.requests + 1)
        if len(self._windows) > _MAX_KEYS:
            self._remove_some()

    def _remove_some(self) -> None:
        """Look at two windows in turn, and remove those that are over: more than are added, and never many at once."""
        for _ in range(2):
            key = next(iter(self._windows))
            if self._is_over(self._windows[key]):
                del self._windows[key]
            else:
                self._windows.move_to_end(key)

    def clear(self, key: str | None = None) -> None:
        """Forget the requests of one key, or of all keys."""
        if key is None:
            self._windows.clear()
        else:
            self._windows.pop(key, None)

    def _is_over(self, window: _Window) -> bool:
        return not window.start <= self._clock.now(window.account) < window.start + self._rate.seconds


class RateLimit:
    """A layer that responds 429 if any of the counters has no room for the request; such a request does not count."""

    def __init__(self, app: ASGIApp, counters: Sequence[RateCounter]) -> None:
        self._app = app
        self._counters = counters

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        if not all(counter.has_room(context.key) for counter in self._counters):
            return send_error(send, RateLimitExceeded())
        for counter in self._counters:
            counter.count(context.key, context.caller.account)
        return self._app(scope, receive, send)
