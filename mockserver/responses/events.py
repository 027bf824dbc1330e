"""The events of one output item, from its start to its end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

Event = dict[str, Any]


class ItemEvent(NamedTuple):
    """An event of an item, without what all of them have in common."""

    type: str
    fields: Mapping[str, Any] = {}
    is_delta: bool = False


class Surroundings(NamedTuple):
    """What the events of an item depend on, beside the item.

    `tools` are those of the request. `output` is the output of a call that the service has run itself, else None.
    `conforms` says whether an event conforms to the document: a detail that does not is left out.
    """

    tools: Sequence[Mapping[str, Any]] = ()
    output: str | None = None
    conforms: Callable[[Event], bool] = lambda _event: False


# The fields of an item that are empty or absent until they have been streamed, by the type of the item.
_EMPTY: Mapping[str, Mapping[str, Any]] = {
    "message": {"content": []},
    "reasoning": {"summary": [], "content": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "mcp_call": {"arguments": ""},
    "mcp_list_tools": {"tools": []},
    "code_interpreter_call": {"code": "", "outputs": None},
    "image_generation_call": {"result": ""},
}
_ABSENT: Mapping[str, Sequence[str]] = {
    "reasoning": ["encrypted_content"],
    "mcp_call": ["output", "error"],
    "mcp_list_tools": ["error"],
    "file_search_call": ["results"],
    "image_generation_call": ["revised_prompt"],
}

# The prefix of the events of a part with a text, by its type.
_TEXT_EVENTS: Mapping[str, str] = {
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "summary_text": "response.reasoning_summary_text",
}

# What the service says while it runs a call, by the name of the tool.
_PROGRESS: Mapping[str, str | None] = {
    "agent": None,
    "file_search": "searching",
    "history": "searching",
    "image_generation": "generating",
    "read_file": "reading",
    "shell": "executing",
    "sleep": "sleeping",
    "tool_search": "searching",
    "web_search": "searching",
}
_FAILURES = ("file_search", "image_generation")
_UNSUCCESSFUL = ("failed", "incomplete")


def start_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finished item as it is when it is added to the output."""
    kind = item["type"]
    absent = _ABSENT.get(kind, ())
    started = {name: value for name, value in item.items() if name not in absent}
    started |= {name: empty for name, empty in _EMPTY.get(kind, {}).items() if item.get(name) is not None}
    return started | {"status": "in_progress"} if "status" in item else started


def list_item_events(
    item: Mapping[str, Any], deltas: Sequence[Sequence[str]], around: Surroundings
) -> Iterator[ItemEvent]:
    """Yield the events of a finished item between those that add it and end it.

    `deltas` has the pieces of each of its texts, as in `ModelOutput`.
    """
    kind = item["type"]
    texts = iter(deltas)
    if kind == "message":
        yield from _list_part_events("response.content_part", "content_index", item["content"], texts)
    elif kind == "reasoning":
        yield from _list_part_events("response.reasoning_summary_part", "summary_index", item["summary"], texts)
        yield from _list_part_events("response.content_part", "content_index", item.get("content") or (), texts)
    elif kind == "function_call":
        done = {"arguments": item["arguments"], "name": item["name"]}
        yield from _list_text_events("response.function_call_arguments", done, texts)
        if around.output is not None and (tool := _hosted_tool(item, around.tools)):
            yield from _list_hosted_events(tool, item, around)
    elif kind == "custom_tool_call":
        yield from _list_text_events("response.custom_tool_call_input", {"input": item["input"]}, texts)
    elif kind == "mcp_call":
        yield ItemEvent("response.mcp_call.in_progress")
        yield from _list_text_events("response.mcp_call_arguments", {"arguments": item["arguments"]}, texts)
        yield ItemEvent("response.mcp_call.failed" if item.get("error") else "response.mcp_call.completed")
    elif kind == "mcp_list_tools":
        yield ItemEvent("response.mcp_list_tools.in_progress")
        yield ItemEvent("response.mcp_list_tools.failed" if item.get("error") else "response.mcp_list_tools.completed")
    elif kind == "code_interpreter_call":
        yield from _list_interpreter_events(item, texts)
    elif kind.removesuffix("_call") in _PROGRESS:
        yield from _list_hosted_events(kind.removesuffix("_call"), item, around)


def _list_part_events(
    prefix: str, index_name: str, parts: Sequence[Mapping[str, Any]], texts: Iterator[Sequence[str]]
) -> Iterator[ItemEvent]:
    for index, part in enumerate(parts):
        at = {index_name: index}
        name = "refusal" if part["type"] == "refusal" else "text"
        empty: dict[str, Any] = {"annotations": [], "logprobs": []} if part["type"] == "output_text" else {}
        yield ItemEvent(f"{prefix}.added", {**at, "part": {**part, name: "", **empty}})
        if part["type"] == "output_text":
            yield from _list_output_text_events(part, at, texts)
        else:
            yield from _list_text_events(_TEXT_EVENTS[part["type"]], {**at, name: part[name]}, texts, at)
        yield ItemEvent(f"{prefix}.done", {**at, "part": part})


def _list_output_text_events(
    part: Mapping[str, Any], at: Mapping[str, Any], texts: Iterator[Sequence[str]]
) -> Iterator[ItemEvent]:
    yield from _list_deltas("response.output_text", texts, {**at, "logprobs": []})
    for index, annotation in enumerate(part.get("annotations", ())):
        described = {
            "type": annotation["type"],
            "text": annotation.get("title", annotation.get("filename", "")),
            "start": annotation.get("start_index", annotation.get("index", 0)),
            "end": annotation.get("end_index", annotation.get("index", 0)),
        }
        fields = {**at, "annotation_index": index, "annotation": described}
        yield ItemEvent("response.output_text.annotation.added", fields)
    yield ItemEvent("response.output_text.done", {**at, "text": part["text"], "logprobs": []})


def _list_text_events(
    event_type: str, done: Mapping[str, Any], texts: Iterator[Sequence[str]], at: Mapping[str, Any] | None = None
) -> Iterator[ItemEvent]:
    yield from _list_deltas(event_type, texts, at or {})
    yield ItemEvent(f"{event_type}.done", done)


def _list_deltas(event_type: str, texts: Iterator[Sequence[str]], at: Mapping[str, Any]) -> Iterator[ItemEvent]:
    for delta in next(texts, ()):
        yield ItemEvent(f"{event_type}.delta", {**at, "delta": delta}, is_delta=True)


def _list_interpreter_events(item: Mapping[str, Any], texts: Iterator[Sequence[str]]) -> Iterator[ItemEvent]:
    yield ItemEvent("response.code_interpreter_call.in_progress")
    if item["code"] is not None:
        yield from _list_text_events("response.code_interpreter_call_code", {"code": item["code"]}, texts)
    yield ItemEvent("response.code_interpreter_call.interpreting")
    if item["status"] not in _UNSUCCESSFUL:
        yield ItemEvent("response.code_interpreter_call.completed")


def _hosted_tool(call: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the tool of a function call that the service has run itself."""
    if call["name"] in _PROGRESS:
        return str(call["name"])
    return "agent" if _find_agent(call, tools) else None


def _find_agent(call: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    agents = [tool for tool in tools if tool["type"] == "agent"]
    return next((tool for tool in agents if call["name"] in (tool.get("name"), tool["agent_id"])), None)


def _list_hosted_events(tool: str, item: Mapping[str, Any], around: Surroundings) -> Iterator[ItemEvent]:
    """Yield the events of a call that the service runs itself."""
    prefix = f"response.{tool}_call"
    if tool == "agent":
        agent = _find_agent(item, around.tools) or {}
        yield ItemEvent(f"{prefix}.in_progress", {"agent_id": agent.get("agent_id", item["name"])})
    else:
        yield _with_details(ItemEvent(f"{prefix}.in_progress"), {"args": _arguments(item)}, around)
    if (progress := _PROGRESS[tool]) is not None:
        yield ItemEvent(f"{prefix}.{progress}")
    if tool == "image_generation" and item["type"] == "image_generation_call":
        for index in range(sum(one.get("partial_images", 0) for one in around.tools if one["type"] == tool)):
            image = {"partial_image_index": index, "partial_image_b64": item["result"]}
            yield ItemEvent(f"{prefix}.partial_image", image)
    if item.get("status") in _UNSUCCESSFUL:
        if tool in _FAILURES and item["status"] == "failed":
            yield ItemEvent(f"{prefix}.failed", {"function_call_output": around.output or ""})
    else:
        yield _with_details(ItemEvent(f"{prefix}.completed"), {"function_call_output": around.output}, around)


def _arguments(item: Mapping[str, Any]) -> Any:
    """Return what a call that the service runs itself was called with."""
    match item["type"]:
        case "function_call":
            try:
                return orjson.loads(item["arguments"])
            except orjson.JSONDecodeError:
                return None
        case "web_search_call":
            return {"query": item["action"].get("query")}
        case "image_generation_call":
            return {"prompt": item.get("revised_prompt")}
        case "shell_call":
            return {"command": item["action"].get("command")}
    return None


def _with_details(event: ItemEvent, details: Mapping[str, Any], around: Surroundings) -> ItemEvent:
    """Return the event with optional fields, if the document allows them."""
    detailed = event._replace(fields={**event.fields, **details})
    probe = {"type": event.type, "sequence_number": 0, "item_id": "item_1", "output_index": 0, **detailed.fields}
    return detailed if around.conforms(probe) else event
