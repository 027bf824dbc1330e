"""Where the output of the model does not fit the request; models do that, so it is delivered all the same."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mockserver.contract.json_schema import InvalidSchema, compile_schema
from mockserver.findings import Finding, describe, json_pointer
from mockserver.replies.output import ModelOutput
from mockserver.replies.prompt import Prompt

_CALLS = {"function_call": "function", "custom_tool_call": "custom"}


def find_mismatches(output: ModelOutput, prompt: Prompt) -> list[Finding]:
    """Return a finding for each part of the output that does not fit the request."""
    found = [
        Finding("response", "body", json_pointer(["output", index, *path]), "reply_mismatch", message)
        for index, item in enumerate(output.items)
        for path, message in _find_in_item(item.body, prompt)
    ]
    found += [
        Finding("response", "body", "", "reply_mismatch", message) for message in _find_idle_fields(output, prompt)
    ]
    return found


def _find_idle_fields(output: ModelOutput, prompt: Prompt) -> Iterator[str]:
    is_in_background = prompt.request.get("background")
    if not is_in_background:
        for name, seconds in (("queued", output.queued), ("sleep", output.sleep)):
            if seconds:
                yield f"{name} has no effect on a request without background"
    if output.fault is not None and not prompt.request.get("stream"):
        if is_in_background:
            yield "fault has no effect on a request with background and without stream"
        elif "after_events" in output.fault:
            yield "fault has no effect on a request without stream, because it has after_events"


def _find_in_item(body: Mapping[str, Any], prompt: Prompt) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if body["type"] in _CALLS:
        yield from _find_in_call(body, prompt)
    elif body["type"] == "message" and body["status"] == "completed":
        for index, part in enumerate(body["content"]):
            if part["type"] == "output_text" and (message := _check_text(part["text"], prompt.text_format)):
                yield ("content", index, "text"), message


def _find_in_call(body: Mapping[str, Any], prompt: Prompt) -> Iterator[tuple[tuple[str | int, ...], str]]:
    kind = _CALLS[body["type"]]
    named = [tool for tool in prompt.tools if tool["type"] == kind and tool["name"] == body["name"]]
    if not named:
        yield ("name",), f"the request offers no {kind} tool of the name {describe(body['name'])}"
        return
    parameters = {"type": "object", **named[0].get("parameters", {})}
    if kind == "function" and body["status"] == "completed" and not _conforms(body["arguments"], parameters):
        yield ("arguments",), f"do not conform to the parameters of {describe(body['name'])}"


def _check_text(text: str, text_format: Mapping[str, Any]) -> str | None:
    """Return why a text is not in the requested format, or None if it is."""
    if text_format["type"] == "json_schema":
        return None if _conforms(text, text_format["schema"]) else "does not conform to the schema of text.format"
    if text_format["type"] == "json_object":
        return None if _conforms(text, {"type": "object"}) else "must be a JSON object by text.format"
    return None


def _conforms(text: str, schema: Mapping[str, Any]) -> bool:
    """Return whether a text is JSON that conforms to a schema. To an invalid schema, all JSON does."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    try:
        return compile_schema(schema)(value)
    except InvalidSchema:
        return True
