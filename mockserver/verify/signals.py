"""SIGINT and SIGTERM during a run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from mockserver.verify.transport import CLEANUP, Transport


@contextmanager
def interrupt_on_signals(transport: Transport) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end the phases after the current request, and the next one raise.

    A signal during the cleanup raises KeyboardInterrupt at once. Ignored signals stay ignored, and outside of the main
    thread nothing changes.
    """
    if current_thread() is not main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if transport.is_interrupted or transport.phase == CLEANUP:
            raise KeyboardInterrupt
        transport.interrupt()

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    replaced = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
