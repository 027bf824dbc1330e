"""The records of the store. Their JSON is made in `resources.serialisation`."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import orjson

REFERENCE = "item_reference"


class Conversation(NamedTuple):
    """A conversation without its items. Times are Unix seconds; `deleted_at` is None while it is live."""

    id: str
    created_at: int
    metadata: Mapping[str, str]
    deleted_at: int | None = None


class Item(NamedTuple):
    """One entry of a conversation.

    `data` is the item's JSON object as responses show it, but without `response_id` and `metadata`, which are fields
    of the record. A reference (`is_reference`) stands for the item with the same id in another conversation of the
    tenant.
    """

    id: str
    data: bytes
    is_reference: bool = False
    response_id: str | None = None
    metadata: Mapping[str, str] | None = None

    def as_reference(self) -> Self:
        """Return a reference to the item."""
        return self._replace(data=b"%b" % orjson.dumps({"id": self.id, "type": REFERENCE}), is_reference=True)


def item_type(body: Mapping[str, Any]) -> str:
    """Return the type of an item in a request, which is optional in messages and references."""
    return body.get("type") or ("message" if "role" in body else REFERENCE)
