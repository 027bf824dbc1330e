"""What the store keeps: records, not wire shapes."""

from collections.abc import Mapping
from typing import NamedTuple


class Conversation(NamedTuple):
    """`created_at` and `deleted_at` are Unix seconds; `deleted_at` is None while the conversation is live."""

    id: str
    created_at: int
    metadata: Mapping[str, str]
    deleted_at: int | None = None


class Item(NamedTuple):
    """One entry of a conversation.

    `data` is the item's JSON object as the API shows it, with `id` and without `response_id` and `metadata`,
    which stand beside it. A reference (`is_reference`) stands for the item of the same id in another
    conversation of the same tenant.
    """

    id: str
    data: bytes
    is_reference: bool = False
    response_id: str | None = None
    metadata: Mapping[str, str] | None = None
