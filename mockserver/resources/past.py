"""The state from before a reset, for requests that were under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from mockserver.determinism import IdSource
from mockserver.resources.id_allocator import IdAllocator
from mockserver.store.memory import MemoryStore


class Past:
    """The data that a reset removes, of one account or of all, with a source of ids of its own."""

    def __init__(self, store: MemoryStore, id_allocator: IdAllocator, ids: IdSource, account: str | None) -> None:
        self._store = store
        self._id_allocator = id_allocator
        self._ids = ids
        self._account = account
        self._data = store.detach(account)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put the data back into the store meanwhile."""
        present = self._store.detach(self._account)
        self._store.attach(self._data)
        try:
            with self._id_allocator.using(self._ids):
                yield
        finally:
            self._data = self._store.detach(self._account)
            self._store.attach(present)
