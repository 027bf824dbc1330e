"""How the defects of headers show."""

from tests.mutants.api import Api, said
from tests.mutants.probe import Probe
from tests.mutants.proxy import Answer


def _removing(api: Api) -> Answer:
    path = api.new(items=[said("x", id="x")])
    return api.delete(f"{path}/items", {"item_ids": ["x"]})


JSON = "application/json"

NAMES = {
    "no-www-authenticate": Probe(lambda api: api.with_key(None).get().header("www-authenticate"), "Bearer", None),
    "no-allow": Probe(lambda api: api.ask("PUT", "").header("allow"), "GET, POST", None),
    "no-content-type": Probe(lambda api: api.get().header("content-type"), JSON, None),
    "items-are-text-json": Probe(
        lambda api: api.post(f"{api.new()}/items", {"items": [said("x")]}).header("content-type"), JSON, "text/json"
    ),
    "problem-json": Probe(lambda api: api.get("/no").header("content-type"), JSON, "application/problem+json"),
    "removed-items-are-html": Probe(
        lambda api: _removing(api).header("content-type"), JSON, "text/html; charset=utf-8"
    ),
    "body-in-latin-1": Probe(
        lambda api: "é".encode("latin-1") + b'"' in api.post(body={"metadata": {"a": "é"}}).body, False, True
    ),
}
