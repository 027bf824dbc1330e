"""One cause, one finding: what different checks say about the same thing is told once."""

from dataclasses import replace

import pytest

from mockserver.conformance.catalogue import Behaviour, load_catalogue
from mockserver.contract.document import load_document
from mockserver.verify.fuzzing.checks import STATEMENTS
from mockserver.verify.merge import merge_deviations
from mockserver.verify.places import part_of
from mockserver.verify.report.model import Deviation, Kind, Weight
from mockserver.verify.response_checks import ERROR_BODIES

VIOLATION = Deviation(
    case="some.case", verdict="violates", statement="It is so.", source="openapi.yaml", expected="so",
    received="not so", suspect="target", reason="it is not",
)  # fmt: skip


def deviation(case: str, *kinds: str, **changes: object) -> Deviation:
    return replace(VIOLATION, **{"case": case, "kinds": tuple(map(Kind, kinds)), "count": len(kinds) or 1, **changes})


def behaviour(name: str, *covers: str, status: str = "documented") -> Behaviour:
    return Behaviour(name, "It is so.", "docs", status, covers)  # type: ignore[arg-type]


def test_a_behaviour_takes_over_the_cases_that_it_covers() -> None:
    catalogue = [behaviour("a.b", "Object/field", "a.c"), behaviour("a.c")]
    covered = deviation("Object/field", operations=("x",))
    main, other = merge_deviations([deviation("a.b"), covered, deviation("Other/field"), deviation("a.c")], catalogue)
    assert (main.case, main.count, main.operations, main.includes) == ("a.b", 3, ("x",), ("Object/field", "a.c"))
    assert other.case == "Other/field"


def test_a_case_is_reported_itself_if_the_behaviour_holds() -> None:
    (found,) = merge_deviations([deviation("Object/field")], [behaviour("a.b", "Object/field")])
    assert (found.case, found.verdict) == ("Object/field", "violates")


def test_what_only_an_assumed_behaviour_says_is_learned() -> None:
    (found,) = merge_deviations([deviation(ERROR_BODIES)], load_catalogue())
    assert (found.verdict, found.suspect) == ("learned", "document")


def test_a_behaviour_takes_over_the_kinds_that_it_covers() -> None:
    found = [deviation("a.b"), deviation("op/Check", "items of type x", "items of type x", "query with y")]
    main, rest = merge_deviations(found, [behaviour("a.b", "*/Check: items of *")])
    assert (main.kinds, main.count, main.includes) == ((Kind("items of type x", 2),), 3, ())
    assert (rest.kinds, rest.count) == ((Kind("query with y"),), 1)


def test_accepted_mistakes_are_told_by_the_behaviour_that_forbids_them() -> None:
    found = [
        deviation("a.b", "op: query limit (minimum)"),
        deviation("InvalidDataIsRejected", "op: query limit (maximum)", "op: query order (enum)"),
    ]
    main, rest = merge_deviations(found, [behaviour("a.b")])
    assert [kind.name for kind in main.kinds] == ["op: query limit (minimum)", "op: query limit (maximum)"]
    assert [kind.name for kind in rest.kinds] == ["op: query order (enum)"]


def test_what_is_left_shows_a_kind_that_is_left() -> None:
    all_kinds = deviation("InvalidDataIsRejected", "a (enum)", "b (enum)", shown_kind="a (enum)", received="a")
    second = deviation("InvalidDataIsRejected", "b (enum)", shown_kind="b (enum)", received="b", origin="op")
    by_kind = {"InvalidDataIsRejected: a (enum)": all_kinds, "InvalidDataIsRejected: b (enum)": second}
    _, rest = merge_deviations([deviation("x.y", "a (enum)"), all_kinds], [behaviour("x.y")], by_kind)
    assert (rest.shown_kind, rest.received, rest.origin) == ("b (enum)", "b", "op")


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ("Metadata/maxLength", "Metadata/maxProperties", True),
        ("X/items (minItems)", "X/items (maxItems)", True),
        ("X/items (minItems)", "X/items (type)", False),
        ("X/items (type)", "Y/items (type)", False),
    ],
)
def test_the_limits_of_one_value_or_component_are_one_rule(one: str, other: str, is_one: bool) -> None:
    assert (part_of(one) == part_of(other)) is is_one


def test_server_errors_for_the_same_mistake_are_one() -> None:
    found = [
        deviation("a/500", "X/items (type)", weight=Weight.FAILURE),
        deviation("b/500", "Y/items (type)", weight=Weight.FAILURE),
        deviation("c/500", "Y/name (type)", weight=Weight.FAILURE),
    ]
    merged = merge_deviations(found, [])
    assert [(one.case, one.includes) for one in merged] == [("a/500", ("b/500",)), ("c/500", ())]


def test_a_server_error_takes_over_the_behaviours_that_failed_for_it() -> None:
    found = [deviation("a.b", blocks=("a.c",)), deviation("op/500", "X/items (type)", weight=Weight.FAILURE)]
    (main,) = merge_deviations(found, [behaviour("a.b")], server_errors={"a.b": "op/500", "a.d": "op/502"})
    assert (main.case, main.includes, main.blocks, main.count) == ("op/500", ("a.b",), ("a.c",), 1)


def test_the_gravest_come_first() -> None:
    weights = [Weight.FORM, Weight.DATA, Weight.FAILURE, Weight.ISOLATION, Weight.MISSING_OPERATION]
    found = [deviation(f"case {weight}", weight=weight) for weight in weights]
    found.append(deviation("learned", verdict="learned", weight=Weight.MISSING_OPERATION))
    merged = merge_deviations(found, [])
    assert [one.weight for one in merged[:-1]] == weights[::-1]
    assert merged[-1].case == "learned"


def test_a_behaviour_covers_only_behaviours_and_components_that_exist() -> None:
    document = load_document()
    behaviours = {behaviour.id for behaviour in load_catalogue()}
    for behaviour in load_catalogue():
        for case in behaviour.covers:
            component, _, field = case.partition("/")
            schema = document["components"]["schemas"].get(component.rstrip("*"))
            is_field = schema is not None and field in {"", "first_id", *schema.get("properties", {})}
            is_check = case.partition(":")[0].rpartition("/")[2].lstrip("*") in {*STATEMENTS, "Allow", "Authorization"}
            assert is_field or is_check or case in {*behaviours, ERROR_BODIES}, (behaviour.id, case)
