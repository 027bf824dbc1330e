"""An event of a resumed stream may name any part; a huge number takes no memory."""

import resource

import pytest

from mockserver.contract.event_order import event_order
from mockserver.contract.event_tracker import EventTracker

HUGE = 10**15


@pytest.fixture(autouse=True)
def memory_limit():
    """Fail instead of filling the memory of the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def delta(index, number):
    return {
        "type": "response.output_text.delta",
        "sequence_number": number,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": index,
        "delta": "a",
        "logprobs": [],
    }


def added(index, number):
    part = {"type": "output_text", "text": "", "annotations": []}
    return {
        "type": "response.content_part.added",
        "sequence_number": number,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": index,
        "part": part,
    }


@pytest.mark.parametrize("make", [delta, added])
def test_a_huge_index_is_one_part(make):
    tracker = EventTracker(event_order(), is_resumed=True)
    assert tracker.check(make(HUGE, 7)) == []
    assert tracker.check(delta(HUGE, 8)) == []


def test_parts_before_the_first_added_one_have_ended():
    tracker = EventTracker(event_order(), is_resumed=True)
    assert tracker.check(delta(1, 7)) == []
    assert tracker.check(added(3, 8)) == []
    assert [finding.code for finding in tracker.check(delta(2, 9))] == ["event_order"]
    assert tracker.check(delta(1, 10)) == []
    assert tracker.check(delta(3, 11)) == []
