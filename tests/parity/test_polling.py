"""Waits for results that may come late."""

import pytest

from mockserver.conformance import expectations
from mockserver.conformance.expectations import Polling, ScenarioFailure


@pytest.fixture
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(expectations.time, "sleep", pauses.append)
    return pauses


def look(polling, *results):
    """Look for `x` on a target that finds these results one after the other, the last one forever."""
    left = list(results)
    polling.expect(lambda: left.pop(0) if len(left) > 1 else left[0], ["x"], "result")


def test_no_wait_for_a_result_that_is_there(slept):
    look(Polling(), ["x"])
    assert slept == []


def test_a_late_result_is_found(slept):
    look(Polling(), [], ["y"], ["x"])
    assert slept == [0.5, 1.0]


def test_waits_get_short_when_they_never_help(slept):
    polling = Polling()
    for _ in range(4):
        with pytest.raises(ScenarioFailure) as failed:
            look(polling, [])
        assert (failed.value.expected, failed.value.received) == ('["x"]', "[]")
    assert slept == [0.5, 1.0, 2.0] * 2 + [0.5] * 2


def test_waits_stay_long_once_one_has_helped(slept):
    polling = Polling()
    look(polling, [], ["x"])
    del slept[:]
    for _ in range(4):
        with pytest.raises(ScenarioFailure):
            look(polling, [])
    assert slept == [0.5, 1.0, 2.0] * 4
