"""Runs that include the Responses resource."""

from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from mockserver.conformance.scenarios import response_lists, response_streams
from mockserver.contract.contract import Contract
from mockserver.contract.event_streams import serialise_event, validate_stream
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import WireResponse
from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS
from tests.verify.conftest import VerifiedFake

OPERATIONS = Contract.load().operations


def remaining_responses(target: VerifiedFake) -> list[Any]:
    state = httpx.get(f"{target.url}/_mock/state").json()
    return state["responses"]


def mutated(name: str) -> Any:
    return lambda app: MutatedApp(app, MUTANTS[name])


def cases(report: Any) -> set[str]:
    return {one.case for one in report.deviations if one.verdict == "violates"}


def test_responses_are_called_only_when_asked_for(start_fake, select_scenarios) -> None:
    select_scenarios(response_lists)
    target = start_fake()
    report = target.verify()
    assert not any(row.id.startswith("responses.") for row in report.behaviours)
    journal = httpx.get(f"{target.url}/_mock/requests?limit=10000").json()["data"]
    assert not [entry for entry in journal if "/responses" in entry["path"]]


def test_a_sound_target_conforms_and_keeps_nothing(start_fake, select_scenarios) -> None:
    select_scenarios(response_streams)
    target = start_fake()
    report = target.verify(include_responses=True)
    checked = [row for row in report.behaviours if row.id.startswith("responses.stream.")]
    assert {row.verdict for row in checked} == {"conforms"}
    assert cases(report) == set()
    assert (remaining_responses(target), target.remaining_conversations(), report.leftovers) == ([], [], ())


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        ("part-is-never-added", {"responses.stream.order-is-legal"}),
        ("streams-are-not-added", set()),
    ],
)
def test_a_defect_in_streams_is_found(start_fake, select_scenarios, mutant: str, expected: set[str]) -> None:
    select_scenarios(response_streams)
    target: VerifiedFake = start_fake(mutated(mutant))
    report = target.verify(include_responses=True)
    assert expected <= cases(report)
    assert bool(cases(report)) is bool(expected)
    assert remaining_responses(target) == []


def keeps_responses(app: ASGIApp) -> ASGIApp:
    return MutatedApp(app, MUTANTS["response-stays-after-deletion"])


def test_responses_that_cannot_be_deleted_are_reported(start_fake, select_scenarios) -> None:
    select_scenarios(response_lists)
    target = start_fake(keeps_responses)
    report = target.verify(include_responses=True)
    left = {one.id for one in report.leftovers if one.collection == "responses"}
    assert left == {one["id"] for one in remaining_responses(target)} != set()


def test_all_responses_are_of_the_model_of_the_run(start_fake) -> None:
    target = start_fake()
    target.verify(include_responses=True, model="model-of-the-run", phases=("examples",))
    journal = httpx.get(f"{target.url}/_mock/requests?limit=10000").json()["data"]
    created = [one for one in journal if one["operation"] in ("createResponse", "compactResponse")]
    assert {one["request"]["model"] for one in created if one["status"] == 200} == {"model-of-the-run"}


# -- Streams ---------------------------------------------------------------------------------------------------


@pytest.fixture
def events(start_fake) -> list[Any]:
    """Return the events of a sound stream."""
    target = start_fake()
    body = {"model": "auto", "input": "Hello", "stream": True}
    headers = {"Authorization": "Bearer verify-key-number-1"}
    response = httpx.post(f"{target.server.api_url}/responses", json=body, headers=headers)
    return WireResponse(200, (("content-type", "text/event-stream"),), response.content).content


def stream_of(events: list[Any]) -> WireResponse:
    body = b"".join(map(serialise_event, events))
    return WireResponse(200, (("content-type", "text/event-stream"),), body)


def test_each_mistake_in_a_stream_is_a_finding(events: list[Any]) -> None:
    def codes(damaged: list[Any]) -> list[str]:
        return [one.code for one in validate_stream(OPERATIONS["createResponse"], 200, stream_of(damaged).body)]

    assert codes(events) == []
    assert "required" in codes([{"type": "response.created", "sequence_number": 0}, *events[1:]])
    assert codes(events[:-1]) != []
    assert codes([events[0], events[0], *events[1:]]) != []


def test_the_sdk_reads_a_stream_to_its_end(events: list[Any]) -> None:
    sdk = PublishedSdk()
    assert sdk.parsing_error("createResponse", stream_of(events)) is None
    broken = [{name: value for name, value in event.items() if name != "item_id"} for event in events]
    assert "UnknownResponseStreamingEvent" in str(sdk.parsing_error("createResponse", stream_of(broken)))
