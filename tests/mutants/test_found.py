"""The scenarios find every mutant of responses; `make mutants` says what a whole run of verify reports."""

from contextlib import closing

import pytest

from mockserver import Fake, run_server
from mockserver.conformance import responses
from mockserver.conformance.client import ApiClient
from mockserver.conformance.scenario import Need, Result, run
from mockserver.conformance.suite import response_scenarios
from mockserver.contract.contract import Contract
from tests.mutants.client import SETTINGS
from tests.mutants.families.contexts import CONTEXT
from tests.mutants.families.responses import RESPONSE
from tests.mutants.families.streams import STREAM
from tests.mutants.mutant import Mutant
from tests.mutants.proxy import MutatedApp

CONTRACT = Contract.load()
MUTANTS = [mutant for family in (RESPONSE, CONTEXT, STREAM) for mutant in family.mutants]


class OneServer:
    """A server that offers all that a scenario needs but other settings."""

    def __init__(self, url: str) -> None:
        self._client = ApiClient(url, "key-one", "end-user")

    def client_for(self, needs: Need | None) -> ApiClient | None:
        return None if needs else self._client

    def close(self) -> None:
        self._client.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_scenario_fails_for_a_behaviour_that_the_mutant_breaks(mutant: Mutant, monkeypatch) -> None:
    monkeypatch.setattr(responses, "_POLLING_INTERVAL", 0.01)
    monkeypatch.setattr(responses, "_MAX_POLLS", 2)
    broken = set(mutant.breaks)
    with run_server(MutatedApp(Fake(CONTRACT, SETTINGS), mutant)) as server, closing(OneServer(server.url)) as target:
        outcomes = [run(scenario, target) for scenario in response_scenarios() if broken & set(scenario.behaviours)]
    failed = {
        behaviour
        for outcome in outcomes
        for behaviour in outcome.scenario.behaviours
        if outcome.for_behaviour(behaviour)[0] is Result.FAILED
    }
    assert failed & broken
