"""What is wrong with a request or a response, as a value."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Side = Literal["request", "response"]
Location = Literal["body", "query", "path", "header", "cookie", "status"]


class Finding(NamedTuple):
    """One mistake.

    `pointer` is the JSON pointer of the offending place within `location`; that of a missing field names the field.
    `schema_pointer` is the place in the document that it breaks.
    """

    side: Side
    location: Location
    pointer: str
    message: str
    schema_pointer: str = ""

    def as_dict(self) -> dict[str, str]:
        """As it stands in an error body."""
        return {"in": self.location, "pointer": self.pointer, "message": self.message}


def json_pointer(path: Iterable[str | int]) -> str:
    """RFC 6901."""
    return "".join(f"/{escaped(str(token))}" for token in path)


def escaped(token: str) -> str:
    """A name as it stands in a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def shown(value: Any, limit: int = 60) -> str:
    """A value as a message may show it: on one line, cut."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "an empty array"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        text = str(value) if not isinstance(value, int) or value.bit_length() < 256 else "a huge integer"
        return text[:limit]
    text = value if len(value) <= limit else value[: limit - 3] + "..."
    return f"'{text}'" if text.isprintable() else ascii(text)
