"""Clients that follow a response in the background while it is made, over real connections."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from mockserver import Fake, Settings, run_server

START = 1704067200


@pytest.fixture(scope="module")
def fake(contract):
    return Fake(contract, Settings())


@pytest.fixture(scope="module")
def server(fake):
    with run_server(fake) as running:
        yield running


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer k"}, timeout=5) as client:
        client.post("/_mock/reset")
        client.put("/_mock/clock", json={"freeze": START})
        yield client


def plan(http, **reply):
    assert http.post("/_mock/replies", json=reply).status_code == 200


def advance(http, seconds):
    assert http.put("/_mock/clock", json={"advance": seconds}).status_code == 200


def start(http, **fields):
    response = http.post("/api/v1/llm/responses", json={"model": "m", "input": "hi", "background": True, **fields})
    assert response.status_code == 200, response.text
    return response.json()["id"]


@contextmanager
def follow(http, response_id, query="stream=true"):
    """Yield a function that returns the types of the next events: so many, or all that follow."""
    with http.stream("GET", f"/api/v1/llm/responses/{response_id}?{query}") as response:
        assert response.status_code == 200
        lines = (line for line in response.iter_lines() if line.startswith("data: "))

        def read(count=None):
            found = []
            for line in lines:
                found.append(json.loads(line.removeprefix("data: "))["type"].removeprefix("response."))
                if len(found) == count:
                    break
            return found

        yield read


def test_a_follower_gets_each_event_when_it_is_made(http):
    plan(http, text=["one ", "two"], queued=5, delay=5, delta_delay=5)
    response_id = start(http, stream_events=True)
    with follow(http, response_id) as read:
        assert read(2) == ["created", "queued"]
        advance(http, 5)
        assert read(1) == ["in_progress"]
        advance(http, 5)
        assert read(2) == ["output_item.added", "content_part.added"]
        advance(http, 5)
        assert read(1) == ["output_text.delta"]
        advance(http, 60)
        assert read()[-1] == "completed"


def test_several_followers_get_the_same(http):
    plan(http, text="one two", delay=5)
    response_id = start(http)
    with follow(http, response_id) as first, follow(http, response_id, "stream=true&starting_after=1") as second:
        assert first(3) == ["created", "queued", "in_progress"]
        assert second(1) == ["in_progress"]
        advance(http, 5)
        rest = first()
        assert rest == second()
        assert rest[-1] == "completed"


def test_a_stream_that_is_resumed_ahead_waits_for_its_event(http):
    plan(http, text="one", delay=5)
    with follow(http, start(http), "stream=true&starting_after=5") as read:
        advance(http, 5)
        assert read() == ["content_part.done", "output_item.done", "completed"]


def test_a_stream_that_is_resumed_behind_the_end_gets_the_last_event(http):
    plan(http, text="one", delay=5)
    with follow(http, start(http), "stream=true&starting_after=1000") as read:
        advance(http, 5)
        assert read() == ["completed"]


def test_a_response_that_is_created_after_a_reset_ends_in_the_old_state(http, server, fake):
    headers = {"X-Mock-Fault": '{"delay": 0.04}', "X-Mock-Reply": '{"text": "one", "delay": 5}'}
    body = {"model": "m", "input": "hi", "background": True, "stream": True, "webhook_url": "http://a.example/"}
    with ThreadPoolExecutor() as threads:
        late = threads.submit(http.post, "/api/v1/llm/responses", json=body, headers=headers)
        time.sleep(0.02)
        http.post("/_mock/reset")
        assert "event: response.cancelled" in late.result().text
    assert http.get("/api/v1/llm/responses").json()["data"] == []
    assert http.get("/_mock/webhooks").json()["data"] == []


def test_a_follower_sees_the_response_cancelled(http):
    plan(http, text="one", delay=5)
    response_id = start(http)
    with follow(http, response_id) as read:
        read(3)
        assert http.post(f"/api/v1/llm/responses/{response_id}/cancel").json()["status"] == "cancelled"
        assert read() == ["cancelled"]


@pytest.mark.parametrize("route", ["reset", "state"])
def test_a_reset_ends_the_stream_of_a_follower(http, route):
    plan(http, text="one", delay=5)
    response_id = start(http)
    with follow(http, response_id) as read:
        read(3)
        if route == "reset":
            http.post("/_mock/reset")
        else:
            http.put("/_mock/state", json={"conversations": []})
        assert read() == ["cancelled"]
    if route == "reset":
        assert http.get("/_mock/requests").json()["data"] == []


def test_a_deleted_response_ends_the_stream_of_a_follower(http):
    plan(http, text="one", delay=5)
    response_id = start(http)
    with follow(http, response_id) as read:
        read(3)
        assert http.delete(f"/api/v1/llm/responses/{response_id}").status_code == 200
        assert read() == ["cancelled"]


def test_a_stream_that_waits_for_a_later_event_ends_with_its_response(http):
    plan(http, text="one", delay=5)
    response_id = start(http)
    with follow(http, response_id, "stream=true&starting_after=1000") as read:
        http.delete(f"/api/v1/llm/responses/{response_id}")
        assert read() == ["cancelled"]


def test_a_woken_response_goes_on_in_the_stream(http):
    plan(http, text="one", sleep=60)
    response_id = start(http)
    with follow(http, response_id) as read:
        read(4)
        http.post(f"/api/v1/llm/responses/{response_id}/wake", json={"input": "up"})
        assert read()[-1] == "completed"


def test_a_follower_that_leaves_does_not_end_the_response(http):
    plan(http, text="one", delay=5)
    response_id = start(http)
    with follow(http, response_id) as read:
        read(3)
    advance(http, 5)
    assert http.get(f"/api/v1/llm/responses/{response_id}").json()["status"] == "completed"


def test_a_client_that_leaves_its_own_stream_does_not_end_the_response(http):
    plan(http, text="one", delay=5)
    body = {"model": "m", "input": "hi", "background": True, "stream": True}
    with http.stream("POST", "/api/v1/llm/responses", json=body) as response:
        line = next(line for line in response.iter_lines() if line.startswith("data: "))
    response_id = json.loads(line.removeprefix("data: "))["response"]["id"]
    advance(http, 5)
    assert http.get(f"/api/v1/llm/responses/{response_id}").json()["status"] == "completed"


def test_a_running_clock_drives_a_stream(http):
    http.put("/_mock/clock", json={"resume": True})
    plan(http, text="one two three", delta_delay=0.01)
    with follow(http, start(http, stream_events=True)) as read:
        events = read()
    assert (events[-1], events.count("output_text.delta")) == ("completed", 3)


def test_nothing_is_left_of_responses_that_have_ended(http, server, fake):
    plan(http, text="one", delay=5, times=None)
    for _ in range(3):
        response_id = start(http)
        with follow(http, response_id) as read:
            read(3)
            advance(http, 5)
            read()
    assert server.call(lambda: len(fake.state.background)) == 0
