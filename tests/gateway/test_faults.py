"""What shall go wrong goes wrong on the wire: a real server, a real socket."""

import asyncio
import copy
import json
import logging
import socket
import time
from contextlib import suppress

import httpx
import jsonpatch
import jsonpointer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.gateway.faults import Fault, FaultPlan, patched

OPERATIONS = list(Operations(load_document()).values())
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
KEY = "secret-of-this-test"


@pytest.fixture(scope="module")
def server():
    with run_server(create_app(Settings())) as running:
        yield running


class Caller:
    """A client with a key of its own, and its access to the control API."""

    def __init__(self, server, key=KEY):
        self.server = server
        self.key = key
        self.api = httpx.Client(base_url=server.api_url, headers={"Authorization": f"Bearer {key}"}, timeout=5)
        self.control = httpx.Client(base_url=f"{server.url}/_mock", params={"api_key": key})

    def plan(self, **fault):
        answer = self.control.post("/faults", json=fault)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def create(self, **options):
        return self.api.post("/conversations", json={}, **options)

    def stored(self):
        return len(self.control.get("/state").json()["conversations"])

    def exchanges(self):
        return self.control.get("/requests").json()["data"]

    def planned(self):
        return self.control.get("/faults").json()["data"]

    def close(self):
        self.control.post("/reset")
        self.api.close()
        self.control.close()


@pytest.fixture
def caller(server):
    caller = Caller(server)
    yield caller
    caller.close()


def statuses(caller, count, path="/conversations"):
    return [caller.api.get(path).status_code for _ in range(count)]


def spoken(server, text, timeout=5.0):
    """What comes back over a bare socket until it is closed or cut."""
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=timeout) as connection:
        connection.sendall(text)
        received = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def request_text(method="GET", path="/api/v1/llm/conversations", body=b"", key=KEY):
    head = f"{method} {path} HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


# An answer in the place of the handler's


def test_a_status_comes_with_the_error_envelope_and_the_handler_does_nothing(caller):
    caller.plan(operation="conversations.create", status=503)
    answer = caller.create()
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/json")
    assert answer.json() == {
        "error": {"message": "This is a planned fault.", "type": "server_error", "param": None, "code": 503}
    }
    assert caller.stored() == 0
    assert caller.create().status_code == 200


@pytest.mark.parametrize("status", [401, 404, 405, 413, 415, 429, 500])
def test_a_documented_status_comes_as_the_document_has_it(caller, status):
    headers = {"Allow": "GET"} if status == 405 else {}
    caller.plan(status=status, headers=headers)
    assert caller.create().status_code == status
    assert caller.exchanges()[-1]["notes"] == []


def test_429_is_exactly_what_the_rate_limit_answers_and_401_asks_for_a_key(caller):
    caller.plan(status=429)
    assert caller.create().content == b'{"error":"Rate limit exceeded"}'
    caller.plan(status=401)
    assert caller.create().headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [{"detail": [1, None, "ü"]}, [], [{}], 0, 1.5, False, True])
def test_a_json_body_is_sent_as_it_was_given(caller, body):
    caller.plan(status=502, body=body)
    answer = caller.create()
    assert (answer.status_code, answer.headers["Content-Type"], answer.json()) == (502, "application/json", body)


@pytest.mark.parametrize("text", ["", "<html>Bad Gateway</html>", "nÿ 雨"])
def test_a_string_is_sent_as_text(caller, text):
    caller.plan(status=502, body=text)
    answer = caller.create()
    assert (answer.headers["Content-Type"], answer.content) == ("text/plain", text.encode())


def test_a_body_without_a_status_comes_with_200(caller):
    caller.plan(body={"id": 5})
    answer = caller.create()
    assert (answer.status_code, answer.json()) == (200, {"id": 5})
    assert caller.stored() == 0


def test_headers_are_added_and_the_answers_own_are_replaced(caller):
    headers = {"Retry-After": "7", "retry-after-ms": "12", "x-should-retry": "false", "CONTENT-TYPE": "text/html"}
    caller.plan(status=429, headers=headers)
    answer = caller.create()
    assert [answer.headers[name] for name in headers] == ["7", "12", "false", "text/html"]
    assert answer.headers.get_list("Content-Type") == ["text/html"]
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_headers_alone_change_those_of_the_real_answer(caller):
    caller.plan(headers={"Content-Type": "text/html; charset=latin-1"})
    answer = caller.create()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=latin-1")
    assert answer.json()["object"] == "conversation"
    assert caller.stored() == 1


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_leaves_the_connection_usable(caller, status):
    caller.plan(status=status, body={"much": "to read"})
    answer = caller.create()
    assert (answer.status_code, answer.content) == (status, b"")
    assert "Content-Length" not in answer.headers
    following = caller.create()
    assert following.status_code == 200
    assert following.extensions["network_stream"] is answer.extensions["network_stream"]


# Time


@pytest.mark.parametrize("fault", [{}, {"status": 503}, {"commit": True}, {"patch": []}, {"action": "truncate"}])
def test_an_answer_can_be_late(caller, fault):
    caller.plan(delay=0.15, **fault)
    started = time.perf_counter()
    assert caller.create().status_code == fault.get("status", 200)
    assert time.perf_counter() - started >= 0.12
    assert caller.exchanges()[-1]["duration"] >= 0.12


def test_delays_add_up(caller):
    caller.plan(delay=0.1)
    caller.plan(delay=0.1)
    caller.plan(delay=0.1, status=503)
    started = time.perf_counter()
    assert caller.create().status_code == 503
    assert time.perf_counter() - started >= 0.25


def test_others_are_not_held_up(caller):
    caller.plan(operation="conversations.create", action="time_out")
    with socket.create_connection(("127.0.0.1", httpx.URL(caller.server.url).port)) as waiting:
        waiting.sendall(request_text("POST", body=b"{}"))
        assert wait_for(caller.exchanges)
        assert statuses(caller, 3) == [200] * 3


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("fault", [{"action": "time_out"}, {"delay": 30}, {"delay": 30, "status": 503}])
def test_a_client_gives_up(caller, fault, commit):
    """Without `commit` nothing was done, and nothing will be done later."""
    caller.plan(**fault, commit=commit)
    with pytest.raises(httpx.ReadTimeout):
        caller.create(timeout=0.1)
    assert caller.create().status_code == 200
    assert caller.stored() == 1 + commit
    (given_up,) = wait_for(lambda: [one for one in caller.exchanges() if one["status"] == 0])
    assert (given_up["response"], given_up["fault"]["times"]) == (None, 1)


def wait_for(find):
    until = time.monotonic() + 10
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def test_a_request_that_is_never_answered_is_in_the_journal_at_once(caller):
    caller.plan(action="time_out")
    with pytest.raises(httpx.ReadTimeout):
        caller.create(timeout=0.1)
    assert [one["status"] for one in caller.exchanges()] == [0]


def test_a_client_that_gives_up_in_the_middle_of_a_slow_answer_does_no_harm(caller, caplog):
    caller.plan(action="drip", delay=30)
    with pytest.raises(httpx.ReadTimeout):
        caller.create(timeout=0.1)
    assert caller.create().status_code == 200
    assert caller.stored() == 2
    assert wait_for(lambda: len(caller.exchanges()) == 2)
    assert caplog.records == []


# The connection


@pytest.mark.parametrize("commit", [False, True])
def test_the_connection_is_closed_before_the_answer(caller, caplog, commit):
    caller.plan(action="close", commit=commit)
    assert spoken(caller.server, request_text("POST", body=b"{}")) == b""
    caller.plan(action="close", commit=commit)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        caller.create()
    assert caller.stored() == 2 * commit
    assert [(one["status"], one["response"]) for one in caller.exchanges()] == [(0, None)] * 2
    assert caplog.records == [], "the server takes it for a mistake"


def test_the_connection_is_cut_in_the_middle_of_the_body(caller, caplog):
    caller.plan(action="reset")
    head, _, body = spoken(caller.server, request_text("POST", body=b"{}")).partition(b"\r\n\r\n")
    length = int(dict(line.split(b": ") for line in head.splitlines()[1:])[b"content-length"])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert len(body) == length // 2
    assert body.startswith(b'{"id":"conv_')
    caller.plan(action="reset", status=503)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        caller.create()
    assert caller.stored() == 1
    assert caplog.records == []


def test_faults_on_the_connection_leave_other_connections_alone(caller):
    with Caller(caller.server).api as other:
        assert other.get("/conversations").status_code == 200
        caller.plan(action="close")
        with pytest.raises(httpx.RemoteProtocolError):
            caller.create()
        assert other.get("/conversations").status_code == 200


def test_a_server_that_gives_no_access_to_its_connections_says_so(caplog):
    """As when the application runs in process, behind another server."""
    app = create_app(Settings())
    app.state.faults.add(Fault(action="close"))

    async def call():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fake/api/v1/llm") as client:
            return await client.get("/conversations", headers={"Authorization": "Bearer k"})

    with caplog.at_level(logging.CRITICAL):
        answer = asyncio.run(call())
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "conversations.list failed: RuntimeError. See the log."


# The body


def test_half_the_body_comes_as_if_it_were_all(caller):
    caller.plan(operation="conversations.retrieve", action="truncate")
    conversation = caller.create()
    answer = caller.api.get(f"/conversations/{conversation.json()['id']}")
    assert answer.content == conversation.content[: len(conversation.content) // 2]
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert caller.create().status_code == 200


def test_garbage_is_neither_json_nor_text(caller):
    caller.plan(action="garbage")
    answer = caller.create()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(ValueError):
        json.loads(answer.content)
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()


def test_an_answer_drips_byte_by_byte(caller):
    caller.plan(operation="conversations.list", action="drip", delay=0.1)
    expected = {"object": "list", "data": [], "has_more": False}
    started = time.perf_counter()
    with caller.api.stream("GET", "/conversations") as answer:
        chunks = list(answer.iter_raw())
    assert time.perf_counter() - started >= 0.08
    assert len(chunks) > len(b"".join(chunks)) / 2, "it came in one piece"
    assert json.loads(b"".join(chunks)) == expected
    assert caller.exchanges()[-1]["response"] == expected


def test_actions_work_upon_an_answer_in_the_place_of_the_real_one(caller):
    caller.plan(action="truncate", status=502, body="0123456789")
    answer = caller.create()
    assert (answer.status_code, answer.text) == (502, "01234")
    caller.plan(action="drip", status=503, delay=0.02)
    assert caller.create().json()["error"]["code"] == 503
    assert caller.stored() == 0


def test_a_patch_drops_a_field_and_gives_another_type_and_adds_an_unknown_kind(caller):
    conversation = caller.api.post("/conversations", json={"items": [MESSAGE]}).json()["id"]
    path = f"/conversations/{conversation}"
    caller.plan(operation="conversations.retrieve", patch=[{"op": "remove", "path": "/metadata"}])
    caller.plan(operation="conversations.retrieve", patch=[{"op": "replace", "path": "/created_at", "value": "then"}])
    assert "metadata" not in caller.api.get(path).json()
    assert caller.api.get(path).json()["created_at"] == "then"
    new = {"type": "hologram_call", "id": "holo_1"}
    caller.plan(
        operation="conversations.items.list",
        patch=[
            {"op": "add", "path": "/data/-", "value": new},
            {"op": "replace", "path": "/data/1/id", "value": "holo_2"},
        ],
        times=2,
    )
    for _ in range(2):
        page = caller.api.get(f"{path}/items").json()
        assert [item["type"] for item in page["data"]] == ["message", "hologram_call"]
        assert page["data"][1]["id"] == "holo_2"
    assert caller.planned()[-1]["patch"][0]["value"] == new
    assert len(caller.api.get(f"{path}/items").json()["data"]) == 1


def test_a_patch_changes_the_answer_alone(caller):
    caller.plan(patch=[{"op": "replace", "path": "/id", "value": "conv_other"}])
    assert caller.create().json()["id"] == "conv_other"
    assert caller.control.get("/state").json()["conversations"][0]["id"] != "conv_other"


def test_a_patch_of_what_is_no_json_is_passed_over(caller):
    caller.plan(status=500, body="no JSON", patch=[{"op": "remove", "path": "/id"}])
    assert caller.create().text == "no JSON"
    caller.plan(status=500, body={"id": 1, "a": 2}, patch=[{"op": "remove", "path": "/id"}])
    assert caller.create().json() == {"a": 2}


# Done all the same


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
def test_the_work_can_be_done_while_the_client_sees_a_failure(caller, fault, status):
    caller.plan(commit=True, **fault)
    assert caller.create().status_code == status
    assert caller.stored() == 1


@pytest.mark.parametrize("action", ["close", "reset"])
def test_the_work_can_be_done_before_the_connection_goes(caller, action):
    caller.plan(commit=True, action=action, status=503)
    with pytest.raises(httpx.RemoteProtocolError):
        caller.create()
    assert caller.stored() == 1


def test_a_committed_answer_without_a_status_keeps_that_of_the_handler(caller):
    caller.plan(commit=True, body={"error": "?"})
    answer = caller.api.get("/conversations/conv_nowhere")
    assert (answer.status_code, answer.json()) == (404, {"error": "?"})


# When


def test_a_fault_hits_once_or_so_many_times_or_without_end(caller):
    caller.plan(operation="conversations.create", status=503)
    caller.plan(operation="conversations.list", status=503, times=3)
    caller.plan(operation="conversations.retrieve", status=503, times=None)
    assert [caller.create().status_code for _ in range(2)] == [503, 200]
    assert statuses(caller, 5) == [503, 503, 503, 200, 200]
    assert statuses(caller, 12, "/conversations/conv_x") == [503] * 12
    assert [(one["times"], one["seen"], one["fired"]) for one in caller.planned()] == [
        (1, 2, 1),
        (3, 5, 3),
        (None, 12, 12),
    ]


def test_a_fault_waits_and_skips(caller):
    caller.plan(status=503, after=2, every=3, times=2)
    assert statuses(caller, 10) == [200, 200, 200, 200, 503, 200, 200, 503, 200, 200]


def test_faults_come_one_after_the_other(caller):
    caller.plan(status=503, times=2)
    caller.plan(status=500)
    caller.plan(status=502, after=1)
    assert statuses(caller, 6) == [503, 503, 500, 200, 502, 200]


def test_a_delay_and_an_answer_are_one(caller):
    caller.plan(delay=0.05, times=2)
    caller.plan(status=503)
    assert statuses(caller, 2) == [503, 200]
    first, second = caller.exchanges()
    delay = {"key": first["key"], "delay": 0.05, "times": 2}
    assert first["fault"] == {"faults": [delay, {"key": first["key"], "status": 503, "times": 1}]}
    assert second["fault"] == delay


def test_chance_repeats_with_its_seed(caller):
    seen = []
    for seed in (1, 1, 2):
        number = caller.plan(status=503, times=None, probability=0.5, seed=seed)
        seen.append(statuses(caller, 30))
        caller.control.delete("/faults", params={"id": number, "api_key": caller.key})
    first, again, other = seen
    assert first == again != other
    assert 5 < first.count(503) < 25


def test_a_fault_of_some_chance_still_counts_its_times(caller):
    caller.plan(status=503, times=2, probability=0.5)
    assert statuses(caller, 40).count(503) == 2


def test_a_fault_is_for_its_operation(caller):
    for operation in ("conversations.items.create", "conversations.list"):
        caller.plan(operation=operation, status=503, times=None)
    conversation = f"/conversations/{caller.create().json()['id']}"
    assert caller.api.post(f"{conversation}/items", json={"items": [MESSAGE]}).status_code == 503
    assert caller.api.get(f"{conversation}/items").status_code == 200
    assert caller.api.get("/conversations").status_code == 503
    assert caller.api.get(conversation).status_code == 200


def test_a_fault_is_for_its_key(caller):
    other = Caller(caller.server, "another-key")
    answer = httpx.post(f"{caller.server.url}/_mock/faults", json={"status": 503, "api_key": "another-key"})
    assert statuses(caller, 1) + statuses(other, 2) == [200, 503, 200]
    assert "another-key" not in answer.text
    assert len(answer.json()["key"]) == 12
    assert (len(caller.planned()), len(other.planned())) == (0, 1)
    other.close()


def test_every_operation_can_fail(caller):
    for operation in OPERATIONS:
        caller.plan(operation=operation.id, status=503)
        path = operation.path.removeprefix("/api/v1/llm")
        path = path.replace("{conversation_id}", "conv_1").replace("{item_id}", "msg_1")
        answers = [caller.api.request(operation.method, path, **valid(operation)) for _ in range(2)]
        assert answers[0].status_code == 503, operation.id
        assert answers[1].status_code in (200, 404), operation.id


def valid(operation):
    bodies = {
        "conversations.create": {},
        "conversations.update": {"metadata": {}},
        "conversations.items.create": {"items": [MESSAGE]},
        "conversations.items.deleteMany": {"item_ids": ["msg_1"]},
    }
    return {"json": bodies[operation.id]} if operation.id in bodies else {}


# Asked for by the request itself


def asking(caller, fault, **options):
    text = fault if isinstance(fault, str) else json.dumps(fault)
    return caller.create(headers={"X-Mock-Fault": text}, **options)


def test_a_request_can_ask_for_a_fault(caller):
    answer = asking(caller, {"status": 503, "headers": {"retry-after-ms": "5"}, "commit": True})
    assert (answer.status_code, answer.headers["retry-after-ms"]) == (503, "5")
    assert caller.stored() == 1
    assert caller.exchanges()[-1]["fault"] == {
        "status": 503,
        "headers": {"retry-after-ms": "5"},
        "commit": True,
        "times": 1,
    }
    assert caller.create().status_code == 200
    assert caller.planned() == []


def test_a_request_can_ask_for_no_answer(caller):
    with pytest.raises(httpx.RemoteProtocolError):
        asking(caller, {"action": "close"})
    with pytest.raises(httpx.ReadTimeout):
        asking(caller, {"action": "time_out"}, timeout=0.1)


def test_what_was_planned_comes_before_what_is_asked_for(caller):
    caller.plan(status=503)
    assert asking(caller, {"status": 500, "delay": 0.01}).status_code == 503
    assert asking(caller, {"status": 500}).status_code == 500


def test_faults_can_be_asked_for_in_several_headers(caller):
    headers = [("X-Mock-Fault", '{"delay": 0.05}'), ("X-Mock-Fault", '{"status": 503}')]
    started = time.perf_counter()
    assert caller.create(headers=headers).status_code == 503
    assert time.perf_counter() - started >= 0.04


@pytest.mark.parametrize(
    ("fault", "pointer", "message"),
    [
        ("", "", "is not JSON: Expecting value (line 1, column 1)"),
        ("status=503", "", "is not JSON: Expecting value (line 1, column 1)"),
        ('{"status": 503, "status": 500}', "/status", "is there twice"),
        ("503", "", "must be an object, not 503"),
        ("[]", "", "must be an object, not an empty array"),
        ("{}", "", "must have at least 1 field, has 0"),
        ({"stats": 503}, "/stats", "is not a field of this object"),
        ({"status": "503"}, "/status", "must be an integer, not '503'"),
        ({"status": 600}, "/status", "must be at most 599, not 600"),
        ({"status": 100}, "/status", "must be at least 200, not 100"),
        ({"action": "timeout"}, "/action", "must be 'time_out', 'close', 'reset', 'truncate', 'garbage' or 'drip'"),
        ({"delay": -1}, "/delay", "must be at least 0, not -1"),
        ({"headers": {"a b": "c"}}, "/headers/a b", "the name must match"),
        ({"headers": {"a": "b\nc"}}, "/headers/a", "must match"),
        ({"headers": {"content-Length": "5"}}, "/headers/content-Length", "is the server's own"),
        ({"headers": {"Transfer-Encoding": "x"}}, "/headers/Transfer-Encoding", "is the server's own"),
        ({"patch": [{"op": "move", "path": "/a"}]}, "/patch/0/op", "must be 'add', 'remove' or 'replace'"),
        ({"patch": [{"op": "add", "path": "/a"}]}, "/patch/0/value", "is required"),
        ({"patch": [{"op": "remove", "path": "a"}]}, "/patch/0/path", "must match"),
        ({"patch": [{"op": "remove", "path": "/~2"}]}, "/patch/0/path", "must match"),
        ({"status": 503, "body": None}, "/body", "must be a string, a number, a boolean, an array or an object"),
        ({"commit": True}, "", "must say what goes wrong: status, body, headers, patch, delay or action"),
        ({"delay": 0}, "", "must say what goes wrong: status, body, headers, patch, delay or action"),
        ({"status": 503, "times": 2}, "/times", "is for planned faults; this header is for its request alone"),
        ({"status": 503, "probability": 0.5}, "/probability", "is for planned faults"),
        ({"status": 503, "api_key": "hush"}, "/api_key", "is for planned faults"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_uses_up_nothing(caller, fault, pointer, message):
    number = caller.plan(status=503)
    answer = asking(caller, fault)
    assert answer.status_code == 400
    first = answer.json()["error"]["findings"][0]
    assert (first["in"], first["pointer"]) == ("header", f"/X-Mock-Fault{pointer}")
    assert first["message"].startswith(message)
    assert caller.stored() == 0
    (planned,) = caller.planned()
    assert (planned["id"], planned["seen"], planned["fired"]) == (number, 0, 0)
    (exchange,) = caller.exchanges()
    assert exchange["findings"][0] == {"side": "request", **first}
    assert "hush" not in json.dumps(exchange)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_can_refuse_such_a_header(caller, operation):
    path = operation.path.replace("{conversation_id}", "conv_1").replace("{item_id}", "msg_1")
    headers = {"X-Mock-Fault": "nonsense"}
    answer = caller.api.request(operation.method, f"{caller.server.url}{path}", headers=headers, **valid(operation))
    assert answer.status_code == 400


# Who else has a say


def test_a_request_that_is_refused_uses_up_no_fault(server):
    """401, 404, 405, 413, 415, 400 and 429 come first."""
    with run_server(create_app(Settings(api_keys=(KEY,), max_body=100, rate_limits=("4/d",)))) as strict:
        caller = Caller(strict)
        caller.plan(status=503, times=None)
        refused = [
            caller.create(headers={"Authorization": "Bearer wrong"}),
            caller.api.get("/nowhere"),
            caller.api.put("/conversations"),
            caller.api.post("/conversations", json={"metadata": {"a": "b" * 100}}),
            caller.api.post("/conversations", content="{}", headers={"Content-Type": "text/plain"}),
            caller.api.get("/conversations?limit=0"),
        ]
        assert [answer.status_code for answer in refused] == [401, 404, 405, 413, 415, 400]
        assert caller.planned()[0]["seen"] == 0
        assert [caller.create().status_code for _ in range(2)] == [503, 429]
        assert caller.planned()[0]["seen"] == 1
        caller.close()


def test_the_guard_notes_a_fault_that_breaks_the_document_and_lets_it_pass(caller):
    caller.plan(patch=[{"op": "replace", "path": "/created_at", "value": "then"}])
    answer = caller.create()
    assert (answer.status_code, answer.json()["created_at"]) == (200, "then")
    (exchange,) = caller.exchanges()
    assert exchange["findings"] == []
    assert exchange["notes"] == [
        {
            "side": "response",
            "in": "body",
            "pointer": "/created_at",
            "code": "type",
            "message": "must be a number, not 'then'",
        }
    ]


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ({"status": 418}, ("status", "")),
        ({"status": 500, "body": "oops"}, ("header", "/Content-Type")),
        ({"action": "garbage"}, ("body", "")),
        ({"action": "truncate"}, ("body", "")),
        ({"headers": {"Content-Type": "text/html"}}, ("header", "/Content-Type")),
        ({"status": 404, "body": {}}, ("body", "/error")),
    ],
)
def test_the_note_says_what_the_document_does_not_allow(caller, fault, where):
    caller.plan(**fault)
    assert caller.create().status_code == fault.get("status", 200)
    ((note,),) = [exchange["notes"] for exchange in caller.exchanges()]
    assert (note["side"], note["in"], note["pointer"]) == ("response", *where)


@pytest.mark.parametrize("fault", [None, {"delay": 0.001}, {"delay": 0.001, "commit": True}])
def test_an_answer_without_a_fault_or_with_a_delay_alone_is_checked_as_ever(monkeypatch, fault):
    broken = b'{"id": 5, "object": "conversation", "created_at": 0, "deleted_at": null}'
    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", lambda *_: broken)
    with run_server(create_app(Settings())) as server:
        caller = Caller(server)
        if fault:
            caller.plan(**fault)
        answer = caller.create()
        assert answer.status_code == 500
        assert "breaks the document: response body /id: must be a string, not 5" in answer.text
        (exchange,) = caller.exchanges()
        assert [finding["pointer"] for finding in exchange["findings"]] == ["/id"]
        assert exchange["status"] == 500
        caller.close()


def test_a_handler_that_fails_behind_a_fault_is_answered_for(caller, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", fail)
    caller.plan(status=503, commit=True)
    with caplog.at_level(logging.CRITICAL):
        assert caller.create().json()["error"]["message"] == (
            "conversations.create failed: ZeroDivisionError. See the log."
        )


# JSON Patch


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        # RFC 6902, appendix A
        ({"foo": "bar"}, [("add", "/baz", "qux")], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [("replace", "/baz", "boo")], {"baz": "boo", "foo": "bar"}),
        ({"foo": "bar"}, [("add", "/child", {"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": ["bar"]}, [("add", "/foo/-", ["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
        ({"/": 9, "~1": 10}, [("replace", "/~01", 11)], {"/": 9, "~1": 11}),
        ({"/": 9, "~1": 10}, [("replace", "/~1", 11)], {"/": 11, "~1": 10}),
        # What is not there is passed over
        ({"foo": "bar"}, [("add", "/baz/bat", "qux")], {"foo": "bar"}),
        ({"foo": "bar"}, [("remove", "/baz")], {"foo": "bar"}),
        ({"foo": "bar"}, [("replace", "/baz", 1)], {"foo": "bar"}),
        ({"foo": "bar"}, [("remove", "/foo/0")], {"foo": "bar"}),
        ({"foo": [1]}, [("add", "/foo/2", 2)], {"foo": [1]}),
        ({"foo": [1]}, [("add", "/foo/1", 2)], {"foo": [1, 2]}),
        ({"foo": [1]}, [("remove", "/foo/-"), ("replace", "/foo/-", 5)], {"foo": [1]}),
        ({"foo": [1, 2]}, [("remove", "/foo/01"), ("replace", "/foo/-1", 5), ("add", "/foo/1e0", 5)], {"foo": [1, 2]}),
        ({"foo": [1, 2]}, [("remove", "/foo/\N{ARABIC-INDIC DIGIT ONE}"), ("remove", "/foo/²")], {"foo": [1, 2]}),
        ([1], [("add", "/0/1", 2)], [1]),
        ("text", [("remove", "/0")], "text"),
        # Names that look like something else
        ({"": {"": 1}}, [("remove", "//")], {"": {}}),
        ({"0": "a", "-": "b"}, [("replace", "/0", "c"), ("remove", "/-")], {"0": "c"}),
        ({}, [("add", "/a", None), ("add", "/b", [])], {"a": None, "b": []}),
        # One after the other
        ({}, [("add", "/a", []), ("add", "/a/-", 1), ("add", "/a/0", 0)], {"a": [0, 1]}),
    ],
)
def test_a_patch_is_read_as_rfc_6902_has_it(document, operations, expected):
    operations = tuple(dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations)
    before = copy.deepcopy((document, operations))
    for _ in range(2):
        assert patched(document, operations) == expected
        assert (document, operations) == before, "what was handed in has changed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("a~/é", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "~", "/", "0", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)
TOKENS = st.sampled_from(["a", "b", "~0", "~1", "0", "1", "2", "3", "-", "", "~01"])


@st.composite
def patches(draw):
    operations = []
    for _ in range(draw(st.integers(1, 5))):
        path = "".join(f"/{token}" for token in draw(st.lists(TOKENS, min_size=1, max_size=3)))
        operation = {"op": draw(st.sampled_from(["add", "remove", "replace"])), "path": path}
        operations.append(operation if operation["op"] == "remove" else {**operation, "value": draw(JSON)})
    return tuple(operations)


def by_jsonpatch(document, operations):
    """What another implementation makes of it, one operation at a time, so that one that fails is passed over."""
    for operation in operations:
        with suppress(jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError):
            document = jsonpatch.apply_patch(document, [copy.deepcopy(operation)])
    return document


@settings(max_examples=400, deadline=None)
@given(document=JSON, operations=patches())
def test_a_patch_does_what_another_implementation_makes_of_it(document, operations):
    assert patched(document, operations) == by_jsonpatch(document, operations)


# The plan


@settings(max_examples=200, deadline=None)
@given(
    faults=st.lists(
        st.builds(
            Fault,
            operation=st.sampled_from([None, "a", "b"]),
            key=st.sampled_from([None, "k", "l"]),
            status=st.sampled_from([None, 500]),
            delay=st.just(1.0),
            times=st.none() | st.integers(1, 3),
            after=st.integers(0, 3),
            every=st.integers(1, 3),
            probability=st.sampled_from([0.5, 1.0]),
            seed=st.integers(0, 3),
        ),
        max_size=5,
    ),
    calls=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("klm")), max_size=40),
)
def test_the_counts_of_the_plan_add_up(faults, calls):
    plan = FaultPlan()
    numbers = [plan.add(fault).number for fault in faults]
    assert numbers == list(range(1, len(faults) + 1))
    hits = [plan.fire(operation, key) for operation, key in calls]
    for (operation, key), hit in zip(calls, hits, strict=True):
        assert sum(fault.answers for fault in hit) <= 1
        assert all(fault.operation in (None, operation) and fault.key in (None, key) for fault in hit)
    assert sum(map(len, hits)) == sum(planned.fired for planned in plan.planned())
    for planned in plan.planned():
        fault = planned.fault
        assert planned.fired <= (planned.seen if fault.times is None else min(planned.seen, fault.times))
        assert planned.fired <= max(0, planned.seen - fault.after) // fault.every
        assert (planned in plan.unfired()) == (
            fault.times is not None and fault.probability == 1 and planned.fired < fault.times
        )


def test_faults_are_dropped_one_by_one_or_for_a_key():
    plan = FaultPlan()
    mine, yours, ours = [plan.add(Fault(key=key, status=500)) for key in ("k", "l", None)]
    assert [plan.planned(), plan.planned("k"), len(plan)] == [[mine, yours, ours], [mine], 3]
    assert [plan.remove(yours.number, "k"), plan.remove(9), plan.remove(yours.number)] == [False, False, True]
    plan.clear("k")
    assert plan.planned() == [ours]
    assert plan.add(Fault(status=500)).number == 4
    plan.clear()
    assert len(plan) == 0
    assert plan.add(Fault(status=500)).number == 1
