from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.gateway.faults.model import Fault
from mockserver.gateway.faults.plan import FaultPlan


@settings(max_examples=200, deadline=None)
@given(
    faults=st.lists(
        st.builds(
            Fault,
            operation=st.sampled_from([None, "a", "b"]),
            key=st.sampled_from([None, "k", "l"]),
            status=st.sampled_from([None, 500]),
            delay=st.just(1.0),
            times=st.none() | st.integers(1, 3),
            after=st.integers(0, 3),
            every=st.integers(1, 3),
            probability=st.sampled_from([0.5, 1.0]),
            seed=st.integers(0, 3),
        ),
        max_size=5,
    ),
    calls=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("klm")), max_size=40),
)
def test_the_counts_of_the_plan_add_up(faults, calls):
    plan = FaultPlan()
    assert [plan.add(fault).id for fault in faults] == list(range(1, len(faults) + 1))
    fired = [[one.fault for one in plan.fire(operation, key)] for operation, key in calls]
    for (operation, key), hit in zip(calls, fired, strict=True):
        assert sum(fault.alters_response for fault in hit) <= 1
        assert all(fault.operation in (None, operation) and fault.key in (None, key) for fault in hit)
    assert sum(map(len, fired)) == sum(planned.fired for planned in plan.list_faults())
    for planned in plan.list_faults():
        fault = planned.fault
        assert planned.fired <= (planned.seen if fault.times is None else min(planned.seen, fault.times))
        assert planned.fired <= max(0, planned.seen - fault.after) // fault.every


def test_faults_are_removed_one_by_one_or_by_key():
    plan = FaultPlan()
    first, second, for_any_key = [plan.add(Fault(key=key, status=500)) for key in ("k", "l", None)]
    assert (plan.list_faults(), plan.list_faults("k")) == ([first, second, for_any_key], [first])
    assert [plan.remove(second.id, "k"), plan.remove(9), plan.remove(second.id)] == [False, False, True]
    plan.clear("k")
    assert plan.list_faults() == [for_any_key]
    assert plan.add(Fault(status=500)).id == 4
    plan.clear()
    assert plan.list_faults() == []
    assert plan.add(Fault(status=500)).id == 1
