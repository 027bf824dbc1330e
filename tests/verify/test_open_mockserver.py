"""A mockserver that accepts every API key conforms; a gateway that accepts every key does not."""

from collections.abc import Callable

from mockserver import create_app, run_server
from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS
from tests.verify.conftest import VerifiedFake

BEHAVIOUR = "auth.unknown-key-is-refused"


def test_a_mockserver_without_keys_is_not_blamed_for_accepting_any() -> None:
    with run_server(create_app()) as server:
        report = VerifiedFake(server).verify(repeat=BEHAVIOUR)
    assert report.deviations == ()
    assert [row.verdict for row in report.behaviours if row.id == BEHAVIOUR] == ["unchecked"]


def test_a_gateway_that_accepts_any_key_violates(start_fake: Callable[..., VerifiedFake]) -> None:
    report = start_fake(lambda app: MutatedApp(app, MUTANTS["wrong-key-is-let-in"])).verify(repeat=BEHAVIOUR)
    assert [deviation.case for deviation in report.of("violates")] == [BEHAVIOUR]
