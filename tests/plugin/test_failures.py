"""Why and with which text the plugin fails a test."""

import json
import re
import subprocess
from unittest.mock import ANY

import pytest

from mockserver import Settings, create_app, run_server
from mockserver.testing.expected_call import find_differences

VIOLATIONS = """
import mockserver.resources.conversations as conversations

def break_responses(monkeypatch):
    right = conversations.conversation_json
    monkeypatch.setattr(conversations, "conversation_json", lambda *of: right(*of).replace(b'"conversation"', b"1"))

def test_no_call_for_a_fault(mka1):
    mka1.faults.rate_limited("conversations.items.create", times=2)
    call(mka1, json={})

def test_too_few_calls_for_two_faults(mka1):
    mka1.faults.closed("conversations.create", times=2)
    mka1.faults.wrong_content_type("conversations.list", after=1)
    with pytest.raises(httpx.HTTPError):
        call(mka1, json={})
    call(mka1, "GET")

def test_no_call_for_a_fault_of_any_operation(mka1):
    mka1.faults.delayed(seconds=1)

def test_faults_that_need_not_fire(mka1):
    mka1.faults.server_error("conversations.create", times=None)
    mka1.faults.garbage("conversations.create", probability=0.01)

def test_cleared_fault(mka1):
    mka1.faults.garbage("conversations.create")
    mka1.faults.clear()

def test_fault_that_changes_nothing(mka1):
    mka1.faults.field_dropped("conversations.create", "/nonesuch")
    assert "id" in call(mka1, json={}).json()
    assert mka1.requests.last.fault is None

def test_faults_that_change_nothing(mka1):
    mka1.faults.field_retyped("conversations.create", "/object", "conversation", times=2)
    mka1.faults.wrong_content_type("conversations.list", content_type="application/json")
    call(mka1, json={})
    call(mka1, json={})
    call(mka1, "GET")

def test_fault_that_changes_something_later(mka1):
    mka1.faults.field_dropped("conversations.list", "/data/0/metadata/vip")
    assert "has_more" in call(mka1, "GET").json()
    call(mka1, json={"metadata": {"vip": "yes"}})
    assert call(mka1, "GET").json()["data"][0]["metadata"] == {}
    mka1.faults.field_retyped("conversations.list", "/has_more", 0)
    assert call(mka1, "GET").json()["has_more"] is not False

def test_fault_in_a_failed_test(mka1):
    mka1.faults.garbage("conversations.create")
    raise ZeroDivisionError

def test_fault_in_a_skipped_test(mka1):
    mka1.faults.garbage("conversations.create")
    pytest.skip("not today")

@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception)
def test_expected_failure(mka1):
    mka1.faults.garbage("conversations.create")

def test_invalid_response(mka1, monkeypatch):
    break_responses(monkeypatch)
    assert call(mka1, json={}).status_code == 500

def test_server_error(mka1, monkeypatch):
    monkeypatch.setattr(conversations, "conversation_json", lambda *given: 1 / 0)
    assert call(mka1, json={}).status_code == 500

def test_invalid_response_in_a_failed_test(mka1, monkeypatch):
    break_responses(monkeypatch)
    call(mka1, json={}).raise_for_status()

def test_fault_that_breaks_the_document(mka1):
    mka1.faults.field_dropped("conversations.create", "/id")
    assert "id" not in call(mka1, json={}).json()

@pytest.fixture
def careless(mka1):
    yield
    call(mka1, json={"colour": "blue"})

@pytest.mark.mka1(strict=True)
def test_invalid_request_of_a_teardown(mka1, careless):
    call(mka1, json={})
"""
INVALID_RESPONSE = "The fake returned a response that its OpenAPI document does not allow."
CREATED = "POST /api/v1/llm/conversations -> 200"
LOST_AND_LISTED = (
    "Requests of this test:\n"
    "  conversations.create: POST /api/v1/llm/conversations -> no response\n"
    "  conversations.list: GET /api/v1/llm/conversations -> 200"
)
VIOLATION_TEXTS = {
    "no_call_for_a_fault": (
        "failed",
        ["conversations.items.create: status 429, fired 0 of 2 times, 0 requests seen", CREATED],
    ),
    "too_few_calls_for_two_faults": (
        "failed",
        [
            f"conversations.create: close, fired 1 of 2 times, 1 request seen.\n{LOST_AND_LISTED}",
            f"conversations.list: headers, fired 0 of 1 time, 1 request seen.\n{LOST_AND_LISTED}",
        ],
    ),
    "no_call_for_a_fault_of_any_operation": (
        "failed",
        ["any operation: delay, fired 0 of 1 time, 0 requests seen", "Requests of this test: none"],
    ),
    "faults_that_need_not_fire": ("passed", []),
    "cleared_fault": ("passed", []),
    "fault_that_changes_nothing": (
        "failed",
        [
            "conversations.create: patch, fired 0 of 1 time, 1 request seen.\n"
            "There was nothing to change in 1 response: remove /nonesuch.\nRequests of this test:"
        ],
    ),
    "faults_that_change_nothing": (
        "failed",
        [
            "fired 0 of 2 times, 2 requests seen.\n"
            "There was nothing to change in 2 responses: replace /object.\nRequests of this test:",
            "list: headers, fired 0 of 1 time, 1 request seen.\nThere was nothing to change in 1 response.\nRequests",
        ],
    ),
    "fault_that_changes_something_later": ("passed", []),
    "fault_in_a_failed_test": ("failed", ["ZeroDivisionError"]),
    "fault_in_a_skipped_test": ("skipped", ["not today"]),
    "expected_failure": ("skipped", []),
    "invalid_response": ("failed", [INVALID_RESPONSE, "conversations -> 500", "body /object: must be"]),
    "server_error": ("failed", [INVALID_RESPONSE, "conversations.create failed: ZeroDivisionError"]),
    "invalid_response_in_a_failed_test": ("failed in teardown", [INVALID_RESPONSE]),
    "fault_that_breaks_the_document": ("passed", []),
    "invalid_request_of_a_teardown": ("failed in teardown", ["The client sent a request", CREATED, "body /colour: "]),
}


def test_violations_fail_a_test(run):
    result = run(VIOLATIONS)
    assert result.outcomes == {f"test_{name}": outcome for name, (outcome, _) in VIOLATION_TEXTS.items()}
    for name, (_, phrases) in VIOLATION_TEXTS.items():
        for phrase in phrases:
            assert phrase in result.texts[f"test_{name}"]
    assert "A planned fault" not in result.texts["test_fault_in_a_failed_test"]


STRICT = """
pytestmark = pytest.mark.mka1(strict=True)

@pytest.mark.parametrize(("method", "path", "options"), [
    ("POST", "/conversations", {"json": {"metadata": {"a": 1}, "items": [{"type": "message", "role": "user"}]}}),
    ("POST", "/conversations", {"json": {"colour": "blue", "metadata": {"it's": "a \\"test\\" of $HOME & \\\\ @é"}}}),
    ("POST", "/conversations", {"content": b"@abc", "headers": {"Content-Type": "application/json"}}),
    ("POST", "/conversations", {"json": "abc"}),
    ("POST", "/conversations", {}),
    ("GET", "/conversations?limit=0&metadata[a]={b}&order=it's", {}),
    ("GET", "/conversations/conv_1/items?limit=x", {}),
    ("POST", "/conversations/a%20b/items", {"json": {"items": []}}),
    ("DELETE", "/conversations/conv_1/items", {"json": {"item_ids": []}}),
    ("GET", "/conversation", {}),
    ("PUT", "/conversations", {"json": {}}),
    ("PATCH", "/conversations/../nothing", {}),
    ("HEAD", "/nothing", {}),
])
def test_invalid(mka1, method, path, options):
    headers = mka1.headers | {"X-On-Behalf-Of": "o'neill"} | options.pop("headers", {})
    call(mka1, method, path, headers=headers, **options)

@pytest.mark.parametrize("options", [
    {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
    {"json": {"metadata": {"a": "b" * 70_000}}},
    {"json": {}, "headers": [("X-On-Behalf-Of", "a"), ("X-On-Behalf-Of", "b")]},
])
def test_not_reproducible(mka1, options):
    headers = [*mka1.headers.items(), *httpx.Headers(options.pop("headers", {})).multi_items()]
    httpx.post(mka1.api_url + "/conversations", headers=headers, **options)

def test_valid(mka1):
    assert call(mka1, json={}).status_code == 200
    assert call(mka1, "GET", "/conversations/conv_unknown").status_code == 404
    assert httpx.get(mka1.api_url + "/conversations").status_code == 401

def test_fault(mka1):
    mka1.faults.add("conversations.create", status=415, body={})
    assert call(mka1, json={}).status_code == 415

def test_cleared(mka1):
    call(mka1, json=[])
    mka1.requests.clear()

@pytest.mark.mka1(strict=False)
def test_not_strict(mka1):
    call(mka1, json=[])
"""


def test_strict_mode_fails_invalid_requests_with_a_command_that_reproduces_them(run):
    result = run(STRICT, "-k", "not reproducible")
    texts = [text for name, text in result.texts.items() if name.startswith("test_invalid")]
    passed = {name for name, outcome in result.outcomes.items() if outcome == "passed"}
    assert passed == {"test_valid", "test_fault", "test_cleared", "test_not_strict"}
    assert len(texts) == 13
    with run_server(create_app(Settings(unknown_fields="reject"))) as server:
        for text in texts:
            title, exchange, *findings, hint, command = text.splitlines()
            assert title == "The client sent a request that the OpenAPI document does not allow."
            assert "`mockserver serve --unknown-fields reject`" in hint
            reproduced = subprocess.run(
                ["bash", "-c", command.replace("http://127.0.0.1:PORT", server.url).replace("curl", "curl -si", 1)],
                capture_output=True,
                text=True,
                timeout=10,
            )
            assert reproduced.returncode == 0, (command, reproduced.stderr)
            head, _, body = reproduced.stdout.partition("\n\n")
            if "-> 200" not in exchange:  # An unknown field, which the test's own fake accepts.
                assert head.split()[1] == exchange.split()[-1]
            if body:
                error = json.loads(body)["error"]
                again = [f"{one['in']} {one['pointer']}: {one['message']}" for one in error.get("findings", ())]
                assert [finding.strip() for finding in findings] == (again or [error["message"]])


SEVERAL = """
pytestmark = pytest.mark.mka1(strict=True)

def test_several(mka1):
    for number in range(7):
        call(mka1, json={"metadata": {"number": number}})

@pytest.fixture
def clears_the_journal(mka1):
    yield
    mka1.requests.clear()
    call(mka1, json={"colour": "blue"})

def test_after_a_clear(mka1, clears_the_journal):
    for _ in range(3):
        call(mka1, json={})

def test_once(mka1_module):
    call(mka1_module, json={"colour": "blue"})

def test_not_again(mka1_module):
    call(mka1_module, json={})
"""


def test_every_invalid_request_fails_one_test(run):
    result = run(SEVERAL)
    assert result.outcomes == {
        "test_several": "failed",
        "test_after_a_clear": "failed in teardown",
        "test_once": "failed",
        "test_not_again": "passed",
    }
    assert re.findall(r"must be a string, not (\d)", result.texts["test_several"]) == list("0123456")


def test_strict_mode_shows_no_command_that_would_send_another_request(run):
    texts = run(STRICT, "-k", "not_reproducible").texts.values()
    for text, place in zip(texts, ["request body must be", "body /metadata/a", "header /X-On-Behalf-Of"], strict=True):
        assert place in text
        assert "curl" not in text


LISTED = [
    "conversations.create: POST /api/v1/llm/conversations -> 200",
    "conversations.create: POST /api/v1/llm/conversations -> 200",
    "conversations.list: GET /api/v1/llm/conversations?limit=5 -> 200",
]
NEAR = "near: POST /api/v1/llm/conversations -> 200"
ITEM = '{"type": "message", "role": "user", "content": "hi"}'
ASSERTIONS = {
    'three.assert_called("conversations.delete")': [
        "expected at least 1 call of conversations.delete, there was none",
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_called("conversations.create", times=1)': [
        "expected 1 call of conversations.create, there were 2",
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_called("conversations.create", times=3, body={"metadata": {"channel": "web"}})': [
        "expected 3 calls of conversations.create with this body, there was 1",
        '{"metadata": {"channel": "web"}}',
        NEAR,
        'metadata.channel: expected "web", received "mail"',
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_called("conversations.create", body={"metadata": {"channel": "a", "vip": "no"}, "items": [1, 2]})': [
        "expected at least 1 call of conversations.create with this body, there was none",
        '{"metadata": {"channel": "a", "vip": "no"}, "items": [1, 2]}',
        NEAR,
        'metadata.channel: expected "a", received "mail"',
        'metadata.vip: expected "no", is missing',
        "items: expected [1, 2], is missing",
        NEAR,
        'metadata.channel: expected "a", received "web"',
        'metadata.vip: expected "no", received "yes"',
        "items: expected 2 entries, received 1",
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_called("conversations.create", headers={"X-Trace": "7", "Content-Type": "application/json"})': [
        "expected at least 1 call of conversations.create with these headers, there was none",
        '{"X-Trace": "7", "Content-Type": "application/json"}',
        NEAR,
        'header X-Trace: expected "7", is missing',
        NEAR,
        'header X-Trace: expected "7", received "8"',
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_called("conversations.list", query={"limit": 6, "after": "a"}, end_user="ada", key="k")': [
        "expected at least 1 call of conversations.list with this query and this end user and this key, "
        "there was none",
        '{"limit": 6, "after": "a"}',
        '"ada"',
        "near: GET /api/v1/llm/conversations?limit=5 -> 200",
        'query limit: expected "6", received "5"',
        'query after: expected "a", is missing',
        'end user: expected "ada", is missing',
        "key: the call has another one, with the fingerprint KEY",
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_order(["conversations.create", "conversations.list", "conversations.create"])': [
        "expected calls in this order: conversations.create, conversations.list, conversations.create; "
        "there is no conversations.create after conversations.list (number 2 in the order)",
        "requests of this test:",
        *LISTED,
    ],
    'three.assert_order(["conversations.delete"])': [
        "expected calls in this order: conversations.delete; there is no conversations.delete",
        "requests of this test:",
        *LISTED,
    ],
    'three.wait_for("conversations.create", times=3, timeout=0.1)': [
        "waited 0.1 s for 3 calls of conversations.create, there were 2",
        "requests of this test:",
        *LISTED,
    ],
    'three.wait_for("conversations.list", query={"limit": 4}, timeout=0)': [
        "waited 0 s for 1 call of conversations.list with this query, there was none",
        '{"limit": 4}',
        "near: GET /api/v1/llm/conversations?limit=5 -> 200",
        'query limit: expected "4", received "5"',
        "requests of this test:",
        *LISTED,
    ],
    "three.one()": ["expected 1 request, there were 3:", *LISTED],
    'three.filter("conversations.delete").one()': [
        "expected 1 request, there was none; requests of this test:",
        *LISTED,
    ],
    "three.filter(status=500).last": ["expected a request, there was none; requests of this test:", *LISTED],
    "mka1.requests.last": ["expected a request, there was none"],
}
USAGE_ERRORS = {
    'three.assert_called("conversations.creat")': "'conversations.creat'; did you mean 'conversations.create'?",
    'three.assert_called("responses.create")': "'responses.create'; did you mean 'createResponse'?",
    'three.assert_called("responses.retrieve")': "'responses.retrieve'; did you mean 'getResponse'?",
    'three.assert_called("responses.input_items.list")': "_items.list'; did you mean 'listInputItems'?",
    'three.filter("zzz")': "there is no operation 'zzz'; the operations are ",
    'three.assert_order(["conversations.create", "conversations.lst"])': "; did you mean 'conversations.list'?",
    'three.wait_for("conversations.creat")': "; did you mean 'conversations.create'?",
    'three.filter(status=200).wait_for("conversations.create")': "call it on mka1.requests, not on a filtered list",
    'three.assert_called("conversations.create", headers={"Authorization": "k"})': "value of Authorization; use key=",
    'mka1.faults.add("conversations.create", statis=500)': "statis: is not a known field (did you mean ",
    'mka1.faults.add("conversations.create", status="5", times=0)': "status: must be an integer, not '5'; times: ",
    'mka1.faults.garbage("conversations.creat")': "'conversations.creat' (did you mean 'conversations.create'?)",
    'mka1.faults.garbage("responses.create")': "'responses.create' (did you mean 'createResponse'?)",
    'mka1.faults.garbage("zzz")': "operation: must be one of conversations.list, ",
    'mka1.faults.add("conversations.create", body={"a": object})': "cannot be represented in JSON: Object of type ",
    'mka1.seed("suport-thread")': "seed suport-thread: no such file beside the test, and the shipped seeds are: ",
    'mka1.seed({"conversations": [{"items": [{"role": "user"}]}]})': (
        "seed (given as a mapping): conversations[0].items[0].content: is required"
    ),
    'mka1.seed({"conversation": []})': "conversation: is not a known field (did you mean 'conversations'?)",
    'mka1.seed("wrong.yaml")': "seed wrong.yaml: conversations[0].metadata.a: must be a string, not 1",
    'mka1.seed("broken.yaml")': "broken.yaml: is not valid YAML: while parsing a flow node",
    'mka1.seed("date.yaml")': "seed date.yaml: conversations[0].created_at: must be a number, not '2024-01-01'",
    'mka1.seed({"conversations": [{"id": "c"}, {"id": "c"}]})': "conversations[1].id: the id 'c' is already in use",
    "mka1.clock.freeze(datetime.datetime(2024, 1, 1))": "the time 2024-01-01T00:00:00 must have a time zone",
    'mka1.clock.freeze("2024-01-01")': "the time 2024-01-01T00:00:00 must have a time zone, such as tzinfo=UTC or a ",
    'mka1.clock.freeze("yesterday")': "'yesterday' is not a time in ISO 8601, such as '2024-01-01T00:00:00Z'",
    "mka1.faults.server_error(status=200)": "a server error has a status of 500 to 599, not 200; use add(",
    "mka1.faults.server_error(status=600)": "a server error has a status of 500 to 599, not 600; use add(",
    "mka1.clock.freeze(-1)": "freeze: must be at least 0, not -1",
    'mka1.state.restore({"conversations": 1})': "conversations: must be an array, not 1",
}
THREE_REQUESTS = f"""
import datetime

@pytest.fixture
def three(mka1):
    call(mka1, json={{"metadata": {{"channel": "mail"}}}})
    headers = mka1.headers | {{"X-Trace": "8"}}
    call(mka1, json={{"metadata": {{"channel": "web", "vip": "yes"}}, "items": [{ITEM}]}}, headers=headers)
    call(mka1, "GET", "/conversations?limit=5")
    return mka1.requests
"""


def define_tests(statements):
    """Return a test file with one test for each statement."""
    return THREE_REQUESTS + "".join(
        f"\ndef test_{number:02}({'three' if 'three' in statement else 'mka1'}):\n    {statement}\n"
        for number, statement in enumerate(statements)
    )


def error_lines(text):
    return [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]


def assert_traceback_ends_in_the_test(text):
    assert text.count("\n> ") == 1
    assert "mockserver/testing" not in text


def test_a_failed_assertion_lists_the_requests_and_the_nearest_calls(run):
    result = run(define_tests(ASSERTIONS))
    assert len(result.texts) == len(ASSERTIONS)
    for (_, text), lines in zip(sorted(result.texts.items()), ASSERTIONS.values(), strict=True):
        assert_traceback_ends_in_the_test(text)
        first, *rest = error_lines(text)
        rest = [re.sub("fingerprint [0-9a-f]+", "fingerprint KEY", line) for line in rest]
        assert [first.removeprefix("AssertionError: "), *rest] == lines


def test_a_usage_error_names_the_place(run):
    files = {
        "wrong__yaml": "conversations: [{metadata: {a: 1}}]",
        "broken__yaml": "conversations: [",
        "date__yaml": "conversations: [{created_at: 2024-01-01}]",
    }
    result = run(define_tests(USAGE_ERRORS), **files)
    assert len(result.texts) == len(USAGE_ERRORS)
    for (_, text), phrase in zip(sorted(result.texts.items()), USAGE_ERRORS.values(), strict=True):
        assert_traceback_ends_in_the_test(text)
        (line,) = error_lines(text)
        assert "UsageError: " in line
        assert phrase in line


MARKERS = {
    '"support-thread"': "the marker mka1 takes keywords only, such as mka1(seed='support-thread')",
    'sed="support-thread"': "the marker mka1 has no keyword 'sed'; did you mean 'seed'?",
    'colour="blue"': "the marker mka1 has no keyword 'colour'; the keywords are seed, identity_mode, ",
    'ids="serial"': "ids must be random or sequential, not 'serial'",
    "rate_limit=5": "rate_limits must be a string or a list of strings, not 5",
    'rate_limit=["5"]': "not '5'",
    'api_keys=["secret key"]': "KEY=ACCOUNT",
    "now=True": "now must be Unix seconds, an aware datetime or ISO 8601 text, not True",
    'now="2024-01-01"': "the time 2024-01-01T00:00:00 must have a time zone",
    'seed="suport-thread"': "seed suport-thread: no such file beside the test",
}


def test_a_wrong_marker_fails_in_one_line(run):
    result = run(
        "\n".join(
            f"@pytest.mark.mka1({arguments})\ndef test_{number}(mka1): ..." for number, arguments in enumerate(MARKERS)
        )
    )
    assert set(result.outcomes.values()) == {"failed in setup"}
    for (_, text), phrase in zip(sorted(result.texts.items()), MARKERS.values(), strict=True):
        assert text.startswith("mka1: ")
        assert phrase in text
        assert "\n" not in text
    assert "secret" not in result.output


def test_the_marker_is_registered_and_described(run, pytester):
    assert run("@pytest.mark.mka1(seed=[])\ndef test_it(mka1): ...", "--strict-markers").code == 0
    assert "@pytest.mark.mka1(seed=..., now=...," in pytester.runpytest_inprocess("--markers").stdout.str()


@pytest.mark.parametrize("expected", [True, 1, None, "x", [1], {"a": 1}])
def test_equal_bodies_do_not_differ(expected):
    assert find_differences(expected, expected) == []
    assert find_differences(ANY, expected) == []
    assert find_differences({"a": expected}, {"a": expected, "b": 1}) == []
    assert find_differences(expected, "another") != []


def test_bodies_are_compared_as_json():
    assert find_differences({"a": True}, {"a": 1}) == ["a: expected true, received 1"]
    assert find_differences({"a": 1}, {"a": 1.0}) == []
    assert find_differences({"a": [0, {"b": 1}]}, {"a": [0, {"b": 2}]}) == ["a[1].b: expected 1, received 2"]
    assert find_differences([], {}) == ["the body: expected [], received {}"]
