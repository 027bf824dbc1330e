"""How often one API key may call."""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.determinism import Clock
from mockserver.errors import RateLimitExceeded
from mockserver.settings import Rate

_MOST_KEYS = 10_000


class RateLimit:
    """Answers 429 to a key that has used up any of its `windows`. A refused request uses up nothing."""

    def __init__(self, app: ASGIApp, windows: "Sequence[Windows]", clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._windows = windows

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        now = self._clock.now(context.caller.account)
        if not all(windows.has_room(context.key, now) for windows in self._windows):
            return send_error(send, RateLimitExceeded())
        for windows in self._windows:
            windows.count(context.key, now)
        return self._app(scope, receive, send)


class Windows:
    """For each key the start of its window, and the requests counted in it."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._counted: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._counted)

    def has_room(self, key: str, now: float) -> bool:
        start, count = self._counted.get(key, (now, 0))
        return count < self._rate.limit or self._is_over(start, now)

    def count(self, key: str, now: float) -> None:
        start, count = self._counted.get(key, (now, 0))
        self._counted[key] = (now, 1) if self._is_over(start, now) else (start, count + 1)
        if len(self._counted) > _MOST_KEYS:
            self._counted = {k: v for k, v in self._counted.items() if not self._is_over(v[0], now)}

    def clear(self, key: str | None = None) -> None:
        """Forget what was counted, for one key or for all."""
        if key is None:
            self._counted.clear()
        else:
            self._counted.pop(key, None)

    def _is_over(self, start: float, now: float) -> bool:
        return not start <= now < start + self._rate.seconds
