"""Headers that are missing or say what is not so."""

from tests.mutants.defect import Family
from tests.mutants.proxy import Exchange, dumped

HEADERS = Family("headers")


@HEADERS.answer("no-www-authenticate", "#/components/responses/Unauthorized/headers/WWW-Authenticate")
def no_www_authenticate(exchange: Exchange) -> None:
    """A 401 has no WWW-Authenticate."""
    exchange.answer.set_header("www-authenticate", None)


@HEADERS.answer("no-allow", "#/components/responses/MethodNotAllowed/headers/Allow")
def no_allow(exchange: Exchange) -> None:
    """A 405 has no Allow."""
    exchange.answer.set_header("allow", None)


@HEADERS.answer("no-content-type", "gateway.success-is-200-json")
def no_content_type(exchange: Exchange) -> None:
    """A page of conversations has no Content-Type."""
    if exchange.operation == "list" and exchange.succeeded:
        exchange.answer.set_header("content-type", None)


@HEADERS.answer("items-are-text-json", "gateway.success-is-200-json")
def items_are_text_json(exchange: Exchange) -> None:
    """The items just added have the media type text/json."""
    if exchange.operation == "items.create" and exchange.succeeded:
        exchange.answer.set_header("content-type", "text/json")


@HEADERS.answer("problem-json", "#/components/responses/NotFound/content")
def problem_json(exchange: Exchange) -> None:
    """A 404 has the media type application/problem+json."""
    if exchange.answer.status == 404:
        exchange.answer.set_header("content-type", "application/problem+json")


@HEADERS.answer("removed-items-are-html", "gateway.success-is-200-json")
def removed_items_are_html(exchange: Exchange) -> None:
    """Removing several items answers with JSON of the media type text/html."""
    if exchange.operation == "items.deleteMany" and exchange.succeeded:
        exchange.answer.set_header("content-type", "text/html; charset=utf-8")


@HEADERS.answer("body-in-latin-1", "gateway.success-is-200-json", "conversations.create.keeps-metadata")
def body_in_latin_1(exchange: Exchange) -> None:
    """A conversation whose text is in Latin-1 beyond ASCII is answered in Latin-1, which is no JSON."""
    if exchange.operation in ("create", "retrieve", "update") and exchange.succeeded:
        text = dumped(exchange.answer.json).decode()
        try:
            exchange.answer.set_body(text.encode("latin-1"))
        except UnicodeEncodeError:
            return
