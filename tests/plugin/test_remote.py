"""`--mka1-url`: the same tests against a fake elsewhere, and against a server that is no fake."""

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
from mockserver.testing.control_client import fetched

KEY = "key-that-nobody-may-see"


@contextlib.contextmanager
def gateway(layer=None, **settings):
    """Something that cannot be steered; with `layer`, in front of it."""
    app = create_app(Settings(control=False, api_keys=(f"{KEY}=acme",), **settings))
    with run_server(layer(app) if layer else app) as server:
        yield server


def conversations(server, end_user=None):
    headers = {"Authorization": f"Bearer {KEY}"} | ({"X-On-Behalf-Of": end_user} if end_user else {})
    return httpx.get(f"{server.api_url}/conversations", headers=headers).json()["data"]


STEERED = """
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
        text = f"URL = {server.url!r}\n{STEERED}"
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
    assert result.told["test_of_its_own"] == (
        "Skipped: needs a fake of its own: ids, rate_limit cannot be set for the server under test"
    )
    assert result.told["test_fault_that_never_fires"].startswith(
        "A planned fault never fired: conversations.create: garbage, fired 0 of 1 time, 0 requests seen."
    )
    assert '-H "Authorization: Bearer $MKA1_API_KEY"' in result.told["test_strict"]
    assert "To repeat it:\n    curl -X POST http://127.0.0.1:PORT/api" in result.told["test_strict"]
    assert len(set(pytester.path.joinpath("keys").read_text().split())) == 2
    assert (left, requests, faults) == ({"conversations": []}, [], [])
    assert "conversations.create: 200 x4, 400 x1, 503 x1" in result.output


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
        assert httpx.get(f"{server.url}/_mock/state").json() == {"conversations": []}


def test_a_fake_that_lets_in_only_its_keys(run, monkeypatch):
    text = "def test_it(mka1):\n    assert call(mka1, json={}).status_code == 200 and len(mka1.requests) == 1\n"
    with run_server(create_app(Settings(api_keys=(KEY,)))) as server:
        arguments = ("--mka1-url", server.url, "--mka1-api-key-env", "THE_KEY")
        refused = run(text, *arguments)
        assert refused.told == {
            "test_it": "mka1: http://127.0.0.1:PORT is a fake that lets in only the keys that it knows, "
            "so it needs an API key: put it into the variable THE_KEY"
        }
        monkeypatch.setenv("THE_KEY", KEY)
        assert run(text * 2, *arguments).outcomes == {"test_it": "passed"}
        assert httpx.get(f"{server.url}/_mock/state").json() == {"conversations": []}


def test_a_fake_with_a_control_token(run, monkeypatch):
    text = "def test_it(mka1):\n    assert call(mka1, json={}).status_code == 200 and len(mka1.requests) == 1\n"
    with run_server(create_app(Settings(control_token=KEY))) as server:
        refused = run(text, "--mka1-url", server.url)
        assert refused.told == {
            "test_it": "mka1: http://127.0.0.1:PORT is a fake that is steered with a token: put it into the variable "
            "MOCKSERVER_CONTROL_TOKEN"
        }
        monkeypatch.setenv("MOCKSERVER_CONTROL_TOKEN", KEY)
        assert run(text, "--mka1-url", server.url).outcomes == {"test_it": "passed"}


UNSTEERED = """
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
def test_strict_is_not_looked_at(mka1):
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


def test_a_server_that_cannot_be_steered(run, pytester, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with gateway() as server:
        own = httpx.post(f"{server.api_url}/conversations", json={}, headers={"Authorization": f"Bearer {KEY}"})
        text = f"URL = {server.url!r}\n{UNSTEERED}"
        result = run(text, "--mka1-url", server.api_url, "-rs", "-v", "--showlocals", "--mka1-coverage")
        end_users = pytester.path.joinpath("end_users").read_text().split()
        assert len(set(end_users)) == 5
        assert [found for end_user in end_users for found in conversations(server, end_user)] == []
        assert [one["id"] for one in conversations(server)] == [own.json()["id"]]
    told = {name.removeprefix("test_"): text for name, text in result.told.items()}
    assert "ZeroDivisionError" in told.pop("failed")
    assert told == {
        "faults": "Skipped: mka1.faults needs a fake; the server under test cannot be steered",
        "requests": "Skipped: mka1.requests needs a fake; the server under test cannot be steered",
        "clock": "Skipped: mka1.clock needs a fake; the server under test cannot be steered",
        "state": "Skipped: mka1.state needs a fake; the server under test cannot be steered",
        "seed": "Skipped: mka1.seed needs a fake; the server under test cannot be steered",
        "reset": "Skipped: mka1.reset needs a fake; the server under test cannot be steered",
        "coverage": "Skipped: mka1.coverage needs a fake; the server under test cannot be steered",
        "marked": "Skipped: needs a fake: seed, ids cannot be set for the server under test",
        "wrongly_marked": "mka1: the marker mka1 does not take 'sed'; did you mean 'seed'?",
    }
    assert Counter(result.outcomes.values())["passed"] == 4
    assert "no test has used a fake" in result.output
    assert KEY not in result.output


def hang_up(listener):
    """Take one request and say nothing."""
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.close()


WRONG = "def test_it(mka1): ...\ndef test_other(mka1): ..."


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "http://127.0.0.1:CLOSED",
            "http://127.0.0.1:PORT/_mock/health does not answer: [Errno 111] Connection refused",
        ),
        (
            "http://127.0.0.1:SILENT",
            "http://127.0.0.1:PORT/_mock/health does not answer: Remote end closed connection without response",
        ),
        ("gateway", "--mka1-url must be such as https://gateway.example.com, with no user, query or fragment"),
        (
            "file:///etc/passwd",
            "--mka1-url must be such as https://gateway.example.com, with no user, query or fragment",
        ),
        ("http://a:b@c", "--mka1-url must be such as https://gateway.example.com, with no user, query or fragment"),
        ("http://127.0.0.1:GATEWAY", "http://127.0.0.1:PORT refuses the API key in the variable MKA1_API_KEY (401)"),
        (
            "http://127.0.0.1:GATEWAY/elsewhere",
            "http://127.0.0.1:PORT/elsewhere/api/v1/llm/conversations answers 404: is this an MKA1 API?",
        ),
    ],
)
def test_a_url_of_no_use_is_told_in_one_line(run, monkeypatch, url, told):
    monkeypatch.setenv("MKA1_API_KEY", "another-" + KEY)
    with socket.create_server(("127.0.0.1", 0)) as silent, gateway() as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        threading.Thread(target=hang_up, args=[silent], daemon=True).start()
        ports = {"CLOSED": closed.getsockname()[1], "SILENT": silent.getsockname()[1]}
        ports["GATEWAY"] = int(server.url.rpartition(":")[2])
        url = re.sub("[A-Z]{6,}", lambda found: str(ports[found[0]]), url)
        result = run(WRONG, "--mka1-url", url, "--showlocals")
    assert result.told == {"test_it": f"mka1: {told}", "test_other": f"mka1: {told}"}
    assert "Traceback" not in result.output
    assert len(result.output.splitlines()) < 25
    assert KEY not in result.output


@pytest.mark.parametrize("variable", ["MKA1_API_KEY", "THE_KEY"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_key_that_is_missing_is_told_with_its_variable(run, monkeypatch, variable, value):
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    with gateway() as server:
        result = run("def test_it(mka1): ...", "--mka1-url", server.url, "--mka1-api-key-env", variable)
    assert result.told == {
        "test_it": "mka1: http://127.0.0.1:PORT is no fake, so it needs an API key: "
        f"put it into the variable {variable}"
    }


def refusing(method, *statuses, lasting=False):
    """A layer that answers some requests of a method so, one after the other; `lasting`: then all like the last."""

    def layer(app):
        left = list(statuses)

        async def answer(scope, receive, send):
            if scope["type"] == "http" and scope["method"] == method and scope["query_string"] != b"limit=1" and left:
                status = left[0] if lasting and len(left) == 1 else left.pop(0)
                headers = [(b"content-type", b"application/json"), (b"retry-after", b"0.01")]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b"{}"})
            else:
                await app(scope, receive, send)

        return answer

    return layer


LITTER = "def test_it(mka1):\n    call(mka1, json={})\n    call(mka1, json={})\n"


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (refusing("DELETE", 429, 503), None),
        (refusing("GET", 500, 502), None),
        (refusing("DELETE", 403, lasting=True), r"These conversations could not be deleted: conv_\w+, conv_\w+"),
        (refusing("DELETE", 429, lasting=True), r"These conversations could not be deleted: conv_\w+, conv_\w+"),
        (
            refusing("GET", 200, lasting=True),
            r"mka1: the conversations of test-\w+ cannot be listed, so they cannot be deleted: "
            r"http://127.0.0.1:PORT/api/v1/llm/conversations answers 200",
        ),
    ],
    ids=["busy on deleting", "busy on listing", "forbidden", "busy without end", "another API"],
)
def test_what_cannot_be_deleted_is_told(run, monkeypatch, layer, told):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with gateway(layer) as server:
        result = run(LITTER, "--mka1-url", server.url)
    if told is None:
        assert result.outcomes == {"test_it": "passed"}
    else:
        assert result.outcomes == {"test_it": "failed in teardown"}
        assert re.fullmatch(told, result.told["test_it"]), result.told
    assert KEY not in result.output


def test_a_request_in_vain_shows_neither_query_nor_cause():
    from mockserver import UsageError

    with pytest.raises(UsageError) as caught:
        fetched("http://127.0.0.1:1/_mock/state?api_key=" + KEY, "GET")
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_fake_that_goes_away_is_told_in_one_line(run):
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
    assert f"UsageError: {url}/_mock/requests does not answer: " in result.output
    assert result.told["test_other"].startswith("mka1: http://127.0.0.1:PORT/_mock/")
    assert "urllib" not in result.output
