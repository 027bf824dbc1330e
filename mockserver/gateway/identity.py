"""The end user in `X-On-Behalf-Of`, and the identity under which records show their owner."""

import hashlib
from collections.abc import Awaitable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context, Tenant
from mockserver.contract.requests import decode_header
from mockserver.errors import OtherEndUser
from mockserver.settings import IdentityMode

_MAX_CACHED = 256
"""Bytes of the longest header whose end user is cached, so that the cache stays small."""


class Identity:
    """A layer that adds the end user, if the request names one, to the tenant.

    The tenant of a token has an end user already. A request for another one gets a 403.
    """

    def __init__(self, app: ASGIApp, mode: IdentityMode) -> None:
        self._app = app
        self._mode = mode
        self._resolve_cached = lru_cache(maxsize=10_000)(self._resolve)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        # A repeated header is left to the request guard, which rejects it.
        header = context.headers.get(b"x-on-behalf-of", b"")
        resolve = self._resolve_cached if len(header) <= _MAX_CACHED else self._resolve
        try:
            context.tenant, context.identity = resolve(context.caller, header)
        except OtherEndUser as error:
            return send_error(send, error)
        return self._app(scope, receive, send)

    def _resolve(self, caller: Tenant, header: bytes) -> tuple[Tenant, str]:
        account, only_end_user = caller
        end_user = decode_header(header).strip()
        if only_end_user is not None:
            if end_user not in ("", only_end_user):
                raise OtherEndUser
            end_user = only_end_user
        identity = f"{account}:{end_user}"
        if self._mode == "sha256":
            identity = hashlib.sha256(identity.encode()).hexdigest()
        return Tenant(account, end_user or None), identity
