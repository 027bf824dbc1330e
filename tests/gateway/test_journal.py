"""What crossed the wire, as the journal has it."""

import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver import Settings, create_app, run_server
from mockserver.gateway.auth import key_fingerprint
from mockserver.gateway.coverage import count_coverage
from mockserver.gateway.journal import Journal, JournalEntry

KEY, OTHER = "key-one", "key-two"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def app():
    return create_app(Settings())


@pytest.fixture(scope="module")
def server(app):
    with run_server(app) as running:
        yield running


@pytest.fixture
def api(app, server):
    app.state.reset()
    with httpx.Client(base_url=server.api_url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def journal(server):
    """Asks for the journal."""

    def ask(**query):
        answer = httpx.get(f"{server.url}/_mock/requests", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return ask


# An exchange


def test_an_exchange_holds_what_was_asked_and_what_came_of_it(api, journal):
    body = {"metadata": {"a": "b"}, "items": [MESSAGE]}
    answer = api.post("/conversations?x=%20y", json=body, headers={"X-On-Behalf-Of": "ada"})
    (exchange,) = journal()
    assert exchange.pop("started_at") == pytest.approx(answer.json()["created_at"], abs=5)
    assert 0 < exchange.pop("duration") < 60
    assert exchange == {
        "operation": "conversations.create",
        "method": "POST",
        "path": "/api/v1/llm/conversations",
        "query": "x=%20y",
        "request": body,
        "status": 200,
        "response": answer.json(),
        "key": key_fingerprint(KEY),
        "end_user": "ada",
        "findings": [],
        "notes": [],
        "fault": None,
    }


def test_exchanges_stand_in_the_order_in_which_they_ended(api, journal):
    for number in range(20):
        api.get("/conversations", params={"search": str(number)})
    assert [exchange["query"] for exchange in journal()] == [f"search={number}" for number in range(20)]
    started = [exchange["started_at"] for exchange in journal()]
    assert started == sorted(started)
    assert [exchange["query"] for exchange in journal(limit=2)] == ["search=18", "search=19"]


def test_an_answer_is_in_the_journal_when_the_client_has_it(api, app):
    """Seen from another thread, without the control API between."""
    for number in range(1, 200):
        api.get("/conversations")
        assert len(app.state.journal.entries()) == number


def test_exchanges_are_filtered(api, journal):
    api.post("/conversations", json={})
    api.get("/conversations")
    api.get("/conversations?limit=0")
    api.get("/conversations", headers={"Authorization": f"Bearer {OTHER}"})
    assert [exchange["status"] for exchange in journal()] == [200, 200, 400, 200]
    assert [exchange["status"] for exchange in journal(operation="conversations.list")] == [200, 400, 200]
    assert [exchange["operation"] for exchange in journal(status=400)] == ["conversations.list"]
    assert len(journal(api_key=OTHER)) == 1
    assert len(journal(operation="conversations.list", status=200, api_key=KEY)) == 1
    assert journal(operation="conversations.delete") == journal(status=503) == journal(api_key="none") == []


def test_what_was_wrong_is_found_and_what_was_let_through_is_noted(api, journal):
    api.post("/conversations", json={"metadata": {"a": 1}})
    api.post("/conversations", json={"colour": 1})
    api.get("/conversations?limit=x&order=up")
    wrong, noted, several = journal()
    finding = {
        "side": "request",
        "in": "body",
        "pointer": "/metadata/a",
        "code": "type",
        "message": "must be a string, not 1",
    }
    assert (wrong["findings"], wrong["notes"]) == ([finding], [])
    note = {
        "side": "request",
        "in": "body",
        "pointer": "/colour",
        "code": "unknown_field",
        "message": "is not a field of this object",
    }
    assert (noted["findings"], noted["notes"]) == ([], [note])
    assert [finding["pointer"] for finding in several["findings"]] == ["/limit", "/order"]
    assert several["response"]["error"]["code"] == 400


def test_a_fault_is_marked_and_what_it_breaks_is_noted(api, app, journal):
    headers = {"X-Mock-Fault": json.dumps({"status": 418, "body": {"tea": True}})}
    api.get("/conversations", headers=headers)
    (exchange,) = journal()
    assert exchange["fault"] == {"status": 418, "body": {"tea": True}, "times": 1}
    assert (exchange["status"], exchange["response"]) == (418, {"tea": True})
    assert [(note["side"], note["in"]) for note in exchange["notes"]] == [("response", "status")]
    assert exchange["findings"] == []


def test_an_answer_that_broke_the_document_is_a_finding(api, journal, monkeypatch):
    monkeypatch.setattr("mockserver.resources.conversations.conversation_page_json", lambda *_: b"{}")
    assert api.get("/conversations").status_code == 500
    (exchange,) = journal()
    assert exchange["status"] == exchange["response"]["error"]["code"] == 500
    assert {(finding["side"], finding["pointer"]) for finding in exchange["findings"]} >= {("response", "/data")}


def test_without_an_answer_the_status_is_0(api, journal):
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/conversations", json={"items": [MESSAGE]}, headers={"X-Mock-Fault": '{"action": "close"}'})
    (exchange,) = journal(status=0)
    assert (exchange["response"], exchange["request"]) == (None, {"items": [MESSAGE]})


def test_a_request_for_no_operation_is_kept_without_one(api, journal):
    api.get("/no%2Fwhere?a=b")
    api.put("/conversations", json={"a": 1})
    nowhere, wrong_method = journal()
    assert (nowhere["operation"], nowhere["status"]) == (None, 404)
    assert (nowhere["path"], nowhere["query"]) == ("/api/v1/llm/no%2Fwhere", "a=b")
    assert (wrong_method["operation"], wrong_method["status"], wrong_method["method"]) == (None, 405, "PUT")
    assert [exchange["key"] for exchange in (nowhere, wrong_method)] == [None, None]


def test_a_request_without_a_good_key_leaves_neither_key_nor_body():
    with run_server(create_app(Settings(api_keys=(KEY,)))) as server:
        headers = {"Authorization": "Bearer wrong-key", "X-On-Behalf-Of": "ada"}
        httpx.post(f"{server.api_url}/conversations", json={"metadata": {"a": "private"}}, headers=headers)
        (exchange,) = httpx.get(f"{server.url}/_mock/requests").json()["data"]
    assert (exchange["status"], exchange["operation"]) == (401, "conversations.create")
    assert (exchange["key"], exchange["end_user"], exchange["request"]) == (None, None, None)
    assert "wrong-key" not in json.dumps(exchange)


def test_a_request_beyond_the_limit_has_its_key_and_no_body():
    with run_server(create_app(Settings(rate_limits=("1/d",)))) as server:
        for _ in range(2):
            headers = {"Authorization": f"Bearer {KEY}"}
            httpx.post(f"{server.api_url}/conversations", json={"metadata": {}}, headers=headers)
        _, refused = httpx.get(f"{server.url}/_mock/requests").json()["data"]
    assert (refused["status"], refused["response"]) == (429, {"error": "Rate limit exceeded"})
    assert (refused["key"], refused["request"]) == (key_fingerprint(KEY), None)


def test_credentials_are_not_kept(api, server, journal):
    secrets = {"Authorization": "Bearer hush-1", "X-Mock-Fault": '{"headers": {"a": "hush-2"}, "oops": 1}'}
    api.post("/conversations", json={}, headers=secrets)
    api.get("/conversations", headers={"Authorization": "Basic hush-3", "Cookie": "hush-4"})
    api.get("/conversations", headers={"Authorization": "Bearer hush-5"})
    assert [exchange["status"] for exchange in journal()] == [400, 401, 200]
    assert "hush" not in json.dumps(journal())


# Bodies


@pytest.mark.parametrize(
    ("content", "status", "kept"),
    [
        (b'{"metadata": {}}', 200, {"metadata": {}}),
        (b" {} ", 200, {}),
        (b"{", 400, "{"),
        (b'{"a": 1, "a": 2}', 400, {"a": 2}),
        (b"\xff\xfe", 400, "\ufffd\ufffd"),
        (b"", 400, None),
        (b"null", 400, None),
    ],
)
def test_a_body_is_parsed_and_one_that_is_no_json_is_a_string(api, journal, content, status, kept):
    assert api.post("/conversations", content=content, headers={"Content-Type": "application/json"}).status_code == (
        status
    )
    assert journal()[0]["request"] == kept


def test_a_long_body_is_cut(api, journal):
    text = "x" * 100_000
    created = api.post("/conversations", json={"items": [{**MESSAGE, "content": text}]})
    api.get(f"/conversations/{created.json()['id']}/items")
    sent, read = journal()
    for body in (sent["request"], read["response"]):
        assert isinstance(body, str)
        assert len(body) == 64 * 1024
    assert (sent["response"]["object"], read["request"]) == ("conversation", None)


def test_an_answer_that_is_no_json_is_a_string(api, journal):
    api.get("/conversations", headers={"X-Mock-Fault": '{"status": 502, "body": "<html>"}'})
    api.get("/conversations", headers={"X-Mock-Fault": '{"action": "garbage"}'})
    page, garbage = journal()
    assert page["response"] == "<html>"
    assert garbage["response"].startswith('{"id": "\ufffd\ufffd <!--')


# Coverage


def counted(server, **query):
    return httpx.get(f"{server.url}/_mock/coverage", params=query).json()


def test_coverage_counts_what_was_answered_and_the_kinds_that_were_accepted(api, server):
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
    created = api.post("/conversations", json={"items": [MESSAGE, {"role": "user", "content": "untyped"}, call]})
    items = f"/conversations/{created.json()['id']}/items"
    first = api.post(items, json={"items": [MESSAGE]}).json()["data"][0]["id"]
    api.post("/conversations", json={"items": [{"id": first}]})
    api.post(items, json={"items": [{"type": "hologram"}]})
    api.post("/conversations/none/items", json={"items": [call]})
    api.post(items, json={"items": [call]}, headers={"X-Mock-Fault": '{"status": 503, "commit": true}'})
    api.get("/conversations/none")
    api.get("/nowhere")
    coverage = counted(server)
    assert coverage["operations"] == {
        "conversations.create": {"200": 2},
        "conversations.items.create": {"200": 1, "400": 1, "404": 1, "503": 1},
        "conversations.retrieve": {"404": 1},
    }
    assert coverage["items"] == {"message": 3, "function_call": 1, "item_reference": 1}
    assert not set(coverage["items"]) & set(coverage["unused"]["items"])
    assert coverage["dropped"] == 0
    assert counted(server, api_key=OTHER)["operations"] == {}


# Bounds


def exchange(request=b"", response=b"", key="", operation="op", status=200):
    size = len(request) + len(response) + len(b"/p")
    return JournalEntry(
        operation, "GET", b"/p", b"", request, status, response, key, None, (), (), None, 0.0, 0.0, size
    )


def test_the_oldest_go_when_there_are_too_many():
    journal = Journal(max_entries=3)
    for number in range(5):
        journal.add(exchange(key=str(number)))
    assert [one.key for one in journal.entries()] == ["2", "3", "4"]
    assert journal.dropped == 2
    journal.clear("3")
    journal.add(exchange(key="5"))
    assert [one.key for one in journal.entries()] == ["2", "4", "5"]
    assert journal.dropped == 2
    journal.clear()
    assert (journal.entries(), journal.dropped) == ([], 0)


def test_the_oldest_go_when_they_are_too_large():
    journal = Journal(max_bytes=100)
    for number in range(4):
        journal.add(exchange(b"x" * 40, key=str(number)))
    assert ([one.key for one in journal.entries()], journal.dropped) == (["2", "3"], 2)
    journal.add(exchange(b"x" * 1000))
    assert (journal.entries(), journal.dropped) == ([], 5)
    journal.add(exchange(b"x" * 98))
    assert len(journal.entries()) == 1


def test_what_had_to_go_is_counted_over_http(api, app, server, monkeypatch):
    monkeypatch.setattr(app.state.journal, "_max_entries", 2)
    for _ in range(5):
        api.get("/conversations")
    answer = httpx.get(f"{server.url}/_mock/requests").json()
    assert (len(answer["data"]), answer["dropped"], counted(server)["dropped"]) == (2, 3, 3)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(0, 60)),
        st.tuples(st.just("clear"), st.sampled_from([None, "a", "b"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, max_entries=st.integers(0, 8), max_bytes=st.integers(0, 150))
def test_the_bounds_hold_and_the_newest_are_kept(steps, max_entries, max_bytes):
    journal = Journal(max_entries, max_bytes)
    model, dropped = [], 0
    for step, key, size in steps:
        if step == "add":
            added = exchange(b"x" * (size // 2), b"y" * (size - size // 2), key)
            journal.add(added)
            model.append(added)
            while len(model) > max_entries or sum(one.size for one in model) > max_bytes:
                del model[0]
                dropped += 1
        else:
            journal.clear(key)
            model = [] if key is None else [one for one in model if one.key != key]
            dropped = 0 if key is None else dropped
        assert journal.entries() == model
        assert journal._bytes == sum(one.size for one in model) >= 0
        assert journal.dropped == dropped


JSON = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["items", "type", "role", "id"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(body=JSON | st.binary(max_size=20))
def test_no_body_is_too_strange_to_be_shown_and_counted(body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    one = exchange(content, content)
    json.dumps(one.as_dict())
    assert set(count_coverage([one])) == {"operations", "items"}
