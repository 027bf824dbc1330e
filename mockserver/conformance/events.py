"""The events of a streamed response."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mockserver.conformance.expectations import ScenarioFailure, require
from mockserver.conformance.response import ApiResponse
from mockserver.contract.event_streams import FrameReader
from mockserver.contract.json_text import JsonError, parse_response

Event = dict[str, Any]

_DELTA = ".delta"


def read_events(response: ApiResponse) -> list[Event]:
    """Return the data of all events of a response.

    Raises:
        ScenarioFailure: the response is no stream, or the data of an event are no JSON object with a type.
    """
    if response.status != 200:
        response.fail("200", 200)
    if response.media_type != "text/event-stream":
        raise ScenarioFailure("Content-Type", "text/event-stream", repr(response.media_type))
    text = response.body if isinstance(response.body, str) else ""
    events = list(parse_events(text))
    for event in events:
        require(isinstance(event.get("type"), str), "event", "data with a type", event)
    return events


def parse_events(text: str) -> Iterator[Event]:
    """Yield the data of each event as an object, or an empty object for other data."""
    for _, data in _split_events(text):
        try:
            parsed = parse_response(data)
        except JsonError:
            parsed = None
        yield parsed if isinstance(parsed, dict) else {}


def event_names(response: ApiResponse) -> list[str]:
    """Return the names of the events, as their `event` fields say."""
    return [name for name, _ in _split_events(response.body if isinstance(response.body, str) else "")]


def _split_events(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the data of each event; comments have no data."""
    for frame in FrameReader().read(text.encode()):
        if frame.data is not None:
            yield (frame.name or b"").decode(), frame.data


def types(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def events_of(events: Sequence[Event], event_type: str) -> list[Event]:
    """Return the events of one type."""
    return [event for event in events if event["type"] == event_type]


def final_response(events: Sequence[Event]) -> dict[str, Any]:
    """Return the response of the last event."""
    require(events, "stream", "at least one event", events)
    response = events[-1].get("response")
    require(isinstance(response, dict), "last event", "an event with the response", events[-1])
    return dict(response or {})


def joined_deltas(events: Sequence[Event], event_type: str) -> dict[tuple[Any, ...], str]:
    """Return the joined deltas of each place, for a type such as `response.output_text`."""
    joined: dict[tuple[Any, ...], str] = {}
    for event in events_of(events, event_type + _DELTA):
        place = _place_of(event)
        joined[place] = joined.get(place, "") + event["delta"]
    return joined


def done_values(events: Sequence[Event], event_type: str, name: str) -> dict[tuple[Any, ...], str]:
    """Return the complete value of each place, from the `done` events of a type such as `response.output_text`."""
    return {_place_of(event): event[name] for event in events_of(events, event_type + ".done")}


def _place_of(event: Event) -> tuple[Any, ...]:
    return event["item_id"], event["output_index"], event.get("content_index")
