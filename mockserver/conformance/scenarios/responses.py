"""Scenarios for creating, retrieving, updating and deleting responses."""

import json

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require, require_text
from mockserver.conformance.names import response_path, unknown_id_like
from mockserver.conformance.responses import (
    HELLO,
    WEATHER_TOOL,
    call_weather_tool,
    function_calls,
    output_text,
    wait_for_end,
)
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()

_CITY_FORMAT = {
    "type": "json_schema",
    "name": "city",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "is_capital": {"type": "boolean"}},
        "required": ["city", "is_capital"],
        "additionalProperties": False,
    },
}


# -- Create ------------------------------------------------------------------------------------------------


@scenario(
    "responses.create.returns-the-response",
    "responses.create.completes-in-the-foreground",
    "responses.create.output-has-a-message",
    "responses.create.has-times",
    "responses.create.counts-tokens",
)
def creating_returns_the_response(api: ApiClient) -> None:
    response = api.respond(HELLO)
    api.set_behaviour("responses.create.returns-the-response")
    expect(response.get("object"), "response", "object")
    require_text(response.get("id"), "id")
    api.set_behaviour("responses.create.completes-in-the-foreground")
    expect(response["status"], "completed", "status")
    expect([response["error"], response["incomplete_details"]], [None, None], "error and incomplete_details")
    api.set_behaviour("responses.create.output-has-a-message")
    require(output_text(response), "text of the output", "some text", response["output"])
    api.set_behaviour("responses.create.has-times")
    created_at, completed_at = response["created_at"], response["completed_at"]
    is_ordered = isinstance(completed_at, int | float) and completed_at >= created_at
    require(is_ordered, "completed_at", f"a time from {created_at} on", completed_at)
    api.set_behaviour("responses.create.counts-tokens")
    usage = response["usage"]
    require(
        usage["input_tokens"] > 0 and usage["output_tokens"] > 0, "usage", "tokens of the input and the output", usage
    )
    expect(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"], "total_tokens")


@scenario("responses.create.ids-are-unique")
def ids_of_responses_are_unique(api: ApiClient) -> None:
    created = [api.respond(HELLO)["id"] for _ in range(2)]
    expect(len(set(created)), 2, "number of different ids")


@scenario("responses.create.output-ids-are-unique")
def ids_of_output_items_are_unique(api: ApiClient) -> None:
    output = [item["id"] for _ in range(2) for item in api.respond(HELLO)["output"]]
    require(output, "output", "at least one item", output)
    expect(len(set(output)), len(output), "number of different ids")


@scenario(
    "responses.create.returns-metadata",
    "responses.create.returns-instructions",
    "responses.create.returns-sampling-parameters",
    "responses.create.returns-tools",
    "responses.create.returns-the-text-format",
    "responses.create.returns-the-user",
)
def creating_returns_what_was_sent(api: ApiClient) -> None:
    response = api.respond(
        HELLO,
        instructions="Be brief.",
        metadata={**api.mark, "topic": "greeting"},
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=500,
        max_tool_calls=3,
        parallel_tool_calls=False,
        truncation="disabled",
        tools=[WEATHER_TOOL],
        tool_choice="none",
        text={"format": {"type": "text"}},
        user="user-1",
    )
    api.set_behaviour("responses.create.returns-metadata")
    expect(response["metadata"], {**api.mark, "topic": "greeting"}, "metadata")
    api.set_behaviour("responses.create.returns-instructions")
    expect(response["instructions"], "Be brief.", "instructions")
    api.set_behaviour("responses.create.returns-sampling-parameters")
    names = ("temperature", "top_p", "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "truncation")
    expect([response.get(name) for name in names], [0.5, 0.9, 500, 3, False, "disabled"], ", ".join(names))
    api.set_behaviour("responses.create.returns-tools")
    expect(response["tool_choice"], "none", "tool_choice")
    sent = {name: WEATHER_TOOL[name] for name in ("type", "name", "parameters")}
    returned = [{name: tool.get(name) for name in sent} for tool in response["tools"]]
    expect(returned, [sent], "tools")
    api.set_behaviour("responses.create.returns-the-text-format")
    expect(response["text"]["format"], {"type": "text"}, "text.format")
    api.set_behaviour("responses.create.returns-the-user")
    expect(response["user"], "user-1", "user")


@scenario(
    "responses.create.has-defaults",
    "responses.create.without-metadata-reads-back-empty",
    "responses.create.stores-by-default",
)
def creating_with_only_the_required_fields(api: ApiClient) -> None:
    response = api.post("/responses", {"model": api.model, "input": HELLO}).expect_ok()
    api.set_behaviour("responses.create.has-defaults")
    names = ("background", "instructions", "previous_response_id", "tools", "truncation", "tool_choice")
    expect([response[name] for name in names], [False, None, None, [], "auto", "auto"], ", ".join(names))
    api.set_behaviour("responses.create.without-metadata-reads-back-empty")
    expect(response["metadata"], {}, "metadata")
    api.set_behaviour("responses.create.stores-by-default")
    expect(response["store"], True, "store")
    expect(api.retrieve_response(response["id"])["id"], response["id"], "id of the retrieved response")


@scenario("responses.create.null-means-absent")
def null_means_absent(api: ApiClient) -> None:
    nothing = {"conversation": None, "reasoning": None, "stream_options": None}
    expect(api.respond(HELLO, **nothing)["status"], "completed", "status")


@scenario("responses.create.takes-items")
def the_input_can_be_items(api: ApiClient) -> None:
    history = [
        message("You are a helpful desk.", role="system"),
        {"role": "user", "content": [{"type": "input_text", "text": "Is it raining in Oslo?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"role": "assistant", "content": "Yes, it rains."},
        {"role": "user", "content": "Thank you. Say hello."},
    ]
    expect(api.respond(history, tools=[WEATHER_TOOL])["status"], "completed", "status")


@scenario("responses.create.calls-the-required-function", "responses.create.arguments-are-json")
def a_required_function_is_called(api: ApiClient) -> None:
    response = call_weather_tool(api)
    api.set_behaviour("responses.create.calls-the-required-function")
    calls = function_calls(response)
    expect([call["name"] for call in calls[:1]], ["get_weather"], "name of the called function")
    require_text(calls[0].get("call_id"), "call_id")
    api.set_behaviour("responses.create.arguments-are-json")
    arguments = json.loads(calls[0]["arguments"])
    require(isinstance(arguments, dict) and "city" in arguments, "arguments", "an object with a city", arguments)


@scenario("responses.create.takes-tool-outputs")
def tool_outputs_can_follow(api: ApiClient) -> None:
    first = call_weather_tool(api)
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "It rains."}
        for call in function_calls(first)
    ]
    second = api.respond(outputs, previous_response_id=first["id"], tools=[WEATHER_TOOL])
    expect(second["status"], "completed", "status")
    require(output_text(second), "text of the output", "some text", second["output"])


@scenario("responses.create.text-follows-the-schema")
def the_text_follows_a_schema(api: ApiClient) -> None:
    response = api.respond("Which city is the capital of Norway?", text={"format": _CITY_FORMAT})
    city = json.loads(output_text(response))
    has_form = (
        isinstance(city, dict) and sorted(city) == ["city", "is_capital"] and isinstance(city["is_capital"], bool)
    )
    require(has_form, "text of the output", "JSON that matches the schema", city)


@scenario("responses.create.text-can-be-any-json")
def the_text_can_be_any_json(api: ApiClient) -> None:
    response = api.respond("Answer in JSON: say hello.", text={"format": {"type": "json_object"}})
    require(isinstance(json.loads(output_text(response)), dict), "text", "a JSON object", output_text(response))


@scenario("responses.create.stops-at-the-limit-of-tokens")
def the_output_stops_at_the_limit(api: ApiClient) -> None:
    numbers = " ".join(map(str, range(1, 101)))
    response = api.respond(f"Repeat exactly these numbers: {numbers}", max_output_tokens=16)
    expect(response["status"], "incomplete", "status")
    expect(response["incomplete_details"], {"reason": "max_output_tokens"}, "incomplete_details")


# -- Retrieve, update, delete ------------------------------------------------------------------------------


@scenario("responses.retrieve.returns-the-response")
def retrieving_returns_the_response(api: ApiClient) -> None:
    created = api.respond(HELLO)
    expect(api.retrieve_response(created["id"]), created, "retrieved response")


@scenario("responses.retrieve.unknown-is-404")
def retrieving_an_unknown_response(api: ApiClient) -> None:
    created = api.respond(HELLO)
    api.get(response_path(unknown_id_like(created["id"]))).expect_error(404)


@scenario("responses.store.false-is-not-kept")
def a_response_can_be_left_unstored(api: ApiClient) -> None:
    response = api.respond(HELLO, store=False)
    expect(response["store"], False, "store")
    api.get(response_path(response["id"])).expect_error()
    expect(response["id"] in api.response_ids(), False, "whether it is listed")


@scenario(
    "responses.update.replaces-metadata", "responses.update.changes-nothing-else", "responses.update.unknown-is-404"
)
def updating_replaces_metadata(api: ApiClient) -> None:
    created = api.respond(HELLO, metadata={**api.mark, "old": "1"})
    new = {**api.mark, "new": "2"}
    updated = api.post(response_path(created["id"]), {"metadata": new}).expect_ok()
    api.set_behaviour("responses.update.replaces-metadata")
    expect([updated["metadata"], api.retrieve_response(created["id"])["metadata"]], [new, new], "metadata")
    api.set_behaviour("responses.update.changes-nothing-else")
    expect(api.retrieve_response(created["id"]) | {"metadata": created["metadata"]}, created, "updated response")
    api.set_behaviour("responses.update.unknown-is-404")
    api.post(response_path(unknown_id_like(created["id"])), {"metadata": {}}).expect_error(404)


@scenario(
    "responses.delete.acknowledges",
    "responses.delete.removes-the-response",
    "responses.delete.twice-is-404",
)
def deleting_removes_the_response(api: ApiClient) -> None:
    kept, removed = api.respond(HELLO)["id"], api.respond(HELLO)["id"]
    acknowledged = api.delete(response_path(removed)).expect_ok()
    api.set_behaviour("responses.delete.acknowledges")
    expect(acknowledged, {"id": removed, "object": "response", "deleted": True}, "acknowledgement")
    api.set_behaviour("responses.delete.removes-the-response")
    api.get(response_path(removed)).expect_error()
    expect(api.response_ids(), [kept], "listed responses")
    api.set_behaviour("responses.delete.twice-is-404")
    api.delete(response_path(removed)).expect_error(404)


@scenario("responses.compact.returns-a-compaction", "responses.compact.takes-a-previous-response")
def compacting_returns_a_compaction(api: ApiClient) -> None:
    history = [message("Hello."), message("How are you?")]
    compacted = api.post("/responses/compact", {"model": api.model, "input": history}).expect_ok()
    api.set_behaviour("responses.compact.returns-a-compaction")
    expect(compacted["object"], "response.compaction", "object")
    require(compacted["output"], "output", "at least one item", compacted["output"])
    api.set_behaviour("responses.compact.takes-a-previous-response")
    previous = api.respond(HELLO)["id"]
    api.post("/responses/compact", {"model": api.model, "previous_response_id": previous}).expect_ok()


# -- Background --------------------------------------------------------------------------------------------


@scenario(
    "responses.background.returns-at-once", "responses.background.has-no-output-yet", "responses.background.ends"
)
def a_background_response_ends(api: ApiClient) -> None:
    created = api.respond(HELLO, background=True)
    api.set_behaviour("responses.background.returns-at-once")
    require(created["status"] in ("queued", "in_progress"), "status", "queued or in_progress", created["status"])
    expect(created["background"], True, "background")
    api.set_behaviour("responses.background.has-no-output-yet")
    expect([created["output"], created["completed_at"]], [[], None], "output and completed_at")
    api.set_behaviour("responses.background.ends")
    ended = wait_for_end(api, created["id"])
    expect(ended["status"], "completed", "status")
    require(output_text(ended), "text of the output", "some text", ended["output"])


@scenario("responses.cancel.ends-a-background-response", "responses.cancel.is-final")
def cancelling_ends_a_background_response(api: ApiClient) -> None:
    created = api.respond(HELLO, background=True)
    cancelled = api.request("POST", response_path(created["id"], "cancel")).expect_ok()
    api.set_behaviour("responses.cancel.ends-a-background-response")
    expect([cancelled["id"], cancelled["status"]], [created["id"], "cancelled"], "id and status")
    api.set_behaviour("responses.cancel.is-final")
    expect(wait_for_end(api, created["id"])["status"], "cancelled", "status afterwards")


@scenario("responses.cancel.only-in-the-background")
def a_foreground_response_cannot_be_cancelled(api: ApiClient) -> None:
    created = api.respond(HELLO)
    api.request("POST", response_path(created["id"], "cancel")).expect_error(400)
    expect(api.retrieve_response(created["id"])["status"], "completed", "status afterwards")


@scenario("responses.cancel.not-after-the-end")
def an_ended_response_cannot_be_cancelled(api: ApiClient) -> None:
    created = api.respond(HELLO, background=True)
    wait_for_end(api, created["id"])
    api.request("POST", response_path(created["id"], "cancel")).expect_error(400)
    expect(api.retrieve_response(created["id"])["status"], "completed", "status afterwards")


@scenario("responses.cancel.unknown-is-404")
def cancelling_an_unknown_response(api: ApiClient) -> None:
    created = api.respond(HELLO)
    api.request("POST", response_path(unknown_id_like(created["id"]), "cancel")).expect_error(404)


@scenario("responses.wake.unknown-is-404", "responses.wake.not-asleep-is-409")
def waking_what_does_not_sleep(api: ApiClient) -> None:
    created = api.respond(HELLO)
    api.set_behaviour("responses.wake.unknown-is-404")
    api.post(response_path(unknown_id_like(created["id"]), "wake"), {"input": "Go on."}).expect_error(404)
    api.set_behaviour("responses.wake.not-asleep-is-409")
    api.post(response_path(created["id"], "wake"), {"input": "Go on."}).expect_error(409)
