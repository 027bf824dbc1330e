"""The course of the phases of a run."""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from mockserver.verify.report.model import Phase, PhaseRow, PhaseState, Reason, StopReason, UncheckedReason
from mockserver.verify.transport import Stopped, Transport


class Progress(Protocol):
    """A display that follows a run."""

    def begin(self, phase: str, total: int | None) -> None: ...

    def advance(self, requests: int, label: str) -> None: ...

    def end(self, phase: str) -> None: ...


class PhaseRecorder:
    """A record of when each phase starts and ends, and why it did not finish."""

    def __init__(self, transport: Transport, progress: Progress) -> None:
        self._transport = transport
        self._progress = progress
        self._first: Phase | None = None
        self._phase: Phase | None = None
        self._started = 0.0
        self._seconds: dict[Phase, float] = {}
        self._errors: dict[Phase, str] = {}
        self._stopped_in: Phase | None = None

    @contextmanager
    def recording(self, first: Phase) -> Iterator[None]:
        """Record the phases from `first` to the end of the block: they finish, stop or crash, but do not raise.

        KeyboardInterrupt stops them as a signal does.
        """
        self._first = first
        try:
            yield
        except Stopped:
            pass  # The transport has the reason.
        except KeyboardInterrupt:
            self._transport.interrupt()
        except Exception as error:  # noqa: BLE001 - the next phases and the cleanup must run after any crash
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.fail(f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})")
        finally:
            self._end()

    def start(self, phase: Phase, total: int | None = None) -> None:
        """End the current phase and start the next, with a known number of steps or none."""
        self._end()
        self._phase = self._transport.phase = phase
        self._started = time.monotonic()
        self._progress.begin(phase, total)

    def advance(self, label: str) -> None:
        """Show the next step of the current phase."""
        self._progress.advance(self._transport.total, label)

    def fail(self, error: str) -> None:
        """Note an error that kept the current phase, or else the first one, from running in full."""
        phase = self._phase or self._first
        if phase is not None:
            self._errors[phase] = error

    def rows(self, phases: Sequence[Phase]) -> tuple[PhaseRow, ...]:
        return tuple(self._row(phase) for phase in phases)

    def _end(self) -> None:
        if self._phase is None:
            return
        self._seconds[self._phase] = round(time.monotonic() - self._started, 1)
        self._progress.end(self._phase)
        if self._transport.stop_reason is not None and self._stopped_in is None:
            self._stopped_in = self._phase
        self._phase = None

    def _row(self, phase: Phase) -> PhaseRow:
        stop_reason = self._transport.stop_reason
        state: PhaseState = "done"
        reason: Reason | None = None
        if phase in self._errors:
            state, reason = "crashed", Reason(UncheckedReason.CRASHED, self._errors[phase])
        elif phase not in self._seconds:
            state, reason = "skipped", Reason(stop_reason or UncheckedReason.EARLIER_CRASH)
        elif phase == self._stopped_in:
            state, reason = "stopped", Reason(stop_reason or StopReason.INTERRUPTED)
        requests = self._transport.counts.get(phase, 0)
        return PhaseRow(phase, state, requests, self._seconds.get(phase, 0.0), reason)
