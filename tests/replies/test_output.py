"""What the fake model says to a prompt."""

from itertools import count

import pytest

from mockserver.replies.model import Reply
from mockserver.replies.output import write_output
from mockserver.replies.prompt import Prompt

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
            "arguments": '{"city": ""}',
            "status": "completed",
        }
    ]
    after = write(items=[USER, CALL, OUTPUT], tools=[FUNCTION], tool_choice=choice)
    assert text_of(after) == "get_weather said: 3 degrees"


def test_the_output_is_cut_after_the_allowed_words():
    output = write({"text": ["It ", "rains in", " Oslo."]}, max_output_tokens=3)
    (item,) = output.items
    assert (text_of(output), item.deltas, item.body["status"]) == ("It rains in", [("It ", "rains in")], "incomplete")
    assert (output.incomplete, output.words) == ("max_output_tokens", 3)
