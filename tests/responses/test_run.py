"""Runs of responses: their steps, and the response object between them."""

import asyncio
import json

import pytest

from mockserver import Settings, create_app
from mockserver.contract.event_order import event_order
from mockserver.contract.event_tracker import EventTracker
from tests.support.runs import OUTPUTS, list_events, make_output, make_run

BACKGROUND = {"background": True}


def take(run, count):
    return [next(run.steps()) for _ in range(count)]


def take_until_pause(run):
    """Return the types of the next events, and the pause that ends them, None at the end of the run."""
    types = []
    for step in run.steps():
        if step.event is None:
            return types, step.wait
        types.append(step.event["type"].removeprefix("response."))
    return types, None


def test_the_response_is_what_a_client_may_see_while_a_pause_lasts():
    output = make_output(OUTPUTS["text"] + OUTPUTS["refusal"], queued=5.0, delay=3.0, delta_delay=0.5)
    run = make_run(output, request=BACKGROUND)
    assert run.response["status"] == "queued"
    assert take_until_pause(run) == (["created", "queued"], 5.0)
    assert run.response["status"] == "queued"
    assert take_until_pause(run) == (["in_progress"], 3.0)
    assert (run.response["status"], run.response["output"]) == ("in_progress", [])
    assert take_until_pause(run) == (["output_item.added", "content_part.added"], 0.5)
    assert [item["status"] for item in run.response["output"]] == ["in_progress"]
    run.finish()
    assert [item["status"] for item in run.response["output"]] == ["completed", "completed"]
    assert (run.response["status"], run.response["completed_at"]) == ("completed", 1_700_000_001)


def test_in_the_foreground_nothing_is_queued():
    types, pause = take_until_pause(make_run(make_output(OUTPUTS["nothing"], queued=5.0, sleep=5.0)))
    assert (types, pause) == (["created", "in_progress", "completed"], None)


def test_a_cancelled_response_keeps_its_finished_items():
    run = make_run(make_output(OUTPUTS["text"] + OUTPUTS["custom_tool_call"], delta_delay=0.5))
    while len(run.response["output"]) < 2:
        next(run.steps())
    run.cancel()
    (step,) = run.steps()
    assert step.event["type"] == "response.cancelled"
    assert [item["type"] for item in step.event["response"]["output"]] == ["message"]
    assert step.event["response"]["usage"]["total_tokens"] == 0


def test_a_cancelled_response_is_committed_once():
    committed = []
    run = make_run(make_output(OUTPUTS["text"]), commit=lambda run: committed.append(run.response["status"]))
    take(run, 3)
    run.cancel()
    run.finish()
    run.cancel()
    run.finish()
    assert committed == ["cancelled"]


def test_a_response_that_has_ended_cannot_be_cancelled():
    run = make_run(make_output(OUTPUTS["text"]))
    while not run.has_ended:
        next(run.steps())
    run.cancel()
    assert list(run.steps()) == []
    assert run.response["status"] == "completed"


def test_the_commit_comes_before_the_terminal_event():
    committed = []
    run = make_run(make_output(OUTPUTS["text"]), commit=lambda run: committed.append(dict(run.response)))
    seen = [(step.event["type"], len(committed)) for step in run.steps()]
    assert seen[-1] == ("response.completed", 1)
    assert all(count == 0 for _, count in seen[:-1])
    assert committed[0]["status"] == "completed"


@pytest.mark.parametrize(
    ("fields", "status", "name", "value"),
    [
        ({"incomplete": "max_output_tokens"}, "incomplete", "incomplete_details", {"reason": "max_output_tokens"}),
        ({"error": {"code": "c", "message": "m"}}, "failed", "error", {"code": "c", "message": "m"}),
    ],
)
def test_a_response_may_end_badly(fields, status, name, value):
    run = make_run(make_output(OUTPUTS["text"], **fields))
    *_, last = run.steps()
    assert last.event["type"] == f"response.{status}"
    assert (last.event["response"]["status"], last.event["response"][name]) == (status, value)
    assert last.event["response"]["completed_at"] is None


@pytest.mark.parametrize(("text", "status"), [(None, "woke"), ("Go on.", "interrupted")])
def test_a_response_sleeps_until_it_is_woken(text, status):
    run = make_run(make_output(OUTPUTS["text"], sleep=30.0), request=BACKGROUND, conforms=lambda _event: True,
                   keeps_events=True)  # fmt: skip
    assert take_until_pause(run)[1] == 30.0
    assert run.is_sleeping
    if text is not None:
        run.wake(text)
    run.finish()
    assert not run.is_sleeping
    call, output, message = run.response["output"]
    assert (call["name"], json.loads(call["arguments"])) == ("sleep", {"duration_seconds": 30})
    assert output["call_id"] == call["call_id"]
    assert output["output"] == (text or "Slept for 30 seconds.")
    assert message["type"] == "message"
    (completed,) = [event for event in run.events if event["type"] == "response.sleep_call.completed"]
    assert (completed["status"], completed["function_call_output"]) == (status, output["output"])
    tracker = EventTracker(event_order())
    assert [finding for event in run.events for finding in tracker.check(event)] + tracker.end() == []


def test_kept_events_do_not_change():
    run = make_run(make_output(OUTPUTS["everything"]), keeps_events=True)
    texts = [json.dumps(step.event) for step in run.steps()]
    assert [json.dumps(event) for event in run.events] == texts


def test_an_item_is_empty_when_it_is_added():
    added = [
        event for event in list_events(make_output(OUTPUTS["everything"])) if event["type"].endswith("item.added")
    ]
    for event in added:
        item = event["item"]
        assert item.get("status", "in_progress") == "in_progress"
        if item["type"] != "compaction":
            assert not any(item.get(name) for name in ("content", "summary", "input", "tools", "outputs", "result"))
    assert all(event["item"]["arguments"] == "" for event in added if event["item"]["type"] == "function_call")


def test_streams_take_turns():
    """No stream is over before another one, which began with it, has sent its first event."""
    app = create_app(Settings())
    sent = []

    async def read(number):
        body = json.dumps({"model": "auto", "input": "word " * 100, "stream": True}).encode()
        requests = [{"type": "http.request", "body": body, "more_body": False}]
        is_complete = asyncio.Event()

        async def receive():
            if requests:
                return requests.pop()
            await is_complete.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append((number, message))

        path = "/api/v1/llm/responses"
        headers = [(b"authorization", b"Bearer key"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
                 "headers": headers}  # fmt: skip
        await app(scope, receive, send)

    async def read_all():
        await asyncio.gather(*map(read, range(10)))

    asyncio.run(read_all())
    order = [number for number, message in sent if message["type"] == "http.response.body"]
    firsts = {number: order.index(number) for number in range(10)}
    lasts = {number: len(order) - 1 - order[::-1].index(number) for number in range(10)}
    assert max(firsts.values()) < min(lasts.values())
