"""`--mka1-url`: the same tests against a fake that runs elsewhere, and against a real gateway."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections import Counter

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.testing.http_client import send_request

KEY = "key-that-nobody-may-see"


@contextlib.contextmanager
def run_gateway(middleware=None):
    """Run a server without a control API."""
    app = create_app(Settings(control=False, api_keys=(f"{KEY}=acme",)))
    with run_server(middleware(app) if middleware else app) as server:
        yield server


def list_conversations(server, end_user=None):
    headers = {"Authorization": f"Bearer {KEY}"} | ({"X-On-Behalf-Of": end_user} if end_user else {})
    return httpx.get(f"{server.api_url}/conversations", headers=headers).json()["data"]


FAKE_TESTS = """
def test_address(mka1):
    assert mka1.url == URL and mka1.end_user is None and mka1.is_fake
    assert mka1.api_key.startswith("test-") and os.environ["MKA1_API_KEY"] == mka1.api_key
    with open("keys", "a") as keys:
        keys.write(mka1.api_key + "\\n")
    call(mka1, json={})
    assert len(mka1.requests) == 1

test_address_of_another = test_address

@pytest.mark.mka1(seed="support-thread", now=1704067200)
def test_seed_and_time(mka1):
    assert [one["id"] for one in call(mka1, "GET").json()["data"]] == ["conv_support"]
    assert call(mka1, json={}).json()["created_at"] == 1704067200
    assert len(mka1.state.snapshot()["conversations"]) == 2

def test_fault(mka1):
    mka1.faults.server_error("conversations.create", status=503)
    assert [call(mka1, json={}).status_code for _ in range(2)] == [503, 200]

def test_fault_that_never_fires(mka1):
    mka1.faults.garbage("conversations.create")

@pytest.mark.mka1(strict=True)
def test_strict(mka1):
    call(mka1, json=[])

@pytest.mark.mka1(seed=["support-thread", "nothing"])
def test_wrong_seed(mka1): ...

@pytest.mark.mka1(ids="sequential", rate_limit="1/s")
def test_of_its_own(mka1): ...
"""


def test_a_fake_elsewhere(run, pytester):
    with run_server(create_app(Settings())) as server:
        text = f"URL = {server.url!r}\n{FAKE_TESTS}"
        result = run(text, "--mka1-url", f"{server.api_url}/", "-rs", "--mka1-coverage")
        left = httpx.get(f"{server.url}/_mock/state").json()
        requests = httpx.get(f"{server.url}/_mock/requests").json()["data"]
        faults = httpx.get(f"{server.url}/_mock/faults").json()["data"]
    assert result.outcomes == {
        "test_address": "passed",
        "test_address_of_another": "passed",
        "test_seed_and_time": "passed",
        "test_fault": "passed",
        "test_fault_that_never_fires": "failed",
        "test_strict": "failed",
        "test_wrong_seed": "failed in setup",
        "test_of_its_own": "skipped in setup",
    }
    assert result.texts["test_of_its_own"] == (
        "Skipped: needs a fake of its own: ids, rate_limit cannot be set for the server under test"
    )
    assert result.texts["test_fault_that_never_fires"].startswith(
        "A planned fault never fired: conversations.create: garbage, fired 0 of 1 time, 0 requests seen."
    )
    assert '-H "Authorization: Bearer $MKA1_API_KEY"' in result.texts["test_strict"]
    assert "To reproduce:\n    curl -X POST http://127.0.0.1:PORT/api" in result.texts["test_strict"]
    assert len(set(pytester.path.joinpath("keys").read_text().split())) == 2
    assert (left, requests, faults) == ({"conversations": [], "responses": []}, [], [])
    assert "conversations.create: 200 x4, 400 x1, 503 x1" in result.output


def test_a_proxy_gets_no_request_to_this_machine(run, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    text = "def test_it(mka1):\n    assert call(mka1, json={}).status_code == 200 and len(mka1.requests) == 1\n"
    with run_server(create_app(Settings())) as server:
        assert run(text, "--mka1-url", server.url).texts == {}
    assert run(text).texts == {}


BUSY = """
import time

@pytest.mark.parametrize("number", range(15))
def test_alone(mka1, number):
    mka1.faults.server_error("conversations.create", status=503)
    mka1.clock.freeze(number)
    assert call(mka1, json={}).status_code == 503
    made = call(mka1, json={"metadata": {"number": str(number)}}).json()
    time.sleep(0.02)
    assert [one["id"] for one in call(mka1, "GET").json()["data"]] == [made["id"]]
    assert made["created_at"] == number and mka1.clock.now() == number
    assert [one.status for one in mka1.requests] == [503, 200, 200]
    assert len(mka1.faults.planned) == 1 and len(mka1.state.snapshot()["conversations"]) == 1
"""


def test_two_runs_at_once_do_not_disturb_each_other(run):
    with run_server(create_app(Settings())) as server:
        result = run(BUSY, "--mka1-url", server.url, "-n", "2", "-q", separately=True)
        assert "15 passed" in result.output, result.output
        assert httpx.get(f"{server.url}/_mock/state").json() == {"conversations": [], "responses": []}


def test_a_fake_that_accepts_only_its_keys(run, monkeypatch):
    text = "def test_it(mka1):\n    assert call(mka1, json={}).status_code == 200 and len(mka1.requests) == 1\n"
    with run_server(create_app(Settings(api_keys=(KEY,)))) as server:
        arguments = ("--mka1-url", server.url, "--mka1-api-key-env", "THE_KEY")
        rejected = run(text, *arguments)
        assert rejected.texts == {
            "test_it": "mka1: http://127.0.0.1:PORT is a fake that accepts only the keys it was started with, "
            "so it needs an API key; set the variable THE_KEY to one"
        }
        monkeypatch.setenv("THE_KEY", KEY)
        assert run(text * 2, *arguments).outcomes == {"test_it": "passed"}
        assert httpx.get(f"{server.url}/_mock/state").json() == {"conversations": [], "responses": []}


def test_a_fake_with_a_control_token(run, monkeypatch):
    text = "def test_it(mka1):\n    assert call(mka1, json={}).status_code == 200 and len(mka1.requests) == 1\n"
    with run_server(create_app(Settings(control_token=KEY))) as server:
        rejected = run(text, "--mka1-url", server.url)
        assert rejected.texts == {
            "test_it": "mka1: http://127.0.0.1:PORT is a fake with a control token; "
            "set the variable MOCKSERVER_CONTROL_TOKEN to it"
        }
        monkeypatch.setenv("MOCKSERVER_CONTROL_TOKEN", KEY)
        assert run(text, "--mka1-url", server.url).outcomes == {"test_it": "passed"}


GATEWAY_TESTS = """
def note(mka1):
    with open("end_users", "a") as end_users:
        end_users.write(mka1.end_user + "\\n")

def test_address(mka1):
    note(mka1)
    assert mka1.url == URL and mka1.api_url == URL + "/api/v1/llm" and not mka1.is_fake
    assert mka1.api_key == os.environ["OPENAI_API_KEY"] == os.environ["MKA1_API_KEY"]
    assert mka1.headers["X-On-Behalf-Of"] == mka1.end_user

def test_sixty_conversations(mka1):
    note(mka1)
    with httpx.Client(base_url=mka1.api_url, headers=mka1.headers) as client:
        for _ in range(60):
            assert client.post("/conversations", json={}).status_code == 200
    assert len(call(mka1, "GET", "/conversations?limit=50").json()["data"]) == 50

def test_alone(mka1):
    note(mka1)
    assert call(mka1, "GET").json()["data"] == []
    call(mka1, json={})

def test_failed(mka1):
    note(mka1)
    call(mka1, json={})
    raise ZeroDivisionError

@pytest.mark.mka1(strict=True)
def test_strict_has_no_effect(mka1):
    assert call(mka1, json=[]).status_code == 400

def test_faults(mka1):
    note(mka1)
    call(mka1, json={})
    mka1.faults.garbage()

def test_requests(mka1):
    mka1.requests.assert_called("conversations.create")

def test_clock(mka1):
    mka1.clock.freeze()

def test_state(mka1):
    mka1.state.snapshot()

def test_seed(mka1):
    mka1.seed("support-thread")

def test_reset(mka1):
    mka1.reset()

def test_coverage(mka1):
    mka1.coverage()

@pytest.mark.mka1(seed="support-thread", ids="sequential")
def test_marked(mka1): ...

@pytest.mark.mka1(sed="support-thread")
def test_wrongly_marked(mka1): ...
"""


def test_a_real_gateway(run, pytester, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with run_gateway() as server:
        own = httpx.post(f"{server.api_url}/conversations", json={}, headers={"Authorization": f"Bearer {KEY}"})
        text = f"URL = {server.url!r}\n{GATEWAY_TESTS}"
        result = run(text, "--mka1-url", server.api_url, "-rs", "-v", "--showlocals", "--mka1-coverage")
        end_users = pytester.path.joinpath("end_users").read_text().split()
        assert len(set(end_users)) == 5
        assert [found for end_user in end_users for found in list_conversations(server, end_user)] == []
        assert [one["id"] for one in list_conversations(server)] == [own.json()["id"]]
    texts = {name.removeprefix("test_"): text for name, text in result.texts.items()}
    assert "ZeroDivisionError" in texts.pop("failed")
    assert texts == {
        **{
            member: f"Skipped: mka1.{member} needs a fake; the server under test has no control API"
            for member in ("faults", "requests", "clock", "state", "seed", "reset", "coverage")
        },
        "marked": "Skipped: needs a fake: seed, ids cannot be set for the server under test",
        "wrongly_marked": "mka1: the marker mka1 has no keyword 'sed'; did you mean 'seed'?",
    }
    assert Counter(result.outcomes.values())["passed"] == 4
    assert "no test used a fake" in result.output
    assert KEY not in result.output


def hang_up(listener):
    """Read one request, then close the connection without a response."""
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.close()


TWO_TESTS = "def test_it(mka1): ...\ndef test_other(mka1): ..."


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:CLOSED", "http://127.0.0.1:PORT/_mock/health: no response: [Errno 111] Connection refused"),
        ("http://127.0.0.1:SILENT", "http://127.0.0.1:PORT/_mock/health: no response: Remote end closed connection"),
        ("gateway", "--mka1-url must be an http or https URL"),
        ("file:///etc/passwd", "--mka1-url must be an http or https URL"),
        ("http://a:b@c", "--mka1-url must be an http or https URL without user"),
        ("http://127.0.0.1:GATEWAY", "http://127.0.0.1:PORT rejects the API key in the variable MKA1_API_KEY (401)"),
        (
            "http://127.0.0.1:GATEWAY/elsewhere",
            "http://127.0.0.1:PORT/elsewhere/api/v1/llm/conversations returned status 404; is this an MKA1 API?",
        ),
    ],
)
def test_an_unusable_url_fails_in_one_line(run, monkeypatch, url, text):
    monkeypatch.setenv("MKA1_API_KEY", "another-" + KEY)
    with socket.create_server(("127.0.0.1", 0)) as silent, run_gateway() as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        threading.Thread(target=hang_up, args=[silent], daemon=True).start()
        ports = {"CLOSED": closed.getsockname()[1], "SILENT": silent.getsockname()[1]}
        ports["GATEWAY"] = int(server.url.rpartition(":")[2])
        url = re.sub("[A-Z]{6,}", lambda found: str(ports[found[0]]), url)
        result = run(TWO_TESTS, "--mka1-url", url, "--showlocals")
    assert result.texts.keys() == {"test_it", "test_other"}
    for failure in result.texts.values():
        assert failure.startswith(f"mka1: {text}")
        assert "\n" not in failure
    assert "Traceback" not in result.output
    assert len(result.output.splitlines()) < 25
    assert KEY not in result.output


@pytest.mark.parametrize("variable", ["MKA1_API_KEY", "THE_KEY"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key_fails_with_the_name_of_its_variable(run, monkeypatch, variable, value):
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    with run_gateway() as server:
        result = run("def test_it(mka1): ...", "--mka1-url", server.url, "--mka1-api-key-env", variable)
    assert result.texts == {
        "test_it": "mka1: http://127.0.0.1:PORT is not a fake, so it needs an API key; "
        f"set the variable {variable} to one"
    }


def reject(method, *statuses, repeat_last=False):
    """Return middleware that gives these responses to requests of a method, one after the other."""

    def wrap(app):
        left = list(statuses)

        async def respond(scope, receive, send):
            if scope["type"] == "http" and scope["method"] == method and scope["query_string"] != b"limit=1" and left:
                status = left[0] if repeat_last and len(left) == 1 else left.pop(0)
                headers = [(b"content-type", b"application/json"), (b"retry-after", b"0")]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b"{}"})
            else:
                await app(scope, receive, send)

        return respond

    return wrap


CREATE_TWO = "def test_it(mka1):\n    call(mka1, json={})\n    call(mka1, json={})\n"
NOT_DELETED = r"These conversations could not be deleted: conv_\w+, conv_\w+"


@pytest.mark.parametrize(
    ("middleware", "text"),
    [
        (reject("DELETE", 429, 503), None),
        (reject("GET", 500, 502), None),
        (reject("DELETE", 403, repeat_last=True), NOT_DELETED),
        (reject("DELETE", 429, repeat_last=True), NOT_DELETED),
        (reject("GET", 200, repeat_last=True), r"mka1: the conversations of test-\w+ cannot be listed, .* status 200"),
    ],
    ids=["busy on deleting", "busy on listing", "forbidden", "busy without end", "another API"],
)
def test_conversations_that_cannot_be_deleted_fail_the_test(run, monkeypatch, middleware, text):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with run_gateway(middleware) as server:
        result = run(CREATE_TWO, "--mka1-url", server.url)
    if text is None:
        assert result.outcomes == {"test_it": "passed"}
    else:
        assert result.outcomes == {"test_it": "failed in teardown"}
        assert re.fullmatch(text, result.texts["test_it"]), result.texts
    assert KEY not in result.output


def test_a_request_without_response_shows_neither_query_nor_cause():
    from mockserver import UsageError

    with pytest.raises(UsageError) as caught:
        send_request("http://127.0.0.1:1/_mock/state?api_key=" + KEY, "GET")
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_fake_that_stops_fails_in_one_line(run):
    text = """
import signal
def test_it(mka1):
    os.kill(PID, signal.SIGKILL)
    mka1.requests.one()

def test_other(mka1): ...
"""
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        result = run(text.replace("PID", json.dumps(process.pid)), "--mka1-url", url)
    assert f"UsageError: {url}/_mock/requests: no response: " in result.output
    assert result.texts["test_other"].startswith("mka1: http://127.0.0.1:PORT/_mock/")
    assert "urllib" not in result.output
