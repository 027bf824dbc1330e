import pytest
from openai import RateLimitError
from support_bot.assistant import Assistant
from support_bot.desk import SupportDesk

ORDERS = {"1207": "shipped on Monday"}


@pytest.fixture
def assistant(mka1):
    return Assistant(SupportDesk().open_ticket("1", "About my order."), ORDERS.__getitem__)


def test_an_order_is_looked_up(mka1, assistant):
    mka1.replies.function_call("find_order", {"number": "1207"})
    mka1.replies.add(tool_output="find_order", text="It was shipped on Monday.")

    assert assistant.ask("Where is order 1207?") == "It was shipped on Monday."

    sent = mka1.requests.last.request["input"]
    assert [item["output"] for item in sent] == ["shipped on Monday"]


def test_two_orders_are_looked_up_at_once(mka1, assistant):
    mka1.replies.add(function_call=[{"name": "find_order", "arguments": {"number": "1207"}}] * 2)

    answer = assistant.ask("Where are my orders?")

    assert answer == "find_order said: shipped on Monday\nfind_order said: shipped on Monday"


def test_the_next_question_knows_the_first(assistant):
    assistant.ask("My name is unusual.")

    assert assistant.ask("What did I say?") == "You said: What did I say? Before that: My name is unusual."


def test_an_answer_is_streamed(mka1, assistant):
    mka1.replies.function_call("find_order", {"number": "1207"})
    mka1.replies.add(tool_output="find_order", text=["It was shipped ", "on Monday."])

    assert list(assistant.stream("Where is order 1207?")) == ["It was shipped ", "on Monday."]


def test_half_an_answer_is_no_answer(mka1, assistant):
    mka1.replies.add(text=["It was ", "shipped."], fault={"action": "close", "after_events": 5})

    with pytest.raises(RuntimeError, match=r"response\.completed"):
        list(assistant.stream("Where is order 1207?"))


def test_a_rate_limit_is_waited_for(mka1, assistant):
    mka1.faults.rate_limited("createResponse", times=2, retry_after_ms=10)

    assert assistant.ask("Hello?") == "You said: Hello? Before that: About my order."


def test_a_lasting_rate_limit_is_told(mka1, assistant):
    mka1.faults.rate_limited("createResponse", times=None, retry_after_ms=1)

    with pytest.raises(RateLimitError):
        assistant.ask("Hello?")


def test_the_conversation_has_all_turns(mka1, assistant):
    mka1.replies.function_call("find_order", {"number": "1207"})
    assistant.ask("Where is order 1207?")

    (conversation,) = mka1.state.snapshot()["conversations"]
    assert [item["type"] for item in conversation["items"]] == [
        "message",  # the ticket itself
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
