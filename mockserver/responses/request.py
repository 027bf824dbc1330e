"""The body of a request for a response: its defaults, and its rules that no schema can express."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mockserver.contract.json_schema import find_schema_mistake
from mockserver.errors import InvalidRequest
from mockserver.findings import MAX_FINDINGS, Code, Finding, describe, json_pointer
from mockserver.responses.webhooks import find_url_mistake

Request = Mapping[str, Any]

_COMPUTER = "computer_use_preview"
_NAMED_TOOLS = ("function", "custom", "agent")
_SCHEMA_FIELDS = ("parameters", "schema")
_TOOL_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"function": {"strict": False}}


def read_request(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> Request:
    """Return a valid body with its defaults, and without nulls in the optional fields of the body, tools and `text`.

    Raises:
        InvalidRequest: the body breaks a rule.
    """
    request = {**defaults, **drop_nulls(body)}
    if "tools" in request:
        tools = map(_drop_inner_nulls, request["tools"])
        request["tools"] = [{**_TOOL_DEFAULTS.get(tool["type"], {}), **tool} for tool in tools]
    if "text" in request:
        request["text"] = _drop_inner_nulls(request["text"])
    if findings := list(islice((finding for check in _CHECKS for finding in check(request)), MAX_FINDINGS)):
        raise InvalidRequest(findings)
    return request


def conversation_id_of(request: Request) -> str | None:
    """Return the id of the conversation that a request names, if it names one."""
    conversation = request.get("conversation")
    named: str | None = conversation["id"] if isinstance(conversation, Mapping) else conversation
    return named


def list_input(request: Request) -> Sequence[Mapping[str, Any]]:
    """Return the items of a request's input; a text is a message of the user."""
    sent = request.get("input") or ()
    return [{"type": "message", "role": "user", "content": sent}] if isinstance(sent, str) else sent


def drop_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without the fields that are null."""
    return {name: value for name, value in body.items() if value is not None}


def _drop_inner_nulls(value: Any) -> Any:
    """Return a value without all fields that are null, except within JSON Schemas."""
    if isinstance(value, list):
        return [_drop_inner_nulls(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: part if name in _SCHEMA_FIELDS else _drop_inner_nulls(part) for name, part in drop_nulls(value).items()
    }


def _check_combinations(request: Request) -> Iterator[Finding]:
    if "conversation" in request and "previous_response_id" in request:
        yield _finding("conflict", "cannot be combined with conversation", "previous_response_id")
    if not request["background"]:
        if request.get("stream_events"):
            yield _finding("conflict", "requires background", "stream_events")
        if "webhook_url" in request:
            yield _finding("conflict", "requires background", "webhook_url")
    elif not request["store"]:
        yield _finding("conflict", "must be true for a response in the background", "store")
    if "webhook_url" in request and (mistake := find_url_mistake(request["webhook_url"])):
        yield _finding("format", mistake, "webhook_url")
    if "webhook_secret" in request and "webhook_url" not in request:
        yield _finding("conflict", "requires webhook_url", "webhook_secret")


def _check_tools(request: Request) -> Iterator[Finding]:
    names: set[str] = set()
    for index, tool in enumerate(request.get("tools", ())):
        if tool["type"] == _COMPUTER:
            yield _unsupported_computer("tools", index, "type")
        if tool["type"] == "agent" and not (request["background"] and request["store"]):
            message = "agent is supported in stored background responses only"
            yield _finding("unsupported_tool", message, "tools", index, "type")
        name = tool.get("name") if tool["type"] in _NAMED_TOOLS else None
        if name is not None and name in names:
            message = f"another tool has the name {describe(name)}, too"
            yield _finding("duplicate_tool", message, "tools", index, "name")
        if name is not None:
            names.add(name)
        if tool["type"] == "function":
            yield from _check_schema(tool["parameters"], "tools", index, "parameters")


def _check_tool_choice(request: Request) -> Iterator[Finding]:
    choice = request.get("tool_choice")
    if isinstance(choice, Mapping) and choice["type"] == _COMPUTER:
        yield _unsupported_computer("tool_choice", "type")
    elif choice is None or "prompt" in request:
        return  # A prompt template may bring any tool.
    elif isinstance(choice, str):
        if choice == "required" and not request.get("tools"):
            yield _finding("unknown_tool", "is 'required', but the request has no tools", "tool_choice")
    else:
        offer = _Offer(request.get("tools", ()))
        if choice["type"] != "allowed_tools":
            yield from _check_choice(offer, choice, "tool_choice")
            return
        for index, allowed in enumerate(choice["tools"]):
            yield from _check_choice(offer, allowed, "tool_choice", "tools", index)


class _Offer:
    """The tools of a request, by what a choice names."""

    def __init__(self, tools: Iterable[Mapping[str, Any]]) -> None:
        self._types: set[str] = set()
        self._names: set[tuple[str, Any]] = set()
        for tool in tools:
            self._types.add(tool["type"])
            self._names.add((tool["type"], tool.get(_name_field(tool))))

    def has(self, choice: Mapping[str, Any]) -> bool:
        """Return whether a choice names one of the tools."""
        kind: str = choice["type"]
        if kind in (*_NAMED_TOOLS, "mcp"):
            return (kind, choice.get(_name_field(choice))) in self._names
        # The tools have versions in their names; a choice does not need them.
        stem = "web_search" if kind.startswith("web_search") else kind
        return any(offered.startswith(stem) for offered in self._types)


def _check_choice(offer: _Offer, choice: Mapping[str, Any], *path: str | int) -> Iterator[Finding]:
    if not offer.has(choice):
        field = _name_field(choice)
        named = field if choice.get(field) is not None else "type"
        message = f"no tool of the request has the {named} {describe(choice[named])}"
        yield _finding("unknown_tool", message, *path, named)


def _name_field(tool: Mapping[str, Any]) -> str:
    return "server_label" if tool["type"] == "mcp" else "name"


def _unsupported_computer(*path: str | int) -> Finding:
    return _finding("unsupported_tool", f"{_COMPUTER} is not supported", *path)


def _check_text_format(request: Request) -> Iterator[Finding]:
    text_format = request.get("text", {}).get("format", {})
    if text_format.get("type") == "json_schema":
        yield from _check_schema(text_format["schema"], "text", "format", "schema")


def _check_schema(schema: Any, *path: str | int) -> Iterator[Finding]:
    if mistake := find_schema_mistake(schema):
        message = f"is not a valid JSON Schema: {mistake.message}"
        yield _finding("invalid_schema", message, *path, *mistake.path)


def _finding(code: Code, message: str, *path: str | int) -> Finding:
    return Finding("request", "body", json_pointer(path), code, message)


_CHECKS: tuple[Callable[[Request], Iterator[Finding]], ...] = (
    _check_combinations,
    _check_tools,
    _check_tool_choice,
    _check_text_format,
)
