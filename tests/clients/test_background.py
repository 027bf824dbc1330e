"""Responses in the background, with the real clients: poll, stream, resume, cancel and wake."""

import httpx
import openai
import pytest
from meetkai_mka1 import errors

START = 1704067200
REQUEST = {"model": "auto", "input": "hi", "background": True}


@pytest.fixture
def control(server, api_key):
    """Return a function that sends a control request for the key of the test, whose clock stands still."""
    with httpx.Client(base_url=f"{server.url}/_mock", params={"api_key": api_key}) as client:

        def send(method, path, body):
            response = client.request(method, path, json=body)
            assert response.status_code == 200, response.text

        send("PUT", "/clock", {"freeze": START})
        yield send


def test_mka1_polls(mka1_responses, control):
    control("POST", "/replies", {"text": "Done.", "queued": 2, "delay": 2})
    created = mka1_responses("create", **REQUEST)
    statuses = [created.status]
    for _ in range(3):
        statuses.append(mka1_responses("get", response_id=created.id).status)
        control("PUT", "/clock", {"advance": 2})
    assert statuses == ["queued", "queued", "in_progress", "completed"]


def test_mka1_follows_and_resumes(mka1_responses, control):
    created = mka1_responses("create", **REQUEST, stream_events=True)
    events = mka1_responses("get", response_id=created.id, stream=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {type(event).__name__ for event in events}.isdisjoint({"UnknownResponseStreamingEvent"})
    assert events[-1].response.status == "completed"
    rest = mka1_responses("get", response_id=created.id, stream=True, starting_after=3)
    assert rest == events[4:]
    assert mka1_responses("get", response_id=created.id, stream=True) == events[-1:]


def test_mka1_creates_a_stream(mka1_responses):
    events = mka1_responses("create", **REQUEST, stream=True)
    assert (events[0].type, events[1].type, events[-1].type) == (
        "response.created",
        "response.queued",
        "response.completed",
    )


def test_mka1_cancels(mka1_responses, control):
    control("POST", "/replies", {"text": "Done.", "delay": 5})
    created = mka1_responses("create", **REQUEST)
    assert mka1_responses("cancel", response_id=created.id).status == "cancelled"
    events = mka1_responses("get", response_id=created.id, stream=True)
    assert [type(event).__name__ for event in events] == ["ResponseCancelledEvent"]
    with pytest.raises(errors.SDKDefaultError) as caught:
        mka1_responses("cancel", response_id=created.id)
    assert caught.value.status_code == 400


def test_mka1_wakes(mka1_responses, control):
    control("POST", "/replies", {"text": "Good morning.", "sleep": 60})
    created = mka1_responses("create", **REQUEST)
    woken = mka1_responses("wake", response_id=created.id, input="get up")
    assert (woken.response_id, woken.created_at.timestamp()) == (created.id, START)
    response = mka1_responses("get", response_id=created.id)
    assert response.output[1].output == "get up"
    events = mka1_responses("get", response_id=created.id, stream=True, starting_after=-1)
    assert {type(event).__name__ for event in events}.isdisjoint({"UnknownResponseStreamingEvent"})
    for response_id, status in ((created.id, 409), ("resp_unknown", 404)):
        with pytest.raises(errors.SDKDefaultError) as caught:
            mka1_responses("wake", response_id=response_id, input="again")
        assert caught.value.status_code == status


def test_openai_polls_and_cancels(openai_responses, control):
    control("POST", "/replies", {"text": "Done.", "delay": 5, "times": 2})
    polled, cancelled = (openai_responses("create", **REQUEST) for _ in range(2))
    assert openai_responses("cancel", cancelled.id).status == "cancelled"
    control("PUT", "/clock", {"advance": 5})
    assert openai_responses("retrieve", polled.id).output_text == "Done."
    with pytest.raises(openai.BadRequestError, match="cancelled"):
        openai_responses("cancel", polled.id)


def test_openai_streams_and_resumes(openai_responses, control):
    events = openai_responses("create", **REQUEST, stream=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    response_id = events[0].response.id
    rest = openai_responses("retrieve", response_id, stream=True, starting_after=3)
    assert [event.type for event in rest] == [event.type for event in events[4:]]
    assert rest[-1].response.output_text == "You said: hi"


def test_the_stream_helper_of_openai_replays_a_response_that_has_ended(server, api_key, control):
    with openai.OpenAI(base_url=f"{server.url}/api/v1/llm", api_key=api_key) as client:
        (first, *_, last) = client.responses.create(**REQUEST, stream=True)
        replay = {"response_id": first.response.id, "extra_query": {"starting_after": -1}}
        with client.responses.stream(**replay, starting_after=3) as stream:
            numbers = [event.sequence_number for event in stream]
            assert stream.get_final_response().output_text == "You said: hi"
    assert numbers == list(range(4, last.sequence_number + 1))
