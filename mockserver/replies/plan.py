"""The plan: which reply answers which request."""

from collections.abc import Mapping
from math import inf
from typing import Any

from mockserver.replies.model import Reply
from mockserver.replies.patterns import compile_pattern
from mockserver.replies.prompt import Prompt


class PlannedReply:
    """A reply in the plan. `seen` counts the requests that it matched, `fired` those that it answered."""

    __slots__ = ("_has_pattern", "fired", "id", "reply", "seen")

    def __init__(self, reply_id: int, reply: Reply) -> None:
        self.id = reply_id
        self.reply = reply
        self.seen = 0
        self.fired = 0
        pattern = reply.fields.get("input_regex")
        self._has_pattern = None if pattern is None else compile_pattern(pattern)

    @property
    def times_left(self) -> float:
        """How often it may still fire."""
        return inf if self.reply.times is None else self.reply.times - self.fired

    def matches(self, prompt: Prompt) -> bool:
        """Return whether the reply applies to a request of its key."""
        fields = self.reply.fields
        return (
            fields.get("model", prompt.model) == prompt.model
            and fields.get("conversation", prompt.conversation_id) == prompt.conversation_id
            and fields.get("input", "") in prompt.newest_user_text
            and self._matches_tool_outputs(prompt)
            and ("turn" not in fields or fields["turn"] == prompt.turn)
            and (
                "instructions" not in fields
                or any(fields["instructions"] in text for text in prompt.instruction_texts)
            )
            and (self._has_pattern is None or self._has_pattern(prompt.newest_user_text))
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the planned reply in the form of the control API."""
        return {"id": self.id, **self.reply.as_dict(), "seen": self.seen, "fired": self.fired}

    def _matches_tool_outputs(self, prompt: Prompt) -> bool:
        expected = self.reply.fields.get("tool_output")
        if expected is None:
            # A call without end would never let a tool loop end.
            return not (prompt.tool_outputs and self.reply.times is None and _has_function_call(self.reply.fields))
        if isinstance(expected, bool):
            return bool(prompt.tool_outputs) is expected
        return any(output.tool == expected for output in prompt.tool_outputs)


class ReplyPlan:
    """The planned replies, in the order in which they were added."""

    def __init__(self) -> None:
        self._planned: dict[int, PlannedReply] = {}
        self._by_key: dict[str | None, dict[int, PlannedReply]] = {}
        """So that a request costs nothing for the replies to other keys."""
        self._last_id = 0

    def add(self, reply: Reply) -> PlannedReply:
        """Plan a reply."""
        self._last_id += 1
        planned = self._planned[self._last_id] = PlannedReply(self._last_id, reply)
        self._by_key.setdefault(reply.key, {})[planned.id] = planned
        return planned

    def list_replies(self, key: str | None = None) -> list[PlannedReply]:
        """Return all planned replies, or those for one key."""
        return list((self._planned if key is None else self._by_key.get(key, {})).values())

    def remove(self, reply_id: int, key: str | None = None) -> bool:
        """Remove the reply with this id, and this key if given; return whether there was one."""
        planned = self._planned.get(reply_id)
        if planned is None or key not in (None, planned.reply.key):
            return False
        self._remove(planned)
        return True

    def clear(self, key: str | None = None) -> None:
        """Remove all planned replies, or those for one key."""
        for planned in self.list_replies(key):
            self._remove(planned)
        if key is None:
            self._last_id = 0

    def snapshot(self, key: str | None = None) -> list[dict[str, Any]]:
        """Return the replies that may still fire, or those of them for one key, with the times that are left."""
        return [
            {**planned.reply.as_dict(), "times": planned.times_left if planned.reply.times else None}
            for planned in self.list_replies(key)
            if planned.times_left
        ]

    def choose(self, prompt: Prompt) -> PlannedReply | None:
        """Return the reply that answers a request, and count it: limited ones come before unlimited ones."""
        known = {**self._by_key.get(None, {}), **self._by_key.get(prompt.key, {})}
        matching = [planned for _, planned in sorted(known.items()) if planned.matches(prompt)]
        for planned in matching:
            planned.seen += 1
        ready = [planned for planned in matching if planned.times_left]
        chosen = min(ready, key=lambda planned: planned.reply.times is None, default=None)
        if chosen is not None:
            chosen.fired += 1
        return chosen

    def _remove(self, planned: PlannedReply) -> None:
        key = planned.reply.key
        del self._planned[planned.id], self._by_key[key][planned.id]
        if not self._by_key[key]:
            del self._by_key[key]


def _has_function_call(fields: Mapping[str, Any]) -> bool:
    return "function_call" in fields or any(item.get("type") == "function_call" for item in fields.get("items", ()))
