"""Error responses that differ from the document, and requests that break the server."""

from typing import Any

from tests.mutants.mutant import Family
from tests.mutants.proxy import Mutation, ProxyExchange, json_response, make_response

ERRORS = Family("errors")

_LISTS = ("list", "items.list")
_WRITES = ("create", "update", "items.create")

_SERVER_ERROR = "#/components/responses/ServerError"

_PAGE = b"""<html>\r
<head><title>404 Not Found</title></head>\r
<body>\r
<center><h1>404 Not Found</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""

_TRACE = b"""Traceback (most recent call last):
  File "/srv/app/api/conversations.py", line 87, in create
    items = body.get("items")
AttributeError: 'list' object has no attribute 'get'
"""


def _fail(exchange: ProxyExchange) -> None:
    error = {"message": "The server failed to response.", "type": "server_error", "param": None, "code": 500}
    exchange.response = json_response(500, {"error": error})


def _change_error(exchange: ProxyExchange, **changes: Any) -> None:
    exchange.change_body(lambda body: body | {"error": body["error"] | changes})


def _is(exchange: ProxyExchange, *statuses: int) -> bool:
    return exchange.response.status in statuses


# -- The server breaks


@ERRORS.response("broken-json-is-500", "gateway.body-must-be-json", _SERVER_ERROR)
def broken_json_is_500(exchange: ProxyExchange) -> None:
    """A body that is not JSON returns 500."""
    body = exchange.request.body.strip()
    if exchange.operation and _is(exchange, 400) and body not in (b"", b"null") and exchange.request.json is None:
        _fail(exchange)


@ERRORS.request("body-that-is-a-list-leaves-a-stack-trace", _SERVER_ERROR, "#/components/responses/BadRequest")
async def body_that_is_a_list_leaves_a_stack_trace(exchange: ProxyExchange) -> None:
    """A body that is a list returns 500 with a stack trace in plain text."""
    if exchange.operation in _WRITES and isinstance(exchange.request.json, list) and await exchange.is_authorised():
        exchange.response = make_response(500, _TRACE, "text/plain; charset=utf-8")


@ERRORS.response("limit-that-is-no-number-is-500", _SERVER_ERROR, "#/components/responses/BadRequest")
def limit_that_is_no_number_is_500(exchange: ProxyExchange) -> None:
    """A limit that is not a number returns 500 in plain text."""
    limit = exchange.request.parameters.get("limit", "1")
    if exchange.operation in _LISTS and _is(exchange, 400) and not limit.lstrip("+-").isdecimal():
        exchange.response = make_response(500, b"Internal Server Error", "text/plain; charset=utf-8")


@ERRORS.response("null-item-is-500", _SERVER_ERROR, "#/components/responses/BadRequest")
def null_item_is_500(exchange: ProxyExchange) -> None:
    """A null among the items returns 500."""
    items = exchange.request_body.get("items")
    if exchange.operation in _WRITES and _is(exchange, 400) and isinstance(items, list) and None in items:
        _fail(exchange)


@ERRORS.request("open-quote-is-500", "conversations.search.takes-an-unclosed-quote-as-typed", _SERVER_ERROR)
async def open_quote_is_500(exchange: ProxyExchange) -> None:
    """A search with a double quote that is never closed returns 500."""
    quotes = exchange.request.parameters.get("search", "").count('"')
    if exchange.operation == "list" and quotes % 2 and await exchange.is_authorised():
        _fail(exchange)


@ERRORS.request("nul-in-metadata-is-500", "conversations.metadata.text-comes-back-unchanged", _SERVER_ERROR)
async def nul_in_metadata_is_500(exchange: ProxyExchange) -> None:
    """Metadata with the character U+0000, which the database cannot hold, returns 500."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in ("create", "update") and isinstance(metadata, dict):
        texts = [text for pair in metadata.items() for text in pair if isinstance(text, str)]
        if any("\0" in text for text in texts) and await exchange.is_authorised():
            _fail(exchange)


@ERRORS.mutation("retrieving-the-deleted-is-500", "conversations.delete.then-retrieve-is-404", _SERVER_ERROR)
class RetrievingTheDeletedIs500(Mutation):
    """Retrieving a conversation that was deleted returns 500, one that never was 404."""

    def __init__(self) -> None:
        self._deleted: set[str] = set()

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "delete" and exchange.has_succeeded:
            self._deleted.add(exchange.conversation_id)
        if exchange.operation == "retrieve" and _is(exchange, 404) and exchange.conversation_id in self._deleted:
            _fail(exchange)


@ERRORS.response("unknown-item-in-many-is-500", "items.delete-many.is-all-or-nothing", _SERVER_ERROR)
def unknown_item_in_many_is_500(exchange: ProxyExchange) -> None:
    """Removing several items of which one is unknown returns 500."""
    if exchange.operation == "items.deleteMany" and _is(exchange, 404):
        _fail(exchange)


# -- The refusal is not one


@ERRORS.response(
    "unknown-conversation-is-200",
    "conversations.retrieve.unknown-id-is-404",
    "#/components/schemas/ConversationObject",
)
def unknown_conversation_is_200(exchange: ProxyExchange) -> None:
    """Retrieving an unknown conversation returns 200 with the error in it."""
    if exchange.operation == "retrieve" and _is(exchange, 404):
        exchange.response.status = 200


@ERRORS.response("unknown-item-is-null", "items.retrieve.unknown-id-is-404", "#/components/schemas/ConversationItem")
def unknown_item_is_null(exchange: ProxyExchange) -> None:
    """Retrieving an unknown item of a conversation returns 200 with null."""
    if exchange.operation == "items.retrieve" and _is(exchange, 404):
        exchange.response = json_response(200, None)


# -- The refusal has another form


@ERRORS.response("unknown-conversation-is-an-html-page", "#/components/responses/NotFound", "errors.have-one-envelope")
def unknown_conversation_is_an_html_page(exchange: ProxyExchange) -> None:
    """An unknown conversation returns 404 with an HTML page of the proxy in front."""
    if exchange.operation in ("retrieve", "update", "delete") and _is(exchange, 404):
        exchange.response = make_response(404, _PAGE, "text/html")


@ERRORS.response("bad-request-is-422", "errors.invalid-requests-are-400", "#/components/responses/BadRequest")
def bad_request_is_422(exchange: ProxyExchange) -> None:
    """A body that breaks the document returns 422 with a detail, as one web framework does by default."""
    if exchange.operation and _is(exchange, 400) and exchange.request.body:
        detail = [
            {"type": "missing", "loc": ["body", *finding["pointer"].split("/")[1:]], "msg": finding["message"]}
            for finding in exchange.response.json["error"]["findings"]
        ]
        exchange.response = json_response(422, {"detail": detail})


@ERRORS.response("error-without-envelope", "#/components/schemas/NotFoundError", "errors.have-one-envelope")
def error_without_envelope(exchange: ProxyExchange) -> None:
    """A 404 has its message and the rest at the top, not within error."""
    if _is(exchange, 404):
        exchange.change_body(lambda body: body["error"])


@ERRORS.response("error-is-text", "#/components/schemas/BadRequestError", "errors.have-one-envelope")
def error_is_text(exchange: ProxyExchange) -> None:
    """The error of a 400 is its message alone, as that of a 429 is."""
    if _is(exchange, 400):
        exchange.change_body(lambda body: {"error": body["error"]["message"]})


@ERRORS.response("error-code-is-a-word", "#/components/schemas/Error/properties/code", "errors.have-one-envelope")
def error_code_is_a_word(exchange: ProxyExchange) -> None:
    """The code of a 404 is a word, as in another API."""
    if _is(exchange, 404):
        _change_error(exchange, code="not_found")


@ERRORS.response("error-code-is-another-status", "#/components/schemas/NotFoundError", "errors.have-one-envelope")
def error_code_is_another_status(exchange: ProxyExchange) -> None:
    """The code of a 404 about an item is 400."""
    if exchange.operation.startswith("items.") and _is(exchange, 404):
        _change_error(exchange, code=400)


@ERRORS.response("error-type-is-another", "#/components/schemas/Error/properties/type", "errors.have-a-type")
def error_type_is_another(exchange: ProxyExchange) -> None:
    """The type of a 404 is not_found_error, which the document does not list."""
    if _is(exchange, 404):
        _change_error(exchange, type="not_found_error")


@ERRORS.response("error-message-is-empty", "#/components/schemas/Error/properties/message")
def error_message_is_empty(exchange: ProxyExchange) -> None:
    """The message of an error about an unknown cursor is empty."""
    if exchange.operation in _LISTS and _is(exchange, 400) and "after" in exchange.request.parameters:
        _change_error(exchange, message="")


@ERRORS.response("null-param-is-left-out", "#/components/schemas/Error/required")
def null_param_is_left_out(exchange: ProxyExchange) -> None:
    """The param of an error is left out where it is null."""
    error = (exchange.response.json or {}).get("error")
    if exchange.response.status >= 400 and isinstance(error, dict) and error["param"] is None:
        exchange.change_body(lambda body: {"error": {name: value for name, value in error.items() if name != "param"}})


@ERRORS.response("no-findings", "#/components/schemas/BadRequestError", "errors.findings-say-where-and-why")
def no_findings(exchange: ProxyExchange) -> None:
    """A 400 about a parameter has no findings."""
    if _is(exchange, 400) and not exchange.request.body:
        exchange.change_body(
            lambda body: {"error": {name: value for name, value in body["error"].items() if name != "findings"}}
        )


@ERRORS.response("findings-are-text", "#/components/schemas/ErrorFinding", "errors.findings-say-where-and-why")
def findings_are_text(exchange: ProxyExchange) -> None:
    """The findings of a 400 about a body are lines of text instead of objects."""
    if _is(exchange, 400) and exchange.request.body:
        findings = exchange.response.json["error"]["findings"]
        _change_error(exchange, findings=[f"{finding['pointer']}: {finding['message']}" for finding in findings])
