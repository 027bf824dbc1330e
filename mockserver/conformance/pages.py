"""Reading entries of pages, tolerant where the form is not documented."""

import json
from collections.abc import Mapping
from typing import Any


def ids(page: Mapping[str, Any]) -> list[str]:
    """Return the ids of a page in its order."""
    return [entry["id"] for entry in page["data"]]


def message_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message, whether its content is a string or a list of parts."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def texts(page: Mapping[str, Any]) -> list[str]:
    """Return the texts of a page of messages in its order."""
    return [message_text(message) for message in page["data"]]


def sort_by_id(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a page sorted by id, for comparisons that ignore their order."""
    return sorted(page["data"], key=lambda entry: json.dumps(entry["id"]))
