"""Authentication by API key, or by a token that was issued in exchange for one."""

import hashlib
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import Headers, send_error
from mockserver.context import CONTEXT, Context, Tenant
from mockserver.errors import Forbidden, PermissionMissing, TokenNotExchangeable, Unauthorized
from mockserver.gateway.tokens import Token, TokenIssuer
from mockserver.settings import API_PATH

_API_PREFIX = API_PATH + "/"
_MAX_CACHED = 256
"""Bytes of the longest header whose caller is cached, so that the cache stays small."""


class Caller(NamedTuple):
    """The fingerprint of an API key, which identifies the key without revealing it, and the tenant of the key.

    `token` is set if the request has a token in place of the key.
    """

    fingerprint: str
    tenant: Tenant
    token: Token | None = None


class Auth:
    """A layer that requires `Authorization: Bearer <key>` and responds 401 without a valid key.

    `accounts` maps each accepted key to its account, or to None for an account of its own. If it is empty, every key
    is accepted. A token of `tokens` stands for the key that it was issued for, within its permissions: a `GET` needs
    `read:<resource>`, every other method `write:<resource>`; the response is 403 without it.
    """

    def __init__(self, app: ASGIApp, accounts: Mapping[str, str | None], tokens: TokenIssuer) -> None:
        self._app = app
        self._accounts = accounts
        self._tokens = tokens
        self._authenticate_cached = lru_cache(maxsize=10_000)(self._authenticate)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        try:
            header = context.headers.get(b"authorization", b"")
            if not header or context.headers.has_repeats:
                header = _only_header(context.headers)
            authenticate = self._authenticate_cached if len(header) <= _MAX_CACHED else self._authenticate
            context.key, context.tenant, token = authenticate(header)
            if token is not None:
                self._tokens.check_expiry(token)
                _check_permission(token, scope["method"], scope["path"])
        except (Unauthorized, Forbidden) as error:
            return send_error(send, error)
        return self._app(scope, receive, send)

    def _authenticate(self, header: bytes) -> Caller:
        scheme, _, credentials = header.partition(b" ")
        try:
            key = credentials.strip().decode()
        except UnicodeDecodeError:
            raise Unauthorized("The API key is not UTF-8.") from None
        if scheme.lower() != b"bearer" or not key:
            raise Unauthorized("The Authorization header must be `Bearer <mka1-api-key>`.")
        token = self._tokens.read(key)
        if token is not None:
            return Caller(token.key, token.tenant, token)
        if self._accounts and key not in self._accounts:
            raise Unauthorized("The API key is not known. The fake accepts only its own keys, such as `mka1.api_key`.")
        return Caller(key_fingerprint(key), Tenant(self._accounts.get(key) or default_account(key)))


def _check_permission(token: Token, method: str, path: str) -> None:
    """Raise Forbidden unless the token permits a request."""
    if not path.startswith(_API_PREFIX):
        raise TokenNotExchangeable
    resource = path.removeprefix(_API_PREFIX).partition("/")[0]
    permission = f"{'read' if method == 'GET' else 'write'}:{resource}"
    if not token.permits(permission):
        raise PermissionMissing(permission)


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
