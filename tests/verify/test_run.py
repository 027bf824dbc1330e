"""Whole runs: what comes out, what is left behind, and what a run keeps to, however it ends."""

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from mockserver.conformance.paths import PREFIX
from mockserver.conformance.scenarios import conversation_lists, conversations, metadata, tenancy
from mockserver.conformance.suite import all_scenarios
from mockserver.errors import UsageError
from mockserver.settings import parse_rate
from mockserver.verify import run as run_module
from mockserver.verify import transport as transport_module
from mockserver.verify.report.model import PHASES, Reason, Report, StopReason
from mockserver.verify.report.text import reason_text
from mockserver.verify.report.writers import write_reports
from mockserver.verify.transport import Limits
from tests.support.middleware import ApiMiddleware

from .conftest import KEYS, Gateway, Quiet

Start = Callable[..., Gateway]
Themes = Callable[..., None]


def cases(report: Report, verdict: str = "violates") -> list[str]:
    return [deviation.case for deviation in report.deviations if deviation.verdict == verdict]


def states(report: Report) -> dict[str, str]:
    return {row.phase: row.state for row in report.phases}


def verdict_of(report: Report, behaviour: str) -> tuple[str, str]:
    return next((row.verdict, reason_text(row.why)) for row in report.behaviours if row.id == behaviour)


# -- A sound target --------------------------------------------------------------------------------------------


def test_the_fake_conforms_and_is_left_as_it_was(gateway: Start) -> None:
    """In all phases but coverage, whose 5,000 requests are made by `make mutants` and, for one operation, below."""
    phases = tuple(phase for phase in PHASES if phase != "coverage")
    target = gateway()
    report = target.verify(phases=phases, seed=7, max_examples=10)
    assert report.deviations == ()
    assert states(report) == dict.fromkeys(phases, "done")
    assert report.exit_code == 0
    assert (report.left_over, target.left()) == ((), [])
    for row in report.operations:
        assert row.cells["examples"].verdict == "conforms", row
        assert row.cells["examples"].responses > 1, row


def test_the_fake_conforms_at_every_limit_of_an_operation(gateway: Start) -> None:
    report = gateway().verify(phases=("coverage",), repeat="conversations.items.list/200")
    assert (report.deviations, states(report)) == ((), {"coverage": "done"})
    responses = {row.id: row.cells["coverage"].responses for row in report.operations}
    assert responses["conversations.items.list"] > 50
    assert responses["conversations.update"] == 0


def test_what_cannot_be_checked_is_said_with_its_reason(gateway: Start) -> None:
    report = gateway().verify(second_key=None)
    assert verdict_of(report, "tenancy.keys-are-apart") == ("unchecked", "needs an API key of a second account")
    assert verdict_of(report, "rate-limit.counts-per-key")[0] == "unchecked"
    assert verdict_of(report, "tenancy.empty-end-user-is-none")[0] == "unchecked"
    report = gateway().verify(may_act_for_the_account=True, repeat="tenancy.empty-end-user-is-none")
    assert verdict_of(report, "tenancy.empty-end-user-is-none") == ("conforms", "")


class UnderV1(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        path = scope["raw_path"].replace(b"/v1", b"/api/v1/llm", 1)
        return scope | {"raw_path": path, "path": scope["path"].replace("/v1", "/api/v1/llm", 1)}


def test_a_target_may_lie_under_another_prefix(gateway: Start) -> None:
    report = gateway(UnderV1).verify(prefix="/v1", phases=("examples",))
    assert report.deviations == ()
    assert report.target.endswith("/v1")
    assert {row.cells["examples"].verdict for row in report.operations} == {"conforms"}


class WithoutKeys(ApiMiddleware):
    """Wants no key: whoever sends none is the first one."""

    def change_request(self, scope: Scope) -> Scope:
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        return scope | {"headers": [*headers, (b"authorization", f"Bearer {KEYS[0]}".encode())]}


def test_a_target_that_wants_no_key_is_not_asked_about_keys(gateway: Start) -> None:
    report = gateway(WithoutKeys).verify(api_key=None, second_key=None)
    assert report.deviations == ()
    assert verdict_of(report, "auth.missing-key-is-refused") == ("unchecked", "the run has no API key")
    report = gateway(WithoutKeys).verify(api_key=None, second_key=None, phases=("examples",))
    assert report.deviations == ()
    assert "ignored_auth" in {off.check for off in report.checks_off}


# -- Nothing but its own ---------------------------------------------------------------------------------------


class ForOneEndUser(ApiMiddleware):
    """Forgets on whose behalf a request is made, so that everybody sees everything."""

    def change_request(self, scope: Scope) -> Scope:
        return scope | {"headers": [pair for pair in scope["headers"] if pair[0] != b"x-on-behalf-of"]}


def test_the_conversations_of_others_are_left_alone_even_where_they_are_shown(
    gateway: Start, scenarios_of: Themes
) -> None:
    scenarios_of(tenancy)
    target = gateway(ForOneEndUser)
    headers = {"Authorization": f"Bearer {KEYS[0]}", "X-On-Behalf-Of": "somebody-else"}
    theirs = httpx.post(f"{target.url}/api/v1/llm/conversations", json={}, headers=headers).json()["id"]
    report = target.verify()
    assert "tenancy.end-users-are-apart" in cases(report)
    assert target.left() == [theirs]
    assert any("that it did not make; they were left alone" in note for note in report.notes)


class LosesTheFirstAnswer(ApiMiddleware):
    """Makes a conversation and does not say so, once."""

    is_lost = False

    def change_message(self, scope: Scope, message: Message) -> Message:
        lost = scope["method"] == "POST" and scope["path"].endswith("/conversations") and not type(self).is_lost
        if lost and message["type"] == "http.response.body":
            type(self).is_lost = True
            return message | {"body": b"x" * len(message["body"])}
        return message


def test_what_was_made_without_an_answer_is_found_and_deleted(gateway: Start, scenarios_of: Themes) -> None:
    scenarios_of(conversations)
    target = gateway(LosesTheFirstAnswer)
    report = target.verify()
    assert LosesTheFirstAnswer.is_lost
    assert (target.left(), report.left_over) == ([], ())


class DeletesNothing(ApiMiddleware):
    """ResponseChecks as if it did."""

    def change_request(self, scope: Scope) -> Scope:
        is_whole = scope["method"] == "DELETE" and scope["path"].count("/") == 5
        return scope | {"method": "GET"} if is_whole else scope

    def change_message(self, scope: Scope, message: Message) -> Message:
        return message


def test_what_cannot_be_deleted_is_listed(gateway: Start, scenarios_of: Themes) -> None:
    scenarios_of(conversations)
    target = gateway(DeletesNothing)
    report = target.verify()
    assert sorted(one.conversation for one in report.left_over) == sorted(target.left())
    assert {one.why for one in report.left_over} == {"is listed though it was deleted"}


# -- Limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [30, 150])
def test_no_more_requests_than_allowed_are_made_and_all_is_cleaned_up(gateway: Start, most: int) -> None:
    target = gateway()
    report = target.verify(limits=Limits(max_requests=most), phases=("behaviours", "examples"))
    assert target.requests() == report.requests <= most
    assert (target.left(), report.left_over) == ([], ())
    assert states(report) == {"behaviours": "stopped", "examples": "skipped"}
    assert report.exit_code == 0
    assert any(row.why == Reason(StopReason.MAX_REQUESTS) for row in report.behaviours)


def test_examples_stop_at_the_limit_too(gateway: Start) -> None:
    target = gateway()
    report = target.verify(limits=Limits(max_requests=80), phases=("examples", "coverage"))
    assert target.requests() <= 80
    assert (target.left(), report.exit_code) == ([], 0)
    assert states(report) == {"examples": "stopped", "coverage": "skipped"}


class Idle:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Idle:
    """The time by which a run is paced."""
    time = Idle()
    monkeypatch.setattr(transport_module, "time", time)
    return time


def test_no_more_time_than_allowed_is_taken(gateway: Start, idle: Idle) -> None:
    target = gateway()
    report = target.verify(limits=Limits(rate=parse_rate("40/s"), seconds=2))
    assert 1002 - 4 / 40 < idle.now <= 1002, "the clean-up is paced, too"
    assert states(report) == {"behaviours": "stopped"}
    assert target.left() == []


def test_the_rate_is_kept(gateway: Start, idle: Idle) -> None:
    target = gateway()
    target.verify(limits=Limits(rate=parse_rate("50/s"), max_requests=40))
    assert idle.now - 1000 == pytest.approx((target.requests() - 1) / 50)


def test_a_429_is_waited_out(gateway: Start) -> None:
    target = gateway(rate_limits=("60/s",))
    report = target.verify(repeat="conversations.list.gives-20-at-a-time", second_key=None)
    assert report.deviations == ()
    assert verdict_of(report, "conversations.list.gives-20-at-a-time") == ("conforms", "")


# -- Ends ------------------------------------------------------------------------------------------------------


class InterruptedAt(Quiet):
    """Somebody presses Ctrl-C when the run comes to this step."""

    def __init__(self, step: int) -> None:
        self._left = step

    def advance(self, requests: int, label: str) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("phases", "step"), [(("behaviours", "examples"), 20), (("examples", "coverage"), 8)])
def test_an_interrupted_run_cleans_up_and_reports(gateway: Start, phases: Any, step: int) -> None:
    target = gateway()
    report = target.verify(InterruptedAt(step), phases=phases)
    assert target.left() == []
    assert states(report) == {phases[0]: "stopped", phases[1]: "skipped"}
    assert {row.why for row in report.phases} == {Reason(StopReason.INTERRUPTED)}
    assert report.exit_code == 2
    assert report.requests > 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_within_a_request_leaves_nothing_behind(gateway: Start, number: int, times: int) -> None:
    class SignalsOnceItIsMade(ApiMiddleware):
        made = 0

        def change_message(self, scope: Scope, message: Message) -> Message:
            if (scope["method"], scope["path"]) == ("POST", f"{PREFIX}/conversations") and "status" in message:
                self.made += 1
                for _ in range(times if self.made == 5 else 0):
                    os.kill(os.getpid(), number)
                    time.sleep(0.2)
            return message

    target = gateway(SignalsOnceItIsMade)
    report = target.verify()
    assert target.left() == []
    assert {row.why for row in report.phases} == {Reason(StopReason.INTERRUPTED)}


def test_a_phase_that_crashes_stops_neither_the_others_nor_the_clean_up(
    gateway: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(run_module.Behaviours, "run", crash)
    target = gateway()
    report = target.verify(phases=("behaviours", "examples"))
    assert states(report) == {"behaviours": "crashed", "examples": "done"}
    assert "RuntimeError: no such luck" in reason_text(report.phases[0].why)
    assert (report.exit_code, target.left()) == (2, [])


# -- Before anything is made -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"api_key": "wrong"}, "refuses the API key"),
        ({"api_key": None}, "wants an API key"),
        ({"prefix": "/v2"}, "does the API lie under another --prefix"),
        ({"repeat": "nonsense"}, "there is no case 'nonsense'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(gateway: Start, options: Any, problem: str) -> None:
    target = gateway()
    with pytest.raises(UsageError, match=problem):
        target.verify(**options)
    assert target.left() == []


def test_nobody_at_home() -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        run_module.verify(run_module.Options("http://127.0.0.1:1", "key"), Quiet())


# -- What a target may do --------------------------------------------------------------------------------------


class WithoutList(ApiMiddleware):
    """Has no list of conversations."""

    def change_request(self, scope: Scope) -> Scope:
        is_list = scope["method"] == "GET" and scope["path"].endswith("/conversations")
        return scope | {"method": "PATCH"} if is_list else scope


def test_a_missing_operation_is_told_once(gateway: Start, scenarios_of: Themes) -> None:
    scenarios_of(conversations, conversation_lists)
    target = gateway(WithoutList)
    report = target.verify()
    assert cases(report) == ["conversations.list/missing"]
    assert verdict_of(report, "conversations.list.gives-20-at-a-time") == (
        "unchecked",
        "blocked by conversations.list/missing",
    )
    assert target.left() == []
    assert any("no list of conversations" in note for note in report.notes)


class Echoes(ApiMiddleware):
    """Sends the key back in every answer, and in its own words when something is wrong."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
            return message | {"headers": [*headers, (b"x-you-sent", KEYS[0].encode())]}
        body = message["body"].replace(b'"object":', f'"key":"{KEYS[0]}","object":'.encode())
        return message | {"body": body.replace(b'"code":', f'"sent":"Bearer {KEYS[1]}","code":'.encode())}


def test_a_key_that_the_target_sends_back_is_in_no_report(gateway: Start, tmp_path: Any) -> None:
    report = gateway(Echoes).verify(phases=("examples",))
    assert "conversations.create/200/body/key" in cases(report, "drift")
    write_reports(report, tmp_path, lambda case, phase: f"mockserver verify --repeat {case}")
    for path in tmp_path.iterdir():
        text = path.read_text()
        assert "$MKA1_API_KEY" in text or path.name == "junit.xml"
        assert not [key for key in KEYS if key in text], path


class Fails(ApiMiddleware):
    """Fails over every retrieval."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        crashes = scope["method"] == "GET" and scope["path"].count("/") == 5 and message.get("status") == 200
        return message | {"status": 500} if crashes else message


def test_one_cause_is_one_deviation_of_behaviour(gateway: Start, scenarios_of: Themes) -> None:
    scenarios_of(conversations, metadata)
    report = gateway(Fails).verify()
    behaviours = {row.id for row in report.behaviours}
    told = [deviation for deviation in report.deviations if deviation.case in behaviours]
    assert len([one for one in told if one.expected.endswith(": 200")]) == 1
    first = next(one for one in told if one.blocks)
    assert "conversations.retrieve.answers-what-create-answered" in [first.case, *first.blocks]
    assert "conversations.retrieve/500" in cases(report)


# -- Again -----------------------------------------------------------------------------------------------------


class SaysPage(ApiMiddleware):
    def change_message(self, scope: Scope, message: Message) -> Message:
        if "body" not in message:
            return message
        return message | {"body": message["body"].replace(b'"object":"list"', b'"object":"page"')}


def test_a_case_is_looked_for_again_and_nothing_more(gateway: Start, scenarios_of: Themes) -> None:
    scenarios_of(conversations, conversation_lists)
    target = gateway(SaysPage)
    report = target.verify()
    found = next(one for one in report.deviations if one.case == "ConversationListObject/object")
    assert found.suspect == "target"
    assert "cannot read the answer either" in found.reason
    again = target.verify(phases=(found.phases[0],), repeat=found.case)
    assert found.case in cases(again)
    assert again.requests < report.requests / 5
    assert cases(gateway().verify(phases=("behaviours",), repeat=found.case)) == []


def test_a_behaviour_is_looked_for_with_its_own_scenarios(gateway: Start) -> None:
    report = gateway().verify(phases=PHASES, repeat="conversations.delete.twice-is-404")
    assert verdict_of(report, "conversations.delete.twice-is-404") == ("conforms", "")
    assert states(report) == {"behaviours": "done"}
    assert report.requests < 40


def test_asking_for_what_is_not_described_is_answered(gateway: Start) -> None:
    report = gateway().verify(include_responses=True, repeat="conversations.delete.twice-is-404")
    assert any("no operation of the Responses resource yet" in note for note in report.notes)


def test_every_scenario_is_run() -> None:
    """So that the number in the progress bar is the number of steps."""
    assert len({scenario.name for scenario in all_scenarios()}) == len(all_scenarios())


def test_the_report_is_json(gateway: Start) -> None:
    report = gateway().verify(repeat="conversations.delete.twice-is-404")
    assert json.loads(json.dumps(report.as_dict()))["exit_code"] == 0
