"""Probes of the families responses, contexts and streams."""

from collections.abc import Callable
from typing import Any

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import RESPONSES, Json, json_request

_TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
_FORCED = {"tools": [_TOOL], "tool_choice": {"type": "function", "name": "get_weather"}}
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_FORMAT = {"format": {"type": "json_schema", "name": "city", "schema": _CITY}}

Observe = Callable[[MutantClient], Any]


def _new(field: str, **fields: Json) -> Observe:
    """Observe a field of a new response."""
    return lambda api: api.respond(**fields).json[field]


def _status(**fields: Json) -> Observe:
    """Observe the status of a request for a response."""
    return lambda api: api.respond(**fields).status


def _path(api: MutantClient, **fields: Json) -> str:
    """Create a response and return its path."""
    return f"{RESPONSES}/{api.respond(**fields).json['id']}"


def _call_item(api: MutantClient) -> Json:
    return next(item for item in api.respond(**_FORCED).json["output"] if item["type"] == "function_call")


def _text(body: Json) -> str:
    return "".join(part["text"] for item in body["output"] for part in item.get("content", ()))


def _post(api: MutantClient, path: str) -> Any:
    """Send a POST without a body."""
    headers = [(b"authorization", (api.key or "").encode())]
    return api.send(json_request("POST", path, headers=headers))


def _listed(api: MutantClient, count: int = 3, **query: Any) -> list[int]:
    """Create responses and return the places of the listed ones, in the order of their creation."""
    created = [api.respond().json["id"] for _ in range(count)]
    query = {name: created[value] if name in ("after", "before") else value for name, value in query.items()}
    return [created.index(one["id"]) for one in api.get(RESPONSES, **query).json["data"]]


def _input_texts(api: MutantClient, **query: Any) -> list[str]:
    path = _path(api, input=[user_message("a"), user_message("b")])
    return [item["content"] for item in api.get(f"{path}/input_items", **query).json["data"]]


def _input_count_of_second(api: MutantClient) -> int:
    first = api.respond().json["id"]
    return len(api.get(f"{_path(api, previous_response_id=first)}/input_items").json["data"])


def _after_update(api: MutantClient, path: str) -> Json:
    api.post(path, {"metadata": {"b": "2"}})
    return api.get(path).json["metadata"]


def _as_stranger(observe: Callable[[MutantClient, str], Any]) -> Observe:
    """Observe a response of one end user as another one."""
    return lambda api: observe(api.as_end_user("bob"), _path(api.as_end_user("ada")))


def _wake(api: MutantClient) -> int:
    return api.post(f"{_path(api)}/wake", {"input": "Go on."}).status


def _deleted(api: MutantClient) -> Any:
    path = _path(api)
    api.delete(path)
    return api.get(path).status


def _unknown(api: MutantClient) -> int:
    return api.get(_path(api)[:-1] + "z").status


def _not_stored(api: MutantClient) -> int:
    return api.get(_path(api, store=False)).status


RESPONDED: dict[str, Probe] = {
    "response-metadata-hidden": Probe(_new("metadata", metadata={"a": "1"}), {"a": "1"}, {}),
    "instructions-hidden": Probe(_new("instructions", instructions="Be brief."), "Be brief.", None),
    "tools-hidden": Probe(lambda api: len(api.respond(tools=[_TOOL]).json["tools"]), 1, 0),
    "user-hidden": Probe(_new("user", user="ada"), "ada", None),
    "temperature-reset": Probe(_new("temperature", temperature=0.5), 0.5, 1.0),
    "truncation-reset": Probe(_new("truncation", truncation="disabled"), "disabled", "auto"),
    "foreground-stays-in-progress": Probe(_new("status"), "completed", "in_progress"),
    "output-empty": Probe(lambda api: len(api.respond().json["output"]), 1, 0),
    "text-format-reset": Probe(lambda api: api.respond().json["text"]["format"]["type"], "text", "json_object"),
    "tokens-not-counted": Probe(lambda api: api.respond().json["usage"]["input_tokens"] > 0, True, False),
    "total-without-input": Probe(
        lambda api: (usage := api.respond().json["usage"])["total_tokens"] - usage["output_tokens"] > 0, True, False
    ),
    "ended-before-it-began": Probe(
        lambda api: (body := api.respond().json)["completed_at"] >= body["created_at"], True, False
    ),
    "output-ids-repeat": Probe(lambda api: len({api.respond().json["output"][0]["id"] for _ in range(2)}), 2, 1),
    "arguments-cut": Probe(lambda api: _call_item(api)["arguments"], "{}", "{"),
    "other-function-called": Probe(lambda api: _call_item(api)["name"], "get_weather", "get_weather_v2"),
    "schema-ignored": Probe(lambda api: '"city"' in _text(api.respond(text=_FORMAT).json), True, False),
    "json-in-a-fence": Probe(lambda api: "```" in _text(api.respond(text=_FORMAT).json), False, True),
    "limit-of-tokens-ignored": Probe(
        lambda api: api.respond(input="a b c d e f g", max_output_tokens=2).json["status"], "incomplete", "completed"
    ),
    "unstored-is-kept": Probe(_not_stored, 404, 200),
    "retrieved-without-output": Probe(lambda api: len(api.get(_path(api)).json["output"]), 1, 0),
    "unknown-response-is-another": Probe(_unknown, 404, 200),
    "response-update-merges": Probe(
        lambda api: _after_update(api, _path(api, metadata={"a": "1"})), {"b": "2"}, {"a": "1", "b": "2"}
    ),
    "update-shows-only": Probe(
        lambda api: _after_update(api, _path(api, metadata={"a": "1"})), {"b": "2"}, {"a": "1"}
    ),
    "response-stays-after-deletion": Probe(_deleted, 404, 200),
    "deletion-names-another-object": Probe(
        lambda api: api.delete(_path(api)).json["object"], "response", "response.deleted"
    ),
    "compaction-without-output": Probe(
        lambda api: bool(api.post(f"{RESPONSES}/compact", {"model": "auto", "input": "Hello"}).json["output"]),
        True,
        False,
    ),
    "background-is-over-at-once": Probe(_new("status", background=True), "queued", "completed"),
    "background-forgotten": Probe(_new("background", background=True), True, False),
    "background-fails": Probe(lambda api: api.get(_path(api, background=True)).json["status"], "completed", "failed"),
    "cancelling-does-nothing": Probe(
        lambda api: _post(api, f"{_path(api, background=True)}/cancel").json["status"], "cancelled", "completed"
    ),
    "foreground-can-be-cancelled": Probe(lambda api: _post(api, f"{_path(api)}/cancel").status, 400, 200),
    "anything-can-be-woken": Probe(_wake, 409, 200),
    "responses-oldest-first": Probe(_listed, [2, 1, 0], [0, 1, 2]),
    "response-limit-ignored": Probe(lambda api: _listed(api, limit=1), [2], [2, 1, 0]),
    "responses-never-have-more": Probe(
        lambda api: (_listed(api), api.get(RESPONSES, limit=1).json["has_more"])[1], True, False
    ),
    "response-cursor-ignored": Probe(lambda api: _listed(api, after=1), [0], [2, 1, 0]),
    "before-ignored": Probe(lambda api: _listed(api, before=1), [2], [2, 1, 0]),
    "updated-responses-come-first": Probe(lambda api: _listed(api, order="desc"), [2, 1, 0], [0, 2, 1]),
    "input-oldest-first": Probe(_input_texts, ["b", "a"], ["a", "b"]),
    "input-lacks-an-item": Probe(lambda api: _input_texts(api, order="asc"), ["a", "b"], ["a"]),
    "input-has-the-history": Probe(_input_count_of_second, 1, 2),
    "responses-are-public": Probe(_as_stranger(lambda api, path: api.get(path).status), 404, 200),
    "input-items-are-public": Probe(_as_stranger(lambda api, path: api.get(f"{path}/input_items").status), 404, 200),
    "others-can-continue-a-response": Probe(
        _as_stranger(lambda api, path: api.respond(previous_response_id=path.rpartition("/")[2]).status), 404, 200
    ),
    "temperature-is-clamped": Probe(_status(temperature=3), 400, 200),
    "response-metadata-is-cut": Probe(_status(metadata={str(n): "x" for n in range(17)}), 400, 200),
    "stream-events-anywhere": Probe(_status(stream_events=True), 400, 200),
    "webhook-anywhere": Probe(_status(webhook_url="http://127.0.0.1:9/"), 400, 200),
    "secret-alone": Probe(_status(webhook_secret="secret", background=True), 400, 200),
    "choice-of-no-tool": Probe(_status(tools=[_TOOL], tool_choice={"type": "function", "name": "other"}), 400, 200),
    "repeated-tools": Probe(_status(tools=[_TOOL, _TOOL]), 400, 200),
    "broken-format": Probe(
        _status(text={"format": {"type": "json_schema", "name": "broken", "schema": {"type": "nope"}}}), 400, 200
    ),
    "orphaned-output": Probe(
        _status(input=[{"type": "function_call_output", "call_id": "call_1", "output": "x"}]), 400, 200
    ),
}


# -- Contexts


def _items(api: MutantClient, path: str) -> list[Json]:
    return api.get(f"{path}/items", limit=100).json["data"]


def _roles(api: MutantClient, **fields: Json) -> list[str]:
    """Return the roles of the messages in a conversation after a response in it."""
    path = api.create()
    api.respond(conversation=path[1:], **fields)
    return [item["role"] for item in _items(api, path)]


def _field_of_items(api: MutantClient, field: str) -> list[bool]:
    path = api.create()
    api.respond(conversation=path[1:], metadata={"a": "1"})
    return [bool(item.get(field)) for item in _items(api, path)]


def _in_conversation(api: MutantClient) -> Json:
    return api.respond(conversation=api.create_with_messages("one two three")[1:]).json


def _after_rejection(api: MutantClient) -> int:
    path = api.create()
    unknown = {"type": "item_reference", "id": "msg_none"}
    api.respond(input=[user_message("a"), unknown], conversation=path[1:])
    return len(_items(api, path))


def _after_deletion(api: MutantClient) -> int:
    path = api.create()
    api.delete(f"{RESPONSES}/{api.respond(conversation=path[1:]).json['id']}")
    return len(_items(api, path))


def _of_other_conversation(api: MutantClient) -> int:
    one, other = api.create(), api.create()
    api.respond(conversation=one[1:])
    return len(_items(api, other))


def _tokens(api: MutantClient, *, after: bool) -> int:
    previous = api.respond(input="one two three").json["id"] if after else None
    return int(api.respond(previous_response_id=previous).json["usage"]["input_tokens"])


CONTEXTS: dict[str, Probe] = {
    "input-is-not-added": Probe(_roles, ["user", "assistant"], ["assistant"]),
    "output-is-not-added": Probe(_roles, ["user", "assistant"], ["user"]),
    "conversation-is-hidden": Probe(lambda api: "conversation" in _in_conversation(api), True, False),
    "items-lose-their-response": Probe(lambda api: _field_of_items(api, "response_id"), [True] * 2, [False] * 2),
    "items-lose-their-metadata": Probe(lambda api: _field_of_items(api, "metadata"), [True] * 2, [False] * 2),
    "conversation-is-not-read": Probe(
        lambda api: _in_conversation(api)["usage"]["input_tokens"] - api.respond().json["usage"]["input_tokens"], 3, 0
    ),
    "object-names-no-conversation": Probe(
        lambda api: bool(api.respond(conversation={"id": api.create()[1:]}).json.get("conversation")), True, False
    ),
    "unstored-is-not-added": Probe(lambda api: _roles(api, store=False), ["user", "assistant"], []),
    "unknown-conversation-is-ignored": Probe(_status(conversation="conv_none"), 404, 200),
    "unknown-previous-is-ignored": Probe(_status(previous_response_id="resp_none"), 404, 200),
    "both-contexts-are-accepted": Probe(
        lambda api: api.respond(conversation=api.create()[1:], previous_response_id=api.respond().json["id"]).status,
        400,
        200,
    ),
    "previous-is-not-read": Probe(lambda api: _tokens(api, after=True) > _tokens(api, after=False), True, False),
    "previous-is-hidden": Probe(
        lambda api: bool(api.respond(previous_response_id=api.respond().json["id"]).json["previous_response_id"]),
        True,
        False,
    ),
    "deletion-takes-the-items": Probe(_after_deletion, 2, 0),
    "rejected-input-is-added": Probe(_after_rejection, 0, 1),
    "output-joins-another-conversation": Probe(_of_other_conversation, 0, 1),
    "unknown-reference-is-ignored": Probe(
        _status(input=[{"type": "item_reference", "id": "msg_none"}, user_message("a")]), 404, 200
    ),
}


# -- Streams


def _numbers_grow_by_one(api: MutantClient) -> bool:
    numbers = [event["sequence_number"] for event in api.stream()]
    return numbers == list(range(len(numbers)))


def _stream_types(api: MutantClient, **fields: Json) -> list[str]:
    return [event["type"].removeprefix("response.") for event in api.stream(**fields)]


def _joined(api: MutantClient, kind: str, field: str, **fields: Json) -> bool:
    """Observe whether the deltas add up to the whole."""
    events = api.stream(**fields)
    deltas = "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")
    return deltas == "".join(event[field] for event in events if event["type"] == f"response.{kind}.done")


def _ends_as_told(api: MutantClient) -> bool:
    events = api.stream()
    final = events[-1]["response"]
    whole = "".join(event["text"] for event in events if event["type"] == "response.output_text.done")
    return bool(final["output"]) and final["usage"]["output_tokens"] > 0 and _text(final) == whole


def _items_agree(api: MutantClient) -> bool:
    items = [event["item"]["id"] for event in api.stream() if "item" in event]
    return len(items) == 2 and len(set(items)) == 1


def _ids_agree(api: MutantClient) -> bool:
    return len({event["response"]["id"] for event in api.stream() if "response" in event}) == 1


def _raw(api: MutantClient) -> str:
    return api.respond(stream=True).body.decode()


def _streamed_roles(api: MutantClient) -> int:
    path = api.create()
    api.stream(conversation=path[1:])
    return len(_items(api, path))


def _streamed_again(api: MutantClient, **query: Any) -> int:
    """Observe the number of events of a response that has ended, less those that were asked for."""
    events = api.stream(background=True)
    path = f"{RESPONSES}/{events[-1]['response']['id']}"
    return api.get(path, stream="true", **query).body.decode().count("event: ")


def _resumes(api: MutantClient) -> bool:
    return _streamed_again(api, starting_after=0) < _streamed_again(api, starting_after=-1)


_ORDER = [
    "created", "in_progress", "output_item.added", "content_part.added", "output_text.done", "content_part.done",
    "output_item.done", "completed",
]  # fmt: skip


def _order(api: MutantClient) -> bool:
    """Observe whether the events without the deltas are in their order."""
    return [name for name in _stream_types(api) if name != "output_text.delta"] == _ORDER


STREAMED: dict[str, Probe] = {
    **{
        name: Probe(_numbers_grow_by_one, True, False)
        for name in ("numbers-have-a-gap", "numbers-start-at-one", "number-repeats")
    },
    **{
        name: Probe(_order, True, False)
        for name in (
            "created-is-missing", "terminal-is-missing", "terminal-twice", "text-after-the-end", "item-is-added-late",
            "part-is-never-added", "item-is-never-done",
        )
    },
    **{
        name: Probe(lambda api: _joined(api, "output_text", "text"), True, False)
        for name in ("delta-is-missing", "delta-twice")
    },
    "item-changes-its-id": Probe(_items_agree, True, False),
    "response-changes-its-id": Probe(_ids_agree, True, False),
    **{
        name: Probe(_ends_as_told, True, False)
        for name in ("usage-is-missing-at-the-end", "output-is-missing-at-the-end", "text-differs-at-the-end")
    },
    "arguments-lack-a-delta": Probe(
        lambda api: _joined(api, "function_call_arguments", "arguments", **_FORCED), True, False
    ),
    "incomplete-looks-completed": Probe(
        lambda api: _stream_types(api, input="a b c d e", max_output_tokens=2)[-1], "incomplete", "completed"
    ),
    "end-marker": Probe(lambda api: "[DONE]" in _raw(api), False, True),
    "events-are-called-message": Probe(lambda api: "event: message\n" in _raw(api), False, True),
    "streams-are-not-added": Probe(_streamed_roles, 2, 0),
    "resumption-starts-over": Probe(_resumes, True, False),
    "ended-streams-are-replayed": Probe(lambda api: _streamed_again(api) > 1, False, True),
}  # fmt: skip
