"""Words, which are the tokens of the fake model."""

import re
from collections.abc import Mapping
from typing import Any

from mockserver.store.item_text import raw_text_parts

_PIECE = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")


def split_into_words(text: str) -> tuple[str, ...]:
    """Split a text into its words, each with the white space before it; the last one also has that after it."""
    return tuple(_PIECE.findall(text))


def count_words(text: str) -> int:
    """Return the number of words of a text."""
    return len(text.split())


def count_item_words(item: Mapping[str, Any]) -> int:
    """Return the number of words of all text in an item."""
    return sum(map(count_words, raw_text_parts(item)))
