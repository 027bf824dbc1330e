"""Why a test fails, told by the plugin: every message by its text."""

import json
import re
import subprocess

import pytest

from mockserver import Settings, create_app, run_server

COMPLAINTS = """
import mockserver.resources.conversations as conversations
from mockserver.gateway.journal_writer import JournalWriter

def test_no_call_for_a_fault(mka1):
    mka1.faults.rate_limited("conversations.items.create", times=2)
    call(mka1, json={})

def test_too_few_calls_for_a_fault(mka1):
    mka1.faults.closed("conversations.create", times=2)
    mka1.faults.wrong_content_type("conversations.list", after=1)
    with pytest.raises(httpx.HTTPError):
        call(mka1, json={})
    call(mka1, "GET")

def test_a_fault_for_any_operation(mka1):
    mka1.faults.delayed(seconds=1)

def test_faults_that_are_let_off(mka1):
    mka1.faults.server_error("conversations.create", times=None)
    mka1.faults.garbage("conversations.create", probability=0.01)

def test_a_dropped_fault(mka1):
    mka1.faults.garbage("conversations.create")
    mka1.faults.clear()

def test_a_failed_test_says_nothing_of_faults(mka1):
    mka1.faults.garbage("conversations.create")
    raise ZeroDivisionError

def test_a_skipped_test_says_nothing_of_faults(mka1):
    mka1.faults.garbage("conversations.create")
    pytest.skip("not today")

@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception)
def test_an_expected_failure(mka1):
    mka1.faults.garbage("conversations.create")

def test_the_fake_breaks_its_document(mka1, monkeypatch):
    right = conversations.conversation_json
    monkeypatch.setattr(conversations, "conversation_json", lambda *of: right(*of).replace(b'"conversation"', b"1"))
    assert call(mka1, json={}).status_code == 500

def test_the_fake_fails(mka1, monkeypatch):
    monkeypatch.setattr(conversations, "conversation_json", lambda *given: 1 / 0)
    assert call(mka1, json={}).status_code == 500

def test_the_fake_breaks_its_document_and_the_test_fails(mka1, monkeypatch):
    monkeypatch.setattr(conversations, "conversation_json", lambda *given: 1 / 0)
    call(mka1, json={}).raise_for_status()

def test_a_planned_breach_is_no_complaint(mka1):
    mka1.faults.field_dropped("conversations.create", "/id")
    assert "id" not in call(mka1, json={}).json()

@pytest.fixture
def careless(mka1):
    yield
    call(mka1, json={"colour": "blue"})

@pytest.mark.mka1(strict=True)
def test_a_wrong_request_after_the_test(mka1, careless):
    call(mka1, json={})
"""


def test_what_is_held_against_a_test_when_it_is_over(run):
    result = run(COMPLAINTS)
    create = "POST /api/v1/llm/conversations"
    assert result.outcomes == {
        "test_no_call_for_a_fault": "failed",
        "test_too_few_calls_for_a_fault": "failed",
        "test_a_fault_for_any_operation": "failed",
        "test_faults_that_are_let_off": "passed",
        "test_a_dropped_fault": "passed",
        "test_a_failed_test_says_nothing_of_faults": "failed",
        "test_a_skipped_test_says_nothing_of_faults": "skipped",
        "test_an_expected_failure": "skipped",
        "test_the_fake_breaks_its_document": "failed",
        "test_the_fake_fails": "failed",
        "test_the_fake_breaks_its_document_and_the_test_fails": "failed in teardown",
        "test_a_planned_breach_is_no_complaint": "passed",
        "test_a_wrong_request_after_the_test": "failed in teardown",
    }
    told = result.told
    assert told["test_no_call_for_a_fault"] == (
        "A planned fault never fired: conversations.items.create: status 429, fired 0 of 2 times, 0 requests seen.\n"
        f"Requests of this test:\n  conversations.create: {create} -> 200"
    )
    assert told["test_too_few_calls_for_a_fault"] == (
        "A planned fault never fired: conversations.create: close, fired 1 of 2 times, 1 request seen.\n"
        "Requests of this test:\n"
        f"  conversations.create: {create} -> no answer\n"
        "  conversations.list: GET /api/v1/llm/conversations -> 200\n"
        "\n"
        "A planned fault never fired: conversations.list: headers, fired 0 of 1 time, 1 request seen.\n"
        "Requests of this test:\n"
        f"  conversations.create: {create} -> no answer\n"
        "  conversations.list: GET /api/v1/llm/conversations -> 200"
    )
    assert told["test_a_fault_for_any_operation"] == (
        "A planned fault never fired: any operation: delay, fired 0 of 1 time, 0 requests seen.\n"
        "Requests of this test: none"
    )
    assert "fault never" not in told["test_a_failed_test_says_nothing_of_faults"]
    assert told["test_the_fake_breaks_its_document"] == (
        "The fake broke its own document: please report it.\n"
        f"  {create} -> 500\n"
        "    body /object: must be 'conversation', not 1"
    )
    assert told["test_the_fake_fails"] == (
        "The fake broke its own document: please report it.\n"
        f"  {create} -> 500\n"
        "    status : conversations.create failed: ZeroDivisionError. See the log."
    )
    assert told["test_the_fake_breaks_its_document_and_the_test_fails"] == told["test_the_fake_fails"]
    assert told["test_a_wrong_request_after_the_test"].startswith("The client sent what the document does not allow:")


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
def test_wrong(mka1, method, path, options):
    headers = mka1.headers | {"X-On-Behalf-Of": "o'neill"} | options.pop("headers", {})
    call(mka1, method, path, headers=headers, **options)

@pytest.mark.parametrize("options", [
    {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
    {"json": {"metadata": {"a": "b" * 70_000}}},
    {"json": {}, "headers": [("X-On-Behalf-Of", "a"), ("X-On-Behalf-Of", "b")]},
])
def test_cannot_be_repeated(mka1, options):
    headers = [*mka1.headers.items(), *httpx.Headers(options.pop("headers", {})).multi_items()]
    httpx.post(mka1.api_url + "/conversations", headers=headers, **options)

def test_right(mka1):
    assert call(mka1, json={}).status_code == 200
    assert call(mka1, "GET", "/conversations/conv_unknown").status_code == 404
    assert httpx.get(mka1.api_url + "/conversations").status_code == 401

def test_of_faults(mka1):
    mka1.faults.add("conversations.create", status=415, body={})
    assert call(mka1, json={}).status_code == 415

def test_forgotten(mka1):
    call(mka1, json=[])
    mka1.requests.clear()

@pytest.mark.mka1(strict=False)
def test_not_strict(mka1):
    call(mka1, json=[])
"""


def test_what_a_strict_test_holds_against_its_client(run):
    result = run(STRICT)
    wrong = [told for name, told in result.told.items() if name.startswith("test_wrong")]
    right = {name for name, outcome in result.outcomes.items() if outcome == "passed"}
    assert right == {"test_right", "test_of_faults", "test_forgotten", "test_not_strict"}
    assert len(wrong) == 13
    assert wrong[0] == (
        "The client sent what the document does not allow:\n"
        "  POST /api/v1/llm/conversations -> 400\n"
        "    body /metadata/a: must be a string, not 1\n"
        "    body /items/0/content: is required\n"
        "  To repeat it, beside `mockserver serve --unknown-fields reject`:\n"
        '    curl -X POST http://127.0.0.1:PORT/api/v1/llm/conversations -H "Authorization: Bearer mka1-test-key" '
        "-H 'X-On-Behalf-Of: o'\"'\"'neill' -H 'Content-Type: application/json' "
        """--data-raw '{"metadata": {"a": 1}, "items": [{"type": "message", "role": "user"}]}'"""
    )
    assert wrong[1].splitlines()[1:3] == [
        "  POST /api/v1/llm/conversations -> 200",
        "    body /colour: is not a field of this object",
    ]
    assert wrong[9].splitlines()[2] == "    No operation has the path '/api/v1/llm/conversation' ('GET')."
    with run_server(create_app(Settings(unknown_fields="reject"))) as server:
        for told in wrong:
            _, exchange, *findings, _, command = told.splitlines()
            assert "\n" not in command
            repeated = subprocess.run(
                ["bash", "-c", command.replace("http://127.0.0.1:PORT", server.url).replace("curl", "curl -si", 1)],
                capture_output=True,
                text=True,
                timeout=10,
            )
            assert repeated.returncode == 0, (command, repeated.stderr)
            head, _, body = repeated.stdout.partition("\n\n")
            if "-> 200" not in exchange:
                assert head.split()[1] == exchange.split()[-1]
            if body:
                error = json.loads(body)["error"]
                again = [f"{one['in']} {one['pointer']}: {one['message']}" for one in error.get("findings", ())]
                assert [finding.strip() for finding in findings] == (again or [error["message"]])


def test_a_command_that_would_not_repeat_the_request_is_not_shown(run):
    told = run(STRICT, "-k", "cannot_be_repeated").told
    assert [text.splitlines()[2].strip()[:40] for text in told.values()] == [
        "The request body must be application/jso",
        "body /metadata/a: must be at most 512 ch",
        "header /X-On-Behalf-Of: must be given on",
    ]
    assert "curl" not in "".join(told.values())


ASSERTIONS = """
ITEMS = [{"type": "message", "role": "user", "content": "hi"}]

@pytest.fixture
def three(mka1):
    call(mka1, json={"metadata": {"channel": "mail"}})
    call(mka1, json={"metadata": {"channel": "web", "vip": "yes"}, "items": ITEMS})
    call(mka1, "GET", "/conversations?limit=5")
    return mka1.requests

def test_not_called(three):
    three.assert_called("conversations.delete")

def test_too_often(three):
    three.assert_called("conversations.create", times=1)

def test_too_seldom(three):
    three.assert_called("conversations.create", times=3, body={"metadata": {"channel": "web"}})

def test_another_body(three):
    three.assert_called("conversations.create", body={"metadata": {"channel": "web", "vip": "no"}, "items": ITEMS * 2})

def test_no_such_operation(three):
    three.assert_called("conversations.creat")

def test_nothing_like_an_operation(three):
    three.filter("zzz")

def test_one_of_three(three):
    three.one()

def test_one_of_none(three):
    three.filter("conversations.delete").one()

def test_last_of_none(mka1):
    mka1.requests.last

def test_last_of_none_so_filtered(three):
    three.filter(status=500).last

def test_a_misspelt_fault_field(mka1):
    mka1.faults.add("conversations.create", statis=500)

def test_two_wrong_fault_fields(mka1):
    mka1.faults.add("conversations.create", status="500", times=0)

def test_a_fault_for_no_operation(mka1):
    mka1.faults.garbage("conversations.creat")

def test_a_fault_beyond_json(mka1):
    mka1.faults.add("conversations.create", body={"when": object})

def test_an_unknown_seed(mka1):
    mka1.seed("suport-thread")

def test_a_wrong_seed(mka1):
    mka1.seed({"conversations": [{"items": [{"type": "message", "role": "user"}]}]})

def test_a_seed_for_another_form(mka1):
    mka1.seed({"conversation": []})

def test_a_seed_file_beside_the_test(mka1):
    mka1.seed("wrong.yaml")

def test_a_seed_file_that_is_no_yaml(mka1):
    mka1.seed("broken.yaml")

def test_a_seed_file_with_a_date(mka1):
    mka1.seed("date.yaml")

def test_a_seed_with_an_id_twice(mka1):
    mka1.seed({"conversations": [{"id": "conv_1"}, {"id": "conv_1"}]})

def test_a_clock_without_a_zone(mka1):
    import datetime
    mka1.clock.freeze(datetime.datetime(2024, 1, 1))

def test_a_clock_before_time(mka1):
    mka1.clock.freeze(-1)

def test_a_wrong_snapshot(mka1):
    mka1.state.restore({"conversations": 1})
"""


def test_an_assertion_or_a_misuse_shows_the_test_and_one_message(run):
    files = {
        "wrong__yaml": "conversations: [{metadata: {a: 1}}]",
        "broken__yaml": "conversations: [",
        "date__yaml": "conversations: [{created_at: 2024-01-01}]",
    }
    result = run(ASSERTIONS, **files)
    assert set(result.outcomes.values()) == {"failed"}
    told = {name.removeprefix("test_"): errors_of(text) for name, text in result.told.items()}
    three = [
        "conversations.create: POST /api/v1/llm/conversations -> 200",
        "conversations.create: POST /api/v1/llm/conversations -> 200",
        "conversations.list: GET /api/v1/llm/conversations?limit=5 -> 200",
    ]
    asserted = "AssertionError: "
    used = "mockserver.errors.UsageError: "
    near = "near: POST /api/v1/llm/conversations -> 200"
    assert told == {
        "not_called": [
            f"{asserted}expected at least one call of conversations.delete, there was none",
            "requests of this test:",
            *three,
        ],
        "too_often": [
            f"{asserted}expected 1 call of conversations.create, there were 2",
            "requests of this test:",
            *three,
        ],
        "too_seldom": [
            f"{asserted}expected 3 calls of conversations.create with this body, there was 1",
            '{"metadata": {"channel": "web"}}',
            near,
            'metadata.channel: expected "web", received "mail"',
            "requests of this test:",
            *three,
        ],
        "another_body": [
            f"{asserted}expected at least one call of conversations.create with this body, there was none",
            '{"metadata": {"channel": "web", "vip": "no"}, "items": '
            '[{"type": "message", "role": "user", "content": "hi"}, '
            '{"type": "message", "role": "user", "content": "hi"}]}',
            near,
            'metadata.vip: expected "no", received "yes"',
            "items: expected 2 entries, received 1",
            near,
            'metadata.channel: expected "web", received "mail"',
            'metadata.vip: expected "no", is missing',
            'items: expected [{"type": "message", "role": "user", "content": "hi"}, '
            '{"type": "message", "role": "user", "content": "hi"}], is missing',
            "requests of this test:",
            *three,
        ],
        "no_such_operation": [
            f"{used}there is no operation 'conversations.creat'; did you mean 'conversations.create'?"
        ],
        "nothing_like_an_operation": [
            f"{used}there is no operation 'zzz'; there are conversations.create, conversations.delete, "
            "conversations.items.create, conversations.items.delete, conversations.items.deleteMany, "
            "conversations.items.list, conversations.items.retrieve, conversations.list, conversations.retrieve, "
            "conversations.update"
        ],
        "one_of_three": [f"{asserted}expected one request, there are 3:", *three],
        "one_of_none": [f"{asserted}expected one request, there is none; requests of this test:", *three],
        "last_of_none": [f"{asserted}there is no request"],
        "last_of_none_so_filtered": [f"{asserted}there is no request; requests of this test:", *three],
        "a_misspelt_fault_field": [f"{used}statis: is not a field of this object (did you mean 'status'?)"],
        "two_wrong_fault_fields": [f"{used}status: must be an integer, not '500'; times: must be at least 1, not 0"],
        "a_fault_for_no_operation": [
            f"{used}operation: must be one of conversations.list, conversations.create, conversations.retrieve, "
            "conversations.update, conversations.delete, conversations.items.list, conversations.items.create, "
            "conversations.items.deleteMany, conversations.items.retrieve, conversations.items.delete, "
            "not 'conversations.creat'"
        ],
        "a_fault_beyond_json": [f"{used}cannot be written as JSON: Object of type type is not JSON serializable"],
        "an_unknown_seed": [
            f"{used}seed suport-thread: there is no such file beside the test, and the shipped seeds are: "
            "support-thread, two-end-users"
        ],
        "a_wrong_seed": [f"{used}seed (given as a mapping): conversations[0].items[0].content: is required"],
        "a_seed_for_another_form": [
            f"{used}seed (given as a mapping): conversation: is not a field of this object "
            "(did you mean 'conversations'?)"
        ],
        "a_seed_file_beside_the_test": [
            f"{used}seed wrong.yaml: conversations[0].metadata.a: must be a string, not 1"
        ],
        "a_seed_file_that_is_no_yaml": [f"{used}seed broken.yaml: not YAML: while parsing a flow node"],
        "a_seed_file_with_a_date": [
            f"{used}seed date.yaml: conversations[0].created_at: must be a number, not '2024-01-01'"
        ],
        "a_seed_with_an_id_twice": [
            f"{used}seed (given as a mapping): conversations[1].id: the id 'conv_1' is already in use"
        ],
        "a_clock_without_a_zone": [
            f"{used}the time 2024-01-01T00:00:00 has no time zone; give it one, such as tzinfo=UTC"
        ],
        "a_clock_before_time": [f"{used}freeze: must be at least 0, not -1"],
        "a_wrong_snapshot": [f"{used}conversations: must be an array, not 1"],
    }
    for name, text in result.told.items():
        assert text.count("\n> ") == 1, name
        assert "mockserver/testing" not in text, name


def errors_of(text):
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return [
        re.sub(r"seed /\S*/(\w+\.yaml): (not YAML: while parsing a flow node).*", r"seed \1: \2", one) for one in lines
    ]


MARKERS = """
@pytest.mark.mka1("support-thread")
def test_an_argument(mka1): ...

@pytest.mark.mka1(sed="support-thread")
def test_a_misspelt_keyword(mka1): ...

@pytest.mark.mka1(colour="blue")
def test_an_unknown_keyword(mka1): ...

@pytest.mark.mka1(ids="serial")
def test_a_wrong_value(mka1): ...

@pytest.mark.mka1(rate_limit=5)
def test_a_number_for_a_rate_limit(mka1): ...

@pytest.mark.mka1(rate_limit=["5"])
def test_a_wrong_rate_limit(mka1): ...

@pytest.mark.mka1(api_keys=["secret key"])
def test_a_wrong_key(mka1): ...

@pytest.mark.mka1(now="2024-01-01")
def test_a_wrong_time(mka1): ...

@pytest.mark.mka1(seed="suport-thread")
def test_an_unknown_seed(mka1): ...
"""


def test_a_wrong_marker_is_told_in_one_line(run):
    result = run(MARKERS)
    assert set(result.outcomes.values()) == {"failed in setup"}
    assert {name.removeprefix("test_"): text for name, text in result.told.items()} == {
        "an_argument": "mka1: the marker mka1 takes keywords only, such as mka1(seed='support-thread')",
        "a_misspelt_keyword": "mka1: the marker mka1 does not take 'sed'; did you mean 'seed'?",
        "an_unknown_keyword": "mka1: the marker mka1 does not take 'colour'; it takes seed, identity_mode, api_keys, "
        "rate_limit, ids, unknown_fields, now, strict",
        "a_wrong_value": "mka1: ids must be random or sequential, not 'serial'",
        "a_number_for_a_rate_limit": "mka1: rate_limits must be a string or a list of strings, not 5",
        "a_wrong_rate_limit": "mka1: a rate limit must be such as 10/s, 60/m, 1000/h or 5000/d, not '5'",
        "a_wrong_key": "mka1: an API key must be KEY or KEY=ACCOUNT, KEY without spaces; one is not",
        "a_wrong_time": "mka1: now must be Unix seconds or an aware datetime, not '2024-01-01'",
        "an_unknown_seed": "mka1: seed suport-thread: there is no such file beside the test, and the shipped seeds "
        "are: support-thread, two-end-users",
    }
    assert "secret" not in result.output


def test_a_marker_is_known_to_strict_markers_and_described(run, pytester):
    assert run("@pytest.mark.mka1(seed=[])\ndef test_it(mka1): ...", "--strict-markers").code == 0
    assert "@pytest.mark.mka1(seed=..., now=...," in pytester.runpytest_inprocess("--markers").stdout.str()


@pytest.mark.parametrize("expected", [True, 1, None, "x", [1], {"a": 1}])
def test_a_body_is_compared_as_json(expected):
    from unittest.mock import ANY

    from mockserver.testing.exchanges import differences

    assert differences(expected, expected) == []
    assert differences(ANY, expected) == []
    assert differences({"a": expected}, {"a": expected, "b": 1}) == []
    assert differences(expected, "another") != []


def test_true_is_not_one():
    from mockserver.testing.exchanges import differences

    assert differences({"a": True}, {"a": 1}) == ["a: expected true, received 1"]
    assert differences({"a": 1}, {"a": 1.0}) == []
    assert differences({"a": [0, {"b": 1}]}, {"a": [0, {"b": 2}]}) == ["a[1].b: expected 1, received 2"]
    assert differences([], {}) == ["the body: expected [], received {}"]
