"""`verify` finds a mutant of each family by the behaviour that it breaks (`make mutants` runs all)."""

import pytest

from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import FAMILIES, MUTANTS, behaviour_statuses


def published_behaviours(mutant) -> list[str]:
    return [
        behaviour for behaviour in mutant.breaks if behaviour_statuses().get(behaviour) in ("documented", "observed")
    ]


FIRST = [next((one.name for one in family.mutants if published_behaviours(one)), None) for family in FAMILIES]
FIRST = [name for name in FIRST if name]  # The family of headers breaks the document only.


@pytest.mark.parametrize("name", FIRST)
def test_the_mutant_is_found(start_fake, name: str) -> None:
    mutant = MUTANTS[name]
    behaviour = published_behaviours(mutant)[0]
    target = start_fake(lambda app: MutatedApp(app, mutant))
    report = target.verify(repeat=behaviour, include_responses=True)
    found = [case for deviation in report.of("violates") for case in (deviation.case, *deviation.includes)]
    assert behaviour in found, report.deviations
    assert "unchecked" not in [row.verdict for row in report.behaviours if row.id == behaviour]


@pytest.mark.parametrize("name", FIRST)
def test_without_the_mutant_the_behaviour_holds(start_fake, name: str) -> None:
    behaviour = published_behaviours(MUTANTS[name])[0]
    report = start_fake(lambda app: MutatedApp(app, None)).verify(repeat=behaviour, include_responses=True)
    assert [row.verdict for row in report.behaviours if row.id == behaviour] == ["conforms"]
    assert report.deviations == ()
