"""Scenarios for streamed responses."""

from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.events import (
    Event,
    done_values,
    event_names,
    events_of,
    final_response,
    joined_deltas,
    read_events,
    types,
)
from mockserver.conformance.expectations import ScenarioFailure, expect, require
from mockserver.conformance.names import response_path
from mockserver.conformance.responses import HELLO, WEATHER_CHOICE, WEATHER_TOOL, output_text, wait_for_end
from mockserver.conformance.scenario import Scenarios
from mockserver.contract.event_order import event_order
from mockserver.contract.event_tracker import EventTracker

scenario = Scenarios()

_TERMINAL = ("response.completed", "response.failed", "response.incomplete", "response.cancelled")


def _stream_tool_call(api: ApiClient) -> list[Event]:
    return api.stream("What is the weather in Oslo?", tools=[WEATHER_TOOL], tool_choice=WEATHER_CHOICE)


def _check_order(events: list[Event]) -> None:
    tracker = EventTracker(event_order())
    findings = [finding for event in events for finding in tracker.check(event)] + tracker.end()
    for finding in findings:
        raise ScenarioFailure(
            "order of the events", "that of spec/streams.yaml", f"{finding.pointer}: {finding.message}"
        )


@scenario(
    "responses.stream.starts-with-created",
    "responses.stream.numbers-from-zero",
    "responses.stream.ends-with-one-terminal-event",
    "responses.stream.names-the-same-response",
    "responses.stream.ends-with-the-whole-response",
    "responses.stream.order-is-legal",
)
def a_stream_has_an_order(api: ApiClient) -> None:
    events = api.stream(HELLO)
    api.set_behaviour("responses.stream.starts-with-created")
    expect(types(events)[:1], ["response.created"], "type of the first event")
    require(events[0]["response"]["id"], "id of the first event's response", "an id", events[0])
    api.set_behaviour("responses.stream.numbers-from-zero")
    expect([event["sequence_number"] for event in events], list(range(len(events))), "sequence numbers")
    api.set_behaviour("responses.stream.ends-with-one-terminal-event")
    terminal = [name for name in types(events) if name in _TERMINAL]
    expect(
        (terminal, types(events)[-1]), (["response.completed"], "response.completed"), "terminal events, and the last"
    )
    api.set_behaviour("responses.stream.names-the-same-response")
    named = {event["response"]["id"] for event in events if "response" in event}
    expect(len(named), 1, "number of response ids in the stream")
    api.set_behaviour("responses.stream.ends-with-the-whole-response")
    final = final_response(events)
    require(final["usage"]["output_tokens"] > 0, "usage of the last event", "tokens of the output", final["usage"])
    expect(api.retrieve_response(final["id"]), final, "stored response")
    api.set_behaviour("responses.stream.order-is-legal")
    _check_order(events)


@scenario("responses.stream.deltas-make-the-text", "responses.stream.items-are-those-of-the-response")
def deltas_make_the_text(api: ApiClient) -> None:
    events = api.stream(HELLO)
    api.set_behaviour("responses.stream.deltas-make-the-text")
    joined = joined_deltas(events, "response.output_text")
    expect(joined, done_values(events, "response.output_text", "text"), "joined deltas")
    expect("".join(joined.values()), output_text(final_response(events)), "text of all deltas")
    api.set_behaviour("responses.stream.items-are-those-of-the-response")
    done = [event["item"] for event in events_of(events, "response.output_item.done")]
    expect(done, final_response(events)["output"], "items of the output_item.done events")
    added = [event["item"]["id"] for event in events_of(events, "response.output_item.added")]
    expect(added, [item["id"] for item in done], "ids of the output_item.added events")


@scenario("responses.stream.output-indexes-are-distinct")
def output_indexes_are_distinct(api: ApiClient) -> None:
    for events in (api.stream(HELLO), _stream_tool_call(api)):
        indexes = [event["output_index"] for event in events_of(events, "response.output_item.added")]
        expect(indexes, list(range(len(indexes))), "output indexes")


@scenario("responses.stream.deltas-make-the-arguments", "responses.stream.tool-calls-are-in-order")
def deltas_make_the_arguments(api: ApiClient) -> None:
    events = _stream_tool_call(api)
    api.set_behaviour("responses.stream.deltas-make-the-arguments")
    joined = joined_deltas(events, "response.function_call_arguments")
    expect(joined, done_values(events, "response.function_call_arguments", "arguments"), "joined deltas")
    calls = [item["arguments"] for item in final_response(events)["output"] if item["type"] == "function_call"]
    expect(list(joined.values()), calls, "arguments of the calls")
    api.set_behaviour("responses.stream.tool-calls-are-in-order")
    _check_order(events)


@scenario("responses.stream.names-events-by-type", "responses.stream.has-no-end-marker")
def events_are_named_by_type(api: ApiClient) -> None:
    response = api.send_create_response(HELLO, stream=True)
    events = read_events(response)
    api.set_behaviour("responses.stream.names-events-by-type")
    expect(event_names(response), types(events), "names of the events")
    api.set_behaviour("responses.stream.has-no-end-marker")
    require("data: [DONE]" not in str(response.body), "last line", "an event", "data: [DONE]")


@scenario("responses.stream.rejects-before-it-starts")
def a_bad_request_gets_no_stream(api: ApiClient) -> None:
    response = api.send_create_response(HELLO, stream=True, temperature=100)
    response.expect_error()
    expect(response.media_type, "application/json", "Content-Type")


@scenario("responses.stream.adds-to-the-conversation")
def a_streamed_response_is_added(api: ApiClient) -> None:
    conversation = api.create_id()
    final = final_response(api.stream(HELLO, conversation=conversation))
    listed = api.list_items(conversation, order="asc")["data"]
    expect([item["id"] for item in listed[1:]], [item["id"] for item in final["output"]], "items after the input")
    expect({item.get("response_id") for item in listed}, {final["id"]}, "responses of the items")


@scenario("responses.stream.is-the-same-as-without")
def a_stream_has_the_same_fields(api: ApiClient) -> None:
    streamed, whole = final_response(api.stream(HELLO)), api.respond(HELLO)
    expect(sorted(streamed), sorted(whole), "fields of the streamed response")


@scenario("responses.stream.ended-gives-the-terminal-event")
def an_ended_response_gives_its_last_event(api: ApiClient) -> None:
    created = api.respond(HELLO, background=True)["id"]
    ended = wait_for_end(api, created)
    events = api.stream_again(created)
    expect(types(events), ["response.completed"], "types of the events")
    expect(final_response(events), ended, "response of the event")


@scenario("responses.stream.resumes")
def a_stream_can_be_resumed(api: ApiClient) -> None:
    events = api.stream(HELLO, background=True)
    response = final_response(events)["id"]
    middle = events[len(events) // 2]["sequence_number"]
    resumed = api.stream_again(response, starting_after=middle)
    expect(resumed, events[middle + 1 :], f"events after number {middle}")


@scenario("responses.stream.follows-the-background")
def a_background_response_can_be_followed(api: ApiClient) -> None:
    created = api.respond(HELLO, background=True)["id"]
    events = api.stream_again(created)
    expect(types(events)[-1:], ["response.completed"], "type of the last event")
    numbers: list[Any] = [event["sequence_number"] for event in events]
    require(numbers == sorted(set(numbers)), "sequence numbers", "numbers that grow", numbers)
    expect(api.retrieve_response(created), final_response(events), "stored response")


@scenario("responses.stream.background-starts-queued")
def a_background_response_can_be_streamed_at_once(api: ApiClient) -> None:
    events = api.stream(HELLO, background=True)
    statuses = [event["response"]["status"] for event in events if "response" in event]
    require(statuses[0] in ("queued", "in_progress"), "first status", "queued or in_progress", statuses[0])
    expect(statuses[-1], "completed", "last status")
    stored = api.get(response_path(final_response(events)["id"])).expect_ok()
    expect(stored, final_response(events), "stored response")


@scenario("responses.stream.incomplete-ends-with-its-event")
def an_incomplete_response_ends_with_its_event(api: ApiClient) -> None:
    numbers = " ".join(map(str, range(1, 101)))
    events = api.stream(f"Repeat exactly these numbers: {numbers}", max_output_tokens=16)
    expect(types(events)[-1:], ["response.incomplete"], "type of the last event")
    expect(final_response(events)["incomplete_details"], {"reason": "max_output_tokens"}, "incomplete_details")
