"""Responses that take time, and what becomes of them when the client or the state goes away."""

import gc
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.responses import connection
from tests.support.streams import StreamClient

TEXT = "one two three four five six"


@pytest.fixture(scope="module")
def app():
    return create_app(Settings())


@pytest.fixture(scope="module")
def server(app):
    with run_server(app) as server:
        yield server


@pytest.fixture
def client(server):
    with StreamClient(server.url) as client:
        yield client


def create_conversation(client):
    return client.request("POST", "/conversations", json={}).json()["id"]


def list_items(client, conversation_id):
    return client.request("GET", f"/conversations/{conversation_id}/items").json()["data"]


def wait_for(find):
    until = time.monotonic() + 10
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def last_entry_with_end(client, end):
    def find():
        entries = client.control("GET", "/requests")["data"]
        found = [entry for entry in entries if entry["stream"] and entry["stream"]["end"] == end]
        return found[-1] if found else None

    return wait_for(find)


def test_each_event_leaves_before_the_next_is_made(client):
    client.plan_reply(text=["a ", "b ", "c"], delta_delay=0.2)
    started = time.monotonic()
    arrivals = {event["sequence_number"]: time.monotonic() - started for event in client.stream()}
    assert all(arrivals[number] - arrivals[number - 1] > 0.1 for number in (4, 5, 6))


def test_a_client_that_has_seen_the_end_finds_everything(client):
    conversation_id = create_conversation(client)
    for event in client.stream(conversation=conversation_id):
        if event["type"] == "response.completed":
            assert len(list_items(client, conversation_id)) == 2
            assert client.request("GET", f"/responses/{event['response']['id']}").json() == event["response"]
            return
    pytest.fail("the stream has no end")


def test_a_silent_stream_has_comments(client, monkeypatch):
    monkeypatch.setattr(connection, "KEEPALIVE_INTERVAL", 0.1)
    client.plan_reply(text=TEXT, delay=0.45)
    lines = list(client.stream_lines())
    assert lines.count(": keepalive") == 4
    assert client.last_entry()["stream"]["end"] == "finished"


def test_pauses_without_events_between_them_are_one_silence(client, monkeypatch):
    monkeypatch.setattr(connection, "KEEPALIVE_INTERVAL", 0.2)
    client.plan_reply(text=TEXT, delta_delay=0.1)
    body = {"model": "auto", "input": "hi", "stream": False, "background": True}
    response_id = client.request("POST", "/responses", json=body).json()["id"]
    response = client.request("GET", f"/responses/{response_id}", params={"stream": "true"})
    assert response.content.count(b": keepalive\n\n") >= 2
    assert b"response.completed" in response.content


@pytest.mark.parametrize("stream", [True, False])
def test_a_server_that_stops_waits_for_no_long_pause(stream):
    body = {"model": "auto", "input": "hi", "stream": stream}
    with ThreadPoolExecutor(1) as pool:
        with run_server(create_app(Settings())) as server:
            client = StreamClient(server.url, timeout=30)
            client.plan_reply(text=TEXT, delay=300)
            future = pool.submit(client.request, "POST", "/responses", json=body)
            time.sleep(0.3)
            stopping = time.monotonic()
        assert isinstance(future.exception(), httpx.HTTPError)
    assert time.monotonic() - stopping < 5


def test_the_interval_of_comments_is_shorter_than_the_patience_of_the_sdk():
    assert connection.KEEPALIVE_INTERVAL == 3.0


@pytest.mark.parametrize("store", [True, False])
def test_a_stream_without_a_client_ends_as_cancelled(client, store):
    client.plan_reply(text=TEXT, delta_delay=0.05)
    conversation_id = create_conversation(client)
    stream = client.stream(conversation=conversation_id, store=store)
    first = next(stream)
    assert [next(stream)["sequence_number"] for _ in range(4)] == [1, 2, 3, 4]
    stream.close()
    entry = last_entry_with_end(client, "client_gone")
    assert 5 <= entry["stream"]["count"] < 14
    assert entry["findings"] == entry["notes"] == []
    assert list_items(client, conversation_id) == []
    found = client.request("GET", f"/responses/{first['response']['id']}")
    assert found.status_code == (200 if store else 404)
    if store:
        assert (found.json()["status"], found.json()["output"]) == ("cancelled", [])


def test_a_stream_without_a_client_notices_it_in_a_long_pause(client):
    client.plan_reply(text=TEXT, delay=300)
    stream = client.stream()
    next(stream)
    stream.close()
    assert last_entry_with_end(client, "client_gone")["duration"] < 10


def test_a_late_response_without_a_client_changes_nothing(client):
    client.plan_reply(text=TEXT, delay=300)
    conversation_id = create_conversation(client)
    with pytest.raises(httpx.ReadTimeout):
        client.request("POST", "/responses", json={"model": "auto", "input": "hi", "conversation": conversation_id},
                       timeout=0.2)  # fmt: skip
    assert wait_for(lambda: client.last_entry()["operation"] == "createResponse")
    assert client.last_entry()["status"] == 0
    assert list_items(client, conversation_id) == []


def test_a_late_response_is_sent_when_it_is_complete(client):
    client.plan_reply(text=TEXT, delay=0.1, delta_delay=0.05)
    started = time.monotonic()
    response = client.request("POST", "/responses", json={"model": "auto", "input": "hi"})
    assert time.monotonic() - started >= 0.1 + 6 * 0.05
    assert response.json()["output"][0]["content"][0]["text"] == TEXT


@pytest.mark.parametrize("stream", [True, False])
def test_a_reset_lets_a_response_end_in_the_old_state(client, stream):
    client.plan_reply(text=TEXT, delay=0.5)
    conversation_id = create_conversation(client)
    body = {"model": "auto", "input": "hi", "stream": stream, "conversation": conversation_id}
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(client.request, "POST", "/responses", json=body)
        time.sleep(0.2)
        client.control("POST", "/reset")
        response = future.result()
    assert response.status_code == 200
    assert b'"status":"completed"' in response.content
    assert client.request("GET", f"/conversations/{conversation_id}").status_code == 404
    assert client.request("GET", "/responses").json()["data"] == []
    assert "createResponse" not in {entry["operation"] for entry in client.control("GET", "/requests")["data"]}


def test_a_deleted_conversation_fails_the_response_that_runs_in_it(client):
    client.plan_reply(text=TEXT, delay=0.3)
    conversation_id = create_conversation(client)
    events = []
    for event in client.stream(conversation=conversation_id):
        if not events:
            client.request("DELETE", f"/conversations/{conversation_id}")
        events.append(event)
    assert events[-1]["type"] == "response.failed"
    assert list_items(client, conversation_id) == []


def test_the_journal_has_the_events_of_a_stream(client):
    events = list(client.stream())
    entry = client.last_entry()
    assert entry["stream"] == {"end": "finished", "count": len(events), "events": events}
    assert entry["response"] == events[-1]["response"]


def test_the_journal_has_the_first_events_of_a_long_stream(client):
    client.plan_reply(text=TEXT * 200)
    events = list(client.stream())
    stream = client.last_entry()["stream"]
    assert stream["count"] == len(events)
    assert 50 < len(stream["events"]) < 400
    assert stream["events"] == events[: len(stream["events"])]


def test_a_stream_does_not_keep_others_waiting(client, server):
    client.plan_reply(text="word " * 5000)
    with StreamClient(server.url, key="another-key") as other:
        list(other.stream())
        long = client.stream()
        next(long)
        reader = threading.Thread(target=lambda: list(long))
        reader.start()
        durations = []
        while reader.is_alive() and len(durations) < 20:
            started = time.monotonic()
            assert next(other.stream())["sequence_number"] == 0
            durations.append(time.monotonic() - started)
        reader.join()
    assert durations
    assert sorted(durations)[len(durations) // 2] < 0.5


def test_a_client_that_does_not_read_holds_the_stream_up(client, server):
    """The server must not make events faster than the client takes them."""
    client.plan_reply(text="word " * 50_000)
    host, _, port = server.url.removeprefix("http://").partition(":")
    body = b'{"model":"auto","input":"hi","stream":true}'
    head = (
        b"POST /api/v1/llm/responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % (len(body), client.key.encode())
    )
    with socket.create_connection((host, int(port))) as connection_:
        connection_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection_.sendall(head + body)
        connection_.recv(100)
        time.sleep(1)
        assert client.request("GET", "/responses").json()["data"] == []
    entry = last_entry_with_end(client, "client_gone")
    assert entry["stream"]["count"] < 50_000


def test_many_streams_at_once_lose_nothing(client):
    client.plan_reply(text="word " * 50, times=None)
    with ThreadPoolExecutor(20) as pool:
        numbers = list(pool.map(lambda _: [event["sequence_number"] for event in client.stream()], range(60)))
    assert numbers == [list(range(58))] * 60


def test_an_ended_stream_leaves_nothing_for_the_garbage_collector(client):
    def alive():
        return sum(isinstance(one, connection.ClientConnection) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(5):
            assert list(client.stream(input="Hello"))
        # The server frees a stream a moment after its client has read the end.
        assert wait_for(lambda: alive() <= before)
    finally:
        gc.enable()
