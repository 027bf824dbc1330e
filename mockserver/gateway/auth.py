"""Who is calling: the API key."""

import hashlib
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context, Tenant
from mockserver.errors import Unauthorized


class Caller(NamedTuple):
    """`key` is the fingerprint of the API key: it tells keys apart and gives none away."""

    key: str
    tenant: Tenant


class Auth:
    """Lets in a request with `Authorization: Bearer <key>`, and answers 401 to any other.

    `accounts` lists the keys that are let in, each with its account or None; an empty list lets every key in. A key
    that was given no account has one of its own.
    """

    def __init__(self, app: ASGIApp, accounts: Mapping[str, str | None]) -> None:
        self._app = app
        self._accounts = accounts
        self._caller = lru_cache(maxsize=10_000)(self._identified)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        try:
            context.key, context.tenant = self._caller(tuple(context.headers.all(b"authorization")))
        except Unauthorized as error:
            return send_error(send, error)
        return self._app(scope, receive, send)

    def _identified(self, sent: tuple[bytes, ...]) -> Caller:
        if not sent:
            raise Unauthorized("No API key was sent. Send `Authorization: Bearer <mka1-api-key>`.")
        if len(sent) > 1:
            raise Unauthorized("The Authorization header was sent more than once.")
        scheme, _, token = sent[0].decode("latin-1").partition(" ")
        key = token.strip()
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("The Authorization header must be `Bearer <mka1-api-key>`.")
        if self._accounts and key not in self._accounts:
            raise Unauthorized("The API key is not known.")
        return Caller(fingerprint(key), Tenant(self._accounts.get(key) or account_of(key)))


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def account_of(key: str) -> str:
    """The account of a key that was given none."""
    return f"account-{fingerprint(key)}"
