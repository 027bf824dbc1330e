"""Coverage of the API by the requests in the journal."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mockserver.gateway.journal import JournalEntry, parse_body
from mockserver.store.records import item_type


def count_coverage(entries: Iterable[JournalEntry]) -> dict[str, Any]:
    """Count the responses per operation and status, and the accepted items per type."""
    operations: dict[str, Counter[str]] = {}
    items: Counter[str] = Counter()
    for entry in entries:
        if entry.operation:
            operations.setdefault(entry.operation, Counter())[str(entry.status)] += 1
            if entry.status == 200:
                items.update(entry.item_types or list_item_types(parse_body(entry.request)))
    return {"operations": {name: dict(counts) for name, counts in operations.items()}, "items": dict(items)}


def list_item_types(body: Any) -> Iterator[str]:
    """Return the types of the items in a request body: those of a conversation, or the input of a response."""
    for name in ("items", "input") if isinstance(body, dict) else ():
        items = body.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield str(item_type(item))
