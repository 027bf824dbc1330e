"""What the fake model says to a prompt."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.contract.contract import Contract, control_contract
from mockserver.gateway.faults.model import find_inline_mistakes
from mockserver.replies.items import OUTPUT_TYPES, list_streamed_texts
from mockserver.replies.mismatches import find_mismatches
from mockserver.replies.model import Reply
from mockserver.replies.output import write_output
from mockserver.replies.prompt import Prompt
from mockserver.replies.validator import ReplyValidator
from mockserver.replies.words import count_item_words, count_words, split_into_words
from mockserver.responses.response_object import count_usage

ITEM = control_contract().schemas.at("/components/schemas/Item")
VALIDATOR = ReplyValidator(find_inline_mistakes)
ANNOTATIONS = [{"type": "file_path", "file_id": "f", "index": 0}]
FORMAT = {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}

USER = {"role": "user", "content": "Is it raining?"}
MODEL = {"role": "assistant", "content": "No."}
NEXT = {"role": "user", "content": [{"type": "input_text", "text": "And tomorrow?"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "3 degrees"}
FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def write(reply=None, items=(), **request):
    numbers = count(1)
    return write_output(
        None if reply is None else Reply(reply),
        Prompt({"model": "auto", **request}, items),
        lambda prefix: f"{prefix}_{next(numbers)}",
    )


def count_output_words(output):
    return sum(count_item_words(item.body) for item in output.items)


def text_of(output):
    (item,) = output.items
    (part,) = item.body["content"]
    return part["text"]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], "You said nothing."),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], "You said nothing."),
        ([USER], "You said: Is it raining?"),
        ([USER, MODEL, NEXT], "You said: And tomorrow? Before that: Is it raining?"),
        ([USER, CALL, OUTPUT], "get_weather said: 3 degrees"),
        ([USER, OUTPUT], "tool said: 3 degrees"),
        ([USER, CALL, OUTPUT, OUTPUT | {"output": "rain"}], "get_weather said: 3 degrees\nget_weather said: rain"),
        ([USER, CALL, OUTPUT, MODEL, NEXT], "You said: And tomorrow? Before that: Is it raining?"),
    ],
)
def test_the_default_repeats_what_it_was_told(items, text):
    assert text_of(write(items=items)) == text


def test_a_message_is_complete_but_for_its_id():
    (item,) = write(items=[USER]).items
    assert item.body == {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "You said: Is it raining?", "annotations": [], "logprobs": []}],
    }
    assert item.deltas == (("You", " said:", " Is", " it", " raining?"),)


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "name": "get_weather"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]},
    ],
)
def test_a_required_function_is_called(choice):
    output = write(items=[USER], tools=[FUNCTION], tool_choice=choice)
    assert [item.body for item in output.items] == [
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"city": "city"}',
            "status": "completed",
        }
    ]
    after = write(items=[USER, CALL, OUTPUT], tools=[FUNCTION], tool_choice=choice)
    assert text_of(after) == "get_weather said: 3 degrees"


def test_the_output_is_cut_after_the_allowed_words():
    output = write({"text": ["It ", "rains in", " Oslo."]}, max_output_tokens=3)
    (item,) = output.items
    assert (text_of(output), item.deltas, item.body["status"]) == ("It rains in", [("It ", "rains in")], "incomplete")
    assert (output.incomplete, count_output_words(output)) == ("max_output_tokens", 3)


def test_the_short_forms_come_in_the_order_reasoning_message_calls():
    output = write({"function_call": [{"name": "f"}, {"name": "g", "arguments": "{", "call_id": "mine"}],
                    "text": "Hi.", "reasoning": ["Hm. ", "Well."]})  # fmt: skip
    reasoning, message, first, second = (item.body for item in output.items)
    assert [part["text"] for part in reasoning["summary"]] == ["Hm. ", "Well."]
    assert message["content"][0]["text"] == "Hi."
    assert (first["call_id"], first["arguments"]) == ("call_1", "{}")
    assert (second["call_id"], second["arguments"]) == ("mine", "{")
    assert output.items[0].deltas == (("Hm. ",), ("Well.",))
    usage = count_usage(0, [reasoning, message, first, second], {})
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (5, {"reasoning_tokens": 2})


def test_a_list_of_strings_is_streamed_in_exactly_these_pieces():
    for name, part in (("text", "text"), ("refusal", "refusal")):
        output = write({name: ["A ", "", "bc d"]})
        (item,) = output.items
        assert item.body["content"][0][part] == "A bc d"
        assert item.deltas == (["A ", "", "bc d"],)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), ({"a": [1, "é"]}, '{"a": [1, "é"]}'), ("x", '"x"'), ([], "[]")]
)
def test_json_is_a_message_with_the_serialised_value(value, text):
    assert text_of(write({"json": value})) == text


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        ({"fault": {"action": "close"}}, ["You said: Is it raining?"]),
        ({"incomplete": "content_filter"}, ["You said: Is it raining?"]),
        ({"failed": "Broken."}, []),
        ({"failed": {"message": "Broken."}, "text": "I am"}, ["I am"]),
        ({"items": []}, []),
    ],
)
def test_without_content_the_default_output_is_used_unless_the_response_fails(reply, texts):
    output = write(reply, [USER])
    assert [item.body["content"][0]["text"] for item in output.items] == texts


def test_the_end_and_the_times_are_those_of_the_reply():
    times = {"delay": 1.5, "delta_delay": 0.5, "queued": 2, "sleep": 3, "usage": {"input_tokens": 7}}
    output = write({"text": "Hi.", "fault": {"action": "close"}, "failed": "Broken.", **times})
    assert {name: getattr(output, name) for name in times} == times
    assert (output.error, output.fault) == ({"code": "server_error", "message": "Broken."}, {"action": "close"})
    assert write({"failed": {"code": "c", "message": "m"}}).error == {"code": "c", "message": "m"}
    incomplete = write({"text": "Hi.", "incomplete": "content_filter"})
    assert (incomplete.incomplete, incomplete.items[0].body["status"]) == ("content_filter", "incomplete")


# Items

NEEDED = {
    "function_call": {"name": "f"},
    "custom_tool_call": {"name": "f"},
    "mcp_list_tools": {"server_label": "s"},
    "mcp_call": {"server_label": "s", "name": "f"},
    "mcp_approval_request": {"server_label": "s", "name": "f"},
}


@pytest.mark.parametrize("kind", OUTPUT_TYPES)
def test_all_that_can_be_generated_may_be_omitted(kind):
    item = {"type": kind, **NEEDED.get(kind, {})}
    call = {
        "function_call_output": {"type": "function_call", "name": "f"},
        "shell_call_output": {"type": "shell_call"},
    }
    reply = {"items": [call[kind], item] if kind in call else [item]}
    assert VALIDATOR.find_mistakes(reply, "body") == []
    bodies = [one.body for one in write(reply).items]
    for body in bodies:
        assert not ITEM.validate_strictly({"id": "x", **body}, "response", "body")
    assert len({body.get("call_id") for body in bodies}) == 1


def test_every_output_type_is_a_type_of_the_document():
    client_only = {"item_reference", "mcp_approval_response", "computer_call_output", "local_shell_call_output",
                   "custom_tool_call_output"}  # fmt: skip
    assert set(OUTPUT_TYPES) == set(Contract.load().item_types) - client_only


def test_a_planned_item_keeps_what_it_has():
    item = {
        "type": "message",
        "id": "msg_mine",
        "phase": "commentary",
        "status": "incomplete",
        "content": [
            {"type": "output_text", "text": "Hi.", "annotations": ANNOTATIONS},
            {"type": "refusal", "refusal": ""},
        ],
    }
    (written,) = write({"items": [item]}).items
    text, refusal = item["content"]
    assert written.body == {"role": "assistant", **item, "content": [{**text, "logprobs": []}, refusal]}
    assert written.deltas == (("Hi.",), ())
    assert write({"items": [{"content": "Hi."}]}).items[0].body["content"][0]["text"] == "Hi."


# Words


@given(st.text(st.sampled_from("ab .\n\u00a0\u3000"), max_size=12))
def test_the_pieces_of_a_text_are_its_words(text):
    pieces = split_into_words(text)
    assert "".join(pieces) == text
    assert len(pieces) == max(len(text.split()), bool(text))
    assert len(text.split()) == count_words(text)


@given(
    reply=st.fixed_dictionaries(
        {},
        optional={
            "reasoning": st.lists(st.sampled_from(["", "Hm. ", "So it is."]), min_size=1, max_size=2),
            "text": st.lists(st.sampled_from(["It ", "rains", " in", "", "to night"]), min_size=1, max_size=4),
            "function_call": st.just([{"name": "f", "arguments": {"a": "b c", "d": 1}}, {"name": "g"}]),
        },
    ).filter(bool),
    limit=st.integers(1, 20),
)
def test_an_output_has_at_most_the_allowed_words(reply, limit):
    whole, output = write(reply), write(reply, max_output_tokens=limit)
    words = count_output_words(whole)
    assert count_output_words(output) == min(words, limit)
    assert output.incomplete == (None if words <= limit else "max_output_tokens")
    texts = ["".join(pieces) for item in output.items for pieces in item.deltas]
    assert "".join(["".join(pieces) for item in whole.items for pieces in item.deltas]).startswith("".join(texts))
    for item in output.items:
        assert list_streamed_texts(item.body) == ["".join(pieces) for pieces in item.deltas]
    assert [item.body["status"] for item in output.items[:-1]] == ["completed"] * (len(output.items) - 1)


def test_an_item_without_text_to_cut_is_left_out():
    items = [{"content": "One two."}, {"type": "file_search_call", "queries": ["a b c"]}, {"content": "Three."}]
    output = write({"items": items}, max_output_tokens=3)
    assert [item.body["type"] for item in output.items] == ["message"]
    assert (output.items[0].body["status"], output.incomplete) == ("completed", "max_output_tokens")


def test_the_input_words_are_those_of_the_context_and_the_instructions():
    prompt = Prompt({"model": "auto", "instructions": "Be brief, please."}, [USER, CALL, OUTPUT, NEXT])
    assert prompt.input_words == 3 + 3 + 1 + 2 + 2


# What does not fit


@pytest.mark.parametrize(
    ("reply", "request_fields", "pointers"),
    [
        ({"function_call": {"name": "get_weather", "arguments": {"city": "Oslo"}}}, {"tools": [FUNCTION]}, []),
        ({"function_call": {"name": "get_weather"}}, {}, ["/output/0/name"]),
        ({"function_call": {"name": "other"}, "text": "Hi."}, {"tools": [FUNCTION]}, ["/output/1/name"]),
        ({"function_call": {"name": "get_weather", "arguments": "{"}}, {"tools": [FUNCTION]}, ["/output/0/arguments"]),
        ({"function_call": {"name": "get_weather", "arguments": {"city": 5}}}, {"tools": [FUNCTION]},
         ["/output/0/arguments"]),
        ({"items": [{"type": "custom_tool_call", "name": "get_weather"}]}, {"tools": [FUNCTION]}, ["/output/0/name"]),
        ({"text": "Hi."}, {"text": {"format": {"type": "json_object"}}}, ["/output/0/content/0/text"]),
        ({"json": {}}, {"text": {"format": {"type": "json_object"}}}, []),
        ({"json": {"a": "x"}}, {"text": {"format": FORMAT}}, ["/output/0/content/0/text"]),
        ({"json": {"a": 5}}, {"text": {"format": FORMAT}}, []),
        ({"refusal": "No."}, {"text": {"format": FORMAT}}, []),
        ({"text": '{"a":', "incomplete": "content_filter"}, {"text": {"format": FORMAT}}, []),
        ({"text": "Hi.", "queued": 1, "sleep": 2}, {"background": True}, []),
        ({"text": "Hi.", "queued": 1, "sleep": 2}, {}, ["", ""]),
        (None, {"text": {"format": FORMAT | {"schema": {"not": {}}}}}, ["/output/0/content/0/text"]),
        (None, {"text": {"format": FORMAT}}, []),
    ],
)  # fmt: skip
def test_the_parts_that_do_not_fit_the_request_are_found(reply, request_fields, pointers):
    prompt = Prompt({"model": "auto", **request_fields}, [USER])
    output = write_output(None if reply is None else Reply(reply), prompt, lambda prefix: prefix)
    findings = find_mismatches(output, prompt)
    assert [finding.pointer for finding in findings] == pointers
    assert {(finding.side, finding.code) for finding in findings} <= {("response", "reply_mismatch")}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"type": "custom_tool_call", "name": "c"}, "the request offers no custom tool of the name 'c'"),
        ({"type": "function_call", "name": "f"}, "the request offers no function tool of the name 'f'"),
    ],
)
def test_a_call_that_was_not_offered_is_found_by_its_kind(call, message):
    prompt = Prompt({"model": "auto"}, [USER])
    output = write_output(Reply({"items": [call]}), prompt, lambda prefix: prefix)
    assert [finding.message for finding in find_mismatches(output, prompt)] == [message]
