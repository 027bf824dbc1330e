"""The requests under way."""

from starlette.types import Scope

from mockserver.context import CONTEXT, Context


class OpenRequests:
    """The requests that a fake has begun to handle and not yet ended."""

    def __init__(self) -> None:
        self._scopes: dict[int, Scope] = {}

    def add(self, scope: Scope) -> None:
        self._scopes[id(scope)] = scope

    def remove(self, scope: Scope) -> None:
        del self._scopes[id(scope)]

    def contexts(self, account: str | None = None) -> list[Context]:
        """Return the contexts of the requests of one account, or of all."""
        contexts: list[Context] = [scope[CONTEXT] for scope in self._scopes.values() if CONTEXT in scope]
        if account is None:
            return contexts
        return [context for context in contexts if context.tenant is not None and context.tenant.account == account]
