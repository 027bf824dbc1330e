"""Responses in the background: when they end, and how they are cancelled, woken, followed and reset."""

import asyncio
import json

import pytest

from mockserver import Fake, Settings
from tests.support.asgi_client import AsgiClient

from .support import create_conversation, list_items, reject, respond, text_of

START = 1704067200
ADA = {"X-On-Behalf-Of": "ada"}


@pytest.fixture
def client(make_client):
    """Return a client of a fake whose clock stands still."""
    client = make_client(ids="sequential")
    set_clock(client, freeze=START)
    return client


def set_clock(client, **change):
    response = client.root.put("/_mock/clock", json=change)
    assert response.status_code == 200, response


def plan(client, **reply):
    response = client.root.post("/_mock/replies", json=reply)
    assert response.status_code == 200, response


def start(client, sent="hi", **fields):
    return respond(client, sent, background=True, **fields)["id"]


def retrieve(client, response_id, **options):
    response = client.get(f"/responses/{response_id}", **options)
    assert response.status_code == 200, response
    return response.json()


def list_statuses(client):
    return [each["status"] for each in client.get("/responses?order=asc").json()["data"]]


def read_events(response):
    assert response.status_code == 200, response
    assert response.headers["content-type"].startswith("text/event-stream")
    frames = [frame.split("\n") for frame in response.text.split("\n\n")[:-1]]
    return [json.loads(frame[-1].removeprefix("data: ")) for frame in frames if not frame[0].startswith(":")]


def stream(client, response_id, after=None):
    query = "" if after is None else f"&starting_after={after}"
    return read_events(client.get(f"/responses/{response_id}?stream=true{query}"))


def numbers(events):
    return [event["sequence_number"] for event in events]


def types(events):
    return [event["type"].removeprefix("response.") for event in events]


# Time


@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_response_without_durations_has_ended_when_it_is_next_read(client, is_frozen):
    if not is_frozen:
        set_clock(client, resume=True)
    created = respond(client, background=True)
    assert (created["status"], created["output"], created["background"]) == ("queued", [], True)
    response = retrieve(client, created["id"])
    assert (response["status"], text_of(response)) == ("completed", "You said: hi")
    assert response["completed_at"] == response["created_at"]


@pytest.mark.parametrize("path", ["", "/input_items", "?stream=true"])
def test_reading_a_part_or_the_list_counts_as_reading(client, path):
    response_id = start(client)
    client.get(f"/responses/{response_id}{path}")
    assert client.get("/responses").json()["data"][0]["status"] == "completed"
    start(client, "again")
    assert list_statuses(client) == ["completed", "completed"]


def test_a_response_with_durations_stands_still_with_the_clock(client):
    plan(client, text="done", queued=5, delay=10, times=1)
    response_id = start(client)
    statuses = []
    for seconds in (0, 4, 1, 9, 1):
        set_clock(client, advance=seconds)
        statuses.append(retrieve(client, response_id)["status"])
    assert statuses == ["queued", "queued", "in_progress", "in_progress", "completed"]
    response = retrieve(client, response_id)
    assert (response["created_at"], response["completed_at"]) == (START, START + 15)


def test_delays_of_deltas_count_as_well(client):
    plan(client, text=["one", "two", "three"], delta_delay=2)
    response_id = start(client)
    set_clock(client, advance=5)
    assert retrieve(client, response_id)["status"] == "in_progress"
    set_clock(client, advance=1)
    assert retrieve(client, response_id)["status"] == "completed"


def test_an_advance_returns_when_everything_due_has_happened(client):
    conversation = create_conversation(client)
    plan(client, text="slow", delay=5)
    plan(client, text="fast", delay=3)
    for sent in ("first", "second"):
        start(client, sent, conversation=conversation)
    set_clock(client, advance=2.9)
    assert list_items(client, conversation) == []
    set_clock(client, advance=10)
    texts = [item["content"] for item in list_items(client, conversation)]
    assert [text if isinstance(text, str) else text[0]["text"] for text in texts] == [
        "second",
        "fast",
        "first",
        "slow",
    ]
    assert [each["completed_at"] for each in client.get("/responses").json()["data"]] == [START + 3, START + 5]


def test_the_steps_of_several_responses_come_in_the_order_of_their_times(client):
    conversation = create_conversation(client)
    plan(client, text=["one ", "two"], delta_delay=3)
    plan(client, text="later", delay=8)
    for _ in range(2):
        start(client, conversation=conversation)
    set_clock(client, advance=60)
    texts = [text_of({"output": [item]}) for item in list_items(client, conversation) if item["role"] == "assistant"]
    assert texts == ["one two", "later"]


def test_an_advance_ends_a_response_that_nobody_has_read(client):
    conversation = create_conversation(client)
    start(client, conversation=conversation)
    assert list_items(client, conversation) == []
    set_clock(client, advance=0)
    assert len(list_items(client, conversation)) == 2


def test_each_account_has_its_time(make_client):
    client = make_client()
    keys = [{"Authorization": f"Bearer {name}"} for name in ("one", "two")]
    plan(client, text="done", delay=10, times=2)
    set_clock(client, freeze=START)
    ids = [respond(client, background=True, headers=key)["id"] for key in keys]
    changed = client.root.put("/_mock/clock?api_key=two", json={"advance": 10})
    assert changed.status_code == 200
    statuses = [retrieve(client, each, headers=key)["status"] for each, key in zip(ids, keys, strict=True)]
    assert statuses == ["in_progress", "completed"]


def test_a_clock_that_runs_ends_a_response_that_nobody_reads(make_client):
    client = make_client()
    conversation = create_conversation(client)
    plan(client, text="done", queued=0.01, delay=0.01)
    start(client, conversation=conversation)
    client.runner.run(asyncio.sleep(0.04))
    assert len(list_items(client, conversation)) == 2


def test_a_clock_that_is_resumed_drives_what_stood_still(client):
    plan(client, text="done", delay=0.02)
    conversation = create_conversation(client)
    start(client, conversation=conversation)
    client.runner.run(asyncio.sleep(0.03))
    assert list_items(client, conversation) == []
    set_clock(client, resume=True)  # From 2024 to today.
    assert len(list_items(client, conversation)) == 2


def test_a_frozen_clock_stops_the_timers(make_client):
    client = make_client()
    plan(client, text="done", delay=0.02)
    response_id = start(client)
    set_clock(client, freeze=None)
    client.runner.run(asyncio.sleep(0.04))
    assert retrieve(client, response_id)["status"] == "in_progress"


@pytest.mark.parametrize(("is_frozen", "status"), [(True, 200), (False, 400)])
def test_a_response_that_nobody_reads_ends_soon_unless_the_clock_stands_still(client, monkeypatch, is_frozen, status):
    monkeypatch.setattr("mockserver.responses.background._UNREAD_SECONDS", 0.01)
    if not is_frozen:
        set_clock(client, resume=True)
    response_id = start(client)
    client.runner.run(asyncio.sleep(0.03))
    assert cancel(client, response_id).status_code == status


def test_a_clock_of_the_program_drives_runs_when_they_are_read(contract):
    class FixedClock:
        time = float(START)

        def now(self, _account):
            return self.time

        def reset(self, account=None):
            pass

    clock = FixedClock()
    with AsgiClient.connect(Fake(contract, Settings(), clock=clock), {"Authorization": "Bearer k"}) as client:
        plan(client, text="done", delay=5)
        response_id = start(client)
        assert retrieve(client, response_id)["status"] == "in_progress"
        clock.time += 5
        assert retrieve(client, response_id)["status"] == "completed"


@pytest.mark.parametrize("link", ["conversation", "previous_response_id"])
def test_what_continues_a_response_finds_it_ended(client, link):
    conversation = create_conversation(client)
    first = start(client, conversation=conversation)
    target = conversation if link == "conversation" else first
    assert "Before that: hi" in text_of(respond(client, "again", **{link: target}))


def test_the_default_of_the_background_may_fail_and_be_incomplete(client):
    plan(client, failed="No model.", delay=1)
    plan(client, text="one two", incomplete="max_output_tokens")
    ids = [start(client), start(client)]
    set_clock(client, advance=1)
    failed, incomplete = (retrieve(client, each) for each in ids)
    assert (failed["status"], failed["error"]["message"]) == ("failed", "No model.")
    assert (incomplete["status"], incomplete["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_metadata_of_a_running_response_can_be_updated(client):
    plan(client, text="done", delay=1)
    response_id = start(client, metadata={"a": "b"})
    client.post(f"/responses/{response_id}", json={"metadata": {"c": "d"}})
    set_clock(client, advance=1)
    response = retrieve(client, response_id)
    assert (response["status"], response["metadata"]) == ("completed", {"c": "d"})


def test_a_response_in_the_background_must_be_stored(client):
    assert reject(client, 400, input="hi", background=True, store=False)["param"] == "store"


# Cancel


def cancel(client, response_id, **options):
    return client.post(f"/responses/{response_id}/cancel", **options)


@pytest.mark.parametrize("reply", [None, {"queued": 5}, {"delay": 5}, {"delta_delay": 5}, {"sleep": 5}])
def test_a_response_that_has_not_ended_can_be_cancelled(client, reply):
    conversation = create_conversation(client)
    if reply:
        plan(client, text="one two", **reply)
    response_id = start(client, conversation=conversation)
    if reply:
        set_clock(client, advance=3)
    cancelled = cancel(client, response_id)
    assert cancelled.status_code == 200, cancelled
    assert cancelled.json()["status"] == "cancelled"
    assert cancelled.json() == retrieve(client, response_id)
    set_clock(client, advance=60)
    assert retrieve(client, response_id)["status"] == "cancelled"
    assert list_items(client, conversation) == []


def test_what_has_ended_cannot_be_cancelled(client):
    plan(client, text="done", delay=5)
    timed, read, cancelled = start(client), start(client), start(client)
    set_clock(client, freeze=START + 5)
    retrieve(client, read)
    cancel(client, cancelled)
    foreground = respond(client)["id"]
    for response_id, reason in (
        (timed, "completed already"),
        (read, "completed already"),
        (cancelled, "already"),
        (foreground, "not in the background"),
    ):
        response = cancel(client, response_id)
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, "response_id")
        assert error["findings"][0]["code"] == "not_cancellable"
        assert reason in error["message"]


@pytest.mark.parametrize("headers", [{}, ADA])
def test_only_the_caller_can_cancel_and_wake(client, headers):
    plan(client, sleep=5)
    response_id = start(client) if headers else "resp_unknown"
    for action, body in (("cancel", None), ("wake", {"input": "go"})):
        response = client.post(f"/responses/{response_id}/{action}", json=body, headers=headers)
        assert (response.status_code, response.json()["error"]["param"]) == (404, "response_id")


def test_a_running_response_that_is_deleted_ends(client):
    plan(client, text="done", delay=5, times=1)
    conversation = create_conversation(client)
    response_id = start(client, conversation=conversation)
    assert client.delete(f"/responses/{response_id}").json()["deleted"] is True
    set_clock(client, advance=60)
    assert client.get(f"/responses/{response_id}").status_code == 404
    assert list_items(client, conversation) == []


# Wake


def wake(client, response_id, text="go on"):
    return client.post(f"/responses/{response_id}/wake", json={"input": text})


def test_a_wake_ends_the_sleep_with_its_text(client):
    plan(client, text="Good morning.", sleep=60)
    response_id = start(client)
    set_clock(client, advance=10)
    woken = wake(client, response_id)
    assert woken.status_code == 200, woken
    assert woken.json() == {
        "object": "response.sleep_wake",
        "response_id": response_id,
        "created_at": "2024-01-01T00:00:10+00:00",
    }
    response = retrieve(client, response_id)
    assert (response["status"], response["completed_at"]) == ("completed", START + 10)
    call, output, _ = response["output"]
    assert (call["type"], call["name"]) == ("function_call", "sleep")
    assert (output["type"], output["call_id"], output["output"]) == (
        "function_call_output",
        call["call_id"],
        "go on",
    )
    assert text_of(response) == "Good morning."


def test_a_sleep_ends_by_itself(client):
    plan(client, text="Good morning.", sleep=60)
    response_id = start(client)
    set_clock(client, advance=60)
    response = retrieve(client, response_id)
    assert (response["status"], response["completed_at"]) == ("completed", START + 60)
    assert wake(client, response_id).status_code == 409


def test_only_a_sleeping_response_can_be_woken(client):
    plan(client, text="done", queued=1, delay=1, sleep=1)
    response_id = start(client)
    statuses = []
    for seconds in (0.5, 1.0, 1.0, 0):
        set_clock(client, advance=seconds)
        statuses.append(wake(client, response_id).status_code)
    assert statuses == [409, 409, 200, 409]
    error = wake(client, respond(client)["id"]).json()["error"]
    assert (error["param"], error["type"]) == ("response_id", "invalid_request_error")
    assert wake(client, start(client)).status_code == 409


# Streams


def test_a_response_that_has_ended_has_one_event_left(client):
    response_id = start(client)
    response = retrieve(client, response_id)
    (event,) = stream(client, response_id)
    assert (event["type"], event["response"]) == ("response.completed", response)
    assert event["sequence_number"] == len(stream(client, response_id, -1)) - 1


@pytest.mark.parametrize("fields", [{}, {"stream_events": True}])
def test_a_response_can_be_replayed(client, fields):
    response_id = start(client, "one two three", **fields)
    events = stream(client, response_id, -1)
    assert numbers(events) == list(range(len(events)))
    assert types(events)[:3] == ["created", "queued", "in_progress"]
    assert types(events)[-1] == "completed"
    assert ("output_text.delta" in types(events)) == bool(fields)
    for after in (-7, 0, 2, len(events) - 2):
        assert stream(client, response_id, after) == events[max(after + 1, 0) :]
    for after in (len(events) - 1, 1000, 9007199254740991):
        assert stream(client, response_id, after) == events[-1:]


def test_a_running_response_starts_with_its_first_event(client):
    response_id = start(client)
    events = stream(client, response_id)
    assert (types(events)[0], types(events)[-1]) == ("created", "completed")
    assert stream(client, start(client), 1)[0]["type"] == "response.in_progress"


def test_a_foreground_response_has_one_event_left(client):
    response = respond(client)
    for after in (None, -1, 5):
        (event,) = stream(client, response["id"], after)
        assert (event["type"], event["response"]) == ("response.completed", response)


def test_a_cancelled_response_ends_its_stream(client):
    plan(client, text="done", delay=5)
    response_id = start(client)
    cancel(client, response_id)
    assert types(stream(client, response_id, -1)) == ["created", "queued", "in_progress", "cancelled"]


def test_a_sleep_and_its_wake_are_in_the_stream(client):
    plan(client, text="Good morning.", sleep=60)
    response_id = start(client)
    wake(client, response_id)
    assert "sleep_call.completed" in types(stream(client, response_id, -1))


def test_a_background_response_can_be_created_as_a_stream(client):
    response = client.post("/responses", json={"model": "auto", "input": "hi", "background": True, "stream": True})
    events = read_events(response)
    assert types(events)[:2] == ["created", "queued"]
    assert "output_text.delta" in types(events)
    final = events[-1]["response"]
    assert (final["status"], final["background"]) == ("completed", True)
    assert retrieve(client, final["id"]) == final
    assert stream(client, final["id"], -1) == events


def test_events_of_many_old_responses_are_forgotten(client, monkeypatch):
    monkeypatch.setattr("mockserver.responses.background._MAX_KEPT_EVENTS", 20)
    ids = [start(client) for _ in range(3)]
    for response_id in ids:
        retrieve(client, response_id)
    assert len(stream(client, ids[-1], -1)) > 1
    (event,) = stream(client, ids[0], -1)
    assert event["type"] == "response.completed"


def test_events_are_forgotten_with_their_response(make_client):
    client = make_client()
    background = client.app.state.background
    kept, deleted = start(client), start(client)
    for response_id in (kept, deleted):
        retrieve(client, response_id)
    assert background.kept_events == 2 * len(stream(client, kept, -1))
    client.delete(f"/responses/{deleted}")
    assert background.kept_events == len(stream(client, kept, -1))
    client.root.post("/_mock/reset")
    assert background.kept_events == 0


# Reset


def test_a_reset_ends_what_is_running(client):
    plan(client, text="done", delay=5)
    conversation = create_conversation(client)
    response_id = start(client, conversation=conversation)
    client.root.post("/_mock/reset")
    assert client.get(f"/responses/{response_id}").status_code == 404
    set_clock(client, freeze=START + 60)
    assert client.get("/responses").json()["data"] == client.get("/conversations").json()["data"] == []


def test_a_reset_of_one_key_leaves_the_responses_of_others(client):
    plan(client, text="done", delay=5)
    response_id = start(client)
    client.root.post("/_mock/reset?api_key=another")
    set_clock(client, advance=5)
    assert retrieve(client, response_id)["status"] == "completed"


def test_a_snapshot_has_what_is_due(client):
    plan(client, text="done", delay=5)
    response_id = start(client)
    client.root.get("/_mock/state")
    assert retrieve(client, response_id)["status"] == "in_progress"
    unread = start(client)
    client.root.get("/_mock/state")
    assert cancel(client, unread).status_code == 400


def test_a_restored_state_has_nothing_that_runs(client):
    plan(client, text="done", delay=5)
    conversation = create_conversation(client)
    snapshot = client.root.get("/_mock/state").json()
    start(client, conversation=conversation)
    assert client.root.put("/_mock/state", json=snapshot).status_code == 200
    set_clock(client, advance=5)
    assert list_items(client, conversation) == []
