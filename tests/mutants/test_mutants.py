"""Every defect is there: what it is said to do is seen on the wire, beside the fake without it."""

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

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import load_document
from tests.mutants.api import KEY_ONE, SETTINGS, Api, said
from tests.mutants.defects import DEFECTS, FAMILIES, is_assumed_only, rules
from tests.mutants.probe import Probe
from tests.mutants.probes.auth import KEYS
from tests.mutants.probes.errors import REFUSALS
from tests.mutants.probes.filters import FILTERED
from tests.mutants.probes.headers import NAMES
from tests.mutants.probes.paging import PAGES
from tests.mutants.probes.shape import SHAPES
from tests.mutants.probes.state import STATES
from tests.mutants.probes.tenancy import TENANCIES
from tests.mutants.probes.validation import VALIDATIONS
from tests.mutants.proxy import NoAnswer, Planted, Request, call, json_request
from tests.mutants.serve import listing

PROBES: dict[str, Probe] = SHAPES | PAGES | STATES | TENANCIES | VALIDATIONS | FILTERED | REFUSALS | KEYS | NAMES


@pytest.fixture(scope="module")
def fake():
    return create_app(SETTINGS)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("name", DEFECTS)
def test_the_defect_shows(name, fake, runner):
    probe = PROBES[name]
    fake.renew(SETTINGS)
    sound = probe.look(Api(fake, runner))
    fake.renew(SETTINGS)
    planted = probe.look(Api(Planted(fake, DEFECTS[name]), runner))
    assert (sound, planted) == (probe.sound, probe.planted)


def test_there_is_something_to_see_of_every_defect():
    assert PROBES.keys() == DEFECTS.keys()
    assert not [name for name, probe in PROBES.items() if probe.sound == probe.planted]


def test_names_are_unique_and_every_family_has_some():
    written = [defect for family in FAMILIES for defect in family.defects]
    assert len(written) == len(DEFECTS) >= 70
    assert min(Counter(defect.family for defect in written).values()) >= 5
    assert all(defect.description.endswith(".") for defect in written)


def test_every_defect_breaks_something_that_there_is():
    document = load_document()
    for defect in DEFECTS.values():
        assert defect.breaks
        for broken in defect.breaks:
            assert broken in rules() or _at(document, broken) is not None, (defect.name, broken)
    assert sum(map(is_assumed_only, DEFECTS.values())) <= 8


def _at(document: Any, pointer: str) -> Any:
    for token in pointer.removeprefix("#/").split("/"):
        document = document[token]
    return document


def _sample(api: Api) -> list[Any]:
    """Answers of every operation, and refusals."""
    path = api.new(metadata={"a": "é"}, items=[said("a", id="a b/c"), said("b", id="b")])
    headers = [(b"authorization", KEY_ONE.encode()), (b"x-on-behalf-of", b"a"), (b"x-on-behalf-of", b"b")]
    return [
        api.get(limit=1),
        api.get(path),
        api.get(f"{path}/items", order="desc"),
        api.get(f"{path}/items/a%20b%2Fc"),
        api.post(path, {"metadata": {"b": "1.0"}}),
        api.post(f"{path}/items", {"items": [said("c", id="c")]}),
        api.delete(f"{path}/items/b"),
        api.delete(f"{path}/items", {"item_ids": ["c"]}),
        api.delete(path),
        api.get("/no/such/path"),
        api.ask("PATCH", ""),
        api.with_key(None).get(),
        api.send(json_request("GET", "", headers=headers)),
    ]


def test_without_a_defect_every_answer_is_the_fakes_own(fake, runner):
    settings = Settings(api_keys=SETTINGS.api_keys, ids="sequential")
    answers = []
    for app in (fake, Planted(fake, None)):
        fake.renew(settings)
        runner.run(call(fake, _freeze()))
        answers.append(_sample(Api(app, runner)))
    assert answers[0] == answers[1]


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
def test_no_odd_request_breaks_the_proxy_itself(family, fake, runner):
    fake.renew(Settings(api_keys=SETTINGS.api_keys, seeds=({"conversations": [{"id": "c"}]},)))
    for defect in family.defects:
        api = Api(Planted(fake, defect), runner)
        assert all(200 <= api.send(request).status <= 500 for request in ODD_REQUESTS)


def test_a_connection_that_is_cut_is_passed_on(runner):
    sent = []

    async def cut(scope, receive, send):
        return

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    with pytest.raises(NoAnswer):
        Api(cut, runner).get()
    scope = {"type": "http", "method": "GET", "path": "/api/", "query_string": b"", "headers": []}
    runner.run(Planted(cut, None)(scope, receive, send))
    assert sent == []


def test_what_is_no_api_is_not_touched():
    no_more = DEFECTS["end-user-ignored"]
    with run_server(create_app(SETTINGS)) as sound, run_server(Planted(create_app(SETTINGS), no_more)) as planted:
        for path in ("/openapi.json", "/_mock/health"):
            assert httpx.get(f"{planted.url}{path}").content == httpx.get(f"{sound.url}{path}").content
        answer = httpx.post(
            f"{planted.api_url}/conversations", json={}, headers={"Authorization": KEY_ONE, "X-On-Behalf-Of": "ada"}
        )
        assert httpx.get(f"{planted.api_url}/conversations", headers={"Authorization": KEY_ONE}).json()["data"] == [
            answer.json()
        ]
        assert json.loads(httpx.get(f"{planted.url}/_mock/requests").content)["data"]


def test_a_defect_can_be_tried_by_hand():
    command = [sys.executable, "-m", "tests.mutants.serve", "no-allow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[2]
        answer = httpx.put(f"{url}/api/v1/llm/conversations")
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert (answer.status_code, answer.headers.get("Allow")) == (405, None)


def test_the_listing_says_what_is_assumed():
    lines = listing().splitlines()
    assert len(lines) == 2 * len(DEFECTS)
    assert sum(line.endswith("(assumed)") for line in lines) == sum(map(is_assumed_only, DEFECTS.values()))
