"""How long a scenario waits for what need not be there at once."""

import pytest

from mockserver.conformance import scenario
from mockserver.conformance.client import Api
from mockserver.conformance.scenario import expect_soon


@pytest.fixture
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(scenario.time, "sleep", pauses.append)
    return pauses


def look(api, *answers):
    """Look for `x` with a target that finds one of these after the other, the last for ever."""
    left = list(answers)
    expect_soon(api, lambda: left.pop(0) if len(left) > 1 else left[0], ["x"], "what is found")


def test_what_is_there_is_not_waited_for(slept):
    look(Api("http://x", None), ["x"])
    assert slept == []


def test_what_comes_late_is_found(slept):
    look(Api("http://x", None), [], ["y"], ["x"])
    assert slept == [0.5, 1.0]


def test_a_target_with_which_waiting_never_helps_gets_little_of_it(slept):
    api = Api("http://x", None)
    for _ in range(4):
        with pytest.raises(AssertionError, match=r"what is found: expected \['x'\], received \[\]"):
            look(api.fresh(), [])
    assert slept == [0.5, 1.0, 2.0] * 2 + [0.5] * 2


def test_once_waiting_has_helped_it_goes_on(slept):
    api = Api("http://x", None)
    look(api.fresh(), [], ["x"])
    del slept[:]
    for _ in range(4):
        with pytest.raises(AssertionError):
            look(api.fresh(), [])
    assert slept == [0.5, 1.0, 2.0] * 4
