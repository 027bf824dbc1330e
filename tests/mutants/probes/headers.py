"""How the mutants of headers show."""

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import Response


def _removing(api: MutantClient) -> Response:
    path = api.create(items=[user_message("x", id="x")])
    return api.delete(f"{path}/items", {"item_ids": ["x"]})


JSON = "application/json"

NAMES = {
    "no-www-authenticate": Probe(lambda api: api.with_key(None).get().header("www-authenticate"), "Bearer", None),
    "no-allow": Probe(lambda api: api.fetch("PUT", "").header("allow"), "GET, POST", None),
    "no-content-type": Probe(lambda api: api.get().header("content-type"), JSON, None),
    "items-are-text-json": Probe(
        lambda api: api.post(f"{api.create()}/items", {"items": [user_message("x")]}).header("content-type"),
        JSON,
        "text/json",
    ),
    "problem-json": Probe(lambda api: api.get("/no").header("content-type"), JSON, "application/problem+json"),
    "removed-items-are-html": Probe(
        lambda api: _removing(api).header("content-type"), JSON, "text/html; charset=utf-8"
    ),
    "body-in-latin-1": Probe(
        lambda api: "é".encode("latin-1") + b'"' in api.post(body={"metadata": {"a": "é"}}).body, False, True
    ),
}
