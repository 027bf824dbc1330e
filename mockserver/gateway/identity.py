"""For whom the caller calls: the end user in `X-On-Behalf-Of`, and the identity that owners are shown by."""

import hashlib
from collections.abc import Awaitable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import CONTEXT, Context, Tenant
from mockserver.contract.requests import header_text
from mockserver.settings import IdentityMode


class Identity:
    """Adds the end user, if the request names one, to the tenant."""

    def __init__(self, app: ASGIApp, mode: IdentityMode) -> None:
        self._app = app
        self._mode = mode
        self._owner = lru_cache(maxsize=10_000)(self._named)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        # That it is sent twice is for the request guard to refuse.
        sent = context.headers.get(b"x-on-behalf-of", b"")
        context.tenant, context.identity = self._owner(context.caller.account, sent)
        return self._app(scope, receive, send)

    def _named(self, account: str, sent: bytes) -> tuple[Tenant, str]:
        end_user = header_text(sent).strip()
        plain = f"{account}:{end_user}"
        shown = plain if self._mode == "raw" else hashlib.sha256(plain.encode()).hexdigest()
        return Tenant(account, end_user or None), shown
