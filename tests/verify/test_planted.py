"""A planted defect of each family is found by the scenarios of the rule that it breaks (all: `make planted`)."""

import pytest

from tests.mutants.defects import DEFECTS, FAMILIES, rules
from tests.mutants.proxy import Planted


def published(defect) -> list[str]:
    return [rule for rule in defect.breaks if rules().get(rule) in ("documented", "observed")]


FIRST = [next((one.name for one in family.defects if published(one)), None) for family in FAMILIES]
FIRST = [name for name in FIRST if name]  # What the family of headers breaks is in the document alone.


@pytest.mark.parametrize("name", FIRST)
def test_a_planted_defect_is_found(gateway, name: str) -> None:
    defect = DEFECTS[name]
    rule = published(defect)[0]
    target = gateway(lambda app: Planted(app, defect))
    report = target.verify(repeat=rule)
    assert rule in [deviation.case for deviation in report.of("violates")], report.deviations
    assert "unchecked" not in [row.verdict for row in report.behaviours if row.id == rule]


@pytest.mark.parametrize("name", FIRST)
def test_without_the_defect_the_same_rule_holds(gateway, name: str) -> None:
    rule = published(DEFECTS[name])[0]
    report = gateway(lambda app: Planted(app, None)).verify(repeat=rule)
    assert [row.verdict for row in report.behaviours if row.id == rule] == ["conforms"]
    assert report.deviations == []
