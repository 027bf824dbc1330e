"""The operations on responses."""

from mockserver.context import Context
from mockserver.contract.endpoint import Handler
from mockserver.determinism import Clock
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.store.memory import MemoryStore


class ResponsesResource:
    """The handlers of responses."""

    def __init__(self, store: MemoryStore, item_factory: ItemFactory, id_allocator: IdAllocator, clock: Clock) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        return {
            "createResponse": self.create,
            "getResponse": self.retrieve,
            "listResponses": self.list,
            "updateResponse": self.update,
            "deleteResponse": self.delete,
            "cancelResponse": self.cancel,
            "wakeResponse": self.wake,
            "listInputItems": self.list_input_items,
            "compactResponse": self.compact,
        }

    def create(self, context: Context) -> bytes:
        raise NotImplementedError

    def retrieve(self, context: Context) -> bytes:
        raise NotImplementedError

    def list(self, context: Context) -> bytes:
        raise NotImplementedError

    def update(self, context: Context) -> bytes:
        raise NotImplementedError

    def delete(self, context: Context) -> bytes:
        raise NotImplementedError

    def cancel(self, context: Context) -> bytes:
        raise NotImplementedError

    def wake(self, context: Context) -> bytes:
        raise NotImplementedError

    def list_input_items(self, context: Context) -> bytes:
        raise NotImplementedError

    def compact(self, context: Context) -> bytes:
        raise NotImplementedError
