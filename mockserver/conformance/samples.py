"""Valid items of every kind, for scenarios and tests."""

from typing import Any

from mockserver.contract.document import data_path
from mockserver.contract.yaml_file import read_yaml

Item = dict[str, Any]

_ITEMS = read_yaml(data_path("fixtures/items.yaml"))


def message(text: str, role: str = "user", **fields: Any) -> Item:
    return {"type": "message", "role": role, "content": text, **fields}


def minimal_items(unique: str, referenced: str) -> dict[str, Item]:
    """Return one item of every kind with its required fields only, and one message of each direction.

    `unique` makes the required ids unique; `referenced` is the id of an item in another conversation.
    """
    reference = {"item_reference": {"type": "item_reference", "id": referenced}}
    return {name: _with_id(item, f"minimal_{unique}") for name, item in _ITEMS["minimal"].items()} | reference


def full_items(unique: str) -> dict[str, Item]:
    """Return items of every kind except references, with all optional fields, by description."""
    return {name: _with_id(item, f"{place}_{unique}") for place, (name, item) in enumerate(_ITEMS["full"].items())}


def _with_id(item: Item, unique: str) -> Item:
    return item | {"id": f"{item['id']}_{unique}"} if "id" in item else dict(item)
