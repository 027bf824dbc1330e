"""Faults: the responses that clients see, the requests that are affected, and the checks that still apply."""

import json
import logging
import time

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from tests.support.asgi_client import AsgiClient
from tests.support.raw_connection import RawConnection, build_request

OPERATIONS = list(Operations(load_document()).values())
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
KEY = "secret-of-this-test"
PLANNED_503 = {"error": {"message": "This is a planned fault.", "type": "server_error", "param": None, "code": 503}}


class FaultCaller:
    """A client with an API key, and its access to the control API, in process or over HTTP."""

    def __init__(self, api, root, key=KEY):
        self.api = api
        self.root = root
        self.key = key

    def control(self, method, path, params=None, **options):
        params = {"api_key": self.key} | (params or {})
        response = self.root.request(method, f"/_mock{path}", params=params, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def plan(self, **fault):
        return self.control("POST", "/faults", json=fault)["id"]

    def create(self, fault=None, **options):
        if fault is not None:
            options["headers"] = {"X-Mock-Fault": fault if isinstance(fault, str) else json.dumps(fault)}
        return self.api.post("/conversations", json={}, **options)

    def list_statuses(self, count, path="/conversations"):
        return [self.api.get(path).status_code for _ in range(count)]

    def count_stored(self):
        return len(self.control("GET", "/state")["conversations"])

    def list_entries(self):
        return self.control("GET", "/requests")["data"]

    def list_planned(self):
        return self.control("GET", "/faults")["data"]


@pytest.fixture(scope="module")
def app():
    return create_app(Settings())


@pytest.fixture
def connect(app):
    """Return a caller with a key, in process."""
    app.state.reset()

    def connect(key=KEY):
        client = AsgiClient.connect(app, {"Authorization": f"Bearer {key}"})
        return FaultCaller(client, client.root, key)

    return connect


@pytest.fixture
def caller(connect):
    caller = connect()
    with caller.api:
        yield caller


@pytest.fixture(scope="module")
def server():
    with run_server(create_app(Settings())) as server:
        yield server


@pytest.fixture
def remote(server):
    """Return a caller over HTTP, for faults that take time or the connection."""
    with (
        httpx.Client(base_url=server.api_url, headers={"Authorization": f"Bearer {KEY}"}, timeout=5) as api,
        httpx.Client(base_url=server.url) as root,
    ):
        caller = FaultCaller(api, root)
        yield caller
        caller.control("POST", "/reset")


def wait_for(find):
    until = time.monotonic() + 10
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def read_raw(server, method="GET", body=None):
    """Return all bytes that the server sends for one request."""
    request = build_request(method, "/api/v1/llm/conversations", body, [f"Authorization: Bearer {KEY}"])
    with RawConnection(server.url) as connection:
        return connection.send(request).read_to_end()


# Replaced responses


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "expected"),
    [
        ({"status": 503}, 503, "application/json", PLANNED_503),
        ({"status": 429}, 429, "application/json", {"error": "Rate limit exceeded"}),
        ({"body": {"id": 5}}, 200, "application/json", {"id": 5}),
        *(
            ({"status": 502, "body": body}, 502, "application/json", body)
            for body in ({"detail": [1, None, "ü"]}, [], [{}], 0, 1.5, False, True)
        ),
        *(
            ({"status": 502, "body": text}, 502, "text/plain", text)
            for text in ("", "<html>Bad Gateway</html>", "nÿ 雨")
        ),
        ({"action": "truncate", "status": 502, "body": "0123456789"}, 502, "text/plain", "01234"),
        ({"status": 500, "body": "text", "patch": [{"op": "remove", "path": "/a"}]}, 500, "text/plain", "text"),
        (
            {"status": 500, "body": {"id": 1, "a": 2}, "patch": [{"op": "remove", "path": "/id"}]},
            500,
            "application/json",
            {"a": 2},
        ),
    ],
)
def test_a_replaced_response_comes_once_and_nothing_is_stored(caller, fault, status, content_type, expected):
    caller.plan(**fault)
    response = caller.create()
    assert (response.status_code, response.headers["Content-Type"]) == (status, content_type)
    assert (response.text if content_type == "text/plain" else response.json()) == expected
    assert caller.count_stored() == 0
    assert caller.create().status_code == 200


@pytest.mark.parametrize("status", [401, 404, 405, 413, 415, 429, 500])
def test_a_documented_status_conforms_to_the_document(caller, status):
    caller.plan(status=status, headers={"Allow": "GET"} if status == 405 else {})
    response = caller.create()
    assert (response.status_code, caller.list_entries()[-1]["notes"]) == (status, [])
    assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


def test_headers_are_added_and_replace_those_of_the_response(caller):
    headers = {"Retry-After": "7", "retry-after-ms": "12", "x-should-retry": "false", "CONTENT-TYPE": "text/html"}
    caller.plan(status=429, headers=headers)
    response = caller.create()
    assert [response.headers[name] for name in headers] == ["7", "12", "false", "text/html"]
    assert response.headers.getlist("Content-Type") == ["text/html"]
    assert int(response.headers["Content-Length"]) == len(response.content)


def test_headers_alone_change_those_of_the_real_response(caller):
    caller.plan(headers={"Content-Type": "text/html; charset=latin-1"})
    response = caller.create()
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=latin-1")
    assert response.json()["object"] == "conversation"
    assert caller.count_stored() == 1


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_leaves_the_connection_usable(remote, status):
    remote.plan(status=status, body={"much": "to read"})
    response = remote.create()
    assert (response.status_code, response.content) == (status, b"")
    assert "Content-Length" not in response.headers
    following = remote.create()
    assert following.status_code == 200
    assert following.extensions["network_stream"] is response.extensions["network_stream"]


# Changed responses


def test_truncate_sends_half_of_the_body(caller):
    caller.plan(operation="conversations.retrieve", action="truncate")
    conversation = caller.create()
    response = caller.api.get(f"/conversations/{conversation.json()['id']}")
    assert response.content == conversation.content[: len(conversation.content) // 2]
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


def test_garbage_is_neither_json_nor_text(caller):
    caller.plan(action="garbage")
    response = caller.create()
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(ValueError):
        json.loads(response.content)
    with pytest.raises(UnicodeDecodeError):
        response.content.decode()


def test_a_patch_removes_retypes_and_adds(caller):
    conversation = caller.api.post("/conversations", json={"items": [MESSAGE]}).json()["id"]
    path = f"/conversations/{conversation}"
    caller.plan(operation="conversations.retrieve", patch=[{"op": "remove", "path": "/metadata"}])
    caller.plan(operation="conversations.retrieve", patch=[{"op": "replace", "path": "/created_at", "value": "then"}])
    assert "metadata" not in caller.api.get(path).json()
    assert caller.api.get(path).json()["created_at"] == "then"
    item = {"type": "hologram_call", "id": "holo_1"}
    patch = [
        {"op": "add", "path": "/data/-", "value": item},
        {"op": "replace", "path": "/data/1/id", "value": "holo_2"},
    ]
    caller.plan(operation="conversations.items.list", patch=patch, times=2)
    for _ in range(2):
        page = caller.api.get(f"{path}/items").json()
        assert [item["type"] for item in page["data"]] == ["message", "hologram_call"]
        assert page["data"][1]["id"] == "holo_2"
    assert caller.list_planned()[-1]["patch"] == patch
    assert len(caller.api.get(f"{path}/items").json()["data"]) == 1


def test_a_patch_does_not_change_the_stored_record(caller):
    caller.plan(patch=[{"op": "replace", "path": "/id", "value": "conv_other"}])
    assert caller.create().json()["id"] == "conv_other"
    assert caller.control("GET", "/state")["conversations"][0]["id"] != "conv_other"


# Time


@pytest.mark.parametrize("fault", [{}, {"status": 503}, {"commit": True}, {"patch": []}, {"action": "truncate"}])
def test_a_response_can_be_delayed(remote, fault):
    remote.plan(delay=0.15, **fault)
    started = time.perf_counter()
    assert remote.create().status_code == fault.get("status", 200)
    assert time.perf_counter() - started >= 0.12
    assert remote.list_entries()[-1]["duration"] >= 0.12


def test_delays_add_up(remote):
    remote.plan(delay=0.1)
    remote.plan(delay=0.1)
    remote.plan(delay=0.1, status=503)
    started = time.perf_counter()
    assert remote.create().status_code == 503
    assert time.perf_counter() - started >= 0.25


def test_a_request_without_a_response_does_not_delay_others(server, remote):
    remote.plan(operation="conversations.create", action="time_out")
    request = build_request("POST", "/api/v1/llm/conversations", b"{}", [f"Authorization: Bearer {KEY}"])
    with RawConnection(server.url) as waiting:
        waiting.send(request)
        assert wait_for(remote.list_entries)
        assert remote.list_statuses(3) == [200] * 3


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("fault", [{"action": "time_out"}, {"delay": 30}, {"delay": 30, "status": 503}])
def test_a_request_whose_client_gives_up_is_applied_only_with_commit(remote, fault, commit):
    remote.plan(**fault, commit=commit)
    with pytest.raises(httpx.ReadTimeout):
        remote.create(timeout=0.1)
    assert remote.create().status_code == 200
    assert remote.count_stored() == 1 + commit
    (entry,) = wait_for(lambda: [entry for entry in remote.list_entries() if entry["status"] == 0])
    assert (entry["response"], entry["fault"]["times"]) == (None, 1)


def test_a_request_that_times_out_is_in_the_journal_at_once(remote):
    remote.plan(action="time_out")
    with pytest.raises(httpx.ReadTimeout):
        remote.create(timeout=0.1)
    assert [entry["status"] for entry in remote.list_entries()] == [0]


def test_drip_sends_the_body_byte_by_byte(remote):
    remote.plan(operation="conversations.list", action="drip", delay=0.1)
    expected = {"object": "list", "data": [], "has_more": False}
    started = time.perf_counter()
    with remote.api.stream("GET", "/conversations") as response:
        chunks = list(response.iter_raw())
    assert time.perf_counter() - started >= 0.08
    assert len(chunks) > len(b"".join(chunks)) / 2, "the response came in one piece"
    assert json.loads(b"".join(chunks)) == remote.list_entries()[-1]["response"] == expected
    remote.plan(action="drip", status=503, delay=0.02)
    assert remote.create().json()["error"]["code"] == 503
    assert remote.count_stored() == 0


def test_a_client_may_give_up_during_a_drip(remote, caplog):
    remote.plan(action="drip", delay=30)
    with pytest.raises(httpx.ReadTimeout):
        remote.create(timeout=0.1)
    assert remote.create().status_code == 200
    assert remote.count_stored() == 2
    assert wait_for(lambda: len(remote.list_entries()) == 2)
    assert caplog.records == []


# The connection


@pytest.mark.parametrize("commit", [False, True])
def test_close_sends_no_response(server, remote, caplog, commit):
    remote.plan(action="close", commit=commit, times=2)
    assert read_raw(server, "POST", b"{}") == b""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        remote.create()
    assert remote.count_stored() == 2 * commit
    entries = [(entry["status"], entry["request"], entry["response"]) for entry in remote.list_entries()]
    assert entries == [(0, {}, None)] * 2
    assert caplog.records == [], "uvicorn logged an error"


def test_reset_sends_half_of_the_body(server, remote, caplog):
    remote.plan(action="reset")
    head, _, body = read_raw(server, "POST", b"{}").partition(b"\r\n\r\n")
    length = int(dict(line.split(b": ") for line in head.splitlines()[1:])[b"content-length"])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert (len(body), body[:12]) == (length // 2, b'{"id":"conv_')
    remote.plan(action="reset", status=503)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        remote.create()
    assert remote.count_stored() == 1
    assert caplog.records == []


def test_other_connections_stay_open(remote):
    headers = dict(remote.api.headers)
    with httpx.Client(base_url=remote.api.base_url, headers=headers) as other:
        assert other.get("/conversations").status_code == 200
        remote.plan(action="close")
        with pytest.raises(httpx.RemoteProtocolError):
            remote.create()
        assert other.get("/conversations").status_code == 200


def test_a_server_without_access_to_its_connections_cannot_close_them(caller, caplog):
    caller.plan(action="close")
    with caplog.at_level(logging.CRITICAL):
        response = caller.create()
    assert response.status_code == 500
    assert "RuntimeError" in response.json()["error"]["message"]


# Commit


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 500}, 500),
        ({"status": 200, "body": {"id": "conv_made_up"}}, 200),
        ({"body": "not JSON"}, 200),
        ({"action": "garbage"}, 200),
        ({"action": "truncate", "status": 503}, 503),
        ({"action": "drip", "status": 503}, 503),
        ({"headers": {"a": "b"}, "status": 429}, 429),
        ({"status": 503, "patch": [{"op": "remove", "path": "/error/code"}]}, 503),
    ],
)
def test_commit_applies_a_request_that_seems_to_fail(remote, fault, status):
    remote.plan(commit=True, **fault)
    assert remote.create().status_code == status
    assert remote.count_stored() == 1


@pytest.mark.parametrize("action", ["close", "reset"])
def test_commit_applies_a_request_before_the_connection_ends(remote, action):
    remote.plan(commit=True, action=action, status=503)
    with pytest.raises(httpx.RemoteProtocolError):
        remote.create()
    assert remote.count_stored() == 1


def test_commit_without_a_status_keeps_the_status_of_the_handler(caller):
    caller.plan(commit=True, body={"error": "?"})
    response = caller.api.get("/conversations/conv_nowhere")
    assert (response.status_code, response.json()) == (404, {"error": "?"})


# The requests that a fault affects


def test_a_fault_fires_once_or_so_many_times_or_without_limit(caller):
    caller.plan(operation="conversations.create", status=503)
    caller.plan(operation="conversations.list", status=503, times=3)
    caller.plan(operation="conversations.retrieve", status=503, times=None)
    assert [caller.create().status_code for _ in range(2)] == [503, 200]
    assert caller.list_statuses(5) == [503, 503, 503, 200, 200]
    assert caller.list_statuses(12, "/conversations/conv_x") == [503] * 12
    counts = [(fault["times"], fault["seen"], fault["fired"]) for fault in caller.list_planned()]
    assert counts == [(1, 2, 1), (3, 5, 3), (None, 12, 12)]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([{"status": 503, "after": 2, "every": 3, "times": 2}], [200, 200, 200, 200, 503, 200, 200, 503, 200]),
        (
            [{"status": 503, "times": 2}, {"status": 500}, {"status": 502, "after": 1}],
            [503, 503, 500, 200, 502, 200],
        ),
    ],
)
def test_faults_fire_in_their_turn(caller, faults, expected):
    for fault in faults:
        caller.plan(**fault)
    assert caller.list_statuses(len(expected)) == expected


def test_delays_combine_with_a_fault_that_alters_the_response(remote):
    remote.plan(delay=0.05, times=2)
    remote.plan(status=503)
    assert remote.list_statuses(2) == [503, 200]
    first, second = remote.list_entries()
    delay = {"key": first["key"], "delay": 0.05, "times": 2}
    assert first["fault"] == {"faults": [delay, {"key": first["key"], "status": 503, "times": 1}]}
    assert second["fault"] == delay


def test_a_probability_is_reproducible_by_its_seed(caller):
    runs = []
    for seed in (1, 1, 2):
        number = caller.plan(status=503, times=None, probability=0.5, seed=seed)
        runs.append(caller.list_statuses(30))
        caller.control("DELETE", "/faults", {"id": number})
    first, again, other = runs
    assert first == again != other
    assert 5 < first.count(503) < 25
    caller.plan(status=503, times=2, probability=0.5)
    assert caller.list_statuses(40).count(503) == 2


def test_a_fault_applies_to_its_key(connect):
    caller, other = connect(), connect("another-key")
    with caller.api, other.api:
        response = caller.root.post("/_mock/faults", json={"status": 503, "api_key": "another-key"})
        assert caller.list_statuses(1) + other.list_statuses(2) == [200, 503, 200]
        assert "another-key" not in response.text
        assert len(response.json()["key"]) == 12
        assert (len(caller.list_planned()), len(other.list_planned())) == (0, 1)


def call_operation(caller, operation, **options):
    bodies = {
        "conversations.create": {},
        "conversations.update": {"metadata": {}},
        "conversations.items.create": {"items": [MESSAGE]},
        "conversations.items.deleteMany": {"item_ids": ["msg_1"]},
        "exchangeApiKeyToken": {"audience": "https://apigw.mka1.com", "externalUserId": "ada"},
        "getJwtFromKey": {"audience": "https://apigw.mka1.com", "externalUserId": "ada"},
        "createResponse": {"model": "auto"},
        "compactResponse": {"model": "auto"},
        "updateResponse": {"metadata": {}},
        "wakeResponse": {"input": "Wake up."},
    }
    path = operation.path.replace("{conversation_id}", "conv_1").replace("{item_id}", "msg_1")
    path = path.replace("{response_id}", "resp_1")
    headers = {"Authorization": f"Bearer {caller.key}", **options.pop("headers", {})}
    return caller.root.request(operation.method, path, json=bodies.get(operation.id), headers=headers, **options)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_can_fail(caller, operation):
    caller.plan(operation=operation.id, status=503)
    others = [other for other in OPERATIONS if other != operation]
    assert 503 not in [call_operation(caller, other).status_code for other in others]
    assert call_operation(caller, operation).status_code == 503
    assert call_operation(caller, operation).status_code in (200, 404)
    assert call_operation(caller, operation, headers={"X-Mock-Fault": "nonsense"}).status_code == 400


# Faults in a header


def test_a_request_can_ask_for_a_fault(caller):
    fault = {"status": 503, "headers": {"retry-after-ms": "5"}, "commit": True}
    response = caller.create(fault)
    assert (response.status_code, response.headers["retry-after-ms"]) == (503, "5")
    assert caller.count_stored() == 1
    assert caller.list_entries()[-1]["fault"] == fault | {"times": 1}
    assert caller.create().status_code == 200
    assert caller.list_planned() == []


def test_a_request_can_ask_for_no_response(remote):
    with pytest.raises(httpx.RemoteProtocolError):
        remote.create({"action": "close"})
    with pytest.raises(httpx.ReadTimeout):
        remote.create({"action": "time_out"}, timeout=0.1)


def test_a_planned_fault_comes_before_a_requested_one(remote):
    remote.plan(status=503)
    assert remote.create({"status": 500, "delay": 0.01}).status_code == 503
    assert remote.create({"status": 500}).status_code == 500


def test_a_request_can_ask_for_several_faults(remote):
    headers = [("X-Mock-Fault", '{"delay": 0.05}'), ("X-Mock-Fault", '{"status": 503}')]
    started = time.perf_counter()
    assert remote.create(headers=headers).status_code == 503
    assert time.perf_counter() - started >= 0.04


@pytest.mark.parametrize(
    ("fault", "pointer", "code"),
    [
        ("", "", "invalid_json"),
        ("status=503", "", "invalid_json"),
        ('{"status": 503, "status": 500}', "/status", "duplicate_name"),
        ("503", "", "type"),
        ("[]", "", "type"),
        ("{}", "", "minProperties"),
        ({"stats": 503}, "/stats", "unknown_field"),
        ({"status": "503"}, "/status", "type"),
        ({"status": 600}, "/status", "maximum"),
        ({"status": 100}, "/status", "minimum"),
        ({"action": "timeout"}, "/action", "enum"),
        ({"delay": -1}, "/delay", "minimum"),
        ({"headers": {"a b": "c"}}, "/headers/a b", "propertyNames"),
        ({"headers": {"a": "b\nc"}}, "/headers/a", "pattern"),
        ({"headers": {"content-Length": "5"}}, "/headers/content-Length", "invalid_fault"),
        ({"headers": {"Transfer-Encoding": "x"}}, "/headers/Transfer-Encoding", "invalid_fault"),
        ({"patch": [{"op": "move", "path": "/a"}]}, "/patch/0/op", "enum"),
        ({"patch": [{"op": "add", "path": "/a"}]}, "/patch/0/value", "required"),
        ({"patch": [{"op": "remove", "path": "a"}]}, "/patch/0/path", "pattern"),
        ({"patch": [{"op": "remove", "path": "/~2"}]}, "/patch/0/path", "pattern"),
        ({"status": 503, "body": None}, "/body", "null_not_allowed"),
        ({"commit": True}, "", "invalid_fault"),
        ({"delay": 0}, "", "invalid_fault"),
        ({"status": 503, "times": 2}, "/times", "unknown_field"),
        ({"status": 503, "probability": 0.5}, "/probability", "unknown_field"),
        ({"status": 503, "api_key": "hush"}, "/api_key", "unknown_field"),
    ],
)
def test_an_invalid_fault_is_rejected_and_fires_no_planned_fault(caller, fault, pointer, code):
    number = caller.plan(status=503)
    response = caller.create(fault)
    assert response.status_code == 400
    first = response.json()["error"]["findings"][0]
    assert (first["in"], first["pointer"], first["code"]) == ("header", f"/X-Mock-Fault{pointer}", code)
    assert caller.count_stored() == 0
    (planned,) = caller.list_planned()
    assert (planned["id"], planned["seen"], planned["fired"]) == (number, 0, 0)
    (entry,) = caller.list_entries()
    assert entry["findings"][0] == {"side": "request", **first}
    assert "hush" not in json.dumps(entry)


@pytest.mark.parametrize(
    ("fault", "phrase"),
    [
        ({"commit": True}, "at least one of status, body, headers, patch, delay and action"),
        ({"headers": {"Content-Length": "5"}}, "set by the server"),
        ({"status": 503, "times": 2}, "only to planned faults"),
    ],
)
def test_the_message_says_what_is_wrong_with_a_fault(caller, fault, phrase):
    assert phrase in caller.create(fault).json()["error"]["message"]


# The other layers


def test_a_rejected_request_fires_no_fault():
    settings = Settings(api_keys=(KEY,), max_body=100, rate_limits=("4/d",))
    with AsgiClient.connect(create_app(settings), {"Authorization": f"Bearer {KEY}"}) as client:
        caller = FaultCaller(client, client.root)
        caller.plan(status=503, times=None)
        rejected = [
            caller.create(headers={"Authorization": "Bearer wrong"}),
            client.get("/nowhere"),
            client.put("/conversations"),
            client.post("/conversations", json={"metadata": {"a": "b" * 100}}),
            client.post("/conversations", content=b"{}", headers={"Content-Type": "text/plain"}),
            client.get("/conversations?limit=0"),
        ]
        assert [response.status_code for response in rejected] == [401, 404, 405, 413, 415, 400]
        assert caller.list_planned()[0]["seen"] == 0
        assert [caller.create().status_code for _ in range(2)] == [503, 429]
        assert caller.list_planned()[0]["seen"] == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"patch": [{"op": "replace", "path": "/created_at", "value": "then"}]}, ("body", "/created_at", "type")),
        ({"status": 418}, ("status", "", "undeclared_status")),
        ({"status": 500, "body": "oops"}, ("header", "/Content-Type", "unexpected_content_type")),
        ({"action": "garbage"}, ("body", "", "invalid_encoding")),
        ({"action": "truncate"}, ("body", "", "invalid_json")),
        ({"headers": {"Content-Type": "text/html"}}, ("header", "/Content-Type", "unexpected_content_type")),
        ({"status": 404, "body": {}}, ("body", "/error", "required")),
    ],
)
def test_the_guard_only_notes_what_a_fault_breaks(caller, fault, expected):
    caller.plan(**fault)
    assert caller.create().status_code == fault.get("status", 200)
    (entry,) = caller.list_entries()
    (note,) = entry["notes"]
    assert (note["side"], note["in"], note["pointer"], note["code"]) == ("response", *expected)
    assert entry["findings"] == []


@pytest.mark.parametrize("fault", [None, {"delay": 0.001}, {"delay": 0.001, "commit": True}])
def test_a_response_that_is_only_delayed_is_validated(remote, monkeypatch, fault):
    broken = b'{"id": 5, "object": "conversation", "created_at": 0, "deleted_at": null}'
    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", lambda *_: broken)
    if fault:
        remote.plan(**fault)
    response = remote.create()
    assert response.status_code == 500
    assert "violates the document: body /id" in response.text
    (entry,) = remote.list_entries()
    assert [(finding["pointer"], finding["code"]) for finding in entry["findings"]] == [("/id", "type")]
    assert entry["status"] == 500


def test_a_handler_that_fails_is_reported_in_spite_of_a_fault(caller, monkeypatch, caplog):
    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", lambda *_: 1 / 0)
    caller.plan(status=503, commit=True)
    with caplog.at_level(logging.CRITICAL):
        assert "conversations.create failed: ZeroDivisionError" in caller.create().json()["error"]["message"]
