"""Authentication by API key."""

import hashlib
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import Headers, send_error
from mockserver.context import CONTEXT, Context, Tenant
from mockserver.errors import Unauthorized

_MAX_CACHED = 256
"""Bytes of the longest header whose caller is cached, so that the cache stays small."""


class Caller(NamedTuple):
    """The fingerprint of an API key, which identifies the key without revealing it, and the tenant of the key."""

    fingerprint: str
    tenant: Tenant


class Auth:
    """A layer that requires `Authorization: Bearer <key>` and responds 401 without a valid key.

    `accounts` maps each accepted key to its account, or to None for an account of its own. If it is empty, every key
    is accepted.
    """

    def __init__(self, app: ASGIApp, accounts: Mapping[str, str | None]) -> None:
        self._app = app
        self._accounts = accounts
        self._authenticate_cached = lru_cache(maxsize=10_000)(self._authenticate)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        try:
            header = context.headers.get(b"authorization", b"")
            if not header or context.headers.has_repeats:
                header = _only_header(context.headers)
            authenticate = self._authenticate_cached if len(header) <= _MAX_CACHED else self._authenticate
            context.key, context.tenant = authenticate(header)
        except Unauthorized as error:
            return send_error(send, error)
        return self._app(scope, receive, send)

    def _authenticate(self, header: bytes) -> Caller:
        scheme, _, token = header.partition(b" ")
        try:
            key = token.strip().decode()
        except UnicodeDecodeError:
            raise Unauthorized("The API key is not UTF-8.") from None
        if scheme.lower() != b"bearer" or not key:
            raise Unauthorized("The Authorization header must be `Bearer <mka1-api-key>`.")
        if self._accounts and key not in self._accounts:
            raise Unauthorized("The API key is not known. The fake accepts only its own keys, such as `mka1.api_key`.")
        return Caller(key_fingerprint(key), Tenant(self._accounts.get(key) or default_account(key)))


def _only_header(headers: Headers) -> bytes:
    """Return the only `Authorization` header.

    Raises:
        Unauthorized: there is none, or more than one.
    """
    values = headers.get_all(b"authorization")
    if not values:
        raise Unauthorized("No API key was sent. Send `Authorization: Bearer <mka1-api-key>`.")
    if len(values) > 1:
        raise Unauthorized("The Authorization header was sent more than once.")
    return values[0]


def key_fingerprint(key: str) -> str:
    """Return a short hash that identifies an API key without revealing it."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def default_account(key: str) -> str:
    """Return the account of an API key for which no account is configured."""
    return f"account-{key_fingerprint(key)}"
