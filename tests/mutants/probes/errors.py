"""How the mutants of errors show."""

from collections.abc import Callable
from typing import Any

from tests.mutants.client import KEY_ONE, MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import Response, json_request


def _raw(api: MutantClient, body: bytes) -> Response:
    headers = [(b"authorization", KEY_ONE.encode()), (b"content-type", b"application/json")]
    request = json_request("POST", "", headers=headers)
    request.body = body
    return api.send(request)


def _status_and_type(response: Response) -> tuple[int, str | None]:
    return response.status, response.header("content-type")


def _deleted(api: MutantClient) -> str:
    path = api.create()
    api.delete(path)
    return path


def _unknown(field: str) -> Callable[[MutantClient], Any]:
    return lambda api: api.get("/no").json["error"][field]


JSON, TEXT = "application/json", "text/plain; charset=utf-8"

REFUSALS = {
    "broken-json-is-500": Probe(lambda api: _raw(api, b'{"items": ').status, 400, 500),
    "body-that-is-a-list-leaves-a-stack-trace": Probe(
        lambda api: _status_and_type(_raw(api, b"[]")), (400, JSON), (500, TEXT)
    ),
    "limit-that-is-no-number-is-500": Probe(
        lambda api: _status_and_type(api.get(limit="many")), (400, JSON), (500, TEXT)
    ),
    "null-item-is-500": Probe(lambda api: api.post(body={"items": [None]}).status, 400, 500),
    "open-quote-is-500": Probe(lambda api: api.get(search='"rain').status, 200, 500),
    "nul-in-metadata-is-500": Probe(lambda api: api.post(body={"metadata": {"a": "\0"}}).status, 200, 500),
    "retrieving-the-deleted-is-500": Probe(
        lambda api: [api.get(path).status for path in ("/no", _deleted(api))], [404, 404], [404, 500]
    ),
    "unknown-item-in-many-is-500": Probe(
        lambda api: api.delete(f"{api.create()}/items", {"item_ids": ["no"]}).status, 404, 500
    ),
    "unknown-conversation-is-200": Probe(lambda api: api.get("/no").status, 404, 200),
    "unknown-item-is-null": Probe(lambda api: api.get(f"{api.create()}/items/no").body == b"null", False, True),
    "unknown-conversation-is-an-html-page": Probe(
        lambda api: _status_and_type(api.get("/no")), (404, JSON), (404, "text/html")
    ),
    "bad-request-is-422": Probe(
        lambda api: (response := api.post(body={"items": 1}), response.status, list(response.json))[1:],
        (400, ["error"]),
        (422, ["detail"]),
    ),
    "error-without-envelope": Probe(lambda api: "error" in api.get("/no").json, True, False),
    "error-is-text": Probe(lambda api: type(api.get(limit=0).json["error"]), dict, str),
    "error-code-is-a-word": Probe(_unknown("code"), 404, "not_found"),
    "error-code-is-another-status": Probe(lambda api: api.get("/no/items").json["error"]["code"], 404, 400),
    "error-type-is-another": Probe(_unknown("type"), "invalid_request_error", "not_found_error"),
    "error-message-is-empty": Probe(lambda api: api.get(after="no").json["error"]["message"] == "", False, True),
    "null-param-is-left-out": Probe(
        lambda api: "param" in api.with_key("Bearer wrong").get().json["error"], True, False
    ),
    "no-findings": Probe(lambda api: "findings" in api.get(limit=0).json["error"], True, False),
    "findings-are-text": Probe(
        lambda api: type(api.post(body={"items": [user_message(1)]}).json["error"]["findings"][0]), dict, str
    ),
}
