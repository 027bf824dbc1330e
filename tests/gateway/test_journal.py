"""The journal, as the control API shows it, and its limits."""

import json
from collections import Counter

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver import Settings, create_app, run_server
from mockserver.gateway.auth import key_fingerprint
from mockserver.gateway.coverage import count_coverage
from mockserver.gateway.journal import Journal, JournalEntry
from tests.support.asgi_client import AsgiClient

KEY, OTHER = "key-one", "key-two"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def app():
    return create_app(Settings())


@pytest.fixture
def api(app):
    app.state.reset()
    with AsgiClient.connect(app, {"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def list_entries(api):
    def list_entries(client=api, **query):
        response = client.root.get("/_mock/requests", params=query)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    return list_entries


# Entries


def test_an_entry_has_the_request_and_the_response(api, list_entries):
    body = {"metadata": {"a": "b"}, "items": [MESSAGE]}
    response = api.post("/conversations?x=%20y", json=body, headers={"X-On-Behalf-Of": "ada"})
    (entry,) = list_entries()
    assert entry.pop("started_at") == pytest.approx(response.json()["created_at"], abs=5)
    assert 0 < entry.pop("duration") < 60
    headers = entry.pop("headers")
    assert headers["x-on-behalf-of"] == "ada"
    assert headers["authorization"] == "Bearer ***"
    assert entry == {
        "operation": "conversations.create",
        "method": "POST",
        "path": "/api/v1/llm/conversations",
        "query": "x=%20y",
        "request": body,
        "status": 200,
        "response": response.json(),
        "key": key_fingerprint(KEY),
        "end_user": "ada",
        "findings": [],
        "notes": [],
        "fault": None,
        "reply": None,
        "stream": None,
    }


def test_entries_are_in_order_and_limited_to_the_newest(api, list_entries):
    for number in range(20):
        api.get("/conversations", params={"search": str(number)})
    assert [entry["query"] for entry in list_entries()] == [f"search={number}" for number in range(20)]
    started = [entry["started_at"] for entry in list_entries()]
    assert started == sorted(started)
    assert [entry["query"] for entry in list_entries(limit=2)] == ["search=18", "search=19"]


def test_an_entry_exists_when_the_client_has_the_response(app):
    app.state.reset()
    with run_server(app) as server, httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        for number in range(1, 50):
            assert client.get(f"{server.api_url}/conversations").status_code == 200
            assert len(httpx.get(f"{server.url}/_mock/requests").json()["data"]) == number


def test_entries_are_filtered(api, list_entries):
    api.post("/conversations", json={})
    api.get("/conversations")
    api.get("/conversations?limit=0")
    api.get("/conversations", headers={"Authorization": f"Bearer {OTHER}"})
    assert [entry["status"] for entry in list_entries()] == [200, 200, 400, 200]
    assert [entry["status"] for entry in list_entries(operation="conversations.list")] == [200, 400, 200]
    assert [entry["operation"] for entry in list_entries(status=400)] == ["conversations.list"]
    assert len(list_entries(api_key=OTHER)) == 1
    assert len(list_entries(operation="conversations.list", status=200, api_key=KEY)) == 1
    assert list_entries(operation="conversations.delete") == list_entries(status=503) == []
    assert list_entries(api_key="none") == []


def test_findings_caused_an_error_and_notes_did_not(api, list_entries):
    api.post("/conversations", json={"metadata": {"a": 1}})
    api.post("/conversations", json={"colour": 1})
    api.get("/conversations?limit=x&order=up")
    rejected, noted, several = list_entries()
    (finding,), (note,) = rejected["findings"], noted["notes"]
    assert finding["message"].startswith("must be a string")
    assert finding | {"message": ""} == {
        "side": "request",
        "in": "body",
        "pointer": "/metadata/a",
        "code": "type",
        "message": "",
    }
    assert (note["side"], note["in"], note["pointer"], note["code"]) == ("request", "body", "/colour", "unknown_field")
    assert rejected["notes"] == noted["findings"] == []
    assert [finding["pointer"] for finding in several["findings"]] == ["/limit", "/order"]
    assert several["response"]["error"]["code"] == 400


def test_a_response_that_breaks_the_document_is_a_finding(api, list_entries, monkeypatch):
    monkeypatch.setattr("mockserver.resources.conversations.conversation_page_json", lambda *_: b"{}")
    assert api.get("/conversations").status_code == 500
    (entry,) = list_entries()
    assert entry["status"] == entry["response"]["error"]["code"] == 500
    assert {(finding["side"], finding["pointer"]) for finding in entry["findings"]} >= {("response", "/data")}


def test_a_request_without_an_operation_has_an_entry(api, list_entries):
    api.get("/no%2Fwhere?a=b")
    api.put("/conversations", json={"a": 1})
    unknown_path, wrong_method = list_entries()
    assert (unknown_path["operation"], unknown_path["status"]) == (None, 404)
    assert (unknown_path["path"], unknown_path["query"]) == ("/api/v1/llm/no%2Fwhere", "a=b")
    assert (wrong_method["operation"], wrong_method["status"], wrong_method["method"]) == (None, 405, "PUT")
    assert [entry["key"] for entry in (unknown_path, wrong_method)] == [None, None]


def test_an_unauthorized_request_leaves_neither_key_nor_body(list_entries):
    app = create_app(Settings(api_keys=(KEY,)))
    with AsgiClient.connect(app, {"Authorization": "Bearer wrong-key", "X-On-Behalf-Of": "ada"}) as client:
        client.post("/conversations", json={"metadata": {"a": "private"}})
        (entry,) = list_entries(client)
    assert (entry["status"], entry["operation"]) == (401, "conversations.create")
    assert (entry["key"], entry["end_user"], entry["request"]) == (None, None, None)
    assert "wrong-key" not in json.dumps(entry)


def test_a_request_over_the_rate_limit_has_its_key_and_no_body(list_entries):
    app = create_app(Settings(rate_limits=("1/d",)))
    with AsgiClient.connect(app, {"Authorization": f"Bearer {KEY}"}) as client:
        for _ in range(2):
            client.post("/conversations", json={"metadata": {}})
        _, rejected = list_entries(client)
    assert (rejected["status"], rejected["response"]) == (429, {"error": "Rate limit exceeded"})
    assert (rejected["key"], rejected["request"]) == (key_fingerprint(KEY), None)


def test_credentials_are_not_shown(api, list_entries):
    secrets = {"Authorization": "Bearer hush-1", "X-Mock-Fault": '{"headers": {"a": "hush-2"}, "oops": 1}'}
    api.post("/conversations", json={}, headers=secrets)
    api.get("/conversations", headers={"Authorization": "Basic hush-3", "Cookie": "hush-4"})
    api.get("/conversations", headers={"Authorization": "Bearer hush-5"})
    assert [entry["status"] for entry in list_entries()] == [400, 401, 200]
    assert "hush" not in json.dumps(list_entries())


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ([("X-Request-Id", "é")], {"x-request-id": "é"}),
        ([("Prefer", "a"), ("prefer", "b")], {"prefer": "a, b"}),
        ([("Idempotency-Key", "17")], {"idempotency-key": "17"}),
        ([("X-Api-Key", "hush")], {"x-api-key": "***"}),
        ([("Proxy-Authorization", "BASIC hush")], {"proxy-authorization": "BASIC ***"}),
        ([("Authorization", "hush hush")], {"authorization": "***"}),
        ([("X-Secret", "hush"), ("X-Session-Token", "")], {"x-secret": "***", "x-session-token": "***"}),
        ([("X-Long", "x" * 10_000), ("X-Late", "1")], {"x-late": None}),
        ([("a" * 10_000, "1")], {"a" * 10_000: None}),
    ],
)
def test_headers(api, list_entries, sent, shown):
    api.get("/conversations", headers=sent)
    (entry,) = list_entries()
    assert {name: entry["headers"].get(name) for name in shown} == shown
    assert len(json.dumps(entry["headers"])) < 10_000


def test_headers_count_in_the_size_of_the_journal(app, api):
    before = app.state.journal._bytes
    api.get("/conversations", headers={"X-Long": "x" * 5000})
    assert 5000 < app.state.journal._bytes - before < 7000


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
def test_a_request_body_is_parsed_if_it_is_json(api, list_entries, content, status, kept):
    response = api.post("/conversations", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert list_entries()[0]["request"] == kept


def test_a_response_body_is_parsed_if_it_is_json(api, list_entries):
    for fault in ('{"status": 502, "body": "<html>"}', '{"action": "garbage"}'):
        api.get("/conversations", headers={"X-Mock-Fault": fault})
    page, garbage = [entry["response"] for entry in list_entries()]
    assert page == "<html>"
    assert garbage.startswith('{"id": "\ufffd\ufffd <!--')


def test_a_long_body_is_cut(api, list_entries):
    created = api.post("/conversations", json={"items": [{**MESSAGE, "content": "x" * 100_000}]})
    api.get(f"/conversations/{created.json()['id']}/items")
    write, read = list_entries()
    for body in (write["request"], read["response"]):
        assert isinstance(body, str)
        assert len(body) == 64 * 1024
    assert (write["response"]["object"], read["request"]) == ("conversation", None)


# Coverage


def test_coverage_counts_responses_and_accepted_items(api):
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
    coverage = api.root.get("/_mock/coverage").json()
    assert coverage["operations"] == {
        "conversations.create": {"200": 2},
        "conversations.items.create": {"200": 1, "400": 1, "404": 1, "503": 1},
        "conversations.retrieve": {"404": 1},
    }
    assert coverage["items"] == {"message": 3, "function_call": 1, "item_reference": 1}
    assert not set(coverage["items"]) & set(coverage["unused"]["items"])
    assert coverage["dropped"] == 0
    assert api.root.get("/_mock/coverage", params={"api_key": OTHER}).json()["operations"] == {}


# Limits


def test_dropped_entries_are_counted_for_each_key(app, api, monkeypatch):
    monkeypatch.setattr(app.state.journal, "_max_entries", 5)
    for key in (KEY, KEY, OTHER, KEY, KEY, KEY, KEY):
        api.get("/conversations", headers={"Authorization": f"Bearer {key}"})
    for query, dropped in (({}, 2), ({"api_key": KEY}, 2), ({"api_key": OTHER}, 0)):
        assert api.root.get("/_mock/requests", params=query).json()["dropped"] == dropped
        assert api.root.get("/_mock/coverage", params=query).json()["dropped"] == dropped


def build_entry(request=b"", response=b"", key=""):
    size = len(request) + len(response)
    return JournalEntry(
        "op", "GET", b"", b"", b"", request, 200, response, key, None, (), (), b"", None, None, 0.0, 0.0, (), size
    )


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(0, 60)),
            st.tuples(st.just("clear"), st.sampled_from([None, "a", "b"]), st.just(0)),
        ),
        max_size=60,
    ),
    max_entries=st.integers(0, 8),
    max_bytes=st.integers(0, 150),
)
def test_the_newest_entries_within_the_limits_are_kept(steps, max_entries, max_bytes):
    journal = Journal(max_entries, max_bytes)
    model, dropped = [], Counter()
    for step, key, size in steps:
        if step == "add":
            entry = build_entry(b"x" * (size // 2), b"y" * (size - size // 2), key)
            journal.add(entry)
            model.append(entry)
            while len(model) > max_entries or sum(entry.size for entry in model) > max_bytes:
                dropped[model.pop(0).key] += 1
        else:
            journal.clear(key)
            model = [] if key is None else [entry for entry in model if entry.key != key]
            dropped = Counter() if key is None else dropped - Counter({key: dropped[key]})
        assert (journal.entries(), journal.dropped()) == (model, dropped.total())
        assert [journal.dropped(key) for key in "abc"] == [dropped[key] for key in "abc"]


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
def test_every_body_can_be_shown_and_counted(body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    entry = build_entry(content, content)
    json.dumps(entry.as_dict())
    assert set(count_coverage([entry])) == {"operations", "items"}
