"""Requests accepted or rejected for the wrong key."""

from collections.abc import Awaitable

from tests.mutants.mutant import Family
from tests.mutants.proxy import Mutation, ProxyExchange, json_response

AUTH = Family("auth")

_DOCUMENT = "#/components/responses/Unauthorized"


class _LetsIn(Mutation):
    """Requests that lack a valid key are served with one that was valid before."""

    def __init__(self) -> None:
        self._valid = ""
        self._owners: dict[str, str] = {}

    def request(self, exchange: ProxyExchange) -> Awaitable[None] | None:
        if self._valid and self._lets_in(exchange, exchange.request.header("authorization")):
            exchange.request.set_header("authorization", self._valid)
        return None

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.has_succeeded and not self._valid:
            self._valid = exchange.request.header("authorization") or ""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return False


@AUTH.mutation("no-key-is-let-in", "auth.missing-key-is-refused")
class NoKeyIsLetIn(_LetsIn):
    """A request without an Authorization header is accepted."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is None


@AUTH.mutation("items-are-listed-without-a-key", "auth.missing-key-is-refused")
class ItemsAreListedWithoutAKey(_LetsIn):
    """The items of a conversation can be listed without a key; everything else needs one."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is None and exchange.operation == "items.list"


@AUTH.mutation("items-are-removed-without-a-key", "auth.missing-key-is-refused")
class ItemsAreRemovedWithoutAKey(_LetsIn):
    """Several items can be removed without a key; the newest operation was left out of the guard."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is None and exchange.operation == "items.deleteMany"


@AUTH.mutation("empty-key-is-let-in", "auth.missing-key-is-refused", "auth.refusal-is-401")
class EmptyKeyIsLetIn(_LetsIn):
    """An Authorization header with Bearer and no key, or with nothing at all, is accepted."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is not None and key.strip().lower() in ("", "bearer")


@AUTH.mutation("wrong-key-is-let-in", "auth.unknown-key-is-refused")
class WrongKeyIsLetIn(_LetsIn):
    """Any key is accepted, as long as there is one."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        scheme, _, rest = (key or "").partition(" ")
        return scheme.lower() == "bearer" and bool(rest.strip())

    async def request(self, exchange: ProxyExchange) -> None:
        if (await exchange.fetch("GET", "", query={"limit": 1})).status == 401:
            super().request(exchange)


@AUTH.mutation("longer-key-is-let-in", "auth.unknown-key-is-refused")
class LongerKeyIsLetIn(_LetsIn):
    """A valid key with more behind it is accepted: only the beginning is compared."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is not None and key.startswith(self._valid) and key != self._valid


@AUTH.mutation("any-scheme-is-let-in", "#/components/securitySchemes/bearerAuth", "auth.refusal-is-401")
class AnySchemeIsLetIn(_LetsIn):
    """A valid key is accepted with any scheme in front of it, or none."""

    def _lets_in(self, exchange: ProxyExchange, key: str | None) -> bool:
        return key is not None and key.split()[-1:] == self._valid.split()[-1:] and key != self._valid


def _is_refused(exchange: ProxyExchange) -> bool:
    return exchange.response.status == 401


@AUTH.response("403-for-401", _DOCUMENT, "auth.refusal-is-401")
def forbidden_for_unauthorized(exchange: ProxyExchange) -> None:
    """A missing or unknown key returns 403, which the document does not know."""
    if _is_refused(exchange):
        exchange.response.status = 403
        exchange.response.set_header("www-authenticate", None)
        exchange.change_body(lambda body: {"error": body["error"] | {"code": 403}})


@AUTH.response("401-is-an-empty-page", "auth.missing-key-is-refused", "auth.unknown-key-is-refused")
def unauthorized_is_an_empty_page(exchange: ProxyExchange) -> None:
    """Lists answer a missing or unknown key with 200 and an empty page."""
    if _is_refused(exchange) and exchange.operation in ("list", "items.list"):
        exchange.response = json_response(200, {"object": "list", "data": [], "has_more": False, "last_id": ""})


@AUTH.response("401-in-the-words-of-the-proxy", _DOCUMENT, "errors.have-one-envelope")
def unauthorized_in_the_words_of_the_proxy(exchange: ProxyExchange) -> None:
    """The proxy in front rejects keys with a message of its own, without the envelope."""
    if _is_refused(exchange):
        exchange.change_body(lambda body: {"message": "No API key found in request"})


@AUTH.response("401-has-no-body", _DOCUMENT)
def unauthorized_has_no_body(exchange: ProxyExchange) -> None:
    """A missing or unknown key returns 401 with an empty body."""
    if _is_refused(exchange):
        exchange.response.set_body(b"")
        exchange.response.set_header("content-type", None)
