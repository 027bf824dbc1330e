"""Webhooks: signed notifications of what became of a response in the background."""

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from mockserver.context import Tenant
from mockserver.determinism import Clock, IdSource

EVENTS = frozenset(f"response.{name}" for name in ("queued", "in_progress", "completed", "failed", "incomplete"))
"""The events of a response that a webhook gets; those of the stream have the same names."""

_TRIES = 3
_TIMEOUT = 5.0
_MAX_PENDING = 1000
_MAX_CONNECTIONS = 20
_MAX_DELIVERIES = 1000


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to send the notifications of a response, and for whom; `key` is the fingerprint of the API key."""

    url: str
    secret: str | None = field(repr=False)
    response_id: str
    tenant: Tenant
    key: str


class Delivery(NamedTuple):
    """One try to deliver a notification.

    `attempt` counts from 1. `status` is 0 if there was no response; `error` then says why. `started_at` is in Unix
    seconds by the clock of the fake, `duration` in seconds.
    """

    url: str
    event: str
    request: bytes
    attempt: int
    status: int
    error: str | None
    key: str
    end_user: str | None
    started_at: float
    duration: float

    def as_dict(self) -> dict[str, Any]:
        """Return the delivery in the form of the control API."""
        return self._asdict() | {"request": orjson.loads(self.request)}


class _Notification(NamedTuple):
    event: str
    content: bytes


class _Queue:
    """The notifications of one response that have not been sent, and the task that sends them in their order."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.waiting: deque[_Notification] = deque()
        self.task: asyncio.Task[None]


class WebhookSender:
    """Sends notifications without blocking anybody; each is tried three times, until a response has a status 2xx.

    Only loopback addresses get notifications, and `allowed_hosts`; a `*` among these allows every host. The pauses
    between the tries are `retry_delays`, in seconds of real time. The last deliveries are kept.
    """

    def __init__(
        self,
        clock: Clock,
        ids: IdSource,
        allowed_hosts: Collection[str] = (),
        retry_delays: Sequence[float] = (0.1, 0.4),
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.retry_delays = retry_delays
        self._queues: dict[str, _Queue] = {}
        self._pending = 0
        self._deliveries: deque[Delivery] = deque(maxlen=_MAX_DELIVERIES)
        self._connections: asyncio.Semaphore | None = None

    def deliveries(self, key: str | None = None) -> list[Delivery]:
        """Return the deliveries of one key, or all, the oldest first."""
        return [one for one in self._deliveries if key in (None, one.key)]

    async def wait_until_sent(self, account: str | None, seconds: float) -> None:
        """Wait until no notification of one account, or of any, is queued, at most for this time."""
        deadline = time.monotonic() + seconds
        while tasks := [one.task for one in self._queues.values() if account in (None, one.webhook.tenant.account)]:
            rest = deadline - time.monotonic()
            if rest <= 0:
                return
            await asyncio.wait(tasks, timeout=rest)

    def notify(self, webhook: Webhook, event: str, loop: asyncio.AbstractEventLoop) -> None:
        """Queue a notification of an event of a response."""
        account = webhook.tenant.account
        content = orjson.dumps(
            {
                "id": self._ids.new_id("evt", account),
                "type": event,
                "created_at": int(self._clock.now(account)),
                "data": {"id": webhook.response_id},
            }
        )
        notification = _Notification(event, content)
        if not self._is_allowed(webhook.url):
            self._record(webhook, notification, attempt=0, error="host_not_allowed")
        elif self._pending >= _MAX_PENDING:
            self._record(webhook, notification, attempt=0, error="queue_full")
        else:
            self._pending += 1
            queue = self._queues.get(webhook.response_id)
            if queue is None:
                queue = self._queues[webhook.response_id] = _Queue(webhook)
                queue.task = loop.create_task(self._send_all(queue))
            queue.waiting.append(notification)

    def clear(self, key: str | None = None) -> None:
        """Forget the deliveries of one key, or all."""
        kept = [one for one in self._deliveries if key not in (None, one.key)]
        self._deliveries.clear()
        self._deliveries.extend(kept)

    def drop(self, account: str | None = None) -> None:
        """Send no more of the notifications that are queued for one account, or for all."""
        for queue in list(self._queues.values()):
            if account in (None, queue.webhook.tenant.account):
                self._drop(queue)

    def _is_allowed(self, url: str) -> bool:
        host = (urlsplit(url).hostname or "").lower()
        return "*" in self._allowed_hosts or host in self._allowed_hosts or _is_loopback(host)

    def _drop(self, queue: _Queue) -> None:
        self._pending -= len(queue.waiting)
        queue.waiting.clear()
        del self._queues[queue.webhook.response_id]
        queue.task.cancel()

    async def _send_all(self, queue: _Queue) -> None:
        self._connections = self._connections or asyncio.Semaphore(_MAX_CONNECTIONS)
        while queue.waiting:
            async with self._connections:
                await self._deliver(queue.webhook, queue.waiting[0])
            queue.waiting.popleft()
            self._pending -= 1
        del self._queues[queue.webhook.response_id]

    async def _deliver(self, webhook: Webhook, notification: _Notification) -> None:
        post = _load_post()
        for attempt in range(1, _TRIES + 1):
            started_at, started = self._clock.now(webhook.tenant.account), time.perf_counter()
            status, error = 0, None
            try:
                async with asyncio.timeout(_TIMEOUT):
                    status = await post(webhook.url, _build_headers(webhook, notification), notification.content)
            except TimeoutError:
                error = "time_out"
            except OSError:
                error = "connection_failed"
            duration = time.perf_counter() - started
            self._record(webhook, notification, attempt, status, error, started_at, duration)
            if 200 <= status < 300 or attempt == _TRIES:
                return
            await asyncio.sleep(self.retry_delays[attempt - 1])

    def _record(
        self,
        webhook: Webhook,
        notification: _Notification,
        attempt: int,
        status: int = 0,
        error: str | None = None,
        started_at: float | None = None,
        duration: float = 0.0,
    ) -> None:
        account, end_user = webhook.tenant
        self._deliveries.append(
            Delivery(
                webhook.url,
                notification.event,
                notification.content,
                attempt,
                status,
                error,
                webhook.key,
                end_user,
                self._clock.now(account) if started_at is None else started_at,
                duration,
            )
        )


def _build_headers(webhook: Webhook, notification: _Notification) -> list[tuple[str, str]]:
    headers = [("Content-Type", "application/json")]
    if webhook.secret is not None:
        headers.append(("X-Webhook-Signature", sign(webhook.secret, notification.content)))
    return headers


def sign(secret: str, content: bytes) -> str:
    """Return the value of `X-Webhook-Signature` for a body."""
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def find_url_mistake(url: str) -> str | None:
    """Return what keeps a URL from being a webhook's, or None."""
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or not url.isascii() or not url.isprintable() or " " in url:
        return "must be a URL with http or https"
    return "must not contain a user or a password" if "@" in parts.netloc else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _load_post() -> Callable[[str, Sequence[tuple[str, str]], bytes], Awaitable[int]]:
    from mockserver.responses.http_post import post  # With its library, it would make each start slower.

    return post
