"""Defects in streamed responses."""

from collections.abc import Callable
from typing import Any

from tests.mutants.mutant import Family
from tests.mutants.proxy import Json, ProxyExchange

STREAM = Family("streams")

Events = list[dict[str, Json]]

_TERMINAL = ("response.completed", "response.failed", "response.incomplete", "response.cancelled")


def _changes(name: str, *breaks: str) -> Callable[[Callable[[Events], Events]], Callable[[Events], Events]]:
    """Declare a mutant by a function of the events of each stream that a create request returns."""

    def declare(change: Callable[[Events], Events]) -> Callable[[Events], Events]:
        def hook(exchange: ProxyExchange) -> None:
            events = exchange.events if exchange.response_operation == "create" else []
            if events:
                exchange.events = change(events)

        hook.__doc__ = change.__doc__
        STREAM.response(name, *(f"responses.stream.{broken}" for broken in breaks))(hook)
        return change

    return declare


def _position(events: Events, event_type: str) -> int | None:
    return next((place for place, event in enumerate(events) if event["type"] == event_type), None)


def _without(events: Events, place: int | None) -> Events:
    """Remove an event and number those behind it again."""
    kept = [event for number, event in enumerate(events) if number != place]
    return [event | {"sequence_number": number} for number, event in enumerate(kept)]


@_changes("numbers-have-a-gap", "numbers-from-zero")
def numbers_have_a_gap(events: Events) -> Events:
    """The number of the last event is one too high."""
    return [*events[:-1], events[-1] | {"sequence_number": events[-1]["sequence_number"] + 1}]


@_changes("numbers-start-at-one", "numbers-from-zero")
def numbers_start_at_one(events: Events) -> Events:
    """Events are numbered from 1."""
    return [event | {"sequence_number": event["sequence_number"] + 1} for event in events]


@_changes("number-repeats", "numbers-from-zero")
def number_repeats(events: Events) -> Events:
    """Two events have the same number."""
    return [*events[:2], events[2] | {"sequence_number": 1}, *events[3:]]


@_changes("created-is-missing", "starts-with-created", "order-is-legal")
def created_is_missing(events: Events) -> Events:
    """A stream does not begin with response.created."""
    return _without(events, 0)


@_changes("terminal-is-missing", "ends-with-one-terminal-event")
def terminal_is_missing(events: Events) -> Events:
    """A stream ends without its terminal event."""
    return events[:-1]


@_changes("terminal-twice", "ends-with-one-terminal-event")
def terminal_twice(events: Events) -> Events:
    """A stream has its terminal event twice."""
    return [*events, events[-1] | {"sequence_number": len(events)}]


@_changes("text-after-the-end", "order-is-legal", "ends-with-one-terminal-event")
def text_after_the_end(events: Events) -> Events:
    """The last but one event comes after the terminal one."""
    last = [events[-1] | {"sequence_number": len(events) - 2}, events[-2] | {"sequence_number": len(events) - 1}]
    return [*events[:-2], *last]


@_changes("delta-is-missing", "deltas-make-the-text")
def delta_is_missing(events: Events) -> Events:
    """One delta of the text is missing."""
    return _without(events, _position(events, "response.output_text.delta"))


@_changes("delta-twice", "deltas-make-the-text")
def delta_twice(events: Events) -> Events:
    """One delta of the text is there twice."""
    place = _position(events, "response.output_text.delta")
    if place is None:
        return events
    return _without([*events[: place + 1], *events[place:]], None)


@_changes("item-is-added-late", "order-is-legal")
def item_is_added_late(events: Events) -> Events:
    """The first output item is added after its first part."""
    place = _position(events, "response.output_item.added")
    if place is None:
        return events
    return _without([*events[:place], events[place + 1], events[place], *events[place + 2 :]], None)


@_changes("part-is-never-added", "order-is-legal")
def part_is_never_added(events: Events) -> Events:
    """The first part of a message is not added before its deltas."""
    return _without(events, _position(events, "response.content_part.added"))


@_changes("item-is-never-done", "items-are-those-of-the-response", "order-is-legal")
def item_is_never_done(events: Events) -> Events:
    """The first output item is never done."""
    return _without(events, _position(events, "response.output_item.done"))


@_changes("item-changes-its-id", "items-are-those-of-the-response")
def item_changes_its_id(events: Events) -> Events:
    """An output item has another id when it is done."""
    return [
        event | {"item": event["item"] | {"id": "msg_" + "f" * 32}} if event["type"].endswith("item.done") else event
        for event in events
    ]


@_changes("response-changes-its-id", "names-the-same-response")
def response_changes_its_id(events: Events) -> Events:
    """The first event names another response."""
    return [events[0] | {"response": events[0]["response"] | {"id": "resp_" + "0" * 32}}, *events[1:]]


def _change_last_response(events: Events, **changes: Any) -> Events:
    return [*events[:-1], events[-1] | {"response": events[-1]["response"] | changes}]


@_changes("usage-is-missing-at-the-end", "ends-with-the-whole-response")
def usage_is_missing_at_the_end(events: Events) -> Events:
    """The last event has the usage of the first one."""
    return _change_last_response(events, usage=events[0]["response"]["usage"])


@_changes("output-is-missing-at-the-end", "ends-with-the-whole-response", "items-are-those-of-the-response")
def output_is_missing_at_the_end(events: Events) -> Events:
    """The response of the last event has no output."""
    return _change_last_response(events, output=[])


@_changes("arguments-lack-a-delta", "deltas-make-the-arguments")
def arguments_lack_a_delta(events: Events) -> Events:
    """One delta of the arguments of a function call is missing."""
    return _without(events, _position(events, "response.function_call_arguments.delta"))


@_changes("incomplete-looks-completed", "incomplete-ends-with-its-event")
def incomplete_looks_completed(events: Events) -> Events:
    """The stream of an incomplete response ends with response.completed."""
    if events[-1]["type"] != "response.incomplete":
        return events
    return [*events[:-1], events[-1] | {"type": "response.completed"}]


@STREAM.response("end-marker", "responses.stream.has-no-end-marker")
def end_marker(exchange: ProxyExchange) -> None:
    """The marker [DONE] follows the last event."""
    if exchange.response_operation == "create" and exchange.events:
        exchange.response.set_body(exchange.response.body + b"data: [DONE]\n\n")


@STREAM.response("events-are-called-message", "responses.stream.names-events-by-type")
def events_are_called_message(exchange: ProxyExchange) -> None:
    """The name of every event is message."""
    if exchange.response_operation == "create" and (events := exchange.events):
        lines = exchange.response.body.decode().split("\n")
        named = ["event: message" if line.startswith("event:") else line for line in lines]
        exchange.response.set_body("\n".join(named).encode())
        if len(exchange.events) != len(events):
            raise RuntimeError("an event was lost")


@STREAM.request("streams-are-not-added", "responses.stream.adds-to-the-conversation")
def streams_are_not_added(exchange: ProxyExchange) -> None:
    """A streamed response is not added to its conversation."""
    body = exchange.request_body
    if exchange.response_operation == "create" and body.get("stream") is True and body.get("conversation"):
        exchange.request.json = body | {"conversation": None}


@STREAM.request("resumption-starts-over", "responses.stream.resumes")
def resumption_starts_over(exchange: ProxyExchange) -> None:
    """A resumed stream starts with the first event."""
    number = exchange.request.parameters.get("starting_after", "")
    if exchange.response_operation == "retrieve" and number.isdigit():
        exchange.request.set_parameters(starting_after=-1)


@STREAM.request("ended-streams-are-replayed", "responses.stream.ended-gives-the-terminal-event")
def ended_streams_are_replayed(exchange: ProxyExchange) -> None:
    """The stream of a response that has ended has all events."""
    parameters = exchange.request.parameters
    is_stream = exchange.response_operation == "retrieve" and parameters.get("stream") == "true"
    if is_stream and "starting_after" not in parameters:
        exchange.request.set_parameters(starting_after=-1)


def _final_of(events: Events) -> Any:
    return next((event["response"] for event in events if event["type"] in _TERMINAL), None)


@STREAM.response("text-differs-at-the-end", "responses.stream.deltas-make-the-text")
def text_differs_at_the_end(exchange: ProxyExchange) -> None:
    """The text of the final response differs from its deltas by its case."""
    events = exchange.events if exchange.response_operation == "create" else []
    final = _final_of(events)
    if final is not None:
        for item in final["output"]:
            for part in item.get("content", ()) if item["type"] == "message" else ():
                part["text"] = part.get("text", "").upper()
        exchange.events = events
