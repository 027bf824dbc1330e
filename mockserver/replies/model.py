"""Replies: what the fake model says, to which requests, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A reply; `spec/control.yaml` describes its `fields`.

    `key` is the fingerprint of the only API key that it applies to.
    """

    fields: Mapping[str, Any]
    key: str | None = None

    @property
    def times(self) -> int | None:
        """How often it may fire; None means no limit."""
        times: int | None = self.fields.get("times", 1)
        return times
