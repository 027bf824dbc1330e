"""Signals during a run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from mockserver.verify.transport import CLEANUP, Transport

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP.


@contextmanager
def interrupt_on_signals(transport: Transport) -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP end the phases after the current request, and the next one raise.

    SIGINT during the cleanup raises KeyboardInterrupt at once; the others do not disturb it. Ignored signals stay
    ignored, and outside of the main thread nothing changes.
    """
    if current_thread() is not main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        is_cleanup = transport.phase == CLEANUP
        if number == signal.SIGINT if is_cleanup else transport.is_interrupted:
            raise KeyboardInterrupt
        if not is_cleanup:
            transport.interrupt()

    numbers = [number for name in _SIGNALS if (number := getattr(signal, name, None))]
    handlers = {number: signal.getsignal(number) for number in numbers}
    replaced = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
