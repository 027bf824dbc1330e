"""Output items: what a planned item may omit, which of its texts are streamed, and how they are cut."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mockserver.replies.words import count_words, split_into_words

_DONE = {"status": "completed"}
_CALL = {"arguments": "{}", **_DONE}

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "message": {"role": "assistant", "content": [], **_DONE},
    "output_audio": {"data": "", "transcript": "", **_DONE},
    "reasoning": {"summary": [], **_DONE},
    "function_call": _CALL,
    "function_call_output": {"output": "", **_DONE},
    "custom_tool_call": {"input": ""},
    "file_search_call": {"queries": [], **_DONE},
    "web_search_call": {"action": {"type": "search", "query": ""}, **_DONE},
    "code_interpreter_call": {"code": None, "outputs": None, **_DONE},
    "image_generation_call": {"result": "", **_DONE},
    "computer_call": {"action": {"type": "screenshot"}, "pending_safety_checks": [], **_DONE},
    "local_shell_call": {"action": {"type": "exec", "command": [], "env": {}}, **_DONE},
    "shell_call": {"action": {"type": "exec"}, **_DONE},
    "shell_call_output": {
        "output": {"stdout": "", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
        **_DONE,
    },
    "mcp_list_tools": {"tools": []},
    "mcp_call": {"arguments": "{}"},
    "mcp_approval_request": {"arguments": "{}"},
    "compaction": {"content": ""},
}
"""The fields that a planned item may omit, by its type, apart from generated ids."""

OUTPUT_TYPES = tuple(_DEFAULTS)
"""The types of items that a model or the service makes; only clients make the others."""

_GENERATED_IDS: Mapping[str, tuple[str, str]] = {
    "function_call": ("call_id", "call"),
    "custom_tool_call": ("call_id", "call"),
    "computer_call": ("call_id", "call"),
    "local_shell_call": ("call_id", "call"),
    "shell_call": ("call_id", "call"),
    "code_interpreter_call": ("container_id", "cntr"),
}
"""The field with a generated id and its prefix, by the type of an item."""

_PART_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"output_text": {"annotations": [], "logprobs": []}}

# Where the texts of an item lie that are streamed: lists of parts, or the item itself.
_PART_FIELDS: Mapping[str, tuple[str, ...]] = {"message": ("content",), "reasoning": ("summary", "content")}
_TEXT_FIELDS: Mapping[str, str] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "code_interpreter_call": "code",
}
_PART_TEXTS = {"output_text": "text", "refusal": "refusal", "summary_text": "text", "reasoning_text": "text"}
_CUT_WHOLE = ("mcp_call", "code_interpreter_call")


def complete_items(items: Sequence[Mapping[str, Any]], new_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return planned items with everything that they omit, apart from `id`; an output gets the id of the last call."""
    completed: list[dict[str, Any]] = []
    call_ids: dict[str, str] = {}
    for item in items:
        kind = item.get("type", "message")
        missing = {name: value for name, value in _DEFAULTS.get(kind, {}).items() if name not in item}
        if kind in _GENERATED_IDS:
            name, prefix = _GENERATED_IDS[kind]
            if name not in item:
                missing[name] = new_id(prefix)
        elif kind.removesuffix("_output") in call_ids and "call_id" not in item:
            missing["call_id"] = call_ids[kind.removesuffix("_output")]
        body = {"type": kind, **deepcopy({**item, **missing})}
        for field in _PART_FIELDS.get(kind, ()):
            if field in body:
                body[field] = _complete_parts(body[field])
        if "call_id" in body:
            call_ids[kind] = body["call_id"]
        completed.append(body)
    return completed


def list_streamed_texts(body: Mapping[str, Any]) -> list[str]:
    """Return the texts of an item that are streamed, in the order in which they are.

    They are the parts of a message, the parts of the summary and of the content of reasoning, the arguments or the
    input of a call, and the code of the code interpreter.
    """
    return [owner[name] for owner, name in _streamed_fields(body)]


def cut_item(body: Mapping[str, Any], words: int) -> dict[str, Any] | None:
    """Return an item with the first words of its text, marked as incomplete; None if it has no text to cut."""
    if body["type"] in _CUT_WHOLE or words < 1 or not list_streamed_texts(body):
        return None
    cut = deepcopy(dict(body))
    for owner, name in _streamed_fields(cut):
        owner[name] = "".join(split_into_words(owner[name])[: max(words, 0)])
        words -= count_words(owner[name])
    for field in reversed(_PART_FIELDS.get(cut["type"], ())):
        parts = cut.get(field, [])
        while parts and not parts[-1][_PART_TEXTS[parts[-1]["type"]]]:
            del parts[-1]
        if parts:
            break
    return mark_incomplete(cut)


def mark_incomplete(body: dict[str, Any]) -> dict[str, Any]:
    """Return an item with the status `incomplete`, if its type has a status."""
    return body | {"status": "incomplete"} if "status" in body else body


def _complete_parts(content: Any) -> Any:
    """Return complete parts; the content may be invalid, and a string is the text of one part."""
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    if not isinstance(content, list):
        return content
    return [_complete_part(part) if isinstance(part, dict) else part for part in content]


def _complete_part(part: Mapping[str, Any]) -> dict[str, Any]:
    defaults = _PART_DEFAULTS.get(str(part.get("type")), {})
    return {**part, **{name: list(value) for name, value in defaults.items() if name not in part}}


def _streamed_fields(body: Any) -> Iterator[tuple[Any, str]]:
    kind = body["type"]
    if kind in _TEXT_FIELDS and isinstance(body[_TEXT_FIELDS[kind]], str):
        yield body, _TEXT_FIELDS[kind]
    for field in _PART_FIELDS.get(kind, ()):
        for part in body.get(field, ()):
            yield part, _PART_TEXTS[part["type"]]
