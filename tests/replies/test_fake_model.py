"""Which reply the fake model takes: that of the request's header, a planned one, or the default."""

from contextlib import nullcontext

import orjson
import pytest

from mockserver.asgi import Headers
from mockserver.context import Context, Tenant
from mockserver.errors import ControlTokenRequired, InvalidRequest
from mockserver.gateway.faults.model import find_inline_mistakes
from mockserver.replies.fake_model import FakeModel
from mockserver.replies.header import ReplyHeader
from mockserver.replies.model import Reply
from mockserver.replies.plan import ReplyPlan
from mockserver.replies.prompt import Prompt
from mockserver.replies.validator import ReplyValidator

PROMPT = Prompt({"model": "auto"}, [{"role": "user", "content": "Hello."}])
VALIDATOR = ReplyValidator(find_inline_mistakes)


def build_context(*replies, token=None):
    pairs = [(b"x-mock-reply", reply if isinstance(reply, bytes) else orjson.dumps(reply)) for reply in replies]
    context = Context("createResponse", Headers(pairs + ([(b"x-mock-token", token)] if token else [])), {})
    context.tenant = Tenant("account")
    return context


def respond(context, plan=None, token=None):
    model = FakeModel(
        plan or ReplyPlan(), lambda prefix, tenant: f"{prefix}_{tenant.account}", ReplyHeader(VALIDATOR, token)
    )
    (item,) = model.respond(context, PROMPT).items
    return item.body["content"][0]["text"]


def test_a_planned_reply_is_used_up():
    plan, context = ReplyPlan(), build_context()
    plan.add(Reply({"text": "Hi."}))
    assert (respond(context, plan), context.reply) == ("Hi.", 1)
    context = build_context()
    assert (respond(context, plan), context.reply) == ("You said: Hello.", None)


def test_the_reply_of_the_request_comes_before_planned_ones():
    plan, context = ReplyPlan(), build_context({"text": "Grüß Gott."})
    planned = plan.add(Reply({"text": "Hi."}))
    assert (respond(context, plan), context.reply) == ("Grüß Gott.", "header")
    assert (planned.seen, planned.fired) == (0, 0)


def test_a_reply_does_not_answer_a_request_from_before_a_reset():
    plan, context = ReplyPlan(), build_context()
    plan.add(Reply({"text": "Hi."}))
    context.past = nullcontext
    assert respond(context, plan) == "You said: Hello."


@pytest.mark.parametrize(
    ("headers", "pointer", "code"),
    [
        ([b"{"], "/X-Mock-Reply", "invalid_json"),
        ([{"txt": "Hi."}], "/X-Mock-Reply/txt", "unknown_field"),
        ([{"text": "Hi.", "times": 2}], "/X-Mock-Reply/times", "unknown_field"),
        ([{"text": "Hi.", "refusal": "No."}], "/X-Mock-Reply/refusal", "invalid_reply"),
        ([{"text": "Hi.", "fault": {"operation": "x"}}], "/X-Mock-Reply/fault/operation", "unknown_field"),
        ([{"text": "Hi."}, {"text": "Hey."}], "/X-Mock-Reply", "duplicate_parameter"),
    ],
)
def test_an_invalid_reply_in_a_request_is_rejected(headers, pointer, code):
    context = build_context(*headers)
    with pytest.raises(InvalidRequest) as caught:
        respond(context)
    assert [(one.location, one.pointer, one.code) for one in caught.value.findings] == [("header", pointer, code)]
    assert context.findings == tuple(caught.value.findings)


def test_an_error_of_a_reply_in_a_request_names_its_place():
    with pytest.raises(InvalidRequest, match=r"^X-Mock-Reply\.items\[0\]\.name: is required") as caught:
        respond(build_context({"items": [{"type": "function_call"}]}))
    assert caught.value.param == "X-Mock-Reply.items[0].name"


def test_a_reply_in_a_request_needs_the_control_token():
    assert respond(build_context({"text": "Hi."}, token=b"secret"), token="secret") == "Hi."
    for wrong in (None, b"guess"):
        with pytest.raises(ControlTokenRequired, match="X-Mock-Reply"):
            respond(build_context({"text": "Hi."}, token=wrong), token="secret")


def test_every_planning_field_is_rejected_in_a_request():
    schema = {
        "model",
        "input",
        "input_regex",
        "instructions",
        "tool_output",
        "conversation",
        "turn",
        "api_key",
        "times",
    }
    values = dict.fromkeys(schema, "a") | {"turn": 1, "times": 1}
    with pytest.raises(InvalidRequest) as caught:
        respond(build_context({"text": "Hi.", **values}))
    assert {one.pointer.rpartition("/")[2] for one in caught.value.findings} == schema
