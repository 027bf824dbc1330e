"""What scenarios read in an answer where nobody has documented how it is written down."""

import json
from collections.abc import Mapping
from typing import Any


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, whether its content is a text or a list of parts."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def texts(page: Mapping[str, Any]) -> list[str]:
    """What the messages of a page say, in its order."""
    return [text_of(message) for message in page["data"]]


def by_id(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a page in an order that does not depend on the page's."""
    return sorted(page["data"], key=lambda entry: json.dumps(entry["id"]))
