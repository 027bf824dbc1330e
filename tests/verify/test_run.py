"""Whole runs against a fake: verdicts, cleanup, limits, interrupts."""

import json
import os
import signal
import time

import httpx
import pytest
from starlette.types import Message, Scope

from mockserver.conformance.scenarios import conversation_lists, conversations, metadata, tenancy
from mockserver.conformance.suite import all_scenarios
from mockserver.errors import UsageError
from mockserver.settings import API_PATH, parse_rate
from mockserver.verify import run as run_module
from mockserver.verify import transport as transport_module
from mockserver.verify.options import Options
from mockserver.verify.report.model import (
    PHASES,
    BehaviourRow,
    Deviation,
    Reason,
    Report,
    StopReason,
    UncheckedReason,
)
from mockserver.verify.report.writers import write_reports
from mockserver.verify.transport import Limits
from tests.support.middleware import ApiMiddleware

from .conftest import KEYS, NoProgress, VerifiedFake

ONE_BEHAVIOUR = "conversations.delete.twice-is-404"


def cases(report: Report, verdict: str = "violates") -> list[str]:
    return [deviation.case for deviation in report.deviations if deviation.verdict == verdict]


def states(report: Report) -> dict[str, str]:
    return {row.phase: row.state for row in report.phases}


def row_of(report: Report, behaviour: str) -> BehaviourRow:
    return next(row for row in report.behaviours if row.id == behaviour)


def verdict_of(report: Report, behaviour: str) -> str:
    return row_of(report, behaviour).verdict


def deviation_of(report: Report, case: str) -> Deviation:
    return next(deviation for deviation in report.deviations if deviation.case == case)


def assert_all_requests_counted(target: VerifiedFake, report: Report) -> None:
    """Fail unless all requests went through the transport.

    The journal lacks two of them: the look at `/_mock/health`, and a probe of Schemathesis that is not HTTP.
    """
    assert 0 <= report.requests - target.count_requests() <= 2


# -- A target that conforms ------------------------------------------------------------------------------------


def test_the_fake_conforms_and_every_request_is_counted_and_cleaned_up(start_fake) -> None:
    """All phases but coverage, whose 5,000 requests are left to `make mutants` and to the next test."""
    phases = tuple(phase for phase in PHASES if phase != "coverage")
    target = start_fake()
    report = target.verify(phases=phases, seed=7, max_examples=10)
    assert report.deviations == ()
    assert states(report) == dict.fromkeys(phases, "done")
    assert report.exit_code == 0
    assert (report.leftovers, target.remaining_conversations()) == ((), [])
    assert_all_requests_counted(target, report)
    for row in report.operations:
        assert row.cells["examples"].verdict == "conforms", row
        assert row.cells["examples"].responses > 1, row


def test_one_operation_conforms_in_the_coverage_phase(start_fake) -> None:
    report = start_fake().verify(phases=("coverage",), repeat="conversations.items.list/200")
    assert (report.deviations, states(report)) == ((), {"coverage": "done"})
    responses = {row.id: row.cells["coverage"].responses for row in report.operations}
    assert responses["conversations.items.list"] > 50
    assert responses["conversations.update"] == 0


def test_an_unchecked_behaviour_has_a_reason(start_fake) -> None:
    report = start_fake().verify(second_key=None)
    reason = row_of(report, "tenancy.keys-are-apart").reason
    assert reason is not None
    assert (reason.code, "second account" in reason.detail) == (UncheckedReason.SCENARIO, True)
    assert verdict_of(report, "rate-limit.counts-per-key") == "unchecked"
    assert verdict_of(report, "tenancy.empty-end-user-is-none") == "unchecked"
    report = start_fake().verify(may_act_for_account=True, repeat="tenancy.empty-end-user-is-none")
    assert verdict_of(report, "tenancy.empty-end-user-is-none") == "conforms"


class UnderV1(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        path = scope["raw_path"].replace(b"/v1", b"/api/v1/llm", 1)
        return scope | {"raw_path": path, "path": scope["path"].replace("/v1", "/api/v1/llm", 1)}


def test_the_api_may_have_another_prefix(start_fake) -> None:
    report = start_fake(UnderV1).verify(prefix="/v1", phases=("examples",))
    assert report.deviations == ()
    assert report.target.endswith("/v1")
    assert {row.cells["examples"].verdict for row in report.operations} == {"conforms"}


class WithoutKeys(ApiMiddleware):
    """Needs no key: all requests are for the first account."""

    def change_request(self, scope: Scope) -> Scope:
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        return scope | {"headers": [*headers, (b"authorization", f"Bearer {KEYS[0]}".encode())]}


def test_without_a_key_nothing_about_keys_is_checked(start_fake) -> None:
    target = start_fake(WithoutKeys)
    report = target.verify(api_key=None, second_key=None)
    assert report.deviations == ()
    assert verdict_of(report, "auth.missing-key-is-refused") == "unchecked"
    report = target.verify(api_key=None, second_key=None, phases=("examples",))
    assert report.deviations == ()
    assert "ignored_auth" in {off.check for off in report.disabled_checks}


def test_every_check_that_is_off_has_a_reason(start_fake) -> None:
    report = start_fake().verify(phases=("examples",), limits=Limits(max_requests=20))
    off = {check.check: check for check in report.disabled_checks}
    assert {"positive_data_acceptance", "negative_data_rejection", "use_after_free"} <= off.keys()
    assert off["use_after_free"].operations == ("conversations.items.list", "conversations.items.retrieve")
    assert all(check.reason for check in report.disabled_checks)


# -- Cleanup ---------------------------------------------------------------------------------------------------


class SharedByEndUsers(ApiMiddleware):
    """Ignores the end user, so that all end users share their conversations."""

    def change_request(self, scope: Scope) -> Scope:
        return scope | {"headers": [pair for pair in scope["headers"] if pair[0] != b"x-on-behalf-of"]}


def test_conversations_of_other_callers_are_left_alone(start_fake, select_scenarios) -> None:
    select_scenarios(tenancy)
    target = start_fake(SharedByEndUsers)
    headers = {"Authorization": f"Bearer {KEYS[0]}", "X-On-Behalf-Of": "somebody-else"}
    foreign = httpx.post(f"{target.url}{API_PATH}/conversations", json={}, headers=headers).json()["id"]
    report = target.verify()
    assert "tenancy.end-users-are-apart" in cases(report)
    assert target.remaining_conversations() == [foreign]
    assert any("left alone" in note for note in report.notes)


class LosesTheFirstResponse(ApiMiddleware):
    """Creates a conversation without a readable response, once."""

    is_lost = False

    def change_message(self, scope: Scope, message: Message) -> Message:
        creates = scope["method"] == "POST" and scope["path"].endswith("/conversations")
        if creates and not type(self).is_lost and message["type"] == "http.response.body":
            type(self).is_lost = True
            return message | {"body": b"x" * len(message["body"])}
        return message


def test_a_conversation_without_a_response_is_found_and_deleted(start_fake, select_scenarios) -> None:
    select_scenarios(conversations)
    target = start_fake(LosesTheFirstResponse)
    report = target.verify()
    assert LosesTheFirstResponse.is_lost
    assert (target.remaining_conversations(), report.leftovers) == ([], ())


class DeletesNothing(ApiMiddleware):
    """Answers every DELETE of a conversation as if it were a GET."""

    def change_request(self, scope: Scope) -> Scope:
        is_whole = scope["method"] == "DELETE" and scope["path"].count("/") == 5
        return scope | {"method": "GET"} if is_whole else scope


def test_a_conversation_that_cannot_be_deleted_is_reported(start_fake, select_scenarios) -> None:
    select_scenarios(conversations)
    target = start_fake(DeletesNothing)
    report = target.verify()
    assert sorted(one.id for one in report.leftovers) == sorted(target.remaining_conversations())
    assert {one.reason for one in report.leftovers} == {"is still listed after its deletion"}


# -- Limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "phases"),
    [(30, ("behaviours", "examples")), (150, ("behaviours", "examples")), (80, ("examples", "coverage"))],
)
def test_the_request_limit_includes_the_cleanup(start_fake, limit, phases) -> None:
    target = start_fake()
    report = target.verify(limits=Limits(max_requests=limit), phases=phases)
    assert_all_requests_counted(target, report)
    assert report.requests <= limit
    assert (target.remaining_conversations(), report.leftovers, report.exit_code) == ([], (), 3)
    assert states(report) == {phases[0]: "stopped", phases[1]: "skipped"}
    assert {row.reason for row in report.phases} == {Reason(StopReason.MAX_REQUESTS)}
    if "behaviours" in phases:
        assert Reason(StopReason.MAX_REQUESTS) in {row.reason for row in report.behaviours}


class FakeTime:
    """Time that passes only in `sleep`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake_time(monkeypatch) -> FakeTime:
    """The time of the transport."""
    fake_time = FakeTime()
    monkeypatch.setattr(transport_module, "time", fake_time)
    return fake_time


def test_the_time_limit_includes_the_paced_cleanup(start_fake, fake_time) -> None:
    target = start_fake()
    report = target.verify(limits=Limits(rate=parse_rate("40/s"), seconds=2))
    assert 1002 - 4 / 40 < fake_time.now <= 1002
    assert states(report) == {"behaviours": "stopped"}
    assert target.remaining_conversations() == []


def test_requests_are_spaced_evenly(start_fake, fake_time) -> None:
    report = start_fake().verify(limits=Limits(rate=parse_rate("50/s"), max_requests=40))
    assert fake_time.now - 1000 == pytest.approx((report.requests - 1) / 50)


def test_a_429_is_retried_after_the_wait_that_it_names(start_fake) -> None:
    behaviour = "conversations.list.gives-20-at-a-time"
    report = start_fake(rate_limits=("60/s",)).verify(repeat=behaviour, second_key=None)
    assert report.deviations == ()
    assert verdict_of(report, behaviour) == "conforms"


# -- Interrupts and crashes ------------------------------------------------------------------------------------


class InterruptAt(NoProgress):
    """Ctrl-C at a step of the run."""

    def __init__(self, step: int) -> None:
        self._steps_left = step

    def advance(self, requests: int, label: str) -> None:
        self._steps_left -= 1
        if self._steps_left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("phases", "step"), [(("behaviours", "examples"), 20), (("examples", "coverage"), 8)])
def test_an_interrupted_run_cleans_up_and_reports(start_fake, phases, step) -> None:
    target = start_fake()
    report = target.verify(InterruptAt(step), phases=phases)
    assert target.remaining_conversations() == []
    assert states(report) == {phases[0]: "stopped", phases[1]: "skipped"}
    assert {row.reason for row in report.phases} == {Reason(StopReason.INTERRUPTED)}
    assert report.exit_code == 2
    assert report.requests > 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_within_a_create_request_leaves_nothing_behind(start_fake, number, times) -> None:
    class SignalsAtTheFifthCreate(ApiMiddleware):
        created = 0

        def change_message(self, scope: Scope, message: Message) -> Message:
            if (scope["method"], scope["path"]) == ("POST", f"{API_PATH}/conversations") and "status" in message:
                self.created += 1
                for _ in range(times if self.created == 5 else 0):
                    os.kill(os.getpid(), number)
                    time.sleep(0.2)
            return message

    target = start_fake(SignalsAtTheFifthCreate)
    report = target.verify()
    assert target.remaining_conversations() == []
    assert {row.reason for row in report.phases} == {Reason(StopReason.INTERRUPTED)}


def test_a_crash_stops_neither_the_next_phase_nor_the_cleanup(start_fake, monkeypatch) -> None:
    def crash(*arguments: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(run_module.BehaviourChecks, "run", crash)
    target = start_fake()
    report = target.verify(phases=("behaviours", "examples"))
    assert states(report) == {"behaviours": "crashed", "examples": "done"}
    reason = report.phases[0].reason
    assert reason is not None
    assert (reason.code, "RuntimeError: no such luck" in reason.detail) == (UncheckedReason.CRASHED, True)
    assert (report.exit_code, target.remaining_conversations()) == (2, [])


# -- Preflight -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"api_key": "wrong"}, "rejects the API key"),
        ({"api_key": None}, "requires an API key"),
        ({"prefix": "/v2"}, "another --prefix"),
        ({"repeat": "nonsense"}, "there is no case 'nonsense'"),
    ],
)
def test_a_usage_error_is_raised_before_anything_is_created(start_fake, options, problem) -> None:
    target = start_fake()
    with pytest.raises(UsageError, match=problem):
        target.verify(**options)
    assert target.remaining_conversations() == []


def test_a_target_that_does_not_respond_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        run_module.verify(Options("http://127.0.0.1:1", "key"), NoProgress())


class WithoutList(ApiMiddleware):
    """Has no list of conversations."""

    def change_request(self, scope: Scope) -> Scope:
        is_list = scope["method"] == "GET" and scope["path"].endswith("/conversations")
        return scope | {"method": "PATCH"} if is_list else scope


def test_a_missing_operation_is_one_deviation(start_fake, select_scenarios) -> None:
    select_scenarios(conversations, conversation_lists)
    target = start_fake(WithoutList)
    report = target.verify()
    assert cases(report) == ["conversations.list/missing"]
    row = row_of(report, "conversations.list.gives-20-at-a-time")
    assert (row.verdict, row.reason) == ("unchecked", Reason(UncheckedReason.BLOCKED, "conversations.list/missing"))
    assert target.remaining_conversations() == []
    assert any("no list of conversations" in note for note in report.notes)


# -- Deviations ------------------------------------------------------------------------------------------------


class EchoesKeys(ApiMiddleware):
    """Sends the keys back in headers, fields and errors."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
            return message | {"headers": [*headers, (b"x-you-sent", KEYS[0].encode())]}
        body = message["body"].replace(b'"object":', f'"key":"{KEYS[0]}","object":'.encode())
        return message | {"body": body.replace(b'"code":', f'"sent":"Bearer {KEYS[1]}","code":'.encode())}


def test_a_key_that_the_target_echoes_is_in_no_report(start_fake, tmp_path) -> None:
    report = start_fake(EchoesKeys).verify(phases=("examples",))
    assert "ConversationObject/key" in cases(report, "drift")
    write_reports(report, tmp_path, lambda deviation: f"mockserver verify --repeat {deviation.case}")
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(paths) > 3, "the scripts are reports, too"
    for path in paths:
        text = path.read_text()
        assert "$MKA1_API_KEY" in text or path.name == "junit.xml"
        assert not [key for key in KEYS if key in text], path


class FailsToRetrieve(ApiMiddleware):
    """Answers every retrieval of a conversation with 500."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        crashes = scope["method"] == "GET" and scope["path"].count("/") == 5 and message.get("status") == 200
        return message | {"status": 500} if crashes else message


class RejectsMetadata(ApiMiddleware):
    """Answers every update with one and the same 400."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        is_update = scope["method"] == "POST" and scope["path"].count("/") == 5
        return message | {"status": 400} if is_update and message.get("status") == 200 else message


@pytest.mark.parametrize(
    ("middleware", "told", "with_"),
    [
        (FailsToRetrieve, "conversations.retrieve.answers-what-create-answered", "conversations.retrieve/500"),
        (RejectsMetadata, "conversations.update.answers-with-the-new-metadata", None),
    ],
)
def test_behaviours_that_fail_for_one_cause_are_one_deviation(
    start_fake, select_scenarios, middleware, told, with_
) -> None:
    select_scenarios(conversations, metadata)
    report = start_fake(middleware).verify()
    first = next(one for one in report.deviations if one.blocks)
    assert told in [first.case, *first.blocks, *first.includes]
    assert with_ in (None, first.case)
    assert row_of(report, first.blocks[0]).reason == Reason(UncheckedReason.BLOCKED, first.case)
    behaviours = {row.id for row in report.behaviours}
    assert len([one for one in report.deviations if one.case in behaviours and one.expected.endswith(": 200")]) == (
        with_ is None
    )


class SaysPage(ApiMiddleware):
    """Answers with the object `page` instead of `list`."""

    def change_message(self, scope: Scope, message: Message) -> Message:
        if "body" not in message:
            return message
        return message | {"body": message["body"].replace(b'"object":"list"', b'"object":"page"')}


def test_a_case_is_reproduced_with_few_requests(start_fake, select_scenarios) -> None:
    select_scenarios(conversations, conversation_lists)
    case, target = "ConversationListObject/object", start_fake(SaysPage)
    report = target.verify()
    found = deviation_of(report, case)
    assert found.suspect == "target"
    assert "cannot parse the response either" in found.reason
    again = target.verify(phases=(found.phases[0],), repeat=case)
    assert case in cases(again)
    assert again.phases[0].reason == Reason(StopReason.CASE_REPRODUCED)
    assert again.requests < report.requests / 5
    assert cases(start_fake().verify(repeat=case)) == []


def test_a_behaviour_is_reproduced_by_its_own_scenarios(start_fake) -> None:
    report = start_fake().verify(phases=PHASES, repeat=ONE_BEHAVIOUR)
    assert verdict_of(report, ONE_BEHAVIOUR) == "conforms"
    assert states(report) == {"behaviours": "done"}
    assert report.requests < 40
    assert json.loads(json.dumps(report.as_dict()))["exit_code"] == 0


def test_scenarios_have_unique_names() -> None:
    """The progress display counts them by name."""
    assert len({scenario.name for scenario in all_scenarios()}) == len(all_scenarios())
