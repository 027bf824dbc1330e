"""Mistakes in requests and responses, as values."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

Side = Literal["request", "response"]
Location = Literal["body", "query", "path", "header", "cookie", "status"]

_Keyword = Literal[
    "const", "contains", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maximum", "maxItems", "maxLength",
    "maxProperties", "minimum", "minItems", "minLength", "minProperties", "multipleOf", "not", "oneOf", "pattern",
    "propertyNames", "required", "type", "uniqueItems",
]  # fmt: skip
_Text = Literal[
    "duplicate_name", "invalid_encoding", "invalid_json", "lone_surrogate", "nested_too_deeply", "number_too_large",
    "too_long", "too_many_values",
]  # fmt: skip
_Http = Literal[
    "duplicate_parameter", "undeclared_status", "unexpected_body", "unexpected_content_type",
    "unknown_parameter",
]  # fmt: skip
_Value = Literal["null_not_allowed", "unknown_field", "schema"]
_Stream = Literal["event_order", "event_mismatch", "invalid_event", "sequence_number", "stream_cut"]
_State = Literal["id_in_use", "reference_within_conversation", "unknown_cursor"]
_Response = Literal[
    "conflict", "duplicate_tool", "invalid_schema", "not_cancellable", "response_not_ended", "unknown_call",
    "unknown_tool", "unsupported_tool",
]  # fmt: skip
_Control = Literal["invalid_fault", "invalid_reply", "invalid_seed", "reply_mismatch"]
_Failure = Literal["application_error", "server_error", "unreadable_by_sdk", "reference_engine"]

Code = _Keyword | _Value | _Text | _Http | _Stream | _State | _Response | _Control | _Failure
"""All codes: the keyword of JSON Schema that a value breaks, else a name for the kind of mistake."""
CODES: frozenset[str] = frozenset(code for group in get_args(Code) for code in get_args(group))


MAX_FINDINGS = 20
"""The number of findings about one body or parameter that are reported."""
_MAX_TOKEN = 200
_MAX_POINTER = 2000


class Finding(NamedTuple):
    """One mistake in a request or a response.

    `pointer` is a JSON pointer to the value within `location`; that of a missing field names the field. `code` is for
    programs, `message` for people. `schema_pointer` is the place in the document that the value breaks.
    """

    side: Side
    location: Location
    pointer: str
    code: Code
    message: str
    schema_pointer: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding in the form that error bodies have."""
        return {"in": self.location, "pointer": self.pointer, "code": self.code, "message": self.message}


def json_pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path of names and indices; a very long one is cut."""
    pointer = "".join(f"/{escape_token(_cut(str(token), _MAX_TOKEN))}" for token in path)
    return _cut(pointer, _MAX_POINTER)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def escape_token(token: str) -> str:
    """Escape a name for a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape_token(token: str) -> str:
    """Return the name that a token of a JSON pointer stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def describe(value: Any, limit: int = 60) -> str:
    """Describe a value for a message: printable, on one line, not longer than about `limit`."""
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
