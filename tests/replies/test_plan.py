"""Which planned reply answers which request."""

import time

import pytest

from mockserver.replies.model import Reply
from mockserver.replies.plan import ReplyPlan
from mockserver.replies.prompt import Prompt

USER = {"role": "user", "content": "Is it raining in Oslo?"}
MODEL = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "No."}]}
NEXT = {"role": "user", "content": [{"type": "input_text", "text": "And tomorrow?"}, {"type": "input_image"}]}
SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "3 degrees"}
UNKNOWN = {"type": "custom_tool_call_output", "call_id": "call_2", "output": "7"}
SLEEP = {"type": "function_call", "call_id": "call_3", "name": "sleep", "arguments": "{}"}
AWAKE = {"type": "function_call_output", "call_id": "call_3", "output": "Wake up."}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}


def prompt(*items, key="k", conversation_id=None, **request):
    return Prompt({"model": "auto", **request}, items, key, conversation_id)


def answers(reply, *items, **request):
    plan = ReplyPlan()
    planned = plan.add(Reply({"text": "Hi.", **reply}))
    return plan.choose(prompt(*items, **request)) is planned


@pytest.mark.parametrize(
    ("reply", "matching", "other"),
    [
        ({"input": "tomorrow"}, [USER, MODEL, NEXT], [NEXT, MODEL, USER]),
        ({"input": "raining"}, [USER, CALL, OUTPUT], [MODEL]),
        ({"input_regex": "(?i)oslo\\?$"}, [USER], [USER, NEXT]),
        ({"instructions": "brief"}, [SYSTEM, USER], [USER]),
        ({"instructions": "brief"}, [SYSTEM | {"role": "developer"}], [USER, SYSTEM | {"content": "Be long."}]),
        ({"tool_output": True}, [CALL, OUTPUT], [CALL, OUTPUT, USER]),
        ({"tool_output": True}, [UNKNOWN], [CALL]),
        ({"tool_output": False}, [USER], [CALL, OUTPUT]),
        ({"tool_output": "get_weather"}, [CALL, OUTPUT, UNKNOWN], [CALL, UNKNOWN]),
        ({"turn": 1}, [SYSTEM, USER], [USER, MODEL, NEXT]),
        ({"turn": 2}, [USER, REASONING, CALL, OUTPUT], [USER, CALL, OUTPUT, MODEL, NEXT]),
        ({"turn": 2}, [USER, REASONING, SLEEP, AWAKE, MODEL, NEXT], [USER]),
        ({"turn": 3}, [USER, CALL, OUTPUT, MODEL, NEXT], [USER, CALL, OUTPUT]),
    ],
)
def test_a_reply_applies_to_the_contexts_that_match(reply, matching, other):
    assert answers(reply, *matching)
    assert not answers(reply, *other)


@pytest.mark.parametrize(
    ("reply", "matching", "other"),
    [
        ({"model": "auto"}, {}, {"model": "small"}),
        ({"instructions": "brief"}, {"instructions": "Be brief."}, {"instructions": "Be long."}),
        ({"conversation": "conv_1"}, {"conversation_id": "conv_1"}, {"conversation_id": "conv_2"}),
    ],
)
def test_a_reply_applies_to_the_requests_that_match(reply, matching, other):
    assert answers(reply, USER, **matching)
    assert not answers(reply, USER, **other)


def test_the_output_of_a_sleep_tool_of_the_client_ends_the_turn():
    function = {"type": "function", "name": "sleep"}
    assert prompt(SLEEP, AWAKE, MODEL).turn == 2
    assert prompt(SLEEP, AWAKE, MODEL, tools=[function]).turn == 3


def test_a_reply_for_a_key_applies_to_no_other():
    plan = ReplyPlan()
    planned = plan.add(Reply({"text": "Hi."}, "mine"))
    assert plan.choose(prompt(key="yours")) is None
    assert plan.choose(prompt(key="mine")) is planned


def test_replies_for_a_key_and_for_any_key_match_in_the_order_planned():
    plan = ReplyPlan()
    planned = [plan.add(Reply({"text": "Hi."}, key)) for key in (None, "mine", "yours", None, "mine")]
    chosen = [plan.choose(prompt(key="mine")) for _ in range(5)]
    assert chosen == [planned[0], planned[1], planned[3], planned[4], None]
    assert planned[2].seen == 0
    assert plan.list_replies("mine") == [planned[1], planned[4]]


def test_limited_replies_come_before_unlimited_ones_and_all_that_match_are_counted():
    plan = ReplyPlan()
    always = plan.add(Reply({"text": "a", "times": None}))
    twice = plan.add(Reply({"text": "b", "times": 2, "input": "Oslo"}))
    once = plan.add(Reply({"text": "c"}))
    assert [plan.choose(prompt(USER)) for _ in range(4)] == [twice, twice, once, always]
    assert plan.choose(prompt(NEXT)) is always
    assert [(one.seen, one.fired) for one in (always, twice, once)] == [(5, 2), (4, 2), (5, 1)]


@pytest.mark.parametrize(
    "call", [{"function_call": {"name": "f"}}, {"items": [{"type": "function_call", "name": "f"}]}]
)
def test_an_unlimited_call_does_not_answer_its_own_output(call):
    assert answers(call | {"times": None}, USER)
    assert not answers(call | {"times": None}, CALL, OUTPUT)
    assert answers(call | {"times": None, "tool_output": True}, CALL, OUTPUT)
    assert answers(call, CALL, OUTPUT)


def test_no_regular_expression_stops_the_fake():
    started = time.perf_counter()
    assert not answers({"input_regex": "(?=a)((a+)+)\\2$"}, {"role": "user", "content": "a" * 5000 + "!"})
    assert time.perf_counter() - started < 5


def test_ids_start_again_when_all_replies_are_removed():
    plan = ReplyPlan()
    first, second = plan.add(Reply({"text": "a"})), plan.add(Reply({"text": "b"}, "mine"))
    plan.clear("mine")
    assert plan.list_replies() == [first]
    assert plan.add(second.reply).id == 3
    plan.clear()
    assert plan.add(second.reply).id == 1
