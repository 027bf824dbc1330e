"""The control API: its operations, its contract and its token."""

import time

import httpx
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from mockserver import Settings, create_app
from mockserver.contract.contract import Contract, control_contract
from mockserver.gateway.access_log import AccessLog
from mockserver.gateway.auth import default_account, key_fingerprint
from tests.support.asgi_client import AsgiClient
from tests.support.fake_client import MESSAGE, MINE, YOURS, FakeClient

from .test_cli import serving

API = Contract.load()
CONTROL = control_contract().operations
OPERATIONS = ", ".join(API.operations)


@pytest.fixture
def make_fake(make_client):
    return lambda **options: FakeClient(make_client(**options))


@pytest.fixture
def fake(make_fake):
    return make_fake()


# Operations


def test_health(fake):
    health = fake.get("/health")
    assert health["status"] == "ok"
    assert health["version"].count(".") == 2


def test_requests_are_listed_and_cleared(fake):
    def keys(**query):
        return [entry["key"] for entry in fake.get("/requests", **query)["data"]]

    fake.create(MINE)
    fake.create(YOURS)
    assert keys() == [key_fingerprint(MINE), key_fingerprint(YOURS)]
    assert keys(api_key=YOURS) == [key_fingerprint(YOURS)]
    assert keys(limit=1) == [key_fingerprint(YOURS)]
    assert fake.send("DELETE", "/requests", api_key=MINE) == {"done": True}
    assert keys() == [key_fingerprint(YOURS)]
    fake.send("DELETE", "/requests")
    assert fake.get("/requests") == {"data": [], "total": 0, "dropped": 0}


def test_faults_are_added_listed_and_cleared(fake):
    def ids(**query):
        return [fault["id"] for fault in fake.get("/faults", **query)["data"]]

    fault = {"operation": "conversations.create", "status": 503, "times": 2, "headers": {"retry-after-ms": "10"}}
    assert fake.send("POST", "/faults", fault) == {"id": 1, **fault, "seen": 0, "fired": 0}
    fake.create()
    assert fake.get("/faults") == {"data": [{"id": 1, **fault, "seen": 1, "fired": 1}]}
    mine = fake.send("POST", "/faults", {"status": 500, "times": None}, api_key=MINE)
    assert mine == {"id": 2, "key": key_fingerprint(MINE), "status": 500, "times": None, "seen": 0, "fired": 0}
    yours = fake.send("POST", "/faults", {"status": 500, "api_key": YOURS})
    assert (yours["id"], yours["key"]) == (3, key_fingerprint(YOURS))
    assert ids(api_key=YOURS) == [3]
    assert fake.request_control("DELETE", "/faults", params={"id": 3, "api_key": MINE}).status_code == 404
    fake.send("DELETE", "/faults", id=2, api_key=MINE)
    assert ids() == [1, 3]
    fake.send("DELETE", "/faults", api_key=YOURS)
    assert ids() == [1]
    fake.send("DELETE", "/faults")
    assert ids() == []


def test_a_planned_fault_shows_all_its_fields(fake):
    fault = {
        "operation": "conversations.list",
        "status": 200,
        "body": {"a": [1, None]},
        "headers": {"a": "b"},
        "patch": [{"op": "add", "path": "/x", "value": {"y": 1}}, {"op": "remove", "path": "/a"}],
        "delay": 0.5,
        "action": "drip",
        "commit": True,
        "times": 4,
        "after": 1,
        "every": 2,
        "probability": 0.5,
        "seed": 7,
    }
    fields = set(CONTROL.schemas.node("/components/schemas/Fault")["properties"])
    assert fields == set(fault) | {"api_key", "after_events", "event"}  # The last two do not go with the others.
    assert fake.send("POST", "/faults", fault) == {"id": 1, **fault, "seen": 0, "fired": 0}


def test_replies_are_planned_listed_and_cleared(fake):
    def ids(**query):
        return [reply["id"] for reply in fake.get("/replies", **query)["data"]]

    reply = {"input": "weather", "function_call": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    assert fake.send("POST", "/replies", reply) == {"id": 1, **reply, "times": 1, "seen": 0, "fired": 0}
    assert fake.get("/replies") == {"data": [{"id": 1, **reply, "times": 1, "seen": 0, "fired": 0}]}
    mine = fake.send("POST", "/replies", {"text": "Hi.", "times": None}, api_key=MINE)
    assert mine == {"id": 2, "key": key_fingerprint(MINE), "text": "Hi.", "times": None, "seen": 0, "fired": 0}
    yours = fake.send("POST", "/replies", {"json": None, "times": 3, "api_key": YOURS})
    assert yours == {"id": 3, "key": key_fingerprint(YOURS), "json": None, "times": 3, "seen": 0, "fired": 0}
    assert ids(api_key=YOURS) == [3]
    assert fake.request_control("DELETE", "/replies", params={"id": 3, "api_key": MINE}).status_code == 404
    fake.send("DELETE", "/replies", id=2, api_key=MINE)
    assert ids() == [1, 3]
    fake.send("DELETE", "/replies", api_key=YOURS)
    assert ids() == [1]
    fake.send("DELETE", "/replies")
    assert ids() == []


def test_a_planned_reply_shows_all_its_fields(fake):
    match = {
        "model": "auto",
        "input": "a",
        "input_regex": "^a",
        "instructions": "b",
        "tool_output": True,
        "conversation": "conv_1",
        "turn": 2,
        "times": 4,
    }
    output = {
        "refusal": ["N", "o."],
        "function_call": [{"name": "f"}, {"name": "g", "arguments": "{", "call_id": "call_1"}],
        "reasoning": "Hm.",
        "incomplete": "content_filter",
        "fault": {"action": "close"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "cached_tokens": 3, "reasoning_tokens": 4},
        "delay": 1,
        "delta_delay": 0.5,
        "queued": 2,
        "sleep": 3,
    }
    others = {"text": "t", "json": 1, "items": [{"content": "i"}], "failed": {"code": "c", "message": "m"}}
    fields = set(CONTROL.schemas.node("/components/schemas/Reply")["properties"])
    assert fields == {*match, *output, *others, "api_key"}
    for number, reply in enumerate(({**match, **output}, *({name: others[name]} for name in others)), 1):
        planned = {"id": number, "times": 1, **reply, "seen": 0, "fired": 0}
        assert fake.send("POST", "/replies", reply) == planned


def test_the_clock_is_read_and_set(fake):
    assert fake.get("/clock")["now"] == pytest.approx(time.time(), abs=5)
    assert fake.get("/clock")["frozen"] is False
    assert fake.send("PUT", "/clock", {"freeze": 1704067200}) == {"now": 1704067200, "frozen": True}
    assert fake.send("PUT", "/clock", {"advance": 1.5}) == {"now": 1704067201.5, "frozen": True}
    assert fake.create().json()["created_at"] == 1704067201
    assert fake.get("/requests")["data"][0]["started_at"] == 1704067201.5
    assert fake.send("PUT", "/clock", {"advance": 10}, api_key=MINE)["now"] == 1704067211.5
    assert [fake.get("/clock", **query)["now"] for query in ({}, {"api_key": MINE}, {"api_key": YOURS})] == [
        1704067201.5,
        1704067211.5,
        1704067201.5,
    ]
    assert fake.create(MINE).json()["created_at"] == 1704067211
    assert fake.create(YOURS).json()["created_at"] == 1704067201
    assert fake.send("PUT", "/clock", {"resume": True}, api_key=MINE)["frozen"] is False
    assert fake.get("/clock")["frozen"] is True
    fake.send("PUT", "/clock", {"advance": -1000}, api_key=MINE)
    frozen = fake.send("PUT", "/clock", {"freeze": None}, api_key=MINE)
    assert frozen["now"] == pytest.approx(time.time() - 1000, abs=5)
    assert fake.send("PUT", "/clock", {"resume": True})["now"] == pytest.approx(time.time(), abs=5)
    assert fake.get("/clock", api_key=MINE)["frozen"] is False


def test_the_state_is_read_replaced_and_added_to(fake):
    def ids(**query):
        return [conversation["id"] for conversation in fake.get("/state", **query)["conversations"]]

    fake.create(MINE, metadata={"a": "b"})
    fake.create(YOURS)
    everything = fake.get("/state")
    assert [one["account"] for one in everything["conversations"]] == [default_account(MINE), default_account(YOURS)]
    assert fake.get("/state", api_key=MINE) == {"conversations": everything["conversations"][:1], "responses": []}
    assert fake.send("POST", "/state", {"conversations": [{"id": "conv_new"}]}, api_key=MINE) == {"done": True}
    assert ids(api_key=MINE)[1:] == ["conv_new"]
    fake.send("PUT", "/state", {"conversations": [{"id": "conv_only"}]}, api_key=MINE)
    assert ids(api_key=MINE) == ["conv_only"]
    assert len(ids(api_key=YOURS)) == 1
    fake.send("PUT", "/state", everything)
    assert fake.get("/state") == everything
    fake.send("PUT", "/state", {})
    assert fake.get("/state") == {"conversations": [], "responses": []}


def test_a_shipped_seed_is_loaded_by_name(fake):
    def status(key):
        return fake.request_api("GET", "/conversations/conv_support", key).status_code

    fake.send("PUT", "/state", {"name": "support-thread"}, api_key=MINE)
    assert (status(MINE), status(YOURS)) == (200, 404)
    fake.send("POST", "/state", {"name": "support-thread"}, api_key=YOURS)
    assert (status(MINE), status(YOURS)) == (200, 200)
    again = fake.request_control("POST", "/state", json={"name": "support-thread"}, params={"api_key": MINE})
    (finding,) = again.json()["error"]["findings"]
    assert (again.status_code, finding["pointer"]) == (400, "/name")
    assert "conversations[0].id" in finding["message"]


def test_coverage_lists_used_and_unused_operations_and_items(fake):
    fake.create(MINE, items=[MESSAGE])
    fake.request_api("GET", "/conversations/conv_x", YOURS)
    coverage = fake.get("/coverage")
    assert coverage["operations"] == {"conversations.create": {"200": 1}, "conversations.retrieve": {"404": 1}}
    assert coverage["items"] == {"message": 1}
    assert set(coverage["unused"]["operations"]) == set(API.operations) - set(coverage["operations"])
    assert len(coverage["unused"]["items"]) == len(set(coverage["unused"]["items"])) == 22
    assert "message" not in coverage["unused"]["items"]
    assert fake.get("/coverage", api_key=YOURS)["operations"] == {"conversations.retrieve": {"404": 1}}


def test_coverage_counts_the_input_of_responses(fake):
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": ""}
    for sent in ([MESSAGE, call, output], "Hi.", [output]):
        fake.request_api("POST", "/responses", MINE, json={"model": "auto", "input": sent})
    assert fake.get("/coverage")["items"] == {"message": 1, "function_call": 1, "function_call_output": 1}


# Invalid requests

BAD_SEED = {"conversations": [{"items": [{"role": "user", "contents": "x"}]}]}


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer", "code", "phrase"),
    [
        ("POST", "/faults", None, "", "required", "is required"),
        ("POST", "/faults", [], "", "type", "an object"),
        ("POST", "/faults", {"stauts": 5}, "/stauts", "unknown_field", ""),
        ("POST", "/faults", {"status": "503"}, "/status", "type", "an integer"),
        ("POST", "/faults", {"status": 503, "times": 0}, "/times", "minimum", "1"),
        ("POST", "/faults", {"status": 503, "after": -1}, "/after", "minimum", "0"),
        ("POST", "/faults", {"status": 503, "every": 0}, "/every", "minimum", "1"),
        ("POST", "/faults", {"status": 503, "probability": 0}, "/probability", "exclusiveMinimum", "0"),
        ("POST", "/faults", {"delay": 601}, "/delay", "maximum", "600"),
        ("POST", "/faults", {"operation": "conversations.list"}, "", "invalid_fault", "at least one of status"),
        (
            "POST",
            "/faults",
            {"status": 503, "headers": {"Content-Length": "5"}},
            "/headers/Content-Length",
            "invalid_fault",
            "is set by the server",
        ),
        ("POST", "/faults", {"operation": "x", "status": 503}, "/operation", "enum", f"one of {OPERATIONS}, not 'x'"),
        (
            "POST",
            f"/faults?api_key={MINE}",
            {"status": 503, "api_key": YOURS},
            "/api_key",
            "const",
            "the key of the query",
        ),
        ("POST", "/replies", {}, "", "minProperties", "1"),
        ("POST", "/replies", {"txt": "Hi."}, "/txt", "unknown_field", "'text'"),
        ("POST", "/replies", {"input": "Hi."}, "", "invalid_reply", "at least one of text"),
        ("POST", "/replies", {"text": "a", "json": 1}, "/json", "invalid_reply", "combined with text"),
        ("POST", "/replies", {"items": [], "reasoning": "a"}, "/reasoning", "invalid_reply", "combined with items"),
        (
            "POST",
            "/replies",
            {"failed": "a", "incomplete": "content_filter"},
            "/failed",
            "invalid_reply",
            "incomplete",
        ),
        ("POST", "/replies", {"text": "a", "input_regex": "("}, "/input_regex", "invalid_reply", "regular expression"),
        ("POST", "/replies", {"text": "a", "fault": {"times": 2}}, "/fault/times", "unknown_field", "planned faults"),
        ("POST", "/replies", {"text": "a", "fault": {"commit": True}}, "/fault", "invalid_fault", "at least one of"),
        ("POST", "/replies", {"function_call": [{"name": 5}]}, "/function_call/0/name", "type", "a string"),
        ("POST", "/replies", {"items": [{"type": "hologram"}]}, "/items/0/type", "enum", "one of message"),
        (
            *("POST", "/replies", {"items": [{"type": "functioncall"}]}, "/items/0/type", "enum"),
            "not 'functioncall' (did you mean 'function_call'?)",
        ),
        ("POST", "/replies", {"items": [{"type": "item_reference"}]}, "/items/0/type", "enum", "one of message"),
        ("POST", "/replies", {"items": [{"type": "function_call"}]}, "/items/0/name", "required", ""),
        ("POST", "/replies", {"items": [{"role": "user", "content": "Hi."}]}, "/items/0/role", "const", "assistant"),
        (
            "POST",
            "/replies",
            {"items": [{"content": [{"type": "input_text", "text": ""}]}]},
            "/items/0/content/0/type",
            "enum",
            "output_text",
        ),
        ("POST", "/replies", {"items": [{"content": "Hi.", "stauts": 1}]}, "/items/0/stauts", "unknown_field", ""),
        ("POST", "/replies", {"text": "a", "queued": -1}, "/queued", "minimum", "0"),
        ("POST", f"/replies?api_key={MINE}", {"text": "a", "api_key": YOURS}, "/api_key", "const", "key of the query"),
        ("POST", "/state", {"replies": [{"text": "a"}, {"txt": "b"}]}, "/replies/1/txt", "unknown_field", ""),
        ("POST", "/state", {"replies": [{"text": "a"}, {"input": "b"}]}, "/replies/1", "invalid_seed", "at least one"),
        (
            "PUT",
            f"/state?api_key={MINE}",
            {"replies": [{"text": "a", "api_key": YOURS}]},
            "/replies/0",
            "invalid_seed",
            "another API key",
        ),
        ("PUT", "/clock", {}, "", "minProperties", "1"),
        ("PUT", "/clock", {"freeze": 5, "advance": 1}, "", "maxProperties", "1"),
        ("PUT", "/clock", {"freeze": "now"}, "/freeze", "type", "a number or null"),
        ("PUT", "/clock", {"freeze": -1}, "/freeze", "minimum", "0"),
        ("PUT", "/clock", {"resume": False}, "/resume", "const", "true"),
        ("PUT", "/clock", {"thaw": True}, "/thaw", "unknown_field", ""),
        ("PUT", "/state", {"conversation": []}, "/conversation", "unknown_field", ""),
        ("PUT", "/state", {"conversations": {}}, "/conversations", "type", "an array"),
        ("PUT", "/state", {"name": "nothing"}, "/name", "enum", "support-thread"),
        ("PUT", "/state", {"name": "/etc/hostname"}, "/name", "enum", "support-thread"),
        ("PUT", "/state", {"name": "support-thread", "conversations": []}, "/name", "unknown_field", ""),
        ("POST", "/state", BAD_SEED, "/conversations/0/items/0/content", "required", "'contents'"),
        (
            "POST",
            "/state",
            {"conversations": [{"id": "a"}, {"id": "a"}]},
            "/conversations/1/id",
            "invalid_seed",
            "already in use",
        ),
        (
            "POST",
            "/state",
            {"conversations": [{"created_at": 1e300}]},
            "/conversations/0/created_at",
            "invalid_seed",
            "1e+300",
        ),
        (
            "PUT",
            f"/state?api_key={MINE}",
            {"conversations": [{"api_key": YOURS}]},
            "/conversations/0",
            "invalid_seed",
            "another account",
        ),
        ("POST", "/reset", {"api_key": MINE}, "/api_key", "unknown_field", ""),
        ("GET", "/requests?limit=0", None, "/limit", "minimum", "1"),
        ("GET", "/requests?limit=10001", None, "/limit", "maximum", "10000"),
        ("GET", "/requests?status=ok", None, "/status", "type", "an integer"),
        ("GET", "/requests?api_key=", None, "/api_key", "minLength", "1"),
        ("GET", "/requests?api_key=a&api_key=b", None, "/api_key", "duplicate_parameter", "once"),
        ("POST", "/reset?apikey=k", None, "/apikey", "unknown_parameter", ""),
        ("DELETE", "/faults?id=x", None, "/id", "type", "an integer"),
        ("GET", "/health?api_key=k", None, "/api_key", "unknown_parameter", ""),
    ],
)
def test_an_invalid_request_is_rejected_and_changes_nothing(fake, method, path, body, pointer, code, phrase):
    fake.create()
    before = fake.get("/state"), fake.get("/faults"), fake.get("/replies"), fake.get("/requests")
    response = fake.request_control(method, path, json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", 400)
    assert (error["findings"][0]["pointer"], error["findings"][0]["code"]) == (pointer, code)
    assert phrase in error["findings"][0]["message"]
    assert (fake.get("/state"), fake.get("/faults"), fake.get("/replies"), fake.get("/requests")) == before


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "phrase"),
    [
        ("POST", "/faults", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "JSON"),
        ("PUT", "/clock", {"content": b"freeze=5", "headers": {"Content-Type": "text/plain"}}, 415, "text/plain"),
        ("GET", "", {}, 404, "'/_mock'"),
        ("GET", "/nothing", {}, 404, "'/_mock/nothing'"),
        ("DELETE", "/faults?id=77", {}, 404, "77"),
        ("DELETE", "/replies?id=78", {}, 404, "78"),
    ],
)
def test_other_errors_come_in_the_same_envelope(fake, method, path, options, status, phrase):
    response = fake.request_control(method, path, **options)
    assert response.status_code == response.json()["error"]["code"] == status
    assert phrase in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/health", "GET"),
        ("GET", "/reset", "POST"),
        ("PUT", "/requests", "DELETE, GET"),
        ("PATCH", "/faults", "DELETE, GET, POST"),
        ("PUT", "/replies", "DELETE, GET, POST"),
        ("DELETE", "/clock", "GET, PUT"),
        ("DELETE", "/state", "GET, POST, PUT"),
        ("HEAD", "/coverage", "GET"),
    ],
)
def test_a_wrong_method_is_answered_405(fake, method, path, allowed):
    response = fake.request_control(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)


def test_the_control_api_can_be_switched_off(make_fake):
    fake = make_fake(control=False)
    assert fake.request_control("GET", "/health").status_code == 404
    assert fake.request_control("POST", "/reset").json()["error"]["code"] == 404
    assert fake.create().status_code == 200


def test_a_clock_passed_to_the_fake_cannot_be_set(make_fake):
    class Stopped:
        def now(self, account):
            return 5.0

        def reset(self, account=None):
            pass

    fake = make_fake(clock=Stopped())
    assert fake.request_control("PUT", "/clock", json={"freeze": 1}).status_code == 404
    assert fake.create().json()["created_at"] == 5
    assert fake.get("/requests")["data"][0]["started_at"] == pytest.approx(5, abs=1)
    fake.send("POST", "/reset")


# The document


def test_its_document_is_valid_and_served(fake):
    response = fake.request_control("GET", "/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    OpenAPIV31SpecValidator(response.json()).validate()
    assert all(path.startswith("/_mock/") for path in response.json()["paths"])
    text = fake.request_control("GET", "/openapi.yaml")
    assert (text.status_code, yaml.safe_load(text.content)) == (200, response.json())
    assert fake.request_control("POST", "/openapi.json").status_code == 405


@pytest.mark.parametrize(("method", "route"), [("POST", "/faults"), ("POST", "/replies"), ("PUT", "/clock")])
def test_the_examples_of_its_document_work(fake, method, route):
    body = CONTROL.schemas.node(f"/paths/~1_mock~1{route[1:]}/{method.lower()}/requestBody/content/application~1json")
    assert len(body["examples"]) == 2
    for example in body["examples"].values():
        fake.send(method, route, example["value"])


def test_a_response_that_breaks_its_document_is_replaced(fake, monkeypatch):
    monkeypatch.setattr("mockserver.state.State.snapshot", lambda *_: {"conversations": 5})
    response = fake.request_control("GET", "/state")
    assert response.status_code == 500
    assert "/conversations" in response.json()["error"]["message"]


# Apart from the API


def test_faults_keys_limits_and_the_journal_do_not_concern_the_control_api(make_fake):
    fake = make_fake(api_keys=(MINE,), rate_limits=("1/d",))
    fake.send("POST", "/faults", {"status": 503, "times": None})
    assert [fake.create().status_code for _ in range(2)] == [503, 429]
    for headers in [{"X-Mock-Fault": '{"status": 503}'}, {"Authorization": "Bearer unknown"}] * 2:
        assert fake.request_control("GET", "/health", headers=headers).status_code == 200
    assert fake.get("/faults")["data"][0]["seen"] == 1
    assert [entry["status"] for entry in fake.get("/requests")["data"]] == [503, 429]


def test_the_documents_are_not_journaled(fake):
    assert fake.request_path("GET", "/openapi.json").status_code == 200
    assert fake.request_control("GET", "/openapi.json").status_code == 200
    assert fake.get("/requests")["data"] == []


# The token

TOKEN = {"Authorization": "Bearer let-me-in"}


def test_control_requests_need_the_token(make_fake):
    fake = make_fake(control_token="let-me-in")
    operations = [operation for operation in CONTROL.values() if operation.id != "health.get"]
    for operation in operations:
        response = fake.request_path(operation.method, operation.path)
        assert response.status_code == 401, operation.id
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="mockserver control"'
        assert response.json()["error"]["type"] == "authentication_error"
    assert fake.create().status_code == 200, "the API has keys of its own"
    assert fake.request_control("GET", "/openapi.json").status_code == 200, "the document is public"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Authorization", "Bearer let-me-in")], 200),
        ([("authorization", "bearer  let-me-in")], 200),
        ([("Authorization", "Bearer let-me-i")], 401),
        ([("Authorization", "Bearer let-me-in2")], 401),
        ([("Authorization", "Bearer Let-Me-In")], 401),
        ([("Authorization", "Basic let-me-in")], 401),
        ([("Authorization", "let-me-in")], 401),
        ([("Authorization", "Bearer")], 401),
        ([("Authorization", "")], 401),
        ([("Authorization", "Bearer n\xf6")], 401),
        ([("Authorization", "Bearer let-me-in"), ("Authorization", "Bearer x")], 401),
    ],
)
def test_the_whole_token_must_match(make_fake, headers, status):
    fake = make_fake(control_token="let-me-in")
    assert fake.request_control("GET", "/clock", headers=headers).status_code == status


def test_a_key_is_no_token_and_a_token_is_no_key(make_fake):
    fake = make_fake(control_token="let-me-in", api_keys=(MINE,))
    assert fake.request_control("GET", "/clock", headers={"Authorization": f"Bearer {MINE}"}).status_code == 401
    assert fake.request_api("GET", key="let-me-in").status_code == 401


def test_the_command_takes_a_token():
    with serving("--control-token", "let-me-in") as (_, url):
        assert httpx.get(f"{url}/_mock/clock").status_code == 401
        assert httpx.get(f"{url}/_mock/clock", headers=TOKEN).status_code == 200
    with serving(MOCKSERVER_CONTROL_TOKEN="let-me-in") as (_, url):
        assert httpx.get(f"{url}/_mock/clock").status_code == 401


def test_the_command_needs_no_token_on_loopback():
    with serving("--log-format", "none") as (process, url):
        assert httpx.get(f"{url}/_mock/clock").status_code == 200
        process.terminate()
        assert process.stderr.read() == ""


def test_the_command_generates_a_token_off_loopback():
    with serving("--host", "0.0.0.0") as (process, url):
        url = url.replace("0.0.0.0", "127.0.0.1")
        label, _, token = process.stderr.readline().strip().partition(": ")
        assert (label, len(token) >= 20) == ("Control token", True)
        assert httpx.get(f"{url}/_mock/clock").status_code == 401
        assert httpx.post(f"{url}/_mock/reset", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        process.terminate()
        assert token not in process.stderr.read()
    with serving("--host", "0.0.0.0", "--control-token", "let-me-in") as (process, url):
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/_mock/clock", headers=TOKEN).status_code == 200
        process.terminate()
        assert "let-me-in" not in process.stderr.read()


# Keys are never shown


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_key_is_never_shown(form):
    log = []
    keys = ("listed-secret-key", "other-secret-key=acme")
    seed = {"conversations": [{"id": "conv_1", "api_key": "listed-secret-key"}]}
    app = create_app(Settings(api_keys=keys, seeds=(seed,), identity_mode="raw", rate_limits=("9/d",)))
    shown = []

    class RecordingClient(FakeClient):
        def request_path(self, method, path, **options):
            response = super().request_path(method, path, **options)
            shown.append(response.text)
            return response

        def request_api(self, *arguments, **options):
            response = super().request_api(*arguments, **options)
            shown.append(response.text)
            return response

    with AsgiClient.connect(
        AccessLog(app, app.state.journal, form, lambda make, *arguments: log.append(make(*arguments)))
    ) as client:
        fake = RecordingClient(client)
        for key in ("listed-secret-key", "other-secret-key", "unknown-secret-key"):
            other = {"api_key": "another"}
            fake.create(key, items=[MESSAGE])
            fake.request_api("GET", "/conversations?limit=0", key)
            fake.send("POST", "/faults", {"status": 503, "api_key": key})
            fake.send("POST", "/faults", {"status": 503}, api_key=key)
            fake.request_control("POST", "/faults", json={"status": 1, "api_key": key})
            fake.request_control("POST", "/faults", json={"status": 503, "api_key": key}, params=other)
            for conversations, query in [
                ([{"api_key": key}], other),
                ([{"api_key": key, "items": 1}], {}),
                ([{"api_key": key, "id": "a"}, {"id": "a"}], {}),
                ([{"api_key": key}], {}),
            ]:
                fake.request_control("POST", "/state", json={"conversations": conversations}, params=query)
            fake.request_control("PUT", "/nothing", params={"api_key": key})
            fake.request_api("GET", key=key)
            for route in ("/requests", "/faults", "/state", "/clock", "/coverage"):
                fake.get(route, api_key=key)
                fake.get(route)
            fake.send("POST", "/reset", api_key=key)
    assert len(shown) > 60
    assert "account-" in "".join(shown)
    assert "secret" not in "".join(shown)
    assert "/_mock/state" in "".join(log)
    assert "secret" not in "".join(log)
