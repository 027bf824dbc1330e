"""Who is let in."""

from tests.mutants.defect import Family
from tests.mutants.proxy import Exchange, Plant, json_answer

AUTH = Family("auth")

_DOCUMENT = "#/components/responses/Unauthorized"


class _LetsIn(Plant):
    """Requests that lack a valid key are done with one that was valid before."""

    def __init__(self) -> None:
        self._valid: str | None = None
        self._owners: dict[str, str] = {}

    def request(self, exchange: Exchange) -> None:
        if self._valid and self._lets_in(exchange, exchange.request.header("authorization")):
            exchange.request.set_header("authorization", self._valid)

    def answer(self, exchange: Exchange) -> None:
        if exchange.succeeded and not self._valid:
            self._valid = exchange.request.header("authorization")

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return False


@AUTH.plant("no-key-is-let-in", "auth.missing-key-is-refused")
class NoKeyIsLetIn(_LetsIn):
    """A request without an Authorization header is let in."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is None


@AUTH.plant("items-are-listed-without-a-key", "auth.missing-key-is-refused")
class ItemsAreListedWithoutAKey(_LetsIn):
    """The items of a conversation can be listed without a key; everything else needs one."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is None and exchange.operation == "items.list"


@AUTH.plant("items-are-removed-without-a-key", "auth.missing-key-is-refused")
class ItemsAreRemovedWithoutAKey(_LetsIn):
    """Several items can be removed without a key; the newest operation was left out of the guard."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is None and exchange.operation == "items.deleteMany"


@AUTH.plant("empty-key-is-let-in", "auth.missing-key-is-refused", "auth.refusal-is-401")
class EmptyKeyIsLetIn(_LetsIn):
    """An Authorization header with Bearer and no key, or with nothing at all, is let in."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is not None and key.strip().lower() in ("", "bearer")


@AUTH.plant("wrong-key-is-let-in", "auth.unknown-key-is-refused")
class WrongKeyIsLetIn(_LetsIn):
    """Any key is let in, as long as there is one."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        scheme, _, rest = (key or "").partition(" ")
        return scheme.lower() == "bearer" and bool(rest.strip())

    async def request(self, exchange: Exchange) -> None:
        if (await exchange.ask("GET", "", query={"limit": 1})).status == 401:
            super().request(exchange)


@AUTH.plant("longer-key-is-let-in", "auth.unknown-key-is-refused")
class LongerKeyIsLetIn(_LetsIn):
    """A valid key with more behind it is let in: only the beginning is compared."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is not None and key.startswith(self._valid) and key != self._valid


@AUTH.plant("any-scheme-is-let-in", "#/components/securitySchemes/bearerAuth", "auth.refusal-is-401")
class AnySchemeIsLetIn(_LetsIn):
    """A valid key is let in with any scheme in front of it, or none."""

    def _lets_in(self, exchange: Exchange, key: str | None) -> bool:
        return key is not None and key.split()[-1:] == self._valid.split()[-1:] and key != self._valid


def _is_refused(exchange: Exchange) -> bool:
    return exchange.answer.status == 401


@AUTH.answer("403-for-401", _DOCUMENT, "auth.refusal-is-401")
def forbidden_for_unauthorized(exchange: Exchange) -> None:
    """A missing or unknown key answers 403, which the document does not know."""
    if _is_refused(exchange):
        exchange.answer.status = 403
        exchange.answer.set_header("www-authenticate", None)
        exchange.change(lambda body: {"error": body["error"] | {"code": 403}})


@AUTH.answer("401-is-an-empty-page", "auth.missing-key-is-refused", "auth.unknown-key-is-refused")
def unauthorized_is_an_empty_page(exchange: Exchange) -> None:
    """Lists answer a missing or unknown key with 200 and an empty page."""
    if _is_refused(exchange) and exchange.operation in ("list", "items.list"):
        exchange.answer = json_answer(200, {"object": "list", "data": [], "has_more": False, "last_id": ""})


@AUTH.answer("401-in-the-words-of-the-proxy", _DOCUMENT, "errors.have-one-envelope")
def unauthorized_in_the_words_of_the_proxy(exchange: Exchange) -> None:
    """The proxy in front refuses keys with a message of its own, in no envelope."""
    if _is_refused(exchange):
        exchange.change(lambda body: {"message": "No API key found in request"})


@AUTH.answer("401-has-no-body", _DOCUMENT)
def unauthorized_has_no_body(exchange: Exchange) -> None:
    """A missing or unknown key answers 401 with nothing in it."""
    if _is_refused(exchange):
        exchange.answer.set_body(b"")
        exchange.answer.set_header("content-type", None)
