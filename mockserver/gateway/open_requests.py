"""The requests under way."""

from starlette.types import Scope

from mockserver.context import CONTEXT, Context


class OpenRequests(dict[int, Scope]):
    """The requests that a fake has begun to handle and not yet ended: their scopes, by `id`."""

    def contexts(self, account: str | None = None) -> list[Context]:
        """Return the contexts of the requests of one account, or of all."""
        contexts: list[Context] = [scope[CONTEXT] for scope in self.values() if CONTEXT in scope]
        if account is None:
            return contexts
        return [context for context in contexts if context.tenant is not None and context.tenant.account == account]
