import copy

import pytest

from mockserver.gateway.faults.json_patch import apply_patch


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"foo": ["bar", "baz"]}, [("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [("remove", "/baz"), ("replace", "/foo", 1)], {"foo": 1}),
        ({"/": 9, "~1": 10}, [("replace", "/~01", 11)], {"/": 9, "~1": 11}),
        ({"": {"": 1}}, [("remove", "//")], {"": {}}),
        # Operations in order; the value of an earlier one is changed by a later one
        ({}, [("add", "/a", []), ("add", "/a/-", 1), ("add", "/a/0", 0)], {"a": [0, 1]}),
        # Targets that do not exist
        ({"foo": "bar"}, [("add", "/baz/bat", 1), ("remove", "/baz"), ("replace", "/baz", 1)], {"foo": "bar"}),
        ({"foo": "bar"}, [("remove", "/foo/0"), ("add", "/a", None)], {"foo": "bar", "a": None}),
        ({"foo": [1, 2]}, [("add", "/foo/3", 2), ("remove", "/foo/-"), ("replace", "/foo/-1", 5)], {"foo": [1, 2]}),
        ({"foo": [1, 2]}, [("remove", "/foo/01"), ("remove", "/foo/²"), ("add", "/foo/1e0", 5)], {"foo": [1, 2]}),
        ({"foo": None}, [("add", "/foo/bar", 1), ("remove", "/foo/-/0")], {"foo": None}),
        ([1], [("add", "/0/1", 2)], [1]),
        ("text", [("remove", "/0")], "text"),
    ],
)
def test_operations_without_a_target_are_skipped(document, operations, expected):
    operations = tuple(dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations)
    before = copy.deepcopy((document, operations))
    for _ in range(2):
        assert apply_patch(document, operations) == expected
        assert (document, operations) == before, "the arguments have changed"
