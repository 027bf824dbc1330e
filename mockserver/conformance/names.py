"""Names and ids that the target does not know yet, and paths relative to the prefix of the API."""

from urllib.parse import quote
from uuid import uuid4

# Rotates each character within its kind, so that a hexadecimal id stays hexadecimal.
_ROTATED = str.maketrans("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                         "5678901234defabcstuvwxyzghijklmnopqrDEFABCSTUVWXYZGHIJKLMNOPQR")  # fmt: skip


def unique_name(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:16]}"


def unknown_id_like(known: str) -> str:
    """Return an id of the form of a known one, with its last letters and digits rotated.

    It has the same length, unless that is so short that another resource may have the id.
    """
    unknown = known[:-12] + known[-12:].translate(_ROTATED)
    return unknown if len(known) >= 12 else (unknown * 15)[:15]


def conversation_path(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"


def items_path(conversation: str) -> str:
    return f"{conversation_path(conversation)}/items"


def item_path(conversation: str, item: str) -> str:
    return f"{items_path(conversation)}/{quote(item, safe='')}"


def response_path(response: str, action: str = "") -> str:
    """Return the path of a response, or of something below it such as `cancel`."""
    path = f"/responses/{quote(response, safe='')}"
    return f"{path}/{action}" if action else path
