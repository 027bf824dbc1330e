"""The operations on responses of the `openai` package, its accumulating streams and its structured output."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pydantic
import pytest
from openai.resources.responses import InputItems, Responses
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputMessage,
    ResponseReasoningItem,
)

from tests.clients.conftest import Call
from tests.clients.support import SyncFacade, ids_of, message

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "find_in_stock",
    "parameters": {"type": "object", "properties": {"part": {"type": "string"}}, "required": ["part"]},
    "strict": None,
}


class Offer(pydantic.BaseModel):
    part: str
    price: float
    in_stock: list[str]


class FindInStock(pydantic.BaseModel):
    part: str


def reply(**fields: Any) -> dict[str, str]:
    """Return the header that plans the reply to a request."""
    return {"X-Mock-Reply": json.dumps(fields)}


def error_of(status: type[openai.APIStatusError], call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    with pytest.raises(openai.APIStatusError) as caught:
        call(*args, **named)
    assert type(caught.value) is status
    return caught.value


def test_the_client_has_no_other_operations() -> None:
    """`connect` opens a WebSocket, which the API does not have; `input_tokens` is not an operation of MKA1."""

    def operations(resource: type) -> set[str]:
        return {name for name, value in vars(resource).items() if callable(value) and not name.startswith("_")}

    called = {"create", "retrieve", "delete", "cancel", "compact", "stream", "parse"}
    assert operations(Responses) - {"connect"} == called
    assert operations(InputItems) == {"list"}


# -- Create


def test_create(openai_responses: Call) -> None:
    created = openai_responses("create", model="auto", input="Is it raining?")
    assert created.status == "completed"
    assert created.output_text == "You said: Is it raining?"
    assert (created.usage.input_tokens, created.usage.output_tokens) == (3, 5)
    assert (created.error, created.incomplete_details, created.metadata) == (None, None, {})


def test_null_means_absent(openai_responses: Call) -> None:
    """Callers of this client pass None for what they do not set."""
    names = [
        "instructions",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "text",
        "reasoning",
        "metadata",
        "include",
    ]
    names += [
        "conversation",
        "previous_response_id",
        "max_output_tokens",
        "store",
        "truncation",
        "service_tier",
        "user",
    ]
    created = openai_responses("create", model="auto", input="hi", **dict.fromkeys(names))
    assert (created.output_text, created.store, created.tools) == ("You said: hi", True, [])
    assert created.text.format.type == "text"


def test_a_tool_loop_with_a_history_of_the_client(openai_responses: Call) -> None:
    history: list[Any] = [
        {"role": "system", "content": "You sell spare parts."},
        {"role": "user", "content": "A belt?"},
    ]
    asked = openai_responses("create", model="auto", input=history, tools=[TOOL], tool_choice="required")
    [call] = asked.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert call.status == "completed"
    history += [call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": "3 belts"}]
    answered = openai_responses("create", model="auto", input=history, tools=[TOOL], tool_choice="required")
    assert answered.output_text == "find_in_stock said: 3 belts"
    history += [item.to_dict() for item in answered.output] + [{"role": "user", "content": "Thanks."}]
    assert (
        openai_responses("create", model="auto", input=history).output_text == "You said: Thanks. Before that: A belt?"
    )


def test_what_frameworks_send_is_accepted(openai_responses: Call) -> None:
    stored = openai_responses("create", model="auto", input="Is it raining?")
    items = [
        {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "none"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "None.", "annotations": []}]},
        {"id": "msg_1", "role": "assistant", "content": "I am sorry."},
        {"type": "item_reference", "id": stored.output[0].id},
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "And now?"},
    ]
    answered = openai_responses(
        "create",
        model="auto",
        input=items,
        instructions="You sell spare parts.",
        include=[],
        tools=[TOOL],
        tool_choice="auto",
        reasoning={"effort": "medium", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "offer", "strict": True, "description": "d", "schema": {}}},
        extra_headers=reply(text="Fine."),
    )
    assert answered.output_text == "Fine."


def test_encrypted_reasoning_comes_back_in_the_next_request(openai_responses: Call) -> None:
    arguments = {"model": "auto", "store": False, "include": ["reasoning.encrypted_content"]}
    first = openai_responses("create", **arguments, input="hi", extra_headers=reply(reasoning="Hm.", text="Hello."))
    reasoning, answer = first.output
    assert isinstance(reasoning, ResponseReasoningItem)
    assert reasoning.encrypted_content
    items = [message("hi"), reasoning.to_dict(), answer.to_dict(), message("More.")]
    second = openai_responses("create", **arguments, input=items)
    assert second.output_text == "You said: More. Before that: hi"


# -- Streams


@contextmanager
def accumulated(client: Any, runner: Any, **arguments: Any) -> Iterator[tuple[list[Any], Any]]:
    """Yield all events of `responses.stream()`, and its final response."""
    arguments = {"model": "auto", "input": "hi", **arguments}
    if not isinstance(client, SyncFacade):
        with client.responses.stream(**arguments) as stream:
            yield list(stream), stream.get_final_response()
        return

    async def collect() -> tuple[list[Any], Any]:
        async with client._client.responses.stream(**arguments) as stream:
            return [event async for event in stream], await stream.get_final_response()

    yield runner.run(collect())


def test_a_stream_has_all_events_in_order(openai_responses: Call) -> None:
    events = openai_responses("create", model="auto", input="hi", stream=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].response.id == events[-1].response.id
    assert isinstance(events[-1], ResponseCompletedEvent)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == "You said: hi"


def test_a_stream_accumulates_text(client: Any, runner: Any) -> None:
    with accumulated(client, runner) as (events, final):
        snapshots = [event.snapshot for event in events if event.type == "response.output_text.delta"]
        assert snapshots == ["You", "You said:", "You said: hi"]
        assert final.output_text == "You said: hi"
        assert final.status == "completed"


def test_a_stream_accumulates_several_items(client: Any, runner: Any) -> None:
    calls = [{"name": "find_in_stock", "arguments": {"part": part}} for part in ("belt", "drum")]
    planned = reply(reasoning=["First.", "Then."], text="Wait.", function_call=calls)
    with accumulated(client, runner, tools=[TOOL], extra_headers=planned) as (events, final):
        reasoning, answer, *found = final.output
        assert [part.text for part in reasoning.summary] == ["First.", "Then."]
        assert isinstance(answer, ResponseOutputMessage)
        assert [json.loads(call.arguments) for call in found] == [{"part": "belt"}, {"part": "drum"}]
        assert len({item.id for item in final.output}) == 4
        deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
        assert {event.output_index for event in deltas} == {2, 3}
        assert json.loads(deltas[-1].snapshot) == {"part": "drum"}


def test_a_stream_accumulates_a_refusal(client: Any, runner: Any) -> None:
    with accumulated(client, runner, extra_headers=reply(refusal="I cannot.")) as (_, final):
        assert final.output[0].content[0].refusal == "I cannot."


def test_a_stream_accumulates_structured_output(client: Any, runner: Any) -> None:
    offer = {"part": "belt", "price": 12.5, "in_stock": ["here"]}
    with accumulated(client, runner, text_format=Offer, extra_headers=reply(json=offer)) as (_, final):
        assert final.output_parsed == Offer(**offer)


def test_an_incomplete_stream_ends_with_what_there_is(openai_responses: Call) -> None:
    events = openai_responses("create", model="auto", input="one two three four", stream=True, max_output_tokens=3)
    assert isinstance(events[-1], ResponseIncompleteEvent)
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.output_text == "You said: one"


# -- Structured output


def test_the_default_output_can_be_parsed(openai_responses: Call) -> None:
    parsed = openai_responses("parse", model="auto", input="hi", text_format=Offer)
    assert isinstance(parsed.output_parsed, Offer)


def test_arguments_can_be_parsed(openai_responses: Call) -> None:
    tools = [openai.pydantic_function_tool(FindInStock)]
    planned = reply(function_call={"name": "FindInStock", "arguments": {"part": "belt"}})
    parsed = openai_responses("parse", model="auto", input="hi", tools=tools, extra_headers=planned)
    assert parsed.output[0].parsed_arguments == FindInStock(part="belt")


# -- The other operations


def test_retrieve(openai_responses: Call) -> None:
    created = openai_responses("create", model="auto", input="hi")
    assert openai_responses("retrieve", created.id).to_dict() == created.to_dict()
    found = openai_responses("retrieve", created.id, include=["message.output_text.logprobs"])
    assert found.id == created.id
    [event] = openai_responses("retrieve", created.id, stream=True)
    assert event.response.to_dict() == created.to_dict()


def test_delete(openai_responses: Call) -> None:
    created = openai_responses("create", model="auto", input="hi")
    assert openai_responses("delete", created.id) is None
    error = error_of(openai.NotFoundError, openai_responses, "retrieve", created.id)
    assert (error.type, error.param, error.code) == ("invalid_request_error", "response_id", "404")


def test_input_items_are_paginated(client: Any) -> None:
    items = [message(str(number)) for number in range(5)]
    created = client.responses.create(model="auto", input=items)
    page = client.responses.input_items.list(created.id, limit=2, order="asc")
    assert [item.content for item in page.data] == ["0", "1"]
    assert page.has_more
    rest = client.responses.input_items.list(created.id, limit=5, order="asc", after=ids_of(page.data)[-1])
    assert [item.content for item in rest.data] == ["2", "3", "4"]


def test_compact(openai_responses: Call) -> None:
    compacted = openai_responses("compact", model="auto", input=[message("hi")], instructions="Be brief.")
    assert compacted.object == "response.compaction"
    assert compacted.output[-1].type == "compaction"


@pytest.mark.parametrize(
    ("arguments", "status", "param"),
    [
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"model": None}, openai.BadRequestError, "model"),
        ({"tools": [{"type": "function", "name": "f"}]}, openai.BadRequestError, "tools[0].parameters"),
        ({"tools": [{"type": "computer_use_preview"}]}, openai.BadRequestError, "tools[0].type"),
        ({"previous_response_id": "resp_none"}, openai.NotFoundError, "previous_response_id"),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, openai.BadRequestError, "previous_response_id"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_mistake_raises_the_error_of_its_status(
    openai_responses: Call, arguments: Any, status: Any, param: str, stream: bool
) -> None:
    request = {"model": "auto", "input": "hi", "stream": stream, **arguments}
    assert error_of(status, openai_responses, "create", **request).param == param
