"""Replay: the commands of every deviation were tried, are short, and begin with what creates."""

import json
import re
from types import SimpleNamespace

import pytest
from starlette.types import Message, Scope

from mockserver.conformance.scenarios import (
    conversation_lists,
    conversations,
    errors,
    gateway,
    item_lists,
    items,
    metadata,
    tenancy,
)
from mockserver.settings import API_PATH
from mockserver.verify import replay
from mockserver.verify.report.model import Deviation, Report
from mockserver.verify.transport import Limits
from tests.support.middleware import ApiMiddleware

from .test_reproduction import needs_shell, run
from .test_run import SharedByEndUsers, deviation_of


def change_body(message: Message, change) -> Message:
    if message["type"] == "http.response.start":
        return message | {"headers": [pair for pair in message["headers"] if pair[0] != b"content-length"]}
    body = message.get("body", b"")
    return message | {"body": json.dumps(change(json.loads(body))).encode() if body else body}


class ListsNewestFirst(ApiMiddleware):
    """Reverses each page of items."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        if scope["method"] != "GET" or not scope["path"].endswith("/items"):
            return message
        return change_body(message, lambda page: page | {"data": page.get("data", [])[::-1]})


class AcceptsDeleted(ApiMiddleware):
    """Returns every conversation, also a deleted one, as it was when it was created."""

    def __init__(self, app: object) -> None:
        super().__init__(app)  # type: ignore[arg-type]
        self._created: dict[str, dict[str, object]] = {}

    def change_message(self, scope: Scope, message: Message) -> Message:
        if scope["path"] == f"{API_PATH}/conversations" and scope["method"] == "POST" and message.get("body"):
            body = json.loads(message["body"])
            self._created[body.get("id", "")] = body
        conversation = self._created.get(scope["path"].rpartition("/")[2])
        if scope["method"] != "GET" or conversation is None:
            return message
        if message["type"] == "http.response.start":
            message = message | {"status": 200}
        return change_body(message, lambda body: conversation)


class ListsNothing(ApiMiddleware):
    """Has an empty list of conversations."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        if scope["method"] != "GET" or not scope["path"].endswith("/conversations"):
            return message
        return change_body(message, lambda page: {"object": "list", "data": [], "has_more": False})


LISTED = "conversations.list.shows-the-callers-conversations"
LISTS = SimpleNamespace(scenario=[one for one in conversation_lists.scenario if LISTED in one.behaviours][:1])


def script_of(deviation: Deviation) -> str:
    return "\n".join(deviation.reproduction)


def assert_every_command_was_tried(report: Report) -> None:
    assert [one.case for one in report.deviations if not one.is_reproduced] == []
    for deviation in report.deviations:
        script = script_of(deviation)
        variables = re.findall(r"\$\{(id\d+)\}", script)
        assert all(f"{name}=$(jq" in script for name in variables)


@needs_shell
@pytest.mark.parametrize(
    ("middleware", "module", "case", "steps"),
    [
        (ListsNewestFirst, item_lists, "items.list.starts-with-the-oldest", ["POST", "POST", "POST", "POST", "GET"]),
        (SharedByEndUsers, tenancy, "tenancy.end-users-are-apart", ["POST", "GET"]),
        (ListsNothing, LISTS, LISTED, ["POST", "GET"]),
        (AcceptsDeleted, conversations, "conversations.delete.deletes", ["POST", "DELETE", "GET"]),
    ],
)
def test_the_commands_are_the_shortest_and_work_in_a_shell(
    start_fake, select_scenarios, middleware, module, case, steps
) -> None:
    select_scenarios(module)
    target = start_fake(middleware)
    report = target.verify(second_key=None)
    deviation = deviation_of(report, case)
    assert re.findall(r"curl -\S+ -X (\w+)", script_of(deviation)) == steps
    assert not re.search(r"(conv|msg)_[0-9a-f]{8}", script_of(deviation)), "an id that the target assigned"
    assert_every_command_was_tried(report)
    for one in report.deviations:
        assert "HTTP/1.1" in run(one.reproduction), one
    assert target.remaining_conversations() != [], "the commands create what they need themselves"


class HasOtherErrors(ApiMiddleware):
    """Sends errors as a detail, and conversations without metadata and deleted_at."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        def change(body):
            if "error" in body:
                return {"detail": body["error"]["message"]}
            return {name: value for name, value in body.items() if name not in ("metadata", "deleted_at")}

        return change_body(message, change)


PYTHON = re.compile(r"\bNone\b|\bTrue\b|\bFalse\b|\['|'\]|[a-z]+_[a-z]+_[a-z]+_|[A-Z]\w+Error\b|\{'")


def test_a_report_speaks_of_http_and_not_of_python(start_fake, select_scenarios) -> None:
    select_scenarios(conversations, item_lists, errors, gateway, tenancy)
    report = start_fake(HasOtherErrors).verify(second_key=None)
    texts = [text for one in report.deviations for text in (one.statement, one.expected, one.received, one.reason)]
    texts += [row.reason.detail for row in report.behaviours if row.reason]
    texts = [text.replace("invalid_request_error", "") for text in texts]
    assert len(report.deviations) > 5
    assert [text for text in texts if PYTHON.search(text)] == []


def test_one_form_of_errors_is_told_once_and_is_no_violation(start_fake, select_scenarios) -> None:
    select_scenarios(errors, gateway, item_lists)
    report = start_fake(HasOtherErrors).verify(second_key=None)
    found = deviation_of(report, "errors.have-one-envelope")
    assert (found.verdict, found.includes) == ("learned", ("error bodies",))
    assert {kind.name.partition(" ")[0] for kind in found.kinds} >= {"400", "404", "405"}
    assert found.is_reproduced is True
    assert "items.list.unknown-cursor-is-400" in found.blocks
    others = [one for one in report.deviations if one is not found]
    assert [one.case for one in others if "error" in one.received or "detail" in one.received] == []


class RenamesOnce(ApiMiddleware):
    """Deviates in one response only."""

    retrieved = 0

    def change_message(self, scope: Scope, message: Message) -> Message:
        is_retrieval = scope["method"] == "GET" and scope["path"].count("/") == 5
        type(self).retrieved += is_retrieval and b'"object":"conversation"' in message.get("body", b"")
        if not is_retrieval or self.retrieved != 4 or "body" not in message:
            return message
        return message | {"body": message["body"].replace(b'"object":"conversation"', b'"object":"conversatiom"')}


def test_what_does_not_come_back_says_so(start_fake, select_scenarios) -> None:
    select_scenarios(conversations)
    deviation = deviation_of(start_fake(RenamesOnce).verify(), "ConversationObject/object")
    assert deviation.is_reproduced is False
    assert deviation.reproduction != ()


class HasNoMetadataLimit(ApiMiddleware):
    """Accepts 17 pairs of metadata: it shows the first 16 of them to the application."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        return message | {"status": 200} if message.get("status") == 400 else message


def test_a_run_without_requests_left_tries_nothing(start_fake, select_scenarios) -> None:
    select_scenarios(metadata, items)
    target = start_fake(HasNoMetadataLimit)
    report = target.verify(limits=Limits(max_requests=90))
    assert report.of("violates")
    assert {one.is_reproduced for one in report.deviations} == {None}
    assert all(one.reproduction for one in report.deviations)
    assert (target.remaining_conversations(), report.requests <= 90) == ([], True)


def test_a_crash_of_the_replay_does_not_lose_the_report(start_fake, select_scenarios, monkeypatch) -> None:
    def crash(*arguments: object) -> None:
        raise ValueError("no such luck")

    monkeypatch.setattr(replay, "_candidates", crash)
    select_scenarios(item_lists)
    target = start_fake(ListsNewestFirst)
    report = target.verify()
    assert deviation_of(report, "items.list.starts-with-the-oldest").is_reproduced is None
    assert "items.list.starts-with-the-oldest could not be tried again: ValueError: no such luck" in report.notes
    assert target.remaining_conversations() == []


def test_a_repeated_case_is_tried_too(start_fake, select_scenarios) -> None:
    select_scenarios(item_lists)
    report = start_fake(ListsNewestFirst).verify(repeat="items.list.starts-with-the-oldest")
    assert_every_command_was_tried(report)
