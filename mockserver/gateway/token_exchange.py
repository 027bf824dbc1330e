"""The operations that exchange an API key for a token."""

from collections.abc import Callable

import orjson

from mockserver.context import Context
from mockserver.gateway.tokens import TokenIssuer


class TokenExchange:
    """The handlers of the current operation and of the deprecated one, which do the same."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer

    def handlers(self) -> dict[str, Callable[[Context], bytes]]:
        return {"exchangeApiKeyToken": self.exchange, "getJwtFromKey": self.exchange}

    def exchange(self, context: Context) -> bytes:
        body = context.body
        token = self._issuer.issue(
            context.key,
            context.caller.account,
            audience=body["audience"],
            end_user=body["externalUserId"],
            lifetime=body.get("expiresIn", 3600),
            permissions=body.get("permissions"),
        )
        return orjson.dumps({"token": token})
