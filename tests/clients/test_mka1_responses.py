"""All nine operations on responses with the `meetkai-mka1` SDK, and every event of its streams."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest
from meetkai_mka1 import errors, models
from meetkai_mka1.responses import Responses
from meetkai_mka1.types import UNSET

from mockserver.contract.contract import Contract
from tests.clients.conftest import Call
from tests.clients.support import ids_of, message

OPERATIONS = ["cancel", "compact", "create", "delete", "get", "list", "list_input_items", "update", "wake"]
TOOL = {
    "type": "function",
    "name": "find_in_stock",
    "description": "Finds a spare part.",
    "parameters": {"type": "object", "properties": {"part": {"type": "string"}}, "required": ["part"]},
    "strict": True,
}
SCHEMAS = Contract.load().document["components"]["schemas"]
KINDS = [branch["$ref"].rpartition("/")[2] for branch in SCHEMAS["Item"]["anyOf"]]
SENT_BY_CLIENTS = {
    "ComputerToolCallOutput",
    "CustomToolCallOutput",
    "FunctionToolCallOutput",
    "InputMessage",
    "ItemReference",
    "LocalShellCallOutput",
    "MCPApprovalResponse",
}
GENERATED = [
    example
    for kind in KINDS
    if kind not in SENT_BY_CLIENTS
    for example in SCHEMAS[kind]["examples"]
    if example.get("status") not in ("in_progress", "searching")
]


def reply(**fields: Any) -> dict[str, str]:
    """Return the header that plans the reply to a request."""
    return {"X-Mock-Reply": json.dumps(fields)}


def error_of(call: Call, *args: Any, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(errors.SDKDefaultError, match="API error occurred: Status") as caught:
        call(*args, **arguments)
    error: dict[str, Any] = json.loads(caught.value.body)["error"]
    return error


def test_the_sdk_has_no_other_operations() -> None:
    methods = {name for name in vars(Responses) if not name.startswith("_")}
    assert methods == {*OPERATIONS, *(f"{name}_async" for name in OPERATIONS)}


# -- Create


def test_create(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="Is it raining?")
    assert isinstance(created, models.ResponseObject)
    assert created.id.startswith("resp_")
    assert created.status == "completed"
    assert created.completed_at >= created.created_at > 1_700_000_000
    [answer] = created.output
    assert answer.role == "assistant"
    assert [part.text for part in answer.content] == ["You said: Is it raining?"]
    assert (created.usage.input_tokens, created.usage.output_tokens, created.usage.total_tokens) == (3, 5, 8)
    assert created.max_tool_calls == 64
    assert created.conversation is None


def test_create_with_every_kind_of_setting(mka1_responses: Call) -> None:
    settings: dict[str, Any] = {
        "instructions": "You sell spare parts.",
        "tools": [
            TOOL,
            {"type": "web_search"},
            {"type": "mcp", "server_label": "shop", "server_url": "https://x.org"},
        ],
        "tool_choice": {"type": "function", "name": "find_in_stock"},
        "parallel_tool_calls": False,
        "max_tool_calls": 3,
        "max_output_tokens": 400,
        "temperature": 0.5,
        "top_p": 0.9,
        "truncation": "disabled",
        "service_tier": "flex",
        "metadata": {"desk": "spare-parts"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "user": "ada",
    }
    created = mka1_responses("create", model="auto", input=[message("A belt, please.")], **settings)
    echoed = json.loads(created.model_dump_json(by_alias=True))
    for name in settings.keys() - {"tools"}:
        assert echoed[name] == settings[name], name
    assert [tool["type"] for tool in echoed["tools"]] == ["function", "web_search", "mcp"]
    [call] = created.output
    assert isinstance(call, models.FunctionToolCall)
    assert (call.name, call.status, set(json.loads(call.arguments))) == ("find_in_stock", "completed", {"part"})


@pytest.mark.parametrize("as_object", [False, True])
def test_create_in_a_conversation(mka1_responses: Call, conversations: Any, as_object: bool) -> None:
    conversation = conversations.create(items=[message("Is it raining?")])
    named = {"id": conversation.id} if as_object else conversation.id
    created = mka1_responses("create", model="auto", input="And tomorrow?", conversation=named, metadata={"a": "b"})
    assert created.output[0].content[0].text == "You said: And tomorrow? Before that: Is it raining?"
    assert created.conversation.id == conversation.id
    items = conversations.list_items(conversation_id=conversation.id).data
    assert [item.role for item in items] == ["user", "user", "assistant"]
    assert [item.response_id for item in items] == [UNSET, created.id, created.id]
    assert items[2].metadata == {"a": "b"}
    assert items[2].id == created.output[0].id


def test_a_chain_of_responses(mka1_responses: Call) -> None:
    first = mka1_responses("create", model="auto", input="Is it raining?")
    second = mka1_responses("create", model="auto", input="And tomorrow?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.output[0].content[0].text == "You said: And tomorrow? Before that: Is it raining?"


def test_a_tool_loop(mka1_responses: Call) -> None:
    asked = mka1_responses("create", model="auto", input="A belt?", tools=[TOOL], tool_choice="required")
    [call] = asked.output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "3 belts"}
    answered = mka1_responses(
        "create", model="auto", input=[message("A belt?"), call, output], tools=[TOOL], tool_choice="required"
    )
    assert answered.output[0].content[0].text == "find_in_stock said: 3 belts"


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"text": "Half", "incomplete": "max_output_tokens"}, "incomplete", "max_output_tokens"),
        ({"failed": {"code": "rate_limit_exceeded", "message": "Later."}}, "failed", "rate_limit_exceeded"),
    ],
)
def test_a_response_without_success(mka1_responses: Call, fields: Any, status: str, detail: str) -> None:
    created = mka1_responses("create", model="auto", input="hi", http_headers=reply(**fields))
    assert created.status == status
    assert detail in (getattr(created.incomplete_details, "reason", ""), getattr(created.error, "code", ""))


# -- Streams


def stream(mka1_responses: Call, **arguments: Any) -> list[Any]:
    """Return the events of a stream, which the SDK must know, in their order."""
    events = mka1_responses("create", **{"model": "auto", "input": "hi", "stream": True, **arguments})
    assert not [event for event in events if isinstance(event, models.UnknownResponseStreamingEvent)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    ends = {"response.completed", "response.failed", "response.incomplete", "response.cancelled"}
    assert [event.type in ends for event in events] == [False] * (len(events) - 1) + [True]
    return list(events)


def types_of(events: list[Any]) -> Iterator[str]:
    """Yield the types of the events between the first two and the last; a run of deltas counts once."""
    for kind, _ in groupby(event.type.removeprefix("response.") for event in events[2:-1]):
        yield kind


def text_of(events: list[Any], kind: str) -> str:
    return "".join(event.delta for event in events if event.type == f"response.{kind}.delta")


MESSAGE = ["output_item.added", "content_part.added", "{}.delta", "{}.done", "content_part.done", "output_item.done"]


@pytest.mark.parametrize(("fields", "kind"), [({"text": "It rains."}, "output_text"), ({"refusal": "No."}, "refusal")])
def test_a_message_is_streamed(mka1_responses: Call, fields: dict[str, str], kind: str) -> None:
    events = stream(mka1_responses, http_headers=reply(**fields))
    assert list(types_of(events)) == [name.format(kind) for name in MESSAGE]
    assert text_of(events, kind) == next(iter(fields.values()))
    [answer] = events[-1].response.output
    assert answer.id == events[2].item.id == events[3].item_id
    assert events[2].item.content == []


def test_the_pieces_of_a_planned_text_are_the_deltas(mka1_responses: Call) -> None:
    events = stream(mka1_responses, http_headers=reply(text=["It ", "ra", "ins", "."]))
    deltas = [event.delta for event in events if isinstance(event, models.ResponseOutputTextDeltaEvent)]
    assert deltas == ["It ", "ra", "ins", "."]


def test_parallel_calls_are_streamed(mka1_responses: Call) -> None:
    calls = [{"name": "find", "arguments": {"part": part}} for part in ("belt", "drum")]
    events = stream(mka1_responses, tools=[TOOL], http_headers=reply(function_call=calls))
    one = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    assert list(types_of(events)) == one * 2
    done = [event for event in events if isinstance(event, models.ResponseFunctionCallArgumentsDoneEvent)]
    assert [(event.name, event.output_index, json.loads(event.arguments)) for event in done] == [
        ("find", 0, {"part": "belt"}),
        ("find", 1, {"part": "drum"}),
    ]
    assert text_of(events, "function_call_arguments") == "".join(event.arguments for event in done)
    assert [event.item.arguments for event in events if event.type == "response.output_item.added"] == ["", ""]


def test_reasoning_is_streamed(mka1_responses: Call) -> None:
    events = stream(mka1_responses, http_headers=reply(reasoning=["First.", "Then."], text="So."))
    part = [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    assert list(types_of(events))[:10] == ["output_item.added", *part, *part, "output_item.done"]
    assert text_of(events, "reasoning_summary_text") == "First.Then."
    assert events[-1].response.usage.output_tokens_details.reasoning_tokens == 2


@pytest.mark.parametrize("item", GENERATED, ids=[item["id"] if "id" in item else item["type"] for item in GENERATED])
def test_an_item_of_any_kind_is_streamed(mka1_responses: Call, item: dict[str, Any]) -> None:
    events = stream(mka1_responses, http_headers=reply(items=[item]))
    added, done = (
        [event.item for event in events if event.type == f"response.output_item.{how}"] for how in ("added", "done")
    )
    assert [one.type for one in added] == [one.type for one in done] == [item["type"]]
    assert done == events[-1].response.output
    assert added[0].id == done[0].id


def test_the_end_of_a_stream_tells_what_happened(mka1_responses: Call) -> None:
    incomplete = stream(mka1_responses, http_headers=reply(text="Half", incomplete="content_filter"))
    assert isinstance(incomplete[-1], models.ResponseIncompleteEvent)
    assert incomplete[-1].response.incomplete_details.reason == "content_filter"
    failed = stream(mka1_responses, http_headers=reply(failed="Out of order."))
    assert isinstance(failed[-1], models.ResponseFailedEvent)
    assert failed[-1].response.error.message == "Out of order."


def test_a_streamed_response_is_stored(mka1_responses: Call) -> None:
    final = stream(mka1_responses)[-1].response
    assert mka1_responses("get", response_id=final.id) == final


def test_an_invalid_request_is_rejected_before_its_stream(mka1_responses: Call) -> None:
    error = error_of(mka1_responses, "create", model="auto", input="hi", stream=True, temperature=3)
    assert (error["code"], error["param"]) == (400, "temperature")


# -- The other operations


def test_get_returns_what_was_created(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi")
    assert mka1_responses("get", response_id=created.id) == created
    [event] = mka1_responses("get", response_id=created.id, stream=True)
    assert event.response == created


def test_get_with_every_parameter(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi")
    arguments = {"include": ["message.output_text.logprobs", "reasoning.encrypted_content"], "stream": False}
    found = mka1_responses("get", response_id=created.id, include_obfuscation=False, starting_after=42, **arguments)
    assert found == created


def test_lists_follow_the_cursors(mka1_responses: Call) -> None:
    created = [mka1_responses("create", model="auto", input=str(number)).id for number in range(5)]
    page = mka1_responses("list", limit=2)
    assert ids_of(page.data) == [page.first_id, page.last_id] == [created[4], created[3]]
    assert page.has_more
    last = mka1_responses("list", after=page.last_id, limit=3)
    assert (ids_of(last.data), last.has_more) == (created[2::-1], False)
    assert ids_of(mka1_responses("list", order="asc", after=created[0], before=created[3]).data) == created[1:3]


def test_update_replaces_the_metadata(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi", metadata={"a": "b", "c": "d"})
    updated = mka1_responses("update", response_id=created.id, metadata={"c": "e"})
    assert updated.metadata == {"c": "e"}
    assert mka1_responses("get", response_id=created.id) == updated


def test_a_deleted_response_is_gone(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi")
    deleted = mka1_responses("delete", response_id=created.id)
    assert (deleted.id, deleted.deleted) == (created.id, True)
    assert error_of(mka1_responses, "get", response_id=created.id)["code"] == 404
    assert mka1_responses("list").data == []


def test_a_response_that_is_not_stored_cannot_be_found(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi", store=False)
    assert created.store is False
    assert error_of(mka1_responses, "get", response_id=created.id)["param"] == "response_id"


def test_input_items(mka1_responses: Call) -> None:
    items = [message("first", id="msg_1"), {"role": "assistant", "content": "second"}, message("third")]
    created = mka1_responses("create", model="auto", input=items)
    page = mka1_responses("list_input_items", response_id=created.id, limit=2)
    assert [item.content for item in page.data] == ["third", "second"]
    assert (page.first_id, page.last_id, page.has_more) == (page.data[0].id, page.data[1].id, True)
    rest = mka1_responses("list_input_items", response_id=created.id, after=page.last_id)
    assert (ids_of(rest.data), rest.has_more) == (["msg_1"], False)
    in_order = mka1_responses("list_input_items", response_id=created.id, order="asc")
    assert [item.content for item in in_order.data] == ["first", "second", "third"]


def test_a_compacted_context_can_be_continued(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="Is it raining?")
    compacted = mka1_responses("compact", model="auto", previous_response_id=created.id)
    assert isinstance(compacted, models.CompactedResponse)
    assert "compaction" in [item.type for item in compacted.output]
    assert compacted.usage.total_tokens > 0
    continued = mka1_responses("create", model="auto", input=[*compacted.output, message("And tomorrow?")])
    assert continued.status == "completed"


# -- Mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "param"),
    [
        ({"conversation": "conv_none"}, 404, "conversation"),
        ({"previous_response_id": "resp_none"}, 404, "previous_response_id"),
        ({"temperature": 2.5}, 400, "temperature"),
        ({"stream_events": True}, 400, "stream_events"),
        ({"webhook_url": "https://example.com"}, 400, "webhook_url"),
        ({"tool_choice": {"type": "function", "name": "none"}}, 400, "tool_choice.name"),
        ({"tools": [TOOL, TOOL]}, 400, "tools[1].name"),
    ],
)
def test_a_mistake_names_its_field(mka1_responses: Call, arguments: Any, code: int, param: str) -> None:
    error = error_of(mka1_responses, "create", model="auto", input="hi", **arguments)
    assert (error["code"], error["param"]) == (code, param)


@pytest.mark.parametrize("response_id", ["none", "resp_", "conv_1"])
def test_an_id_of_another_form_is_invalid(mka1_responses: Call, response_id: str) -> None:
    error = error_of(mka1_responses, "get", response_id=response_id)
    assert (error["code"], error["param"]) == (400, "response_id")


@pytest.mark.parametrize("operation", ["get", "delete", "cancel", "list_input_items"])
def test_an_unknown_response_is_not_found(mka1_responses: Call, operation: str) -> None:
    error = error_of(mka1_responses, operation, response_id="resp_none")
    assert (error["code"], error["param"]) == (404, "response_id")


def test_what_has_ended_can_neither_be_cancelled_nor_woken(mka1_responses: Call) -> None:
    created = mka1_responses("create", model="auto", input="hi")
    assert error_of(mka1_responses, "cancel", response_id=created.id)["code"] == 400
    assert error_of(mka1_responses, "wake", response_id=created.id, input="Wake up.")["code"] == 409
