"""A writer of log lines that never blocks its callers."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

_INTERVAL = 0.05
_MAX_LINES = 10_000
_BATCH = 128
_GRACE = 1.0
_PRINTABLE = bytes(range(0x20, 0x7F))


class LineWriter:
    """Writes lines to a file descriptor, in batches and in a thread of its own; use it as a context manager.

    A line is passed as a function that returns it, with its arguments. The callers make the lines, a batch at once:
    that takes half the time of making them one by one, or in another thread. The thread makes the last ones.

    A line is written within 50 milliseconds, and in any case before the end. If nobody reads them, lines are kept up
    to a limit and then dropped; the line of `describe_dropped` says how many. The end waits a second for a reader.
    """

    def __init__(
        self, descriptor: int, describe_dropped: Callable[[int], str] = "{} lines were dropped.".format
    ) -> None:
        self._descriptor = descriptor
        self._describe_dropped = describe_dropped
        self._lines: deque[tuple[Callable[..., str], tuple[Any, ...]]] = deque()
        self._batches: deque[list[str]] = deque()
        self._is_making_batch = threading.Lock()
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

    def write(self, make_line: Callable[..., str], *arguments: Any) -> None:
        """Add the line that a function returns. Characters other than printable ASCII are escaped."""
        self._lines.append((make_line, arguments))
        if len(self._lines) >= _BATCH:
            self._make_batch(waits=False)

    def _make_batch(self, *, waits: bool) -> None:
        """Make the lines that wait. If another thread does so, wait until it is ready, or leave it to that."""
        if not self._is_making_batch.acquire(blocking=waits):
            return
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            kept = lines[: max(0, _MAX_LINES - sum(map(len, self._batches)))]
            self._dropped += len(lines) - len(kept)
            if kept:
                self._batches.append([make_line(*arguments) for make_line, arguments in kept])
        finally:
            self._is_making_batch.release()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_closing.wait(_INTERVAL)
            while self._lines or self._batches:
                self._make_batch(waits=True)
                if self._batches:
                    self._write_lines(self._batches.popleft())

    def _write_lines(self, lines: list[str]) -> None:
        if not self._lines and not self._batches and self._dropped > self._reported:
            dropped = self._dropped - self._reported
            self._reported += dropped
            lines.append(self._describe_dropped(dropped))
        rest = memoryview(_join(lines))
        while rest and not self._is_abandoned:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(_INTERVAL)
            except OSError:
                return  # Whoever read the lines is gone.


def _join(lines: Sequence[str]) -> bytes:
    """Return lines with a line end after each; escape characters that could forge lines or control a terminal."""
    text = "\n".join([*lines, ""])
    if text.isascii():
        content = text.encode()
        if len(content.translate(None, delete=_PRINTABLE)) == len(lines):
            return content
    return "".join([f"{_escape(line)}\n" for line in lines]).encode()


def _escape(line: str) -> str:
    return line if line.isascii() and line.isprintable() else line.encode("unicode_escape").decode()
