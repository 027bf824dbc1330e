"""Each probe tells its mutant from the original; without a mutant the proxy changes nothing."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockserver import Fake, Settings, create_app, run_server
from mockserver.contract.contract import Contract
from mockserver.contract.document import load_document
from tests.mutants.client import KEY_ONE, SETTINGS, MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.probes.auth import KEYS
from tests.mutants.probes.errors import REFUSALS
from tests.mutants.probes.filters import FILTERED
from tests.mutants.probes.headers import NAMES
from tests.mutants.probes.isolation import ISOLATED
from tests.mutants.probes.paging import PAGES
from tests.mutants.probes.responses import CONTEXTS, RESPONDED, STREAMED
from tests.mutants.probes.shape import SHAPES
from tests.mutants.probes.state import STATES
from tests.mutants.probes.tenancy import TENANCIES
from tests.mutants.probes.validation import VALIDATIONS
from tests.mutants.proxy import MutatedApp, NoResponse, Request, call, json_request
from tests.mutants.registry import FAMILIES, MUTANTS, behaviour_statuses, is_assumed_only
from tests.mutants.serve import listing

PROBES: dict[str, Probe] = (
    SHAPES
    | PAGES
    | STATES
    | ISOLATED
    | TENANCIES
    | VALIDATIONS
    | FILTERED
    | REFUSALS
    | KEYS
    | NAMES
    | RESPONDED
    | CONTEXTS
    | STREAMED
)


@pytest.fixture(scope="module")
def contract():
    return Contract.load()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("name", MUTANTS)
def test_the_probe_tells_the_mutant_from_the_original(name, contract, runner):
    probe = PROBES[name]
    original = probe.observe(MutantClient(Fake(contract, SETTINGS), runner))
    mutated = probe.observe(MutantClient(MutatedApp(Fake(contract, SETTINGS), MUTANTS[name]), runner))
    assert (original, mutated) == (probe.original, probe.mutated)


def test_every_mutant_has_a_probe_that_tells_it_apart():
    assert PROBES.keys() == MUTANTS.keys()
    assert not [name for name, probe in PROBES.items() if probe.original == probe.mutated]


def test_names_are_unique_and_every_family_has_some():
    declared = [mutant for family in FAMILIES for mutant in family.mutants]
    assert len(declared) == len(MUTANTS) >= 70
    assert min(Counter(mutant.family for mutant in declared).values()) >= 5
    assert all(mutant.description.endswith(".") for mutant in declared)


def test_every_mutant_breaks_an_existing_behaviour_or_schema():
    document = load_document()
    for mutant in MUTANTS.values():
        assert mutant.breaks
        for broken in mutant.breaks:
            assert broken in behaviour_statuses() or _at(document, broken) is not None, (mutant.name, broken)
    assert sum(map(is_assumed_only, MUTANTS.values())) <= len(MUTANTS) / 8


def _at(document: Any, pointer: str) -> Any:
    for token in pointer.removeprefix("#/").split("/"):
        document = document[token]
    return document


def _sample(api: MutantClient) -> list[Any]:
    """Return responses of every operation, errors included."""
    path = api.create(metadata={"a": "é"}, items=[user_message("a", id="a b/c"), user_message("b", id="b")])
    headers = [(b"authorization", KEY_ONE.encode()), (b"x-on-behalf-of", b"a"), (b"x-on-behalf-of", b"b")]
    return [
        api.get(limit=1),
        api.get(path),
        api.get(f"{path}/items", order="desc"),
        api.get(f"{path}/items/a%20b%2Fc"),
        api.post(path, {"metadata": {"b": "1.0"}}),
        api.post(f"{path}/items", {"items": [user_message("c", id="c")]}),
        api.delete(f"{path}/items/b"),
        api.delete(f"{path}/items", {"item_ids": ["c"]}),
        api.delete(path),
        api.get("/no/such/path"),
        api.fetch("PATCH", ""),
        api.with_key(None).get(),
        api.send(json_request("GET", "", headers=headers)),
    ]


def test_without_a_mutant_every_response_is_unchanged(contract, runner):
    settings = Settings(api_keys=SETTINGS.api_keys, ids="sequential")
    responses = []
    for wrap in (lambda fake: fake, lambda fake: MutatedApp(fake, None)):
        fake = Fake(contract, settings)
        app = wrap(fake)
        runner.run(call(fake, _freeze()))
        responses.append(_sample(MutantClient(app, runner)))
    assert responses[0] == responses[1]


def _freeze():
    request = json_request("PUT", "", body={"freeze": 1_700_000_000})
    request.path = "/_mock/clock"
    return request


ODD_BODIES = (
    "",
    "null",
    "[]",
    "{",
    '{"items": null, "metadata": null, "item_ids": null}',
    '{"items": [null, 1, {}, {"type": [], "id": {}, "content": [1]}], "metadata": {"a": 1}, "item_ids": [1, null]}',
    '{"items": [{"type": null, "role": "user", "content": "\\ud800"}], "item_ids": {}}',
    '{"metadata": {}, "metadata": {"a": "b"}}',
)
ODD_QUERIES = (
    "limit=",
    "limit=%C2%B2",
    "limit=1&limit=2",
    "after=x",
    "metadata=[]",
    "metadata=nope",
    "search=%22",
    "%FF=%FF",
)


def _odd(method: str, path: str, *, query: str = "", body: str = "") -> Request:
    request = json_request(method, path, headers=[(b"authorization", KEY_ONE.encode())])
    request.headers.append((b"content-type", b"application/json"))
    request.query, request.body = query, body.encode()
    return request


ODD_REQUESTS = [
    *(_odd("POST", path, body=body) for path in ("", "/c", "/c/items") for body in ODD_BODIES),
    *(_odd("DELETE", "/c/items", body=body) for body in ODD_BODIES),
    *(_odd("GET", path, query=query) for path in ("", "/c/items") for query in ODD_QUERIES),
    *(_odd("GET", path) for path in ("/", "//", "/%2F", "/%ff/items/%ff", "/c/items/", "/c/d", "/c/items/d/e")),
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_proxy_survives_odd_requests(family, contract, runner):
    fake = Fake(contract, Settings(api_keys=SETTINGS.api_keys, seeds=({"conversations": [{"id": "c"}]},)))
    for mutant in family.mutants:
        api = MutantClient(MutatedApp(fake, mutant), runner)
        assert all(200 <= api.send(request).status <= 500 for request in ODD_REQUESTS)


def test_a_missing_response_is_passed_on(runner):
    sent = []

    async def cut(scope, receive, send):
        return

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    with pytest.raises(NoResponse):
        MutantClient(cut, runner).get()
    scope = {"type": "http", "method": "GET", "path": "/api/", "query_string": b"", "headers": []}
    runner.run(MutatedApp(cut, None)(scope, receive, send))
    assert sent == []


def test_other_paths_pass_unchanged():
    mutant = MUTANTS["end-user-ignored"]
    with run_server(create_app(SETTINGS)) as original, run_server(MutatedApp(create_app(SETTINGS), mutant)) as mutated:
        for path in ("/openapi.json", "/_mock/health"):
            assert httpx.get(f"{mutated.url}{path}").content == httpx.get(f"{original.url}{path}").content
        response = httpx.post(
            f"{mutated.api_url}/conversations", json={}, headers={"Authorization": KEY_ONE, "X-On-Behalf-Of": "ada"}
        )
        assert httpx.get(f"{mutated.api_url}/conversations", headers={"Authorization": KEY_ONE}).json()["data"] == [
            response.json()
        ]
        assert json.loads(httpx.get(f"{mutated.url}/_mock/requests").content)["data"]


def test_a_mutant_can_be_served_by_hand():
    command = [sys.executable, "-m", "tests.mutants.serve", "no-allow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[2]
        response = httpx.put(f"{url}/api/v1/llm/conversations")
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert (response.status_code, response.headers.get("Allow")) == (405, None)


def test_the_listing_marks_assumed_behaviours():
    lines = listing().splitlines()
    assert len(lines) == 2 * len(MUTANTS)
    assert sum(line.endswith("(assumed)") for line in lines) == sum(map(is_assumed_only, MUTANTS.values()))
