"""The searchable text of an item: message text, tool arguments and tool outputs.

Ids, enums, names, URLs, file data and encrypted content are not searchable, and a reference has no text.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson

# Where each type of item holds text. A step that leads to an array continues in each of its elements.
_TEXT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "message": ("content", "content.text", "content.refusal"),
    "function_call": ("arguments",),
    "function_call_output": ("output", "output.text"),
    "custom_tool_call": ("input",),
    "custom_tool_call_output": ("output", "output.text"),
    "computer_call": ("action.text", "pending_safety_checks.message"),
    "computer_call_output": ("acknowledged_safety_checks.message",),
    "file_search_call": ("queries", "results.text"),
    "web_search_call": ("action.query", "action.pattern"),
    "reasoning": ("summary.text", "content.text"),
    "image_generation_call": ("revised_prompt",),
    "code_interpreter_call": ("code", "outputs.logs"),
    "local_shell_call": ("action.command",),
    "local_shell_call_output": ("output",),
    "shell_call": ("action.command",),
    "shell_call_output": ("output.stdout", "output.stderr"),
    "mcp_list_tools": ("tools.description", "error"),
    "mcp_approval_request": ("arguments",),
    "mcp_approval_response": ("reason",),
    "mcp_call": ("arguments", "output", "error"),
    "output_audio": ("transcript",),
    "compaction": ("content",),
}
_PATHS = {item_type: [tuple(field.split(".")) for field in fields] for item_type, fields in _TEXT_FIELDS.items()}
_MAY_HOLD_JSON = ("arguments", "output")


def text_parts(data: bytes) -> Iterator[str]:
    """Yield each text part of an item, given as its JSON."""
    for name, text in _named_parts(orjson.loads(data)):
        yield _decode_escapes(text) if name in _MAY_HOLD_JSON else text


def raw_text_parts(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield each text part of an item as it stands there."""
    return (text for _, text in _named_parts(item))


def _named_parts(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each text part with the name of its field."""
    for path in _PATHS.get(item.get("type", "message"), ()):
        for text in _strings_at(item, path):
            yield path[-1], text


def _strings_at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _strings_at(element, path)
    elif not path:
        if isinstance(value, str):
            yield value
    elif isinstance(value, dict):
        yield from _strings_at(value.get(path[0]), path[1:])


def _decode_escapes(text: str) -> str:
    """Return the names and values of a JSON text that contains escapes, and any other text unchanged."""
    # Many encoders write Zürich as Z\u00fcrich, and all of them write a line end as \n.
    if "\\" not in text:
        return text
    try:
        pending = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return text
    leaves: list[str] = []
    while pending:
        match pending.pop():
            case dict() as members:
                pending += reversed(list(chain.from_iterable(members.items())))
            case list() as elements:
                pending += reversed(elements)
            case str() as leaf:
                leaves.append(leaf)
            case other:
                leaves.append(orjson.dumps(other).decode())
    return " ".join(leaves)
