"""Paths of the API, relative to its prefix."""

from urllib.parse import quote


def conversation_path(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"


def items_path(conversation: str) -> str:
    return f"{conversation_path(conversation)}/items"


def item_path(conversation: str, item: str) -> str:
    return f"{items_path(conversation)}/{quote(item, safe='')}"
