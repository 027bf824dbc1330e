"""Webhooks of responses in the background: what is sent, signed, tried again, withheld and recorded."""

import hashlib
import hmac
import json
import socket
import time
from dataclasses import dataclass, field

import httpx
import pytest

from mockserver import Fake, Settings, UsageError, run_server
from mockserver.responses import webhooks
from tests.test_cli import run, serving

START = 1704067200
SECRET = "whsec-hush-hush"


@dataclass
class Receiver:
    """An application that receives webhooks, and responds with these statuses in turn, then with 200."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        target = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.requests.append((target, headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        location = [(b"location", b"/elsewhere")] if 300 <= status < 400 else []
        await send({"type": "http.response.start", "status": status, "headers": location})
        await send({"type": "http.response.body", "body": b"" if status == 204 else b"thanks"})

    def wait_for(self, count):
        deadline = time.monotonic() + 5
        while len(self.requests) < count:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return [json.loads(body) for _, _, body in self.requests]


@pytest.fixture(scope="module")
def receiving_server():
    receiver = Receiver()
    with run_server(receiver) as server:
        receiver.url = f"{server.url}/hook?team=1"
        yield receiver


@pytest.fixture
def receiver(receiving_server):
    receiving_server.requests.clear()
    receiving_server.statuses.clear()
    return receiving_server


@pytest.fixture
def connect(contract):
    """Return a client of a new fake whose clock stands still, with short pauses between tries."""
    clients = []

    def connect(**settings):
        fake = Fake(contract, Settings(**settings))
        fake.state.webhooks.retry_delays = (0.01, 0.01)
        server = run_server(fake)
        client = httpx.Client(base_url=server.__enter__().url, headers={"Authorization": "Bearer k"}, timeout=5)
        clients.append((client, server))
        client.put("/_mock/clock", json={"freeze": START})
        return client

    yield connect
    for client, server in clients:
        client.close()
        server.__exit__(None, None, None)


def plan(http, **reply):
    assert http.post("/_mock/replies", json=reply).status_code == 200


def start(http, url, **fields):
    body = {"model": "m", "input": "hi", "background": True, "webhook_url": url, **fields}
    response = http.post("/api/v1/llm/responses", json=body)
    assert response.status_code == 200, response.text
    return response.json()["id"]


def advance(http, seconds):
    assert http.put("/_mock/clock", json={"advance": seconds}).status_code == 200


def list_deliveries(http, count):
    """Return the deliveries, which must be so many; the request waits for them."""
    deliveries = http.get("/_mock/webhooks").json()["data"]
    assert len(deliveries) == count
    return deliveries


def test_each_change_of_the_status_is_sent(connect, receiver):
    http = connect(ids="sequential")
    plan(http, text="done", queued=5, delay=5)
    response_id = start(http, receiver.url)
    assert receiver.wait_for(1) == [
        {"id": f"evt_{1:032x}", "type": "response.queued", "created_at": START, "data": {"id": response_id}}
    ]
    advance(http, 5)
    receiver.wait_for(2)
    advance(http, 5)
    sent = receiver.wait_for(3)
    assert [(one["type"], one["created_at"] - START) for one in sent] == [
        ("response.queued", 0),
        ("response.in_progress", 5),
        ("response.completed", 10),
    ]
    assert len({one["id"] for one in sent}) == 3
    target, headers, _ = receiver.requests[0]
    assert (target, headers["content-type"]) == ("/hook?team=1", "application/json")
    assert "x-webhook-signature" not in headers


@pytest.mark.parametrize(
    ("reply", "last"),
    [({"failed": "No."}, "failed"), ({"text": "a", "incomplete": "content_filter"}, "incomplete")],
)
def test_the_end_of_a_response_is_named(connect, receiver, reply, last):
    http = connect()
    plan(http, **reply)
    start(http, receiver.url)
    advance(http, 0)
    assert [one["type"] for one in receiver.wait_for(3)] == [
        "response.queued",
        "response.in_progress",
        f"response.{last}",
    ]


def test_a_cancelled_response_is_not_announced(connect, receiver):
    http = connect()
    response_id = start(http, receiver.url)
    receiver.wait_for(1)
    http.post(f"/api/v1/llm/responses/{response_id}/cancel")
    start(http, receiver.url)
    assert [one["type"] for one in receiver.wait_for(2)] == ["response.queued"] * 2


def test_a_clock_that_runs_sends_them_without_a_reader(connect, receiver):
    http = connect()
    http.put("/_mock/clock", json={"resume": True})
    start(http, receiver.url)
    assert [one["type"] for one in receiver.wait_for(3)][-1] == "response.completed"


def test_a_secret_signs_the_body(connect, receiver):
    http = connect()
    start(http, receiver.url, webhook_secret=SECRET)
    receiver.wait_for(1)
    _, headers, body = receiver.requests[0]
    assert headers["x-webhook-signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_a_secret_is_nowhere_to_be_read(connect, receiver):
    http = connect()
    response_id = start(http, receiver.url, webhook_secret=SECRET)
    receiver.wait_for(1)
    invalid = {"model": "m", "webhook_secret": SECRET, "webhook_url": 1}
    assert http.post("/api/v1/llm/responses", json=invalid).status_code == 400
    assert http.post("/api/v1/llm/responses", json={"model": "m", "webhook_secret": SECRET}).status_code == 400
    broken = b'{"model": "m", "webhook_secret": "whsec-hush-hush'
    headers = {"Content-Type": "application/json"}
    assert http.post("/api/v1/llm/responses", content=broken, headers=headers).status_code == 400
    texts = [http.get(f"/_mock/{route}").text for route in ("requests", "webhooks", "state")]
    texts.append(http.get(f"/api/v1/llm/responses/{response_id}").text)
    assert "hush" not in "".join(texts)
    first = http.get("/_mock/requests").json()["data"][0]
    assert first["request"]["webhook_secret"] == "***"
    assert first["request"]["webhook_url"] == receiver.url


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([204], [204]), ([500], [500, 200]), ([302, 404], [302, 404, 200]), ([503, 503, 503], [503, 503, 503])],
)
def test_a_notification_is_tried_three_times(connect, receiver, statuses, expected):
    receiver.statuses[:] = statuses
    http = connect()
    start(http, receiver.url)
    deliveries = list_deliveries(http, len(expected))
    assert [one["status"] for one in deliveries] == expected
    assert [one["attempt"] for one in deliveries] == list(range(1, len(expected) + 1))
    assert len({json.dumps(one["request"]) for one in deliveries}) == 1
    assert {target for target, _, _ in receiver.requests} == {"/hook?team=1"}
    advance(http, 0)
    receiver.wait_for(len(expected) + 2)


def test_deliveries_are_recorded(connect, receiver):
    http = connect()
    body = {"model": "m", "background": True, "webhook_url": receiver.url}
    http.post("/api/v1/llm/responses", json=body, headers={"X-On-Behalf-Of": "ada"})
    (delivery,) = list_deliveries(http, 1)
    key = http.get("/_mock/requests").json()["data"][0]["key"]
    expected = {
        "url": receiver.url,
        "event": "response.queued",
        "attempt": 1,
        "status": 200,
        "error": None,
        "key": key,
        "end_user": "ada",
        "started_at": START,
    }
    assert delivery == delivery | expected
    assert delivery["request"]["type"] == "response.queued"
    assert http.get("/_mock/webhooks?api_key=other").json() == {"data": []}
    assert len(http.get("/_mock/webhooks?api_key=k").json()["data"]) == 1
    http.delete("/_mock/requests?api_key=k")
    assert http.get("/_mock/webhooks").json() == {"data": []}


def test_a_receiver_that_is_not_there_harms_nobody(connect):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        http = connect()
        response_id = start(http, url)
        assert [one["error"] for one in list_deliveries(http, 3)] == ["connection_failed"] * 3
    assert http.get(f"/api/v1/llm/responses/{response_id}").json()["status"] == "completed"


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000])
def test_a_receiver_that_does_not_speak_http_is_tried_again(connect, answer):
    http = connect()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        start(http, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        for _ in range(3):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()
    assert [one["error"] for one in list_deliveries(http, 3)] == ["connection_failed"] * 3


def test_a_receiver_that_never_responds_times_out(connect, monkeypatch):
    monkeypatch.setattr(webhooks, "_TIMEOUT", 0.02)
    http = connect()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start(http, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        assert [one["error"] for one in list_deliveries(http, 3)] == ["time_out"] * 3


def test_only_loopback_gets_webhooks(connect):
    http = connect()
    for host in ("192.0.2.1", "hooks.example.com", "127.0.0.1.example.com", "0.0.0.0", "[::ffff:192.0.2.1]"):
        http.post("/_mock/reset")
        start(http, f"http://{host}/hook")
        (delivery,) = list_deliveries(http, 1)
        assert (delivery["attempt"], delivery["status"], delivery["error"]) == (0, 0, "host_not_allowed")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "hooks.localhost", "LOCALHOST", "127.0.0.2"])
def test_every_name_of_loopback_is_allowed(connect, receiver, host):
    http = connect()
    start(http, receiver.url.replace("127.0.0.1", host))
    errors = {one["error"] for one in http.get("/_mock/webhooks").json()["data"]}
    assert errors <= {None, "connection_failed"}  # Nobody listens at 127.0.0.2.


@pytest.mark.parametrize("allowed", ["192.0.2.1", "*"])
def test_other_hosts_can_be_allowed(connect, monkeypatch, allowed):
    sent = []

    async def post(url, _headers, _content):
        sent.append(url)
        return 200

    monkeypatch.setattr(webhooks, "_load_post", lambda: post)  # Tests connect to loopback only.
    http = connect(webhook_hosts=(allowed,))
    start(http, "http://192.0.2.1/hook")
    assert list_deliveries(http, 1)[0]["status"] == 200
    assert sent == ["http://192.0.2.1/hook"]
    start(http, "http://192.0.2.2/hook")
    assert (list_deliveries(http, 2)[1]["error"] is None) == (allowed == "*")


def test_the_command_allows_hosts():
    with serving(MOCKSERVER_WEBHOOK_HOST="192.0.2.1, *", MOCKSERVER_LOG_FORMAT="none") as (_, url):
        assert httpx.get(url + "/_mock/webhooks").json() == {"data": []}
    for host in ("a b", "example.com:80"):
        result = run("serve", "--port", "0", "--webhook-host", host)
        assert (result.returncode, result.stdout) == (2, "")
        assert "webhook_hosts" in result.stderr


@pytest.mark.parametrize("host", ["", "a b", "example.com:80", "http://example.com", "**"])
def test_an_allowed_host_is_a_name(host):
    with pytest.raises(UsageError, match="webhook_hosts"):
        Settings(webhook_hosts=(host,))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "/hook",
        "ftp://127.0.0.1/",
        "http://",
        "http:///x",
        "http://127.0.0.1:x/",
        "http://a b/",
        "http://h\u00f6st/",
    ],
)
def test_another_url_is_rejected(connect, url):
    response = connect().post("/api/v1/llm/responses", json={"model": "m", "background": True, "webhook_url": url})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "webhook_url")


def test_a_url_with_a_password_is_rejected_without_being_shown(connect):
    body = {"model": "m", "background": True, "webhook_url": "http://ada:hush@127.0.0.1/"}
    response = connect().post("/api/v1/llm/responses", json=body)
    assert response.status_code == 400
    assert "hush" not in response.text


def test_a_reset_drops_what_was_not_sent(connect, receiver):
    receiver.statuses[:] = [500] * 100
    http = connect()
    for _ in range(3):
        start(http, receiver.url)
    http.post("/_mock/reset")
    sent = len(receiver.requests)
    http.put("/_mock/clock", json={"freeze": START})
    start(http, receiver.url)
    assert len(list_deliveries(http, 3)) == 3
    assert len(receiver.requests) <= sent + 3 + 3  # A try that was under way is not called back.


def test_the_queue_is_bounded(connect, receiver, monkeypatch):
    monkeypatch.setattr(webhooks, "_MAX_PENDING", 1)
    http = connect()
    for number in range(2):
        start(http, receiver.url)
        assert [one["error"] for one in list_deliveries(http, number + 1)] == [None] * (number + 1)
    monkeypatch.setattr(webhooks, "_MAX_PENDING", 0)
    start(http, receiver.url)
    assert list_deliveries(http, 3)[-1]["error"] == "queue_full"
    assert len(receiver.requests) == 2
