"""Every behaviour of the catalogue, checked by its scenarios on every target."""

from collections import Counter
from collections.abc import Callable

import pytest

from mockserver.conformance.catalogue import Behaviour, CatalogueError, load_catalogue
from mockserver.conformance.scenario import Outcome, Result, Scenario, Target, run
from mockserver.conformance.suite import all_scenarios

CATALOGUE = load_catalogue()
SCENARIOS = all_scenarios()


@pytest.fixture(scope="session")
def outcome_of(target: Target) -> Callable[[Scenario], Outcome]:
    """Run each scenario once, however many behaviours it checks."""
    outcomes: dict[str, Outcome] = {}

    def run_once(scenario: Scenario) -> Outcome:
        if scenario.name not in outcomes:
            outcomes[scenario.name] = run(scenario, target)
        return outcomes[scenario.name]

    return run_once


@pytest.mark.parametrize("behaviour", CATALOGUE, ids=[behaviour.id for behaviour in CATALOGUE])
def test_behaviour(behaviour: Behaviour, target, outcome_of: Callable[[Scenario], Outcome]) -> None:
    for scenario in SCENARIOS:
        if behaviour.id not in scenario.behaviours:
            continue
        outcome = outcome_of(scenario)
        result, reason = outcome.for_behaviour(behaviour.id)
        problem = f"{behaviour.statement} ({behaviour.source})\n{scenario.name}: {reason}"
        if target.name == "real" and result is Result.NOT_CHECKABLE:
            pytest.skip(reason)
        if target.name == "real" and result is Result.FAILED and behaviour.status == "assumed":
            pytest.xfail(f"differs from an assumption: {problem}")
        if result is not Result.PASSED:
            commands = "\n".join(response.curl() for response in outcome.responses)
            pytest.fail(f"{problem}\n{commands}", pytrace=False)


def test_every_behaviour_has_a_scenario_and_every_scenario_a_behaviour() -> None:
    catalogued = {behaviour.id for behaviour in CATALOGUE}
    checked = {behaviour for scenario in SCENARIOS for behaviour in scenario.behaviours}
    assert catalogued - checked == set(), "behaviours without a scenario"
    assert checked - catalogued == set(), "scenarios for behaviours that are not in the catalogue"


def test_the_names_of_scenarios_are_unique() -> None:
    assert [name for name, count in Counter(one.name for one in SCENARIOS).items() if count > 1] == []


ENTRY = {"id": "a.b", "statement": "A is b.", "source": "docs", "status": "assumed"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: b", "must be a list"),
        (f"[{ENTRY}, {ENTRY}]", "entry 2: id: 'a.b' is already in use"),
        (f"[{ENTRY | {'more': '1'}}]", "entry 1: must have exactly the fields id, statement, source, status"),
        (f"[{ENTRY | {'id': 'A b'}}]", "not 'A b'"),
        (f"[{ENTRY | {'status': 'rumoured'}}]", "must be one of documented, observed, assumed"),
        (f"[{ENTRY | {'statement': 'a is b'}}]", "must end with a period"),
        (f"[{ENTRY | {'source': 1}}]", "source: must be"),
        (f"[{ENTRY | {'covers': 'x'}}]", "covers: must be a list of cases"),
    ],
)
def test_an_invalid_catalogue_is_rejected(tmp_path, text: str, complaint: str) -> None:
    path = tmp_path / "behaviours.yaml"
    path.write_text(text)
    with pytest.raises(CatalogueError, match=complaint):
        load_catalogue(path)
