"""The responses of one tenant, in memory."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

import orjson

from mockserver.errors import ResponseNotFound, UnknownCursor
from mockserver.store.paging import Order, Page, Paging, Timeline, page_of
from mockserver.store.records import Item


class Run(Protocol):
    """The making of a response that has not ended."""

    @property
    def response(self) -> dict[str, Any]:
        """The response object as it is now."""
        ...


class Origin(NamedTuple):
    """What a response continues: an earlier response, or the items of a conversation below a position, or nothing."""

    previous_response_id: str | None = None
    conversation_id: str | None = None
    position: int = 0


class StoredResponse:
    """A response with the items of its input, which have ids and are no references.

    While the response is being made, `run` makes it. `events` are those of a response that has ended, for streams that
    are resumed, if they were kept.
    """

    __slots__ = ("_data", "events", "id", "input", "origin", "position", "run")

    def __init__(self, response_id: str, data: bytes, items: Sequence[Item], origin: Origin) -> None:
        self.id = response_id
        self._data = data
        self.input = items
        self.origin = origin
        self.run: Run | None = None
        self.events: Sequence[dict[str, Any]] = ()
        self.position = -1

    @property
    def data(self) -> bytes:
        """The response object as JSON, as it is now."""
        return self._data if self.run is None else orjson.dumps(self.run.response)

    @property
    def body(self) -> dict[str, Any]:
        """A copy of the response object, as it is now."""
        body: dict[str, Any] = orjson.loads(self.data)
        return body

    def end(self) -> None:
        """Keep the response as its run has made it, without the run."""
        # Copied, because bytes from orjson keep its whole buffer of 4 KiB alive.
        self._data = b"%b" % self.data
        self.run = None

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace all metadata."""
        if self.run is not None:
            self.run.response["metadata"] = metadata
        else:
            self._data = b"%b" % orjson.dumps(self.body | {"metadata": metadata})


class ResponsePaging(NamedTuple):
    """The requested part of a list, between two entries or beside one of them.

    With `after`, the part starts behind that entry. With `before` alone, it ends in front of that entry.
    """

    after: str | None = None
    before: str | None = None
    limit: int = 20
    order: Order = "desc"


class StoredResponses:
    """The responses of one tenant, in the order of their creation, with an index of their output items."""

    __slots__ = ("_by_id", "_output_items", "_positions_of_deleted", "_timeline")

    def __init__(self) -> None:
        self._by_id: dict[str, StoredResponse] = {}
        self._timeline: Timeline[StoredResponse] = Timeline()
        self._positions_of_deleted: dict[str, int] = {}
        self._output_items: dict[str, StoredResponse] = {}

    def __iter__(self) -> Iterator[StoredResponse]:
        """Iterate over the responses, the oldest first."""
        return self._timeline.walk()

    def get(self, response_id: str) -> StoredResponse:
        """Return a response; else raise ResponseNotFound."""
        response = self._by_id.get(response_id)
        if response is None:
            raise ResponseNotFound(response_id)
        return response

    def find(self, response_id: str) -> StoredResponse | None:
        """Return a response, or None."""
        return self._by_id.get(response_id)

    def has_used(self, response_id: str) -> bool:
        """Return whether there is, or was, a response with this id."""
        return response_id in self._by_id or response_id in self._positions_of_deleted

    def has_output_item(self, item_id: str) -> bool:
        """Return whether an item with this id is in the output of a response."""
        return item_id in self._output_items

    def output_item(self, item_id: str) -> dict[str, Any] | None:
        """Return an item of the output of a response, or None."""
        response = self._output_items.get(item_id)
        output = () if response is None else response.body["output"]
        return next((item for item in output if item["id"] == item_id), None)

    def add(self, response: StoredResponse) -> None:
        """Add a response; ValueError if there is, or was, one with its id."""
        if self.has_used(response.id):
            raise ValueError(f"there is, or was, a response {response.id!r}")
        self._by_id[response.id] = response
        response.position = self._timeline.append(response)

    def index_output(self, response: StoredResponse) -> None:
        """Make the items of a response's output known by their ids."""
        if response.id in self._by_id:
            self._output_items.update((item["id"], response) for item in response.body["output"])

    def remove(self, response_id: str) -> StoredResponse:
        """Remove a response for good, and return it; its id remains a valid cursor."""
        response = self.get(response_id)
        self._erase(response)
        self._positions_of_deleted[response_id] = response.position
        return response

    def erase(self, response_id: str) -> None:
        """Remove a response without a trace."""
        self._erase(self.get(response_id))

    def _erase(self, response: StoredResponse) -> None:
        del self._by_id[response.id]
        self._timeline.remove(response.position)
        for item in response.body["output"]:
            if self._output_items.get(item["id"]) is response:
                del self._output_items[item["id"]]

    def page(self, paging: ResponsePaging) -> Page[StoredResponse]:
        """Return a page of the responses.

        With `before` alone, `has_more` tells whether the list has entries in front of the page, else whether it
        continues behind it. Any id that the tenant has or had is a cursor; any other one is an UnknownCursor.
        """
        after, before = self._position(paging.after, "after"), self._position(paging.before, "before")
        if before is None:
            return page_of(self._timeline.walk(after, paging.order), paging.limit)
        if after is None:
            opposite: Order = "desc" if paging.order == "asc" else "asc"
            page = page_of(self._timeline.walk(before, opposite), paging.limit)
            return Page(page.data[::-1], page.has_more)
        sign = 1 if paging.order == "asc" else -1
        walk = self._timeline.walk(after, paging.order)
        return page_of(takewhile(lambda each: sign * each.position < sign * before, walk), paging.limit)

    def _position(self, cursor: str | None, parameter: str) -> int | None:
        if cursor is None:
            return None
        if cursor in self._by_id:
            return self._by_id[cursor].position
        if cursor not in self._positions_of_deleted:
            raise UnknownCursor(cursor, parameter)
        return self._positions_of_deleted[cursor]


def page_of_items(items: Sequence[Item], paging: Paging) -> Page[Item]:
    """Return a page of a response's input; UnknownCursor if `paging.after` is none of the items."""
    ordered = items if paging.order == "asc" else items[::-1]
    start = 0
    if paging.after is not None:
        numbers = [number for number, item in enumerate(ordered) if item.id == paging.after]
        if not numbers:
            raise UnknownCursor(paging.after)
        start = numbers[0] + 1
    return page_of(iter(ordered[start:]), paging.limit)
