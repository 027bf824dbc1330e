"""For whom the caller calls: the end user in `X-On-Behalf-Of`, and the identity that owners are shown by."""

import hashlib
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.context import Tenant, context_of
from mockserver.contract.requests import header_text
from mockserver.settings import IdentityMode


class Identity:
    """Adds the end user, if the request names one, to the tenant."""

    def __init__(self, app: ASGIApp, mode: IdentityMode) -> None:
        self._app = app
        self._mode = mode
        self._identity = lru_cache(maxsize=10_000)(self._shown)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        if context is not None and context.tenant is not None:
            sent = context.headers.all(b"x-on-behalf-of")
            if sent:  # That it is sent twice is for the request guard to refuse.
                context.tenant = Tenant(context.tenant.account, header_text(sent[0]).strip() or None)
            context.identity = self._identity(context.tenant)
        await self._app(scope, receive, send)

    def _shown(self, tenant: Tenant) -> str:
        plain = f"{tenant.account}:{tenant.end_user or ''}"
        return plain if self._mode == "raw" else hashlib.sha256(plain.encode()).hexdigest()
