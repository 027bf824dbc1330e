"""Replies: what the fake model says, to which requests, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

PLANNING_FIELDS = (
    "model", "input", "input_regex", "instructions", "tool_output", "conversation", "turn", "api_key", "times",
)  # fmt: skip
"""Fields that select requests, and so have no meaning for a reply that a request carries."""

MESSAGE_FIELDS = ("text", "json", "refusal")
"""Fields that give the message, of which a reply has one at most."""

SHORT_FIELDS = (*MESSAGE_FIELDS, "function_call", "reasoning")
"""Fields that give one kind of output item each."""

CONTENT_FIELDS = (*SHORT_FIELDS, "items")
"""Fields that replace the default output."""


@dataclass(frozen=True)
class Reply:
    """A reply; `spec/schemas/reply.yaml` describes its `fields`.

    `key` is the fingerprint of the only API key that it applies to.
    """

    fields: Mapping[str, Any]
    key: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], key: str | None = None) -> Self:
        """Build a reply from data that conforms to its schema, and the fingerprint of the `api_key` in it."""
        return cls({name: value for name, value in data.items() if name not in ("api_key", "key")}, key)

    @property
    def times(self) -> int | None:
        """How often it may fire; None means no limit."""
        times: int | None = self.fields.get("times", 1)
        return times

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, the number of times, and the key if there is one."""
        key = {} if self.key is None else {"key": self.key}
        return {**key, **self.fields, "times": self.times}
