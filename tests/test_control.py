"""The control API, over HTTP."""

import io
import json
import time

import httpx
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import data_path, load_document
from mockserver.contract.operations import Operations
from mockserver.gateway.access_log import AccessLog
from mockserver.gateway.auth import default_account, key_fingerprint

from .test_cli import serving

DOCUMENT = load_document()
CONTROL = Operations(load_document(data_path("spec/control.yaml")))
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
MINE, YOURS = "key-that-is-mine", "key-that-is-yours"


class Pair:
    """A client of the control API that takes no 500 for an answer, and clients of the API."""

    def __init__(self, server):
        self.url = server.url
        self.control = httpx.Client(base_url=f"{server.url}/_mock", event_hooks={"response": [no_500]})
        self._api = httpx.Client(base_url=server.api_url)

    def api(self, method, path="/conversations", key=MINE, **options):
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return self._api.request(method, path, headers=headers, **options)

    def create(self, key=MINE, **body):
        return self.api("POST", key=key, json=body)

    def get(self, route, **query):
        answer = self.control.get(route, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def do(self, method, route, body=None, **query):
        answer = self.control.request(method, route, params=query, **({} if body is None else {"json": body}))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self):
        self.control.close()
        self._api.close()


def no_500(response):
    response.read()
    assert response.status_code != 500, response.text


@pytest.fixture
def run():
    """Start a fake with these settings."""
    stack = []

    def start(**settings):
        server = run_server(create_app(Settings(**settings)))
        pair = Pair(server.__enter__())
        stack.append((server, pair))
        return pair

    yield start
    for server, pair in stack:
        pair.close()
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def shared():
    with run_server(create_app(Settings())) as server:
        yield server


@pytest.fixture
def fake(shared):
    """A fake that has nothing in it."""
    pair = Pair(shared)
    pair.do("POST", "/reset")
    yield pair
    pair.close()


# Each route


def test_health(fake):
    health = fake.get("/health")
    assert health["status"] == "ok"
    assert health["version"].count(".") == 2


def test_requests_are_listed_and_forgotten(fake):
    fake.create(MINE)
    fake.create(YOURS)
    assert [one["key"] for one in fake.get("/requests")["data"]] == [key_fingerprint(MINE), key_fingerprint(YOURS)]
    assert [one["key"] for one in fake.get("/requests", api_key=YOURS)["data"]] == [key_fingerprint(YOURS)]
    assert fake.get("/requests", limit=1)["data"][0]["key"] == key_fingerprint(YOURS)
    assert fake.do("DELETE", "/requests", api_key=MINE) == {"done": True}
    assert [one["key"] for one in fake.get("/requests")["data"]] == [key_fingerprint(YOURS)]
    fake.do("DELETE", "/requests")
    assert fake.get("/requests") == {"data": [], "dropped": 0}


def test_faults_are_planned_listed_and_dropped(fake):
    fault = {"operation": "conversations.create", "status": 503, "times": 2, "headers": {"retry-after-ms": "10"}}
    planned = fake.do("POST", "/faults", fault)
    assert planned == {"id": 1, **fault, "seen": 0, "fired": 0}
    fake.create()
    assert fake.get("/faults") == {"data": [{"id": 1, **fault, "seen": 1, "fired": 1}]}
    mine = fake.do("POST", "/faults", {"status": 500, "times": None}, api_key=MINE)
    assert mine == {"id": 2, "key": key_fingerprint(MINE), "status": 500, "times": None, "seen": 0, "fired": 0}
    yours = fake.do("POST", "/faults", {"status": 500, "api_key": YOURS})
    assert (yours["id"], yours["key"]) == (3, key_fingerprint(YOURS))
    assert [one["id"] for one in fake.get("/faults", api_key=YOURS)["data"]] == [3]
    assert fake.control.delete("/faults", params={"id": 3, "api_key": MINE}).status_code == 404
    fake.do("DELETE", "/faults", id=2, api_key=MINE)
    assert [one["id"] for one in fake.get("/faults")["data"]] == [1, 3]
    fake.do("DELETE", "/faults", api_key=YOURS)
    assert [one["id"] for one in fake.get("/faults")["data"]] == [1]
    fake.do("DELETE", "/faults")
    assert fake.get("/faults") == {"data": []}


def test_every_field_of_a_fault_is_shown_as_it_was_planned(fake):
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
    assert fields == set(fault) | {"api_key"}
    assert fake.do("POST", "/faults", fault) == {"id": 1, **fault, "seen": 0, "fired": 0}


def test_the_clock_is_told_and_set(fake):
    assert fake.get("/clock")["now"] == pytest.approx(time.time(), abs=5)
    assert fake.get("/clock")["frozen"] is False
    assert fake.do("PUT", "/clock", {"freeze": 1704067200}) == {"now": 1704067200, "frozen": True}
    assert fake.do("PUT", "/clock", {"advance": 1.5}) == {"now": 1704067201.5, "frozen": True}
    assert fake.create().json()["created_at"] == 1704067201
    assert fake.get("/requests")["data"][0]["started_at"] == 1704067201.5
    assert fake.do("PUT", "/clock", {"advance": 10}, api_key=MINE)["now"] == 1704067211.5
    assert [fake.get("/clock", **query)["now"] for query in ({}, {"api_key": MINE}, {"api_key": YOURS})] == [
        1704067201.5,
        1704067211.5,
        1704067201.5,
    ]
    assert fake.create(MINE).json()["created_at"] == 1704067211
    assert fake.create(YOURS).json()["created_at"] == 1704067201
    assert fake.do("PUT", "/clock", {"resume": True}, api_key=MINE)["frozen"] is False
    assert fake.get("/clock")["frozen"] is True
    fake.do("PUT", "/clock", {"advance": -1000}, api_key=MINE)
    frozen = fake.do("PUT", "/clock", {"freeze": None}, api_key=MINE)
    assert frozen["now"] == pytest.approx(time.time() - 1000, abs=5)
    assert fake.do("PUT", "/clock", {"resume": True})["now"] == pytest.approx(time.time(), abs=5)
    assert fake.get("/clock", api_key=MINE)["frozen"] is False


def test_the_state_is_taken_put_and_added_to(fake):
    fake.create(MINE, metadata={"a": "b"})
    fake.create(YOURS)
    everything = fake.get("/state")
    assert [one["account"] for one in everything["conversations"]] == [default_account(MINE), default_account(YOURS)]
    mine = fake.get("/state", api_key=MINE)
    assert mine == {"conversations": everything["conversations"][:1]}
    assert fake.do("POST", "/state", {"conversations": [{"id": "conv_new"}]}, api_key=MINE) == {"done": True}
    assert [one["id"] for one in fake.get("/state", api_key=MINE)["conversations"]][1:] == ["conv_new"]
    fake.do("PUT", "/state", {"conversations": [{"id": "conv_only"}]}, api_key=MINE)
    assert [one["id"] for one in fake.get("/state", api_key=MINE)["conversations"]] == ["conv_only"]
    assert len(fake.get("/state", api_key=YOURS)["conversations"]) == 1
    fake.do("PUT", "/state", everything)
    assert fake.get("/state") == everything
    fake.do("PUT", "/state", {})
    assert fake.get("/state") == {"conversations": []}


def test_a_shipped_seed_is_put_by_its_name(fake):
    fake.do("PUT", "/state", {"name": "support-thread"}, api_key=MINE)
    assert fake.api("GET", "/conversations/conv_support", MINE).status_code == 200
    assert fake.api("GET", "/conversations/conv_support", YOURS).status_code == 404
    fake.do("POST", "/state", {"name": "support-thread"}, api_key=YOURS)
    assert fake.api("GET", "/conversations/conv_support", YOURS).status_code == 200


def test_coverage_tells_what_was_used_and_what_was_not(fake):
    fake.create(MINE, items=[MESSAGE])
    fake.api("GET", "/conversations/conv_x", YOURS)
    counted = fake.get("/coverage")
    assert counted["operations"] == {"conversations.create": {"200": 1}, "conversations.retrieve": {"404": 1}}
    assert counted["items"] == {"message": 1}
    assert set(counted["unused"]["operations"]) == set(Operations(DOCUMENT)) - set(counted["operations"])
    assert len(counted["unused"]["items"]) == len(set(counted["unused"]["items"])) == 22
    assert "message" not in counted["unused"]["items"]
    assert fake.get("/coverage", api_key=YOURS)["operations"] == {"conversations.retrieve": {"404": 1}}


def test_every_operation_of_the_document_is_tried_above():
    assert set(CONTROL) == {
        *("health.get", "reset.post", "requests.list", "requests.clear", "faults.list", "faults.add", "faults.clear"),
        *("clock.get", "clock.set", "state.get", "state.put", "state.add", "coverage.get"),
    }


# What is refused

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "options", "pointer", "message"),
    [
        ("POST", "/faults", {"content": "{", "headers": JSON}, "", "is not valid JSON: Expecting property name"),
        ("POST", "/faults", {}, "", "is required"),
        ("POST", "/faults", {"json": []}, "", "must be an object, not an empty array"),
        ("POST", "/faults", {"json": {"stauts": 5}}, "/stauts", "is not a known field"),
        ("POST", "/faults", {"json": {"status": "503"}}, "/status", "must be an integer, not '503'"),
        ("POST", "/faults", {"json": {"status": 503, "times": 0}}, "/times", "must be at least 1, not 0"),
        ("POST", "/faults", {"json": {"status": 503, "after": -1}}, "/after", "must be at least 0, not -1"),
        ("POST", "/faults", {"json": {"status": 503, "every": 0}}, "/every", "must be at least 1, not 0"),
        ("POST", "/faults", {"json": {"status": 503, "probability": 0}}, "/probability", "must be more than 0, not 0"),
        ("POST", "/faults", {"json": {"delay": 601}}, "/delay", "must be at most 600, not 601"),
        (
            "POST",
            "/faults",
            {"json": {"operation": "conversations.list"}},
            "",
            "must set at least one of status, body",
        ),
        (
            "POST",
            "/faults",
            {"json": {"status": 503, "headers": {"Content-Length": "5"}}},
            "/headers/Content-Length",
            "is set by the server, which frames the response",
        ),
        (
            "POST",
            "/faults",
            {"json": {"operation": "conversations.crate", "status": 503}},
            "/operation",
            f"must be one of {', '.join(Operations(DOCUMENT))}, not 'conversations.crate'",
        ),
        (
            "POST",
            f"/faults?api_key={MINE}",
            {"json": {"status": 503, "api_key": YOURS}},
            "/api_key",
            "must be the key of the query",
        ),
        ("PUT", "/clock", {"json": {}}, "", "must have at least 1 field, has 0"),
        ("PUT", "/clock", {"json": {"freeze": 5, "advance": 1}}, "", "must have at most 1 field, has 2"),
        ("PUT", "/clock", {"json": {"freeze": "now"}}, "/freeze", "must be a number or null, not 'now'"),
        ("PUT", "/clock", {"json": {"freeze": -1}}, "/freeze", "must be at least 0, not -1"),
        ("PUT", "/clock", {"json": {"resume": False}}, "/resume", "must be true, not false"),
        ("PUT", "/clock", {"json": {"thaw": True}}, "/thaw", "is not a known field"),
        ("PUT", "/state", {"json": {"conversation": []}}, "/conversation", "is not a known field"),
        ("PUT", "/state", {"json": {"conversations": {}}}, "/conversations", "must be an array, not an empty object"),
        ("PUT", "/state", {"json": {"name": "nothing"}}, "/name", "must be one of support-thread, two-end"),
        (
            "PUT",
            "/state",
            {"json": {"name": "/etc/hostname"}},
            "/name",
            "must be one of support-thread, two-end-users",
        ),
        (
            "PUT",
            "/state",
            {"json": {"name": "support-thread", "conversations": []}},
            "/name",
            "is not a known field",
        ),
        (
            "POST",
            "/state",
            {"json": {"conversations": [{"items": [{"role": "user", "contents": "x"}]}]}},
            "/conversations/0/items/0/content",
            "is required (found 'contents'; did you mean 'content'?)",
        ),
        (
            "POST",
            "/state",
            {"json": {"conversations": [{"id": "a"}, {"id": "a"}]}},
            "/conversations/1/id",
            "the id 'a' is already in use",
        ),
        (
            "POST",
            "/state",
            {"json": {"conversations": [{"created_at": 1e300}]}},
            "/conversations/0/created_at",
            "must be a time in Unix seconds, not 1e+300",
        ),
        (
            "PUT",
            f"/state?api_key={MINE}",
            {"json": {"conversations": [{"api_key": YOURS}]}},
            "/conversations/0",
            "belongs to another account than the API key's",
        ),
        ("POST", "/reset", {"json": {"api_key": MINE}}, "/api_key", "is not a known field"),
        ("GET", "/requests?limit=0", {}, "/limit", "must be at least 1, not 0"),
        ("GET", "/requests?limit=10001", {}, "/limit", "must be at most 10000, not 10001"),
        ("GET", "/requests?status=ok", {}, "/status", "must be an integer, not 'ok'"),
        ("GET", "/requests?api_key=", {}, "/api_key", "must have at least 1 character, has 0"),
        ("GET", "/requests?api_key=a&api_key=b", {}, "/api_key", "must be given once, not 2 times"),
        ("POST", "/reset?apikey=k", {}, "/apikey", "is not a parameter"),
        ("DELETE", "/faults?id=x", {}, "/id", "must be an integer, not 'x'"),
        ("GET", "/health?api_key=k", {}, "/api_key", "is not a parameter"),
    ],
)
def test_bad_input_is_refused_with_its_place(fake, method, path, options, pointer, message):
    fake.create()
    before = fake.get("/state"), fake.get("/faults"), len(fake.get("/requests")["data"])
    answer = fake.control.request(method, path, **options)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", 400)
    assert error["findings"][0]["pointer"] == pointer
    assert error["findings"][0]["message"].startswith(message)
    assert error["message"].endswith(error["findings"][0]["message"]) or len(error["findings"]) > 1
    assert (fake.get("/state"), fake.get("/faults"), len(fake.get("/requests")["data"])) == before


def test_what_is_not_there_is_answered_in_the_envelope(fake):
    missing = fake.control.get("/nothing")
    assert (missing.status_code, missing.json()["error"]["message"]) == (
        404,
        "No operation has the path '/_mock/nothing' ('GET').",
    )
    assert fake.control.get("").status_code == 404
    fault = fake.control.delete("/faults", params={"id": 77})
    assert (fault.status_code, fault.json()["error"]) == (
        404,
        {
            "message": "No planned fault has the id 77.",
            "type": "invalid_request_error",
            "param": "id",
            "code": 404,
        },
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/health", "GET"),
        ("GET", "/reset", "POST"),
        ("PUT", "/requests", "DELETE, GET"),
        ("PATCH", "/faults", "DELETE, GET, POST"),
        ("DELETE", "/clock", "GET, PUT"),
        ("DELETE", "/state", "GET, POST, PUT"),
        ("HEAD", "/coverage", "GET"),
    ],
)
def test_a_method_that_a_route_does_not_take_is_answered_405(fake, method, path, allowed):
    answer = fake.control.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_another_content_type_is_answered_415(fake):
    answer = fake.control.put("/clock", content="freeze=5", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_without_control_there_is_none(run):
    fake = run(control=False)
    assert fake.control.get("/health").status_code == 404
    assert fake.control.post("/reset").json()["error"]["code"] == 404
    assert fake.create().status_code == 200


def test_a_clock_that_was_brought_along_is_not_set():
    class Stopped:
        def now(self, account):
            return 5.0

        def reset(self, account=None):
            pass

    with run_server(create_app(Settings(), clock=Stopped())) as server:
        fake = Pair(server)
        answer = fake.control.put("/clock", json={"freeze": 1})
        assert (answer.status_code, fake.create().json()["created_at"]) == (404, 5)
        assert answer.json()["error"]["message"].startswith("The clock of this fake was passed in")
        assert fake.get("/requests")["data"][0]["started_at"] == pytest.approx(5, abs=1)
        fake.do("POST", "/reset")
        fake.close()


# The document


def test_its_document_is_sound_and_served(fake):
    answer = fake.control.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    OpenAPIV31SpecValidator(answer.json()).validate()
    assert {path for path in answer.json()["paths"] if not path.startswith("/_mock/")} == set()
    text = fake.control.get("/openapi.yaml")
    assert (text.status_code, yaml.safe_load(text.content)) == (200, answer.json())
    assert fake.control.post("/openapi.json").status_code == 405


@pytest.mark.parametrize(("method", "route"), [("POST", "/faults"), ("PUT", "/clock")])
def test_the_examples_of_its_document_work(fake, method, route):
    body = CONTROL.schemas.node(f"/paths/~1_mock~1{route[1:]}/{method.lower()}/requestBody/content/application~1json")
    assert len(body["examples"]) == 2
    for example in body["examples"].values():
        fake.do(method, route, example["value"])


def test_an_answer_that_breaks_its_document_does_not_get_out(fake, monkeypatch):
    monkeypatch.setattr("mockserver.control._DONE", {"done": "yes"})
    answer = httpx.delete(f"{fake.url}/_mock/faults")
    assert answer.status_code == 500
    assert "The response of faults.clear violates the document: body /done" in answer.text


# Apart from the API


def test_control_is_out_of_reach_of_faults_keys_limits_and_the_journal(run):
    fake = run(api_keys=(MINE,), rate_limits=("1/d",))
    fake.do("POST", "/faults", {"status": 503, "times": None})
    assert [fake.create().status_code for _ in range(2)] == [503, 429]
    for _ in range(3):
        assert fake.control.get("/health", headers={"X-Mock-Fault": '{"status": 503}'}).status_code == 200
        assert fake.control.get("/faults", headers={"Authorization": "Bearer unknown"}).status_code == 200
    assert fake.get("/faults")["data"][0]["seen"] == 1
    assert [one["status"] for one in fake.get("/requests")["data"]] == [503, 429]


def test_the_documents_are_not_journaled(fake):
    httpx.get(f"{fake.url}/openapi.json")
    fake.control.get("/openapi.json")
    assert fake.get("/requests")["data"] == []


# The token

TOKEN = {"Authorization": "Bearer let-me-in"}


def test_with_a_token_only_who_sends_it_may_steer(run):
    fake = run(control_token="let-me-in")
    for operation in CONTROL.values():
        answer = httpx.request(operation.method, fake.url + operation.path)
        assert answer.status_code == 401, operation.id
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mockserver control"'
        assert answer.json()["error"] == {
            "message": "Send `Authorization: Bearer <control token>`.",
            "type": "authentication_error",
            "param": None,
            "code": 401,
        }
    assert fake.create().status_code == 200, "the API has keys of its own"
    assert fake.control.get("/openapi.json").status_code == 200, "the document is no secret"


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
def test_the_token_is_taken_as_a_whole(run, headers, status):
    fake = run(control_token="let-me-in")
    headers = [(name, value.encode("latin-1")) for name, value in headers]
    assert fake.control.get("/health", headers=headers).status_code == status


def test_the_token_is_compared_in_constant_time(run, monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: compared.append({one, other}) or one == other)
    run(control_token="let-me-in").control.get("/health", headers={"Authorization": "Bearer guess"})
    assert compared == [{b"guess", b"let-me-in"}]


def test_a_key_is_no_token_and_a_token_is_no_key(run):
    fake = run(control_token="let-me-in", api_keys=(MINE,))
    assert fake.control.get("/health", headers={"Authorization": f"Bearer {MINE}"}).status_code == 401
    assert fake.api("GET", key="let-me-in").status_code == 401


def test_the_command_takes_a_token():
    with serving("--control-token", "let-me-in") as (_, url):
        assert httpx.get(f"{url}/_mock/health").status_code == 401
        assert httpx.get(f"{url}/_mock/health", headers=TOKEN).status_code == 200
    with serving(MOCKSERVER_CONTROL_TOKEN="let-me-in") as (_, url):
        assert httpx.get(f"{url}/_mock/health").status_code == 401


def test_on_loopback_the_command_needs_none():
    with serving("--log-format", "none") as (process, url):
        assert httpx.get(f"{url}/_mock/health").status_code == 200
        process.terminate()
        assert process.stderr.read() == ""


def test_beyond_loopback_the_command_makes_a_token_and_prints_it():
    with serving("--host", "0.0.0.0") as (process, url):
        url = url.replace("0.0.0.0", "127.0.0.1")
        said, _, token = process.stderr.readline().strip().partition(": ")
        assert (said, len(token) >= 20) == ("Control token", True)
        assert httpx.get(f"{url}/_mock/health").status_code == 401
        assert httpx.post(f"{url}/_mock/reset", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        process.terminate()
        assert token not in process.stderr.read()
    with serving("--host", "0.0.0.0", "--control-token", "let-me-in") as (process, url):
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/_mock/health", headers=TOKEN).status_code == 200
        process.terminate()
        assert "let-me-in" not in process.stderr.read()


# Reset

SEED = {
    "conversations": [
        {"id": "conv_mine", "api_key": MINE, "created_at": 5, "items": [{"id": "msg_1", **MESSAGE}]},
        {"api_key": MINE, "created_at": 6, "metadata": {"made": "up"}},
        {"id": "conv_yours", "api_key": YOURS, "end_user": "ada", "created_at": 7},
    ]
}
SETTINGS = {"ids": "sequential", "seeds": (SEED,), "rate_limits": ("6/d", "9/d")}


def use(fake, key):
    """Leave something behind wherever there is something to leave it."""
    fake.create(key, items=[MESSAGE])
    fake.api("DELETE", "/conversations/conv_mine", key)
    fake.api("POST", key=key, json={"colour": 1})
    fake.do("POST", "/faults", {"status": 503, "api_key": key})
    fake.api("GET", key=key)
    fake.do("POST", "/faults", {"status": 503, "times": 5, "api_key": key})
    fake.do("PUT", "/clock", {"advance": 120}, api_key=key)  # Within what the rate limit counts.
    fake.do("PUT", "/clock", {"freeze": None}, api_key=key)


def observed(fake, key=None):
    """What there is to see of a fake, or of the part of it that belongs to one key."""
    query = {} if key is None else {"api_key": key}
    clock = fake.get("/clock", **query)
    return {
        "now": clock["now"] == pytest.approx(time.time(), abs=60),
        "frozen": clock["frozen"],
        "state": fake.get("/state", **query),
        "requests": fake.get("/requests", **query)["data"],
        "faults": fake.get("/faults", **query)["data"],
        "coverage": fake.get("/coverage", **query),
    }


def carried_on(fake, key):
    """What comes of the next requests, which shows the counts that there are no other ways to see."""
    answers = [fake.create(key, items=[MESSAGE]) for _ in range(7)]
    items = [fake.get("/state", api_key=key)["conversations"][-1]["items"]]
    return [(answer.status_code, answer.json().get("id")) for answer in answers], items


def test_a_reset_leaves_nothing_behind(run):
    used, fresh = run(**SETTINGS), run(**SETTINGS)
    use(used, MINE)
    use(used, YOURS)
    used.do("PUT", "/clock", {"freeze": 2000})
    used.do("POST", "/faults", {"delay": 1, "times": None, "operation": "conversations.list"})
    before = observed(used)
    assert all(before[name] != value for name, value in observed(fresh).items()), "something was not used"
    used.do("POST", "/reset")
    assert observed(used) == observed(fresh)
    for key in (MINE, YOURS):
        assert carried_on(used, key) == carried_on(fresh, key)
        assert fresh.create(key).status_code == 429
    fault = {"status": 500}
    assert used.do("POST", "/faults", fault) == fresh.do("POST", "/faults", fault)


def test_a_reset_for_one_key_leaves_the_others_alone(run):
    used, fresh, control = run(**SETTINGS), run(**SETTINGS), run(**SETTINGS)
    for fake in (used, control):
        use(fake, YOURS)
    use(used, MINE)
    yours = observed(used, YOURS)
    used.do("POST", "/reset", api_key=MINE)
    assert observed(used, YOURS) == yours
    assert observed(used, MINE) == observed(fresh, MINE)
    assert carried_on(used, MINE) == carried_on(fresh, MINE)
    used.do("DELETE", "/faults", api_key=YOURS)
    control.do("DELETE", "/faults", api_key=YOURS)
    assert carried_on(used, YOURS) == carried_on(control, YOURS)


def test_a_seed_is_not_changed_by_what_happens_to_it():
    seed = {"conversations": [{"id": "conv_1", "api_key": MINE, "metadata": {"a": "b"}}]}
    with run_server(create_app(Settings(seeds=(seed,)))) as server:
        fake = Pair(server)
        seed["conversations"][0]["metadata"]["a"] = "changed"
        seed["conversations"].append({"id": "conv_2", "api_key": MINE})
        assert fake.api("GET", "/conversations/conv_1").json()["metadata"] == {"a": "b"}
        assert fake.api("POST", "/conversations/conv_1", json={"metadata": {"c": "d"}}).status_code == 200
        fake.do("POST", "/reset")
        assert [(one["id"], one["metadata"]) for one in fake.get("/state")["conversations"]] == [
            ("conv_1", {"a": "b"})
        ]
        fake.close()


# Snapshot and restore

SCHEMAS = DOCUMENT["components"]["schemas"]
RICH = {"api_keys": (MINE, YOURS, "third-key=acme"), "ids": "sequential"}
KINDS = [branch["$ref"].rpartition("/")[2] for branch in SCHEMAS["Item"]["anyOf"]]


@pytest.fixture(scope="module")
def abundant():
    with run_server(create_app(Settings(**RICH))) as server:
        yield server


@pytest.fixture
def rich(abundant):
    """A fake with something of everything in it."""
    fake = Pair(abundant)
    fake.do("POST", "/reset")
    every_kind = [  # Each for an end user of its own, for the examples share ids; the references are dangling.
        {"id": f"conv_{kind}", "end_user": kind, "items": SCHEMAS[kind]["examples"], "created_at": 1704067200}
        for kind in KINDS
    ]
    made = {
        "id": "conv_made",
        "account": "acme",
        "items": [{**MESSAGE, "response_id": "resp_1", "metadata": {"k": "v", "k2": ""}}, MESSAGE],
    }
    fake.do("POST", "/state", {"conversations": [*every_kind, made, {"account": "account that no key has"}]})
    first = fake.create(MINE, items=[{"id": "msg_first", **MESSAGE}], metadata={"a": "ä\n"}).json()["id"]
    second = fake.create(MINE, items=[{"type": "item_reference", "id": "msg_first"}]).json()["id"]
    third = fake.create(MINE, items=[{"id": "msg_third", **MESSAGE}, MESSAGE]).json()["id"]
    fake.create(YOURS, items=[MESSAGE])
    fake.api("POST", key=YOURS, json={}, headers={"X-On-Behalf-Of": "ada"})
    assert fake.api("DELETE", f"/conversations/{first}/items/msg_first").status_code == 200
    assert fake.api("DELETE", f"/conversations/{third}").status_code == 200
    assert fake.api("POST", f"/conversations/{second}", json={"metadata": {"touched": "last"}}).status_code == 200
    yield fake
    fake.close()


def told(fake, key, end_user=""):
    """All that a tenant can read."""
    headers = {"X-On-Behalf-Of": end_user}
    page = fake.api("GET", "/conversations?limit=50", key, headers=headers).json()
    items = [
        fake.api("GET", f"/conversations/{one['id']}/items?limit=100", key, headers=headers).json()
        for one in [*page["data"], {"id": "conv_" + "3".rjust(32, "0")}]
    ]
    found = fake.api("GET", "/conversations?search=hi&order=desc", key, headers=headers).json()
    return page, items, found


def test_a_snapshot_put_back_is_the_same_snapshot(rich, run):
    snapshot = rich.get("/state")
    kinds = {item["type"] for one in snapshot["conversations"] for item in one["items"]}
    assert len(kinds) == 23, "messages are two of the 24 kinds"
    assert [one["deleted_at"] for one in snapshot["conversations"] if "deleted_at" in one] != []
    assert {"response_id", "metadata"} <= {
        name for one in snapshot["conversations"] for item in one["items"] for name in item
    }
    other = run(**RICH)
    other.do("PUT", "/state", snapshot)
    assert other.get("/state") == snapshot
    for key, end_user in [(MINE, ""), (YOURS, ""), (YOURS, "ada"), ("third-key", ""), (MINE, "Message")]:
        assert told(other, key, end_user) == told(rich, key, end_user)
    assert other.create(MINE, items=[MESSAGE]).status_code == 200, "new ids avoid those that were put back"
    rich.do("PUT", "/state", snapshot)
    assert rich.get("/state") == snapshot


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_snapshot_is_a_seed_for_the_command(rich, tmp_path, suffix):
    snapshot = rich.get("/state")
    path = tmp_path / f"snapshot.{suffix}"
    path.write_text(json.dumps(snapshot) if suffix == "json" else yaml.safe_dump(snapshot, allow_unicode=True))
    with serving("--seed", str(path)) as (_, url):
        assert httpx.get(f"{url}/_mock/state").json() == snapshot


def test_the_snapshot_of_one_key_can_be_put_back_for_it_alone(rich):
    snapshot, yours = rich.get("/state", api_key=MINE), rich.get("/state", api_key=YOURS)
    assert {one["account"] for one in snapshot["conversations"]} == {default_account(MINE)}
    rich.create(MINE)
    rich.do("PUT", "/state", snapshot, api_key=MINE)
    assert rich.get("/state", api_key=MINE) == snapshot
    assert rich.get("/state", api_key=YOURS) == yours


BAD_SEEDS = [
    [{"id": "conv_new"}, {"id": "conv_new"}],
    [{"id": "conv_new", "items": [{"id": "a", **MESSAGE}] * 2}],
    [{"id": "conv_new"}, {"id": "conv_late", "created_at": -1}],
    [{"id": "conv_new"}, {"id": "conv_late", "deleted_at": 1e300}],
    [{"id": "conv_new"}, {"colour": 1}],
]


@pytest.mark.parametrize("query", [{}, {"api_key": MINE}])
@pytest.mark.parametrize("conversations", BAD_SEEDS)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_seed_that_cannot_be_used_leaves_everything_as_it_was(rich, method, conversations, query):
    before = rich.get("/state"), told(rich, MINE), told(rich, YOURS), told(rich, YOURS, "ada")
    answer = rich.control.request(method, "/state", json={"conversations": conversations}, params=query)
    assert answer.status_code == 400
    after = rich.get("/state"), told(rich, MINE), told(rich, YOURS), told(rich, YOURS, "ada")
    for tenants in (before[0]["conversations"], after[0]["conversations"]):
        tenants.sort(key=lambda one: one["account"])  # The tenants have no order among them; what they have, has.
    assert after == before


# Keys are told to nobody


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_key_is_never_shown(form):
    log = io.StringIO()
    keys = ("listed-secret-key", "other-secret-key=acme")
    seed = {"conversations": [{"id": "conv_1", "api_key": "listed-secret-key"}]}
    app = create_app(Settings(api_keys=keys, seeds=(seed,), identity_mode="raw", rate_limits=("9/d",)))
    seen = []
    with run_server(AccessLog(app, form, log)) as server:
        fake = Pair(server)
        for pair in (fake.control, fake._api):
            pair.event_hooks["response"].append(lambda answer: seen.append(answer.read().decode("latin-1")))
        for key in ("listed-secret-key", "other-secret-key", "unknown-secret-key"):
            fake.create(key, items=[MESSAGE])
            fake.api("GET", "/conversations?limit=0", key)
            fake.do("POST", "/faults", {"status": 503, "api_key": key})
            fake.do("POST", "/faults", {"status": 503}, api_key=key)
            fake.control.post("/faults", json={"status": 1, "api_key": key})
            fake.control.post("/faults", json={"status": 503, "api_key": key}, params={"api_key": "another"})
            fake.control.put("/state", json={"conversations": [{"api_key": key}]}, params={"api_key": "another"})
            fake.control.post("/state", json={"conversations": [{"api_key": key, "items": 1}]})
            fake.control.post("/state", json={"conversations": [{"api_key": key, "id": "a"}, {"id": "a"}]})
            fake.do("POST", "/state", {"conversations": [{"api_key": key}]})
            fake.control.put("/nothing", params={"api_key": key})
            fake.api("GET", key=key)
            for route in ("/requests", "/faults", "/state", "/clock", "/coverage"):
                fake.get(route, api_key=key)
                fake.get(route)
            fake.do("POST", "/reset", api_key=key)
        fake.close()
    assert len(seen) > 60
    assert "account-" in "".join(seen)
    assert "secret" not in "".join(seen)
    assert "/_mock/state" in log.getvalue()
    assert "secret" not in log.getvalue()
