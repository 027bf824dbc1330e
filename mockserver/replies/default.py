"""The default output, for requests that no planned reply matches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.replies.prompt import Prompt


def write_items(prompt: Prompt) -> Sequence[Mapping[str, Any]]:
    """Return the items of the default output, by the first rule that applies."""
    if not prompt.tool_outputs and (tool := _required_tool(prompt)) is not None:
        return [_call(tool, prompt)]
    text_format = prompt.text_format
    if text_format["type"] == "json_schema":
        return [text_message(dump_json(_sample_of(text_format["schema"])))]
    text = "\n".join(map(_quote_output, prompt.tool_outputs)) or _quote_user(prompt)
    return [text_message(dump_json({"text": text}) if text_format["type"] == "json_object" else text)]


def text_message(text: str) -> dict[str, Any]:
    """Return a message with a text."""
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def dump_json(value: Any) -> str:
    """Serialise a value with spaces, so that it has words."""
    return json.dumps(value, ensure_ascii=False)


def _required_tool(prompt: Prompt) -> Mapping[str, Any] | None:
    """Return the function or custom tool that the request requires, or the first if it requires any of them."""
    choice = prompt.request.get("tool_choice")
    tools = [tool for tool in prompt.tools if tool["type"] in ("function", "custom")]
    if isinstance(choice, Mapping):
        if choice["type"] == "allowed_tools":
            allowed = (
                [(one["type"], one.get("name")) for one in choice["tools"]] if choice["mode"] == "required" else []
            )
        else:
            allowed = [(choice["type"], choice.get("name"))]
        tools = [tool for name in allowed for tool in tools if (tool["type"], tool["name"]) == name]
    elif choice != "required":
        return None
    return next(iter(tools), None)


def _call(tool: Mapping[str, Any], prompt: Prompt) -> Mapping[str, Any]:
    name = tool["name"]
    if tool["type"] == "custom":
        return {"type": "custom_tool_call", "name": name, "input": prompt.newest_user_text}
    arguments = _sample_of({"type": "object", **tool["parameters"]})
    return {"type": "function_call", "name": name, "arguments": dump_json(arguments)}


def _sample_of(schema: Mapping[str, Any]) -> Any:
    """Return a value that conforms to a schema."""
    from mockserver.replies import schema_sample  # Would make each start slower, and few requests have a schema.

    return schema_sample.sample_of(schema)


def _quote_output(output: Any) -> str:
    return f"{output.tool or 'tool'} said{_quote(output.text)}"


def _quote_user(prompt: Prompt) -> str:
    texts = [text for text in prompt.user_texts if text]
    text = f"You said{_quote(texts[-1] if texts else '')}"
    return f"{text} Before that: {texts[-2]}" if len(texts) > 1 else text


def _quote(text: str) -> str:
    return f": {text}" if text else " nothing."
