"""Faults in the middle of an event stream, and faults of other kinds on requests for a stream."""

import json
import time
from contextlib import suppress

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from tests.support.streams import StreamClient

TEXT = "one two three four five six"


@pytest.fixture(scope="module")
def server():
    with run_server(create_app(Settings())) as server:
        yield server


@pytest.fixture
def client(server):
    with StreamClient(server.url) as client:
        client.plan_reply(text=TEXT, times=None)
        yield client


def read(client, **options):
    """Return the events that arrive, and the exception that ends the stream, if any."""
    events = []
    try:
        for event in client.stream(**options):
            events.append(event)
    except httpx.HTTPError as error:
        return events, error
    return events, None


def numbers(events):
    return [event.get("sequence_number") for event in events]


def test_without_a_fault_the_stream_is_complete(client):
    events, error = read(client)
    assert error is None
    assert numbers(events) == list(range(14))
    assert events[-1]["type"] == "response.completed"
    assert client.last_entry()["stream"]["end"] == "finished"


@pytest.mark.parametrize("after", [0, 1, 5, 13])
def test_a_stream_closes_without_a_terminal_event(client, after):
    client.plan_fault(action="close", after_events=after)
    events, error = read(client)
    assert (numbers(events), error) == (list(range(after)), None)
    entry = client.last_entry()
    assert entry["stream"]["end"] == "fault"
    assert entry["stream"]["count"] == after
    assert entry["fault"]["after_events"] == after
    assert [note["code"] for note in entry["notes"]] == ["stream_cut"]


def test_a_stream_is_reset(client):
    client.plan_fault(action="reset", after_events=3)
    events, error = read(client)
    assert numbers(events) == [0, 1, 2]
    assert isinstance(error, httpx.ReadError | httpx.RemoteProtocolError)
    assert client.last_entry()["stream"]["end"] == "fault"


def test_a_stream_falls_silent(server):
    with StreamClient(server.url, timeout=0.3) as client:
        client.plan_fault(action="time_out", after_events=3)
        events, error = read(client)
        assert numbers(events) == [0, 1, 2]
        assert isinstance(error, httpx.ReadTimeout)
        assert client.last_entry()["stream"]["end"] == "fault"


def test_a_stream_stalls_and_goes_on(client):
    client.plan_fault(delay=0.3, after_events=3)
    started = time.monotonic()
    arrivals = [time.monotonic() - started for _ in client.stream()]
    assert len(arrivals) == 14
    assert arrivals[3] - arrivals[2] > 0.2
    entry = client.last_entry()
    assert (entry["stream"]["end"], entry["notes"]) == ("finished", [])


def test_an_event_is_garbage(client):
    client.plan_fault(action="garbage", after_events=3)
    events, error = read(client)
    assert error is None
    assert numbers(events) == [0, 1, 2, None, *range(3, 14)]
    assert events[3]["type"] is None
    assert "invalid_encoding" in {note["code"] for note in client.last_entry()["notes"]}


def test_an_event_is_missing(client):
    client.plan_fault(action="skip", after_events=3)
    assert numbers(read(client)[0]) == [0, 1, 2, *range(4, 14)]
    assert client.last_entry()["notes"][0]["code"] == "sequence_number"


def test_an_event_comes_twice(client):
    client.plan_fault(action="repeat", after_events=3)
    events, _ = read(client)
    assert numbers(events) == [0, 1, 2, 2, *range(3, 14)]
    assert events[2] == events[3]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "sequence_number": 3, "code": "server_error", "message": "The model is gone."},
        {"type": "response.hologram.done", "sequence_number": 3},
        {"no": "type"},
    ],
)
def test_an_event_is_inserted_as_it_is(client, event):
    client.plan_fault(event=event, after_events=3)
    assert read(client)[0][3] == event


def test_an_event_may_come_before_the_cut(client):
    error = {"type": "error", "sequence_number": 3, "code": "server_error", "message": "The model is gone."}
    client.plan_fault(event=error, action="close", after_events=3)
    assert read(client)[0][3:] == [error]


def test_an_event_may_come_after_the_last(client):
    client.plan_fault(event={"type": "late"}, after_events=14)
    assert read(client)[0][-1] == {"type": "late"}


def test_one_event_is_patched(client):
    client.plan_fault(patch=[{"op": "remove", "path": "/response/usage"}], after_events=13)
    events, _ = read(client)
    assert "usage" not in events[13]["response"]
    assert "usage" in events[0]["response"]


def test_every_event_is_patched(client):
    client.plan_fault(patch=[{"op": "replace", "path": "/sequence_number", "value": 7}])
    assert numbers(read(client)[0]) == [7] * 14


def test_headers_are_added_to_the_stream(client):
    client.plan_fault(headers={"X-Trace": "abc"})
    body = {"model": "auto", "input": "hi", "stream": True}
    response = client.request("POST", "/responses", json=body)
    assert response.headers["x-trace"] == "abc"
    assert response.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ({"status": 503}, 503, b'{"error"'),
        ({"body": "<html>"}, 200, b"<html>"),
        ({"action": "garbage"}, 200, b'{"id": "\xff'),
        ({"action": "truncate"}, 200, b"event: response.created"),
        ({"action": "drip", "delay": 0.1}, 200, b"event: response.created"),
        ({"delay": 0.1}, 200, b"event: response.created"),
        ({"delay": 0.1, "commit": True}, 200, b"event: response.created"),
    ],
)
def test_ordinary_faults_apply_to_streams(client, fault, status, start):
    client.plan_fault(**fault)
    response = client.request("POST", "/responses", json={"model": "auto", "input": "hi", "stream": True})
    assert response.status_code == status
    assert response.content.startswith(start)
    assert (b"response.completed" in response.content) is (
        fault.keys() == {"delay"} or fault.get("action") == "drip" or "commit" in fault
    )


def test_a_delayed_stream_is_not_kept_back(client):
    client.control("DELETE", "/replies")
    client.plan_reply(text=TEXT, delay=0.5)
    client.plan_fault(delay=0.1)
    started = time.monotonic()
    arrivals = [time.monotonic() - started for _ in client.stream()]
    assert arrivals[0] >= 0.1
    assert arrivals[2] - arrivals[1] > 0.3


def test_a_fault_in_mid_stream_matches_streams_only(client):
    client.plan_fault(action="close", after_events=2)
    assert client.request("POST", "/responses", json={"model": "auto", "input": "hi"}).status_code == 200
    (planned,) = client.control("GET", "/faults")["data"]
    assert (planned["seen"], planned["fired"]) == (0, 0)
    assert len(read(client)[0]) == 2
    assert client.control("GET", "/faults")["data"][0]["fired"] == 1


@pytest.mark.parametrize("body", [{"input": "hi"}, {"input": "hi", "previous_response_id": "resp_unknown"}])
def test_a_fault_has_not_fired_if_the_stream_is_too_short(client, body):
    client.plan_fault(action="close", after_events=100)
    client.request("POST", "/responses", json={"model": "auto", "stream": True, **body})
    (planned,) = client.control("GET", "/faults")["data"]
    assert (planned["seen"], planned["fired"]) == (1, 0)


def test_a_request_may_ask_for_a_fault_in_mid_stream(client):
    header = {"X-Mock-Fault": json.dumps({"action": "close", "after_events": 2})}
    assert len(read(client, headers=header)[0]) == 2


MID_STREAM = [
    {"action": "close", "after_events": 2},
    {"action": "garbage", "after_events": 2},
    {"patch": [{"op": "remove", "path": "/id"}], "after_events": 2},
    {"delay": 0.1, "after_events": 2},
]


@pytest.mark.parametrize("fault", MID_STREAM)
@pytest.mark.parametrize("header", ["X-Mock-Fault", "X-Mock-Reply"])
def test_a_fault_in_mid_stream_spares_other_responses(client, header, fault):
    asked = fault if header == "X-Mock-Fault" else {"text": "Hello.", "fault": fault}
    response = client.request(
        "POST", "/responses", json={"model": "auto", "input": "hi"}, headers={header: json.dumps(asked)}
    )
    assert (response.status_code, response.json()["status"]) == (200, "completed")
    assert client.last_entry()["fault"] is None


@pytest.mark.parametrize(
    ("fields", "fault", "note"),
    [
        ({}, MID_STREAM[0], "without stream, because it has after_events"),
        ({"background": True}, {"status": 503}, "with background and without stream"),
        ({"background": True, "stream": True}, MID_STREAM[3], None),
        ({"stream": True}, MID_STREAM[3], None),
    ],
)
def test_a_fault_of_a_reply_that_cannot_strike_is_noted(client, fields, fault, note):
    headers = {"X-Mock-Reply": json.dumps({"text": "Hello.", "fault": fault})}
    client.request("POST", "/responses", json={"model": "auto", "input": "hi", **fields}, headers=headers)
    notes = [one["message"] for one in client.last_entry()["notes"]]
    assert notes == ([] if note is None else [f"fault has no effect on a request {note}"])


def test_a_reply_in_the_background_may_have_a_fault_in_mid_stream(client):
    client.control("DELETE", "/replies")
    client.plan_reply(text=TEXT, fault=MID_STREAM[0])
    events, _ = read(client, background=True)
    assert numbers(events) == [0, 1]
    response = client.request("GET", f"/responses/{events[0]['response']['id']}").json()
    assert (response["status"], response["output_text"]) == ("completed", TEXT)


def test_a_reply_may_have_a_fault_in_mid_stream(client):
    client.control("DELETE", "/replies")
    client.plan_reply(text=TEXT, fault={"action": "close", "after_events": 2})
    client.plan_reply(text=TEXT, fault={"status": 503})
    assert len(read(client)[0]) == 2
    assert client.last_entry()["stream"]["end"] == "fault"
    assert client.request("POST", "/responses", json={"model": "auto", "input": "hi"}).status_code == 503


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("action", ["close", "reset"])
def test_a_cut_stream_is_applied_only_with_commit(client, action, commit):
    conversation = client.request("POST", "/conversations", json={}).json()["id"]
    client.plan_fault(action=action, after_events=5, commit=commit)
    with suppress(httpx.HTTPError):
        events = []
        for event in client.stream(conversation=conversation):
            events.append(event)
    assert len(events) == 5
    items = client.request("GET", f"/conversations/{conversation}/items").json()["data"]
    stored = client.request("GET", f"/responses/{events[0]['response']['id']}").json()
    assert (len(items), stored["status"]) == ((2, "completed") if commit else (0, "cancelled"))


@pytest.mark.parametrize(
    ("fault", "phrase"),
    [
        ({"action": "skip"}, "must set after_events"),
        ({"event": {"type": "error"}}, "must set after_events"),
        ({"after_events": 3}, "beside after_events"),
        ({"after_events": 3, "status": 503}, "cannot be combined"),
        ({"after_events": 3, "headers": {"A": "b"}}, "cannot be combined"),
        ({"after_events": 3, "action": "drip"}, "must be one of close, reset"),
        ({"after_events": 0, "action": "repeat"}, "must be at least 1"),
        ({"after_events": -1, "action": "close"}, "must be at least 0"),
    ],
)
def test_the_message_says_what_is_wrong_with_a_fault(client, fault, phrase):
    response = client.request(
        "POST", "/responses", json={"model": "auto", "input": "hi"}, headers={"X-Mock-Fault": json.dumps(fault)}
    )
    assert response.status_code == 400
    assert phrase in response.json()["error"]["message"]
