"""Replies that a test plans: what they do, and why they fail it."""

import re
from pathlib import Path

import httpx

from mockserver import Settings, create_app, run_server
from mockserver.contract.contract import control_contract
from mockserver.testing import ReplyControls, ReplyFields

DOCS = Path(__file__).parent.parent.parent / "docs"

ASK = """
def ask(mka1, text="What is the weather like?", **fields):
    response = call(mka1, path="/responses", json={"model": "auto", "input": text, **fields})
    assert response.status_code == 200, response.text
    return response.json()

def text_of(response):
    return response["output"][-1]["content"][0]["text"]
"""

PASSING = f"""{ASK}
def test_text(mka1):
    planned = mka1.replies.add(input="weather", text="It rains.", model=None)
    assert (planned["id"], planned["times"]) == (1, 1) and "model" not in planned
    assert text_of(ask(mka1, "Hello")) == "You said: Hello"
    assert text_of(ask(mka1)) == "It rains."
    (planned,) = mka1.replies.planned
    assert (planned["seen"], planned["fired"]) == (1, 1)
    assert [exchange.request["input"] for exchange in mka1.replies.unmatched] == ["Hello"]
    assert [exchange.reply for exchange in mka1.requests] == [None, 1]
    assert "'Hello'" in repr(mka1.replies) and "It rains." in repr(mka1.replies)

def test_requests_that_use_up_no_reply(mka1):
    mka1.replies.add(text="It rains.")
    mka1.faults.server_error("createResponse")
    assert call(mka1, path="/responses", json={{"model": "auto", "input": "Hello"}}).status_code == 500
    unknown = {{"model": "auto", "input": "Hello", "conversation": "conv_unknown"}}
    assert call(mka1, path="/responses", json=unknown).status_code == 404
    assert call(mka1, path="/responses", json={{"input": "Hello"}}).status_code == 400
    assert text_of(ask(mka1)) == "It rains."

def test_null(mka1):
    mka1.replies.add(json=None)
    assert text_of(ask(mka1)) == "null"

def test_function_call(mka1):
    mka1.replies.function_call("get_weather", {{"city": "Oslo"}}, text="Wait.")
    mka1.replies.function_call("get_weather", "{{", "call_mine")
    message, first = ask(mka1)["output"]
    assert message["content"][0]["text"] == "Wait."
    assert (first["name"], first["arguments"]) == ("get_weather", '{{"city": "Oslo"}}')
    (second,) = ask(mka1)["output"]
    assert (second["call_id"], second["arguments"]) == ("call_mine", "{{")
    assert [note["code"] for note in mka1.requests.last.notes] == ["reply_mismatch"]

def test_refusal(mka1):
    mka1.replies.refusal("No.")
    assert ask(mka1)["output"][0]["content"] == [{{"type": "refusal", "refusal": "No."}}]

def test_incomplete(mka1):
    mka1.replies.incomplete("It", "content_filter")
    mka1.replies.incomplete()
    first, second = ask(mka1), ask(mka1)
    assert (first["status"], first["incomplete_details"]["reason"]) == ("incomplete", "content_filter")
    assert second["incomplete_details"]["reason"] == "max_output_tokens"
    assert (text_of(first), text_of(second)) == ("It", "")

def test_failed(mka1):
    mka1.replies.failed()
    mka1.replies.failed("Too busy.", code="rate_limit_exceeded", times=None)
    first, second = ask(mka1), ask(mka1)
    assert first["status"] == second["status"] == "failed"
    assert first["error"] == {{"code": "server_error", "message": "The model failed."}}
    assert second["error"] == {{"code": "rate_limit_exceeded", "message": "Too busy."}}

def test_replies_that_need_not_fire(mka1):
    mka1.replies.add(text="Hi.", times=None)

def test_cleared(mka1):
    mka1.replies.add(text="Hi.")
    mka1.replies.clear()
    assert mka1.replies.planned == []

def test_the_next_test_has_no_replies(mka1):
    assert mka1.replies.planned == []

def test_snapshot(mka1):
    mka1.replies.add(text="Hi.", times=3)
    ask(mka1)
    snapshot = mka1.state.snapshot()
    assert [reply["times"] for reply in snapshot["replies"]] == [2]
    mka1.replies.clear()
    mka1.state.restore(snapshot)
    assert [text_of(ask(mka1)) for _ in range(3)] == ["Hi.", "Hi.", "You said: What is the weather like?"]

@pytest.mark.mka1(seed={{"replies": [{{"text": "Hi."}}]}})
def test_seed(mka1):
    assert text_of(ask(mka1)) == "Hi."

def test_reset(mka1):
    mka1.replies.add(text="Hi.")
    mka1.reset()
    assert text_of(ask(mka1, "Hello")) == "You said: Hello"
"""

FAILING = f"""{ASK}
def test_unfired(mka1):
    mka1.replies.add(input="weather", text="It rains.", times=2)
    mka1.replies.function_call("get_weather", {{"city": "O" * 200}}, instructions="brief")
    ask(mka1)
    ask(mka1, [{{"role": "user", "content": [{{"type": "input_text", "text": "Hello."}}, {{"type": "input_image"}}]}}])

def test_nothing_asked(mka1):
    mka1.replies.add(text="Hi.")

def test_failed(mka1):
    mka1.replies.add(text="Hi.")
    raise ZeroDivisionError

def test_invalid(mka1):
    mka1.replies.add(text="Hi.", json=1, input_regex="(")

def test_unknown(mka1):
    mka1.replies.add(txt="Hi.")
"""


def test_replies_are_planned_and_used(run):
    result = run(PASSING)
    assert set(result.outcomes.values()) == {"passed"}, result.texts


def test_a_planned_reply_that_does_not_fire_fails_the_test_and_shows_what_was_asked(run):
    result = run(FAILING)
    assert set(result.outcomes.values()) == {"failed"}
    first, second = result.texts["test_unfired"].split("\n\n")
    requests = "createResponse: POST /api/v1/llm/responses -> 200"
    asked = "What the model was asked without a matching reply:\n  Hello. input_image\nRequests of this test:"
    assert first.startswith('A planned reply fired too rarely: input "weather", text "It rains.", fired 1 of 2 times')
    assert "1 request matched" in first
    assert asked in first
    assert first.count(requests) == 2
    assert 'instructions "brief"' in second
    assert '"city": "OOOO' in second
    assert "O" * 100 not in second
    assert asked in second
    assert "without a matching reply: nothing" in result.texts["test_nothing_asked"]
    assert "A planned reply" not in result.texts["test_failed"]
    assert "json: cannot be combined with text; input_regex: is not a regular" in result.texts["test_invalid"]
    assert "txt: is not a known field" in result.texts["test_unknown"]


def test_a_fake_elsewhere_keeps_the_replies_of_a_test_to_its_key(run):
    with run_server(create_app(Settings())) as server:
        other = httpx.post(f"{server.url}/_mock/replies", json={"text": "Other.", "api_key": "other"}).json()
        result = run(PASSING, "--mka1-url", server.url, "-k", "not test_text")
        assert set(result.outcomes.values()) == {"passed"}, result.texts
        assert httpx.get(f"{server.url}/_mock/replies").json()["data"] == [other]


def test_a_test_that_plans_a_reply_is_skipped_against_a_gateway(run, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", "key-of-the-gateway")
    with run_server(create_app(Settings(control=False))) as server:
        result = run('def test_it(mka1):\n    mka1.replies.add(text="Hi.")', "--mka1-url", server.url)
    assert "mka1.replies needs a fake" in result.texts["test_it"]


def test_the_examples_of_the_page_about_replies_run(run):
    text = (DOCS / "replies.md").read_text()
    examples = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    result = run(examples, separately=True)
    assert result.code == 0, result.output
    assert f"{examples.count('def test_')} passed" in result.output


def test_every_public_name_is_documented():
    text = (DOCS / "pytest.md").read_text()
    names = [name for name in vars(ReplyControls) if not name.startswith("_")]
    assert [name for name in names if f"`{name}" not in text] == []


def test_every_field_of_a_reply_has_a_type():
    fields = control_contract().schemas.node("/components/schemas/Reply")["properties"]
    assert set(ReplyFields.__annotations__) == set(fields)
