"""The prompt: what the model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from mockserver.replies.words import count_item_words, count_words

_CALLS = ("function_call", "custom_tool_call")
_SLEEP = "sleep"


class ToolOutput(NamedTuple):
    """The output of a tool; `tool` is None if no item of the context has the call."""

    tool: str | None
    text: str


@dataclass(frozen=True)
class Prompt:
    """A request to the model, and the items of its context, the oldest first.

    `request` is the validated body of `createResponse`. The context is the stored items of the conversation, or of the
    chain of previous responses, followed by the request's own input; references are resolved, and an input string is
    a user message. `key` is the fingerprint of the API key.
    """

    request: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    key: str = ""
    conversation_id: str | None = None

    @property
    def model(self) -> str:
        """The model that the request names."""
        return str(self.request["model"])

    @cached_property
    def user_texts(self) -> Sequence[str]:
        """The text of each user message, the oldest first; empty for a message without text."""
        return [_message_text(item) for item in self.items if item.get("role") == "user"]

    @property
    def newest_user_text(self) -> str:
        """The text of the newest user message."""
        return self.user_texts[-1] if self.user_texts else ""

    @cached_property
    def instruction_texts(self) -> Sequence[str]:
        """The instructions of the request, and the text of each system and developer message."""
        messages = [_message_text(item) for item in self.items if item.get("role") in ("system", "developer")]
        return [self.request["instructions"], *messages] if self.request.get("instructions") else messages

    @cached_property
    def tool_outputs(self) -> Sequence[ToolOutput]:
        """The tool outputs with which the context ends."""
        count = 0
        while count < len(self.items) and _is_tool_output(self.items[-1 - count]):
            count += 1
        return [
            ToolOutput(self._tool_name(item), _output_text(item)) for item in self.items[len(self.items) - count :]
        ]

    @cached_property
    def turn(self) -> int:
        """The number of this turn of the model: 1, and 1 for each run of items of the model in the context."""
        turns, was_model = 1, False
        for item in self.items:
            is_model = self._is_from_model(item)
            turns += is_model and not was_model
            was_model = is_model
        return turns

    @cached_property
    def input_words(self) -> int:
        """The number of words in the context and the instructions."""
        return count_words(self.request.get("instructions") or "") + sum(map(count_item_words, self.items))

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools that the request offers."""
        return self.request.get("tools") or ()

    @property
    def text_format(self) -> Mapping[str, Any]:
        """The format that the request asks for."""
        return (self.request.get("text") or {}).get("format") or {"type": "text"}

    @cached_property
    def _calls(self) -> Mapping[str, str]:
        """The names of called tools by `call_id`."""
        return {item["call_id"]: item["name"] for item in self.items if item.get("type") in _CALLS}

    def _tool_name(self, item: Mapping[str, Any]) -> str | None:
        kind: str = item["type"].removesuffix("_output")
        return self._calls.get(item["call_id"]) if kind in _CALLS else kind.removesuffix("_call")

    def _is_from_model(self, item: Mapping[str, Any]) -> bool:
        kind = item.get("type", "message")
        if kind == "message":
            return item.get("role") == "assistant"
        if kind == "function_call_output":
            # The service itself runs the sleep tool, so its output lies within a turn.
            return self._tool_name(item) == _SLEEP and not any(tool.get("name") == _SLEEP for tool in self.tools)
        if kind == "shell_call_output":
            return True
        return kind not in ("item_reference", "mcp_approval_response") and not _is_tool_output(item)


def _is_tool_output(item: Mapping[str, Any]) -> bool:
    return str(item.get("type", "")).endswith("_output")


def _message_text(item: Mapping[str, Any]) -> str:
    return _join_texts(item.get("content") or "")


def _output_text(item: Mapping[str, Any]) -> str:
    output = item["output"]
    if item["type"] == "shell_call_output":
        return str(output["stdout"] + output["stderr"])
    if item["type"] == "computer_call_output":
        return str(output.get("image_url") or output.get("file_id") or "")
    return _join_texts(output)


def _join_texts(content: Any) -> str:
    """Return a text that is given as a string or as parts, each of them on a line."""
    if isinstance(content, str):
        return content
    texts = [part if isinstance(part, str) else part.get("text", "") for part in content]
    return "\n".join(text for text in texts if text)
