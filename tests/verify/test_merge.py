"""One cause, one finding: what different checks say about the same thing is told once."""

from dataclasses import replace

import pytest

from mockserver.conformance.catalogue import Behaviour, load_catalogue
from mockserver.contract.contract import Contract
from mockserver.contract.document import load_document
from mockserver.contract.operations import Match
from mockserver.verify.fuzzing.checks import STATEMENTS
from mockserver.verify.merge import merge_deviations
from mockserver.verify.report.model import Deviation, Kind, Weight
from mockserver.verify.request_checks import list_mistakes
from mockserver.verify.response_checks import ERROR_BODIES
from mockserver.verify.transport import WireExchange, WireRequest

VIOLATION = Deviation(
    case="some.case", verdict="violates", statement="It is so.", source="openapi.yaml", expected="so",
    received="not so", suspect="target", reason="it is not",
)  # fmt: skip


def deviation(case: str, *kinds: str | Kind, **changes: object) -> Deviation:
    found = tuple(kind if isinstance(kind, Kind) else Kind(kind) for kind in kinds)
    return replace(VIOLATION, **{"case": case, "kinds": found, "count": len(kinds) or 1, **changes})


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
        deviation("a.b", Kind("limit (minimum)", rule="limit (range)")),
        deviation("InvalidDataIsRejected", Kind("limit (maximum)", rule="limit (range)"), "order (enum)"),
    ]
    main, rest = merge_deviations(found, [behaviour("a.b")])
    assert [kind.name for kind in main.kinds] == ["limit (minimum)", "limit (maximum)"]
    assert [kind.name for kind in rest.kinds] == ["order (enum)"]


def test_what_is_left_shows_a_kind_that_is_left() -> None:
    told = Kind("a (enum)", rule="a")
    all_kinds = deviation("InvalidDataIsRejected", told, "b (enum)", shown_kind="a (enum)", received="a")
    second = deviation("InvalidDataIsRejected", "b (enum)", shown_kind="b (enum)", received="b", origin="op")
    by_kind = {"InvalidDataIsRejected: a (enum)": all_kinds, "InvalidDataIsRejected: b (enum)": second}
    _, rest = merge_deviations([deviation("x.y", told), all_kinds], [behaviour("x.y")], by_kind)
    assert (rest.shown_kind, rest.received, rest.origin) == ("b (enum)", "b", "op")


CREATE = Contract.load().operations["conversations.create"]
LIST = Contract.load().operations["conversations.list"]


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        (b'{"metadata": {"a": "%s"}}' % (b"v" * 513), b'{"metadata": {"%s": ""}}' % (b"k" * 65), True),
        (b'{"metadata": {"a": "%s"}}' % (b"v" * 513), b'{"metadata": {"a": 1}}', True),
        (b'{"items": 5}', b'{"items": null}', False),
        (b'{"items": 5}', b'{"metadata": 5}', False),
        ("limit=0", "limit=51", True),
        ("limit=0", "limit=x", False),
        ("limit=0", "order=x", False),
    ],
)
def test_the_limits_of_one_value_or_component_are_one_rule(one: bytes | str, other: bytes | str, is_one: bool) -> None:
    def rule_of(sent: bytes | str) -> str:
        operation, query, body = (CREATE, "", sent) if isinstance(sent, bytes) else (LIST, sent, b"")
        headers = (("content-type", "application/json"),)
        request = WireRequest(operation.method, f"{operation.path}?{query}", headers, body)
        (mistake,) = list_mistakes(WireExchange("coverage", 1, request, None, Match(operation, {})))
        return mistake.rule

    assert (rule_of(one) == rule_of(other)) is is_one


def test_server_errors_for_the_same_mistake_are_one() -> None:
    found = [
        deviation("a/500", Kind("X/items (type)", rule="items (type)"), weight=Weight.FAILURE),
        deviation("b/500", Kind("Y/items (type)", rule="items (type)"), weight=Weight.FAILURE),
        deviation("c/500", Kind("Y/name (type)", rule="name (type)"), weight=Weight.FAILURE),
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
