"""A writer of log lines that never blocks its callers."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

_INTERVAL = 0.05
_MAX_LINES = 10_000
_BATCH = 1000
_GRACE = 1.0


class LineWriter:
    """Writes lines to a file descriptor, in batches and in a thread of its own; use it as a context manager.

    A line is passed as a function that returns it, so that the thread makes all lines of a batch at once, which takes
    a third of the time.

    A line is written within 50 milliseconds, and in any case before the end. If nobody reads them, lines are kept up
    to a limit and then dropped; the line of `describe_dropped` says how many. The end waits a second for a reader.
    """

    def __init__(
        self, descriptor: int, describe_dropped: Callable[[int], str] = "{} lines were dropped.".format
    ) -> None:
        self._descriptor = descriptor
        self._describe_dropped = describe_dropped
        self._lines: deque[Callable[[], str]] = deque()
        self._dropped = 0
        self._reported = 0
        self._is_closing = threading.Event()
        self._is_abandoned = False
        # A daemon, because a write to a full pipe may never return. It does not use `sys.stderr`, whose lock it would
        # hold for ever: the interpreter would abort at its end.
        self._thread = threading.Thread(target=self._run, name="mockserver log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing.set()
        self._thread.join(_GRACE)
        self._is_abandoned = True  # From here on, the number of the descriptor may belong to another file.
        self._lines.clear()

    def write(self, line: Callable[[], str]) -> None:
        """Add the line that a function returns. Characters other than printable ASCII are escaped."""
        if len(self._lines) < _MAX_LINES:
            self._lines.append(line)
        else:
            self._dropped += 1

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_closing.wait(_INTERVAL)
            while self._lines:
                self._write_batch()

    def _write_batch(self) -> None:
        take = self._lines.popleft
        lines = [_escape(take()()) for _ in range(min(len(self._lines), _BATCH))]
        if not self._lines and self._dropped > self._reported:
            dropped = self._dropped - self._reported
            self._reported += dropped
            lines.append(self._describe_dropped(dropped))
        rest = memoryview("".join(f"{line}\n" for line in lines).encode())
        while rest and not self._is_abandoned:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(_INTERVAL)
            except OSError:
                return  # Whoever read the lines is gone.


def _escape(line: str) -> str:
    """Escape characters that could forge lines or control a terminal."""
    return line if line.isascii() and line.isprintable() else line.encode("unicode_escape").decode()
