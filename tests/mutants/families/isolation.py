"""Conversations of one caller that affect each other."""

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_all_entries, respond_with_page
from tests.mutants.proxy import Mutation, ProxyExchange

ISOLATION = Family("isolation")

_ITEMS = "isolation.items-stay-in-their-conversation"
_CHANGES = "isolation.changes-stay-in-their-conversation"


class _CreationOrder(Mutation):
    """Knows the paths of the conversations of each caller, in the order of their creation."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str | None, str | None], list[str]] = {}

    def _neighbour(self, exchange: ProxyExchange, step: int) -> str | None:
        paths = self._paths.get(exchange.caller, [])
        place = paths.index(exchange.conversation_path) + step if exchange.conversation_path in paths else -1
        return paths[place] if 0 <= place < len(paths) else None

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "create" and exchange.has_succeeded:
            self._paths.setdefault(exchange.caller, []).append(f"/{exchange.response_body['id']}")


@ISOLATION.mutation("list-shows-items-of-the-next-conversation", _ITEMS)
class ListShowsItemsOfTheNextConversation(_CreationOrder):
    """A list of items also shows those of the caller's next conversation."""

    async def response(self, exchange: ProxyExchange) -> None:
        await super().response(exchange)
        if exchange.operation == "items.list" and exchange.has_succeeded:
            other = self._neighbour(exchange, 1)
            if other is not None:
                query = {key: value for key, value in exchange.request.pairs if key == "order"}
                own = await fetch_all_entries(exchange, exchange.subpath, query=query)
                respond_with_page(exchange, own + await fetch_all_entries(exchange, f"{other}/items", query=query))


@ISOLATION.mutation("added-items-also-join-the-previous-conversation", _ITEMS)
class AddedItemsAlsoJoinThePreviousConversation(_CreationOrder):
    """A message added to a conversation is also added to the caller's previous one."""

    async def response(self, exchange: ProxyExchange) -> None:
        await super().response(exchange)
        if exchange.operation == "items.create" and exchange.has_succeeded:
            other = self._neighbour(exchange, -1)
            items = [item for item in exchange.request_body["items"] if "role" in item and "id" not in item]
            if other is not None and items:
                await exchange.fetch("POST", f"{other}/items", body={"items": items})


@ISOLATION.mutation("update-changes-the-next-conversation", _CHANGES)
class UpdateChangesTheNextConversation(_CreationOrder):
    """An update of metadata also changes the caller's next conversation."""

    async def response(self, exchange: ProxyExchange) -> None:
        await super().response(exchange)
        if exchange.operation == "update" and exchange.has_succeeded:
            other = self._neighbour(exchange, 1)
            if other is not None:
                await exchange.fetch("POST", other, body=exchange.request_body)


@ISOLATION.mutation("deletion-empties-the-previous-conversation", _CHANGES)
class DeletionEmptiesThePreviousConversation(_CreationOrder):
    """Deleting a conversation removes the items of the caller's previous one."""

    async def response(self, exchange: ProxyExchange) -> None:
        await super().response(exchange)
        if exchange.operation == "delete" and exchange.has_succeeded:
            other = self._neighbour(exchange, -1)
            if other is not None:
                for item in await fetch_all_entries(exchange, f"{other}/items"):
                    await exchange.fetch("DELETE", f"{other}/items/{item['id']}")


@ISOLATION.request("items-are-removed-through-any-conversation", _CHANGES)
async def items_are_removed_through_any_conversation(exchange: ProxyExchange) -> None:
    """Removing an item by its id removes it from whichever conversation of the caller it is in."""
    if exchange.operation != "items.delete":
        return
    for conversation in await fetch_all_entries(exchange):
        path = f"/{conversation['id']}/items/{exchange.item_id}"
        if (await exchange.fetch("GET", path)).status == 200:
            exchange.response = await exchange.fetch("DELETE", path)
            return
