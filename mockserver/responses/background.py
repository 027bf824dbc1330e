"""Responses in the background: their runs, which the clock of the fake drives."""

import asyncio
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Any, Self

from mockserver.context import Tenant
from mockserver.determinism import AdjustableClock, Clock
from mockserver.responses.events import Event
from mockserver.responses.run import ResponseRun
from mockserver.responses.webhooks import EVENTS, Webhook, WebhookSender
from mockserver.store.stored_responses import StoredResponse

_UNREAD_SECONDS = 1.0
"""Real seconds after which a run without pauses takes its steps although nobody has read the response."""
_UNREAD_SECONDS_WITH_WEBHOOK = 0.2
_MAX_KEPT_EVENTS = 5000


class BackgroundRun:
    """The run of a response in the background, and the time at which its next step is due.

    A run without pauses is due from the beginning, but waits until somebody reads the response.
    """

    def __init__(
        self,
        tenant: Tenant,
        stored: StoredResponse,
        started_at: float,
        *,
        has_pauses: bool,
        webhook: Webhook | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.tenant = tenant
        self.stored = stored
        self.due = started_at
        self.has_pauses = has_pauses
        self.webhook = webhook
        self.loop = loop
        self.timer: asyncio.TimerHandle | None = None
        self._run: ResponseRun | None = None
        self.followers: set[asyncio.Event] = set()

    def attach(self, run: ResponseRun) -> None:
        """Set the run, whose creation needs the time of this object."""
        self._run = run

    @property
    def run(self) -> ResponseRun:
        if self._run is None:
            raise RuntimeError("the run has not been attached")
        return self._run

    @property
    def response(self) -> dict[str, Any]:
        """The response object as it is now."""
        return self.run.response

    @property
    def events(self) -> list[Event]:
        """The events made so far."""
        return self.run.events

    @property
    def has_ended(self) -> bool:
        return self.run.has_ended

    def now(self) -> int:
        """Return the time of the step under way, in whole Unix seconds."""
        return int(self.due)

    def take_step(self) -> Event | None:
        """Take the next step; return its event, or None for a pause, after which `due` is later."""
        step = next(self.run.steps())
        if step.event is None:
            self.due += step.wait
        for changed in self.followers:
            changed.set()
        return step.event


class Follower:
    """A reader of the events of a run, each as soon as it is made; to be used as a context manager.

    `changed` is set when a step was taken.
    """

    def __init__(self, driver: "Background", background: BackgroundRun, index: int) -> None:
        self.changed = asyncio.Event()
        self._driver = driver
        self._background = background
        self._index = index

    def __enter__(self) -> Self:
        self._background.followers.add(self.changed)
        return self

    def __exit__(self, *_: object) -> None:
        self._background.followers.discard(self.changed)

    @property
    def has_ended(self) -> bool:
        """Whether `next_event` has returned the last event."""
        return self._background.has_ended and self._index >= len(self._background.events)

    @property
    def last_event(self) -> Event:
        """The last event made so far."""
        return self._background.events[-1]

    def next_event(self) -> Event | None:
        """Return the next event, which is made now if it is due, or None if the run has none yet."""
        events = self._background.events
        if self._index >= len(events):
            self._driver.take_due_step(self._background)
        self.changed.clear()
        if self._index >= len(events):
            return None
        self._index += 1
        return events[self._index - 1]


class Background:
    """The runs of all responses in the background that have not ended.

    Their time is that of the fake: a run takes a step as soon as the clock of its account reaches the time of the
    step. While the clock runs, timers see to that. With a frozen clock, steps are taken only when it is advanced, and
    when somebody reads a response that takes no time.
    """

    def __init__(self, clock: Clock, webhooks: WebhookSender) -> None:
        self._clock = clock
        self._webhooks = webhooks
        self._runs: dict[StoredResponse, BackgroundRun] = {}
        self._with_events: dict[StoredResponse, str] = {}  # The account of each, in the order of their ends.
        self.kept_events = 0
        """The number of events that are kept of responses that have ended."""
        if isinstance(clock, AdjustableClock):
            clock.on_change = self.settle_account  # Sets all timers anew, too.

    def __len__(self) -> int:
        return len(self._runs)

    def start(
        self,
        tenant: Tenant,
        stored: StoredResponse,
        create_run: Callable[[Callable[[], int]], ResponseRun],
        *,
        has_pauses: bool,
        webhook: Webhook | None,
    ) -> BackgroundRun:
        """Start the run of a response, which is queued then. `create_run` takes the function that returns its time."""
        now = self._clock.now(tenant.account)
        loop = asyncio.get_running_loop()
        background = BackgroundRun(tenant, stored, now, has_pauses=has_pauses, webhook=webhook, loop=loop)
        background.attach(create_run(background.now))
        self._runs[stored] = background
        stored.run = background
        while self._take_step(background) != "response.queued":
            pass
        self._set_timer(background)
        return background

    def settle(self, responses: Iterable[StoredResponse]) -> None:
        """Take all steps that are due of those responses that are still running."""
        for stored in responses:
            background = self._runs.get(stored)
            if background is not None:
                self._take_due_steps([background])

    def settle_tenant(self, tenant: Tenant) -> None:
        """Take all steps that are due of the responses of a tenant, in the order of their times."""
        self._take_due_steps([one for one in self._runs.values() if one.tenant == tenant])

    def settle_account(self, account: str | None = None) -> None:
        """Take all steps that are due of the responses of one account, or of all, in the order of their times."""
        self._take_due_steps(self._list_runs(account))

    def _is_due(self, background: BackgroundRun) -> bool:
        """Return whether the next step of a run may be taken; a run without pauses waits for nothing."""
        is_in_time = not background.has_pauses or background.due <= self._clock.now(background.tenant.account)
        return is_in_time and not background.has_ended

    def _take_step(self, background: BackgroundRun) -> str:
        """Take one step of a run; return the type of its event, or an empty string for a pause."""
        try:
            event = background.take_step()
        except Exception:
            self._remove(background)
            raise
        if event is None:
            return ""
        event_type: str = event["type"]
        if background.webhook is not None and event_type in EVENTS:
            self._webhooks.notify(background.webhook, event_type, background.loop)
        if background.has_ended:
            self._remove(background)
            self._keep_events(background)
        return event_type

    def cancel(self, stored: StoredResponse) -> bool:
        """End the run of a response, which is cancelled then; return False if it has ended or has no run."""
        background = self._runs.get(stored)
        if background is not None and background.has_pauses:
            self._take_due_steps([background])
        if background is None or background.has_ended:
            return False
        self._cancel(background)
        return True

    def delete(self, stored: StoredResponse) -> None:
        """End the run of a response that is deleted, and forget its events."""
        self.cancel(stored)
        if stored in self._with_events:
            self._forget_events(stored)

    def wake(self, stored: StoredResponse, text: str) -> bool:
        """End the sleep of a response, whose output is the text; return False if it does not sleep."""
        background = self._runs.get(stored)
        if background is not None:
            self._take_due_steps([background])
        if background is None or not background.run.is_sleeping:
            return False
        background.run.wake(text)
        background.due = self._clock.now(background.tenant.account)
        self._take_due_steps([background])
        return True

    def end_all(self, account: str | None = None) -> None:
        """Cancel all runs of one account, or all, and forget their events and the notifications not yet sent."""
        for background in self._list_runs(account):
            self._cancel(background)
        for stored, owner in list(self._with_events.items()):
            if account in (None, owner):
                self._forget_events(stored)
        self._webhooks.drop(account)

    def follow(self, stored: StoredResponse, after: int | None) -> Follower | None:
        """Return a reader of the events with a number greater than `after`, or None if the response has no run."""
        background = self._runs.get(stored)
        if background is None:
            return None
        return Follower(self, background, 0 if after is None else max(0, after + 1))

    def take_due_step(self, background: BackgroundRun) -> None:
        """Take the next step of a run if it is due."""
        if self._is_due(background):
            self._take_step(background)
            self._set_timer(background)

    def _take_due_steps(self, runs: Iterable[BackgroundRun]) -> None:
        """Take all steps of some runs that are due, in the order of their times."""
        waiting = [(one.due, number, one) for number, one in enumerate(runs)]
        heapify(waiting)
        while waiting:
            _, number, background = heappop(waiting)
            if not self._is_due(background):
                self._set_timer(background)
                continue
            due = background.due
            while background.due == due and not background.has_ended:
                self._take_step(background)
            heappush(waiting, (background.due, number, background))

    def _list_runs(self, account: str | None) -> list[BackgroundRun]:
        return [one for one in self._runs.values() if account in (None, one.tenant.account)]

    def _set_timer(self, background: BackgroundRun) -> None:
        if background.timer is not None:
            background.timer.cancel()
            background.timer = None
        account = background.tenant.account
        is_frozen = isinstance(self._clock, AdjustableClock) and self._clock.is_frozen(account)
        if background.has_ended or is_frozen:
            return
        seconds = background.due - self._clock.now(account)
        if not background.has_pauses:
            seconds = _UNREAD_SECONDS if background.webhook is None else _UNREAD_SECONDS_WITH_WEBHOOK
        background.timer = background.loop.call_later(max(0.0, seconds), self._take_due_steps, [background])

    def _cancel(self, background: BackgroundRun) -> None:
        background.due = min(background.due, self._clock.now(background.tenant.account))
        background.run.cancel()
        while not background.has_ended:
            self._take_step(background)

    def _remove(self, background: BackgroundRun) -> None:
        self._runs.pop(background.stored, None)
        if background.timer is not None:
            background.timer.cancel()
            background.timer = None

    def _keep_events(self, background: BackgroundRun) -> None:
        """Keep the events of a run that has ended, for streams that are resumed, and forget the oldest ones."""
        background.stored.events = background.events
        self._with_events[background.stored] = background.tenant.account
        self.kept_events += len(background.events)
        while self.kept_events > _MAX_KEPT_EVENTS and len(self._with_events) > 1:
            self._forget_events(next(iter(self._with_events)))

    def _forget_events(self, stored: StoredResponse) -> None:
        del self._with_events[stored]
        self.kept_events -= len(stored.events)
        stored.events = ()


def list_events_of_ended(stored: StoredResponse, after: int | None) -> list[Event]:
    """Return the events that are left of a response that has ended: those after a number, at least the last one."""
    events = list(stored.events)
    if not events:
        body = stored.body
        number = 0 if after is None else max(0, after + 1)
        return [{"type": f"response.{body['status']}", "sequence_number": number, "response": body}]
    if after is None:
        return events[-1:]
    return events[max(0, after + 1) :] or events[-1:]
