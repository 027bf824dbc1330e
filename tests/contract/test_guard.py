"""The guards, in front of an application that knows nothing of conversations."""

import asyncio

import pytest

from mockserver.context import get_context
from mockserver.contract.guard import RequestGuard, ResponseGuard
from mockserver.contract.operations import Operations
from tests.support.asgi_client import call_app

SHAPE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
ERROR = {"description": "error", "content": {"application/json": {"schema": {"type": "object"}}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/pets/{pet}": {
            "put": {
                "operationId": "pets.put",
                "parameters": [
                    {"name": "pet", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 3}},
                ],
                "requestBody": {"required": True, "content": {"application/json": {"schema": SHAPE}}},
                "responses": {
                    "200": {
                        "description": "OK",
                        "headers": {
                            "X-Count": {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
                        },
                        "content": {"application/json": {"schema": SHAPE}},
                    },
                    "204": {"description": "nothing"},
                    "4XX": ERROR,
                    "500": ERROR,
                },
            }
        }
    },
}
JSON = (b"content-type", b"application/json")


class Pets:
    """An application that returns a fixed response and records its requests."""

    def __init__(self, status=200, headers=(JSON, (b"x-count", b"1")), chunks=(b'{"id": 1}',), error=None):
        self.response = status, list(headers), list(chunks)
        self.error = error
        self.contexts = []

    async def __call__(self, scope, receive, send):
        self.contexts.append(get_context(scope))
        if self.error:
            raise self.error
        status, headers, chunks = self.response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": chunks[-1]})


def call(app, *, method="PUT", path=b"/pets/7", query=b"", headers=(JSON,), body=b'{"id": 1}', chunks=None, **options):
    operations = Operations(DOCUMENT)
    guarded = ResponseGuard(RequestGuard(app, operations, max_body=1000, **options), operations)
    scope = {"type": "http", "method": method, "raw_path": path, "query_string": query, "headers": list(headers)}
    response = asyncio.run(call_app(guarded, scope, chunks or [body]))
    if response is None:
        return None, {}, None
    return response.status_code, dict(response.headers.raw), response.json() if response.content else None


def findings(response):
    return [(finding["in"], finding["pointer"], finding["message"]) for finding in response["error"]["findings"]]


def test_a_valid_exchange_passes_and_the_application_gets_parsed_values():
    pets = Pets(chunks=[b'{"id"', b": 1", b"}"])
    status, headers, body = call(pets, query=b"other=1", body=b'{"id": 2}')
    assert (status, body, headers[b"x-count"]) == (200, {"id": 1}, b"1")
    (context,) = pets.contexts
    assert context.operation_id == "pets.put"
    assert (context.path, context.query, context.body) == ({"pet": 7}, {"limit": 3}, {"id": 2})
    assert context.undeclared_query == [("other", "1")]
    assert context.findings == ()


def test_all_mistakes_of_a_request_are_reported_and_it_is_stopped():
    pets = Pets()
    status, _, response = call(pets, path=b"/pets/x", query=b"limit=y", body=b'{"id": "1"}')
    assert status == 400
    assert findings(response) == [
        ("path", "/pet", "must be an integer, not 'x'"),
        ("query", "/limit", "must be an integer, not 'y'"),
        ("body", "/id", "must be an integer, not '1'"),
    ]
    assert response["error"]["param"] == "pet"
    assert response["error"]["message"] == "pet: must be an integer, not 'x' (and 2 more, see findings)"
    assert pets.contexts == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "BREW"])
def test_an_unsupported_method_is_a_405_with_the_allowed_methods(method):
    status, headers, response = call(Pets(), method=method)
    assert (status, headers[b"allow"]) == (405, b"PUT")
    assert response["error"]["message"] == f"'/pets/7' does not take '{method}'; it takes PUT."


def test_an_unknown_path_is_a_404():
    status, _, response = call(Pets(), path=b"/birds/" + b"x" * 200)
    assert status == 404
    assert len(response["error"]["message"]) < 200


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        (b"application/json", 200),
        (b"Application/JSON; charset=utf-8", 200),
        (b"text/plain", 415),
        (b"application/jsonp", 415),
        (b"", 415),
        (None, 415),
    ],
)
def test_only_declared_media_types_are_accepted(media_type, status):
    headers = [] if media_type is None else [(b"content-type", media_type)]
    assert call(Pets(), headers=headers)[0] == status


def test_an_empty_body_is_missing_whatever_its_media_type():
    status, _, response = call(Pets(), headers=[], body=b"")
    assert status == 400
    assert response["error"]["message"] == "body: is required"


@pytest.mark.parametrize(
    "headers",
    [[JSON], [JSON, (b"content-length", b"1001")], [JSON, (b"content-length", b"1001"), (b"expect", b"100-continue")]],
)
def test_a_body_over_the_limit_is_rejected(headers):
    pets = Pets()
    chunks = [b'{"id": 1, "name": "', b"x" * 970, b"y" * 10 + b'"}']
    assert call(pets, headers=headers, chunks=chunks)[0] == 413
    assert pets.contexts == []


def test_a_body_at_the_limit_is_accepted():
    body = b'{"id": 1, "name": "' + b"x" * (1000 - 21) + b'"}'
    assert len(body) == 1000
    assert call(Pets(), body=body)[0] == 200


def test_a_client_that_disconnects_gets_no_response():
    pets = Pets()
    operations = Operations(DOCUMENT)
    guarded = ResponseGuard(RequestGuard(pets, operations, max_body=1000), operations)
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "raw_path": b"/pets/7", "query_string": b"", "headers": [JSON]}
    asyncio.run(guarded(scope, receive, send))
    assert (sent, pets.contexts) == ([], [])


def test_unknown_fields_are_dropped_and_noted():
    pets = Pets()
    assert call(pets, body=b'{"id": 1, "nme": "x"}')[0] == 200
    (context,) = pets.contexts
    assert context.body == {"id": 1}
    assert [finding.pointer for finding in context.notes] == ["/nme"]


def test_unknown_fields_can_be_rejected():
    status, _, response = call(Pets(), body=b'{"id": 1, "nme": "x"}', unknown_fields="reject")
    assert status == 400
    assert findings(response) == [("body", "/nme", "is not a known field (did you mean 'name'?)")]


@pytest.mark.parametrize(
    ("pets", "finding"),
    [
        (Pets(status=201), ("status", "", "201 is not declared for this operation")),
        (Pets(headers=[JSON]), ("header", "/X-Count", "is required")),
        (Pets(headers=[JSON, (b"x-count", b"x")]), ("header", "/X-Count", "must match ^[0-9]+$, not 'x'")),
        (
            Pets(headers=[(b"content-type", b"text/html"), (b"x-count", b"1")]),
            ("header", "/Content-Type", "must be application/json, not 'text/html'"),
        ),
        (
            Pets(chunks=[b"{"]),
            ("body", "", "is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        ),
        (Pets(chunks=[b""]), ("body", "", "is not valid JSON: Expecting value (line 1, column 1)")),
        (Pets(chunks=[b'{"id": null}']), ("body", "/id", "must be an integer, not null")),
        (Pets(status=204, headers=[], chunks=[b"x"]), ("body", "", "must be empty")),
    ],
)
def test_an_invalid_response_becomes_a_500(pets, finding):
    status, _, response = call(pets)
    assert status == 500
    assert response["error"]["type"] == "server_error"
    assert findings(response) == [finding]
    assert finding[2] in response["error"]["message"]
    assert [(found.location, found.pointer, found.message) for found in pets.contexts[0].findings] == [finding]


def test_a_response_without_declared_content_may_be_empty():
    assert call(Pets(status=204, headers=[], chunks=[b""])) == (204, {}, None)


def test_an_exception_becomes_a_500_and_is_logged(caplog):
    status, _, response = call(Pets(error=ValueError("secret detail")))
    assert status == 500
    assert response["error"]["message"] == "pets.put failed: ValueError. See the log."
    assert "secret detail" in caplog.text
