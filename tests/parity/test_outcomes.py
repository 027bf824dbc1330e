"""Outcomes of scenarios carry their failures as data."""

import pytest

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect
from mockserver.conformance.response import UnexpectedResponse
from mockserver.conformance.scenario import OwnKey, Result, Scenario, ScenarioError, SecondKey, run


class Unreachable:
    """A target that never offers a client."""

    def client_for(self, needs):
        return None


def run_on_fake(target, function):
    if target.name != "fake":
        pytest.skip("tests the outcomes, not the target")
    return run(Scenario(("one", "two", "three"), function), target)


def test_a_mismatch_names_subject_and_values(target):
    def scenario(api: ApiClient) -> None:
        api.set_behaviour("one")
        api.set_behaviour("two")
        expect("received", "expected", "subject")

    outcome = run_on_fake(target, scenario)
    failure = outcome.failure
    assert (failure.subject, failure.expected, failure.received) == ("subject", '"expected"', '"received"')
    results = [outcome.for_behaviour(behaviour)[0] for behaviour in ("one", "two", "three")]
    assert results == [Result.PASSED, Result.FAILED, Result.NOT_CHECKABLE]


def test_an_unexpected_response_is_kept_with_the_expected_status(target):
    failure = run_on_fake(target, lambda api: api.get("/unknown").expect_ok()).failure
    assert isinstance(failure, UnexpectedResponse)
    assert (failure.response.status, failure.expected_status) == (404, 200)
    failure = run_on_fake(target, lambda api: api.get("/conversations").expect_error()).failure
    assert (failure.response.status, failure.expected_status) == (200, None)


def test_an_exception_keeps_its_type(target):
    failure = run_on_fake(target, lambda api: api.create()["unknown"]).failure
    assert isinstance(failure, ScenarioError)
    assert failure.error_type is KeyError


def test_a_scenario_deletes_what_it_created(target):
    created = []
    run_on_fake(target, lambda api: created.append((api, api.create_id())))
    api, conversation = created[0]
    api.get(f"/conversations/{conversation}").expect_error(404)


@pytest.mark.parametrize("needs", [SecondKey(), OwnKey()])
def test_a_need_that_the_target_cannot_meet(needs):
    outcome = run(Scenario(("one",), lambda api: None, needs), Unreachable())
    assert outcome.for_behaviour("one") == (Result.NOT_CHECKABLE, needs.reason)


def test_a_second_key_must_be_declared():
    with pytest.raises(RuntimeError, match="second key"):
        ApiClient("http://x", "key").with_second_key()
