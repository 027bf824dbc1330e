import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.store.paging import Page, Timeline, page_of


@pytest.fixture
def timeline() -> Timeline[str]:
    """Letters at their place in the alphabet; c and the last one are gone."""
    timeline: Timeline[str] = Timeline()
    for letter in "abcdef":
        timeline.append(letter)
    timeline.remove(2)
    timeline.remove(5)
    return timeline


@pytest.mark.parametrize(
    ("after", "order", "expected"),
    [
        (None, "asc", "abde"),
        (None, "desc", "edba"),
        (0, "asc", "bde"),
        (0, "desc", ""),
        (2, "asc", "de"),
        (2, "desc", "ba"),
        (5, "asc", ""),
        (5, "desc", "edba"),
    ],
)
def test_walk_goes_both_ways_from_any_position(timeline, after, order, expected):
    assert "".join(timeline.walk(after, order)) == expected


def test_walk_of_an_empty_timeline():
    assert list(Timeline().walk(None, "asc")) == list(Timeline().walk(3, "desc")) == []


def test_positions_are_never_used_again(timeline):
    assert timeline.append("g") == 6
    assert "".join(timeline.walk()) == "abdeg"


@pytest.mark.parametrize("position", [2, 5, 6, -1])
def test_a_position_without_a_value_is_a_key_error(timeline, position):
    with pytest.raises(KeyError):
        timeline.get(position)
    with pytest.raises(KeyError):
        timeline.remove(position)


@pytest.mark.parametrize(
    ("values", "limit", "expected"),
    [("", 2, Page([], False)), ("ab", 2, Page(["a", "b"], False)), ("abc", 2, Page(["a", "b"], True))],
)
def test_a_page_tells_whether_the_list_continues(values, limit, expected):
    assert page_of(iter(values), limit) == expected


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 3000),
    removals=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1500)), max_size=4),
    scattered=st.sets(st.integers(0, 3000), max_size=50),
    more=st.integers(0, 600),
    after=st.none() | st.integers(-1, 3700),
)
def test_a_timeline_holds_the_remaining_values_in_order(count, removals, scattered, more, after):
    timeline: Timeline[int] = Timeline()
    left = {timeline.append(number * 10): number * 10 for number in range(count)}
    gone = scattered.union(*(range(start, start + length) for start, length in removals)) & left.keys()
    for position in sorted(gone, key=lambda position: position * 7919 % 1009):
        assert timeline.remove(position) == left.pop(position)
    left |= {timeline.append(-number): -number for number in range(more)}
    assert sorted(left) == list(left)
    expected = [value for position, value in left.items() if after is None or position > after]
    assert list(timeline.walk(after, "asc")) == expected
    expected = [value for position, value in left.items() if after is None or position < after]
    assert list(timeline.walk(after, "desc")) == expected[::-1]
    assert [timeline.get(position) for position in left] == list(left.values())
