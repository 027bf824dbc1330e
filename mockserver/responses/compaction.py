"""Compaction: the context of a model as one item."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.store.item_text import raw_text_parts


def compact_items(item_id: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an item with the text of all items, each in a paragraph that begins with who says it."""
    content = "\n\n".join(paragraph for item in items if (paragraph := _paragraph(item)))
    return {"id": item_id, "type": "compaction", "content": content, "encrypted_content": seal(content)}


def seal(text: str) -> str:
    """Return a text in a form that is not readable at first sight, in place of encryption."""
    return b64encode(text.encode()).decode()


def _paragraph(item: Mapping[str, Any]) -> str:
    text = "\n".join(filter(None, raw_text_parts(item)))
    if not text or item["type"] == "compaction":
        return text
    return f"{item.get('role') or item.get('name') or item['type']}: {text}"
