import time

import pytest

from mockserver.determinism import AdjustableClock, RandomIds, SequentialIds


def test_a_clock_follows_the_real_time_until_it_is_changed():
    clock = AdjustableClock()
    assert clock.now("a") == pytest.approx(time.time(), abs=5)
    clock.advance(1000)
    assert clock.now("a") == pytest.approx(time.time() + 1000, abs=5)
    clock.freeze()
    assert clock.now("a") == clock.now("a") == pytest.approx(time.time() + 1000, abs=5)
    clock.resume()
    assert clock.now("a") == pytest.approx(time.time(), abs=5)


def test_a_frozen_clock_can_be_advanced():
    clock = AdjustableClock()
    clock.freeze(100)
    clock.advance(2.5)
    clock.advance(-1)
    assert clock.now("a") == 101.5
    assert clock.is_frozen()


def test_an_account_can_have_its_own_clock():
    clock = AdjustableClock()
    clock.freeze(100)
    clock.advance(5, "a")
    assert (clock.now("a"), clock.now("b")) == (105, 100)
    clock.freeze(7, "b")
    clock.advance(1)
    assert (clock.now("a"), clock.now("b"), clock.now("c")) == (105, 7, 101)
    clock.resume("a")
    assert clock.now("a") == pytest.approx(time.time(), abs=5)
    assert (clock.is_frozen("a"), clock.is_frozen("b"), clock.is_frozen("c")) == (False, True, True)
    clock.reset("a")
    assert clock.now("a") == 101
    clock.reset()
    assert clock.now("b") == pytest.approx(time.time(), abs=5)


def test_sequential_ids_are_counted_by_prefix_and_account():
    ids = SequentialIds()
    made = [ids.new_id("msg", "a"), ids.new_id("msg", "a"), ids.new_id("fc", "a"), ids.new_id("msg", "b")]
    assert made == [f"msg_{1:032x}", f"msg_{2:032x}", f"fc_{1:032x}", f"msg_{1:032x}"]
    ids.reset("a")
    assert (ids.new_id("msg", "a"), ids.new_id("msg", "b")) == (f"msg_{1:032x}", f"msg_{2:032x}")
    ids.reset()
    assert ids.new_id("msg", "b") == f"msg_{1:032x}"


def test_random_ids_repeat_only_with_the_same_seed():
    one, two, other = RandomIds(1), RandomIds(1), RandomIds()
    first = one.new_id("msg", "a")
    assert first == two.new_id("msg", "b") != other.new_id("msg", "a")
    assert len(first) == len("msg_") + 32
    one.reset("a")
    assert one.new_id("msg", "a") != first
    one.reset()
    assert one.new_id("msg", "a") == first
