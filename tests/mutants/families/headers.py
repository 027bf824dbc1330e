"""Missing and wrong headers."""

from tests.mutants.mutant import Family
from tests.mutants.proxy import ProxyExchange, to_json

HEADERS = Family("headers")


@HEADERS.response("no-www-authenticate", "#/components/responses/Unauthorized/headers/WWW-Authenticate")
def no_www_authenticate(exchange: ProxyExchange) -> None:
    """A 401 has no WWW-Authenticate."""
    exchange.response.set_header("www-authenticate", None)


@HEADERS.response("no-allow", "#/components/responses/MethodNotAllowed/headers/Allow")
def no_allow(exchange: ProxyExchange) -> None:
    """A 405 has no Allow."""
    exchange.response.set_header("allow", None)


@HEADERS.response("no-content-type", "gateway.success-is-200-json")
def no_content_type(exchange: ProxyExchange) -> None:
    """A page of conversations has no Content-Type."""
    if exchange.operation == "list" and exchange.has_succeeded:
        exchange.response.set_header("content-type", None)


@HEADERS.response("items-are-text-json", "gateway.success-is-200-json")
def items_are_text_json(exchange: ProxyExchange) -> None:
    """The items just added have the media type text/json."""
    if exchange.operation == "items.create" and exchange.has_succeeded:
        exchange.response.set_header("content-type", "text/json")


@HEADERS.response("problem-json", "#/components/responses/NotFound/content")
def problem_json(exchange: ProxyExchange) -> None:
    """A 404 has the media type application/problem+json."""
    if exchange.response.status == 404:
        exchange.response.set_header("content-type", "application/problem+json")


@HEADERS.response("removed-items-are-html", "gateway.success-is-200-json")
def removed_items_are_html(exchange: ProxyExchange) -> None:
    """Removing several items returns JSON of the media type text/html."""
    if exchange.operation == "items.deleteMany" and exchange.has_succeeded:
        exchange.response.set_header("content-type", "text/html; charset=utf-8")


@HEADERS.response("body-in-latin-1", "gateway.success-is-200-json", "conversations.create.keeps-metadata")
def body_in_latin_1(exchange: ProxyExchange) -> None:
    """A conversation whose text is in Latin-1 beyond ASCII is answered in Latin-1, which is not JSON."""
    if exchange.operation in ("create", "retrieve", "update") and exchange.has_succeeded:
        text = to_json(exchange.response.json).decode()
        try:
            exchange.response.set_body(text.encode("latin-1"))
        except UnicodeEncodeError:
            return
