"""`mockserver serve` with a heartbeat: `GET /soak` returns the longest blocks of its event loop, and forgets them.

It also returns free memory to the system, so that what stays is in use: the heap keeps gaps between large bodies.

A block is the time between two beats in which the thread of the loop worked: time in which the machine ran something
else does not count.
"""

import asyncio
import ctypes
import gc
import heapq
import json
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

import mockserver.app
from mockserver.asgi import send_response
from mockserver.cli import main

_INTERVAL = 0.005
_LONG = 0.04
_KEPT = 5

create_app = mockserver.app.create_app


class Watched:
    """A fake that measures the blocks of the loop that it runs in."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._fake = create_app(*arguments, **options)
        self._heartbeat: asyncio.Task[None] | None = None
        self._blocks: list[tuple[float, list[str]]] = []
        self._recent: list[str] = []
        self._stacks: Counter[str] = Counter()
        self._collecting = 0.0
        self._worked = time.thread_time()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._heartbeat is None:
            self._heartbeat = asyncio.create_task(self._beat())
            gc.callbacks.append(self._note_collection)
            threading.Thread(target=self._note_stacks, args=[threading.get_ident()], daemon=True).start()
        if scope["type"] == "http" and scope["path"] == "/soak":
            blocks, self._blocks = sorted(self._blocks, reverse=True), []
            gc.collect()
            if sys.platform == "linux":
                ctypes.CDLL(None).malloc_trim(0)
            await send_response(send, 200, json.dumps(blocks).encode())
            return
        length = dict(scope.get("headers", ())).get(b"content-length", b"0").decode("latin-1")
        query = scope.get("query_string", b"")[:60].decode("latin-1")
        self._recent.append(f"{scope.get('method')} {scope.get('path', '')[:60]} {query} {length}")
        await self._fake(scope, receive, send)

    def _note_collection(self, phase: str, found: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            took = (time.thread_time() - self._collecting) * 1000
            self._recent.append(f"collection of generation {found['generation']}: {took:.1f} ms")

    def _note_stacks(self, thread: int) -> None:
        """Note what the thread of the loop does while it works for long."""
        clock = time.pthread_getcpuclockid(thread)
        while True:
            time.sleep(_INTERVAL)
            if time.clock_gettime(clock) - self._worked > _LONG:
                stack = traceback.extract_stack(sys._current_frames()[thread], limit=4)
                self._stacks[" > ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in stack)] += 1

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            now = time.thread_time()
            stacks = [f"{count} x {stack}" for stack, count in self._stacks.most_common(3)]
            heapq.heappush(self._blocks, ((now - self._worked) * 1000, self._recent[-10:] + stacks))
            if len(self._blocks) > _KEPT:
                heapq.heappop(self._blocks)
            self._worked, self._recent = now, []
            self._stacks.clear()


if __name__ == "__main__":
    mockserver.app.create_app = Watched  # type: ignore[assignment]
    main()
