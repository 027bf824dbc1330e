"""Pages that lose, repeat or reorder entries."""

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_whole_list, respond_with_entries, respond_with_page
from tests.mutants.proxy import Mutation, ProxyExchange

PAGING = Family("paging")


def _is_page(exchange: ProxyExchange, operation: str) -> bool:
    return exchange.operation == operation and exchange.has_succeeded


@PAGING.request("limit-ignored", "conversations.list.limit-is-1-to-50", "#/components/parameters/ConversationLimit")
def limit_ignored(exchange: ProxyExchange) -> None:
    """A page of conversations has 20 whatever the valid limit."""
    limit = exchange.request.parameters.get("limit", "")
    if exchange.operation == "list" and limit.isdecimal() and 1 <= int(limit) <= 50:
        exchange.request.set_parameters(limit=20)


@PAGING.request("one-item-too-many", "#/components/parameters/ItemLimit")
def one_item_too_many(exchange: ProxyExchange) -> None:
    """A page of items has one more than its limit."""
    limit = exchange.request.parameters.get("limit", "")
    if exchange.operation == "items.list" and limit.isdecimal() and 1 <= int(limit) < 100:
        exchange.request.set_parameters(limit=int(limit) + 1)


@PAGING.request("items-page-caps-at-50", "items.list.limit-is-1-to-100")
def items_page_caps_at_50(exchange: ProxyExchange) -> None:
    """A limit over 50 is accepted but gives 50 items at most."""
    limit = exchange.request.parameters.get("limit", "")
    if exchange.operation == "items.list" and limit.isdecimal() and 50 < int(limit) <= 100:
        exchange.request.set_parameters(limit=50)


@PAGING.request("items-default-limit-is-10", "items.list.gives-20-at-a-time", "#/components/parameters/ItemLimit")
def items_default_limit_is_10(exchange: ProxyExchange) -> None:
    """Without a limit a page has 10 items."""
    if exchange.operation == "items.list" and "limit" not in exchange.request.parameters:
        exchange.request.set_parameters(limit=10)


@PAGING.request("descending-ignored", "conversations.list.desc-starts-with-the-newest")
def descending_ignored(exchange: ProxyExchange) -> None:
    """Conversations come in ascending order also when descending order is asked for."""
    if exchange.operation == "list" and exchange.request.parameters.get("order") == "desc":
        exchange.request.set_parameters(order="asc")


@PAGING.request(
    "items-newest-first-by-default", "items.list.starts-with-the-oldest", "#/components/parameters/ItemOrder"
)
def items_newest_first_by_default(exchange: ProxyExchange) -> None:
    """Without an order the newest item comes first, as in another API."""
    if exchange.operation == "items.list" and "order" not in exchange.request.parameters:
        exchange.request.set_parameters(order="desc")


@PAGING.request("conversations-newest-first-by-default", "conversations.list.starts-with-the-oldest")
def conversations_newest_first_by_default(exchange: ProxyExchange) -> None:
    """Without an order the conversation updated last comes first."""
    if exchange.operation == "list" and "order" not in exchange.request.parameters:
        exchange.request.set_parameters(order="desc")


@PAGING.response("cursor-inclusive", "conversations.list.last-id-is-the-cursor-of-the-next-page")
async def cursor_inclusive(exchange: ProxyExchange) -> None:
    """A page of conversations begins with the cursor itself."""
    if _is_page(exchange, "list"):
        await _begin_at_the_cursor(exchange)


@PAGING.response("cursor-inclusive-in-descending-order", "items.list.last-id-is-the-cursor-of-the-next-page")
async def cursor_inclusive_in_descending_order(exchange: ProxyExchange) -> None:
    """A page of items begins with the cursor itself, but only in descending order."""
    if _is_page(exchange, "items.list") and exchange.request.parameters.get("order") == "desc":
        await _begin_at_the_cursor(exchange)


async def _begin_at_the_cursor(exchange: ProxyExchange) -> None:
    parameters = exchange.request.parameters
    entries = await fetch_whole_list(exchange)
    ids = [entry["id"] for entry in entries]
    if parameters.get("after") in ids:
        start, limit = ids.index(parameters["after"]), int(parameters.get("limit", 20))
        respond_with_entries(exchange, entries[start : start + limit], has_more=start + limit < len(entries))


@PAGING.request("cursor-ignored-for-items", "items.list.last-id-is-the-cursor-of-the-next-page")
def cursor_ignored_for_items(exchange: ProxyExchange) -> None:
    """Every page of items is the first one."""
    if exchange.operation == "items.list":
        exchange.request.set_parameters(after=None)


@PAGING.response("second-page-skips-one", "conversations.list.last-id-is-the-cursor-of-the-next-page")
async def second_page_skips_one(exchange: ProxyExchange) -> None:
    """Behind a cursor one conversation is left out."""
    if _is_page(exchange, "list") and "after" in exchange.request.parameters:
        data = exchange.response_body["data"]
        if data:
            exchange.response = await exchange.resend(query=_with_cursor(exchange, data[0]["id"]))


def _with_cursor(exchange: ProxyExchange, after: str) -> str:
    exchange.request.set_parameters(after=after)
    return exchange.request.query


@PAGING.response("has-more-is-always-false", "conversations.list.says-whether-there-is-more")
def has_more_is_always_false(exchange: ProxyExchange) -> None:
    """No page of conversations says that there is more."""
    if _is_page(exchange, "list"):
        exchange.change_body(lambda body: body | {"has_more": False})


@PAGING.response("full-last-page-promises-more", "items.list.says-whether-there-is-more")
def full_last_page_promises_more(exchange: ProxyExchange) -> None:
    """A page of items that is exactly full says that there is more, also when it is the last one."""
    if _is_page(exchange, "items.list"):
        limit = int(exchange.request.parameters.get("limit", 20))
        exchange.change_body(lambda body: body | {"has_more": len(body["data"]) == limit})


@PAGING.response("second-page-claims-to-be-the-last", "items.list.says-whether-there-is-more")
def second_page_claims_to_be_the_last(exchange: ProxyExchange) -> None:
    """No page of items behind a cursor says that there is more."""
    if _is_page(exchange, "items.list") and "after" in exchange.request.parameters:
        exchange.change_body(lambda body: body | {"has_more": False})


@PAGING.response("last-id-is-the-first-in-descending-order", "items.list.last-id-is-the-cursor-of-the-next-page")
def last_id_is_the_first_in_descending_order(exchange: ProxyExchange) -> None:
    """In descending order last_id names the newest item of the page, its first."""
    if _is_page(exchange, "items.list") and exchange.request.parameters.get("order") == "desc":
        exchange.change_body(lambda body: body | {"last_id": body["data"][0]["id"] if body["data"] else ""})


@PAGING.response("last-id-of-new-items-is-the-first", "items.create.last-id-names-the-last-new-item")
def last_id_of_new_items_is_the_first(exchange: ProxyExchange) -> None:
    """last_id of the response to added items names the first of them."""
    if _is_page(exchange, "items.create"):
        exchange.change_body(lambda body: body | {"last_id": body["data"][0]["id"]})


@PAGING.response("added-items-promise-more", "items.create.last-id-names-the-last-new-item")
def added_items_promise_more(exchange: ProxyExchange) -> None:
    """The response to more than one added item says that there is more."""
    if _is_page(exchange, "items.create") and len(exchange.response_body["data"]) > 1:
        exchange.change_body(lambda body: body | {"has_more": True})


@PAGING.response(
    "last-page-of-items-has-no-last-id",
    "items.list.last-id-is-always-text",
    "#/components/schemas/ConversationItemList/required",
)
def last_page_of_items_has_no_last_id(exchange: ProxyExchange) -> None:
    """The last page of items has no last_id."""
    if _is_page(exchange, "items.list") and not exchange.response_body["has_more"]:
        exchange.change_body(lambda body: {name: value for name, value in body.items() if name != "last_id"})


@PAGING.response("descending-page-is-an-ascending-one-reversed", "conversations.list.desc-starts-with-the-newest")
async def descending_page_is_an_ascending_one_reversed(exchange: ProxyExchange) -> None:
    """Descending order reverses the first ascending page in itself, so that the newest are on the last page."""
    if _is_page(exchange, "list") and exchange.request.parameters.get("order") == "desc":
        entries = (await fetch_whole_list(exchange))[::-1]
        limit = int(exchange.request.parameters.get("limit", 20))
        pages = [entries[start : start + limit][::-1] for start in range(0, len(entries), limit)]
        lasts = [page[-1]["id"] for page in pages]
        after = exchange.request.parameters.get("after")
        number = lasts.index(after) + 1 if after in lasts else 0
        page = pages[number] if number < len(pages) else []
        respond_with_entries(exchange, page, has_more=number + 1 < len(pages))


@PAGING.mutation("ordered-by-creation", "conversations.list.orders-by-last-update")
class OrderedByCreation(Mutation):
    """The list is ordered by the time of creation; an update does not move a conversation."""

    def __init__(self) -> None:
        self._created: dict[str, int] = {}

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "create" and exchange.has_succeeded:
            self._created[exchange.response_body["id"]] = len(self._created)
        if _is_page(exchange, "list"):
            descending = exchange.request.parameters.get("order") == "desc"
            entries = await fetch_whole_list(exchange)
            respond_with_page(
                exchange, sorted(entries, key=lambda entry: self._created.get(entry["id"], -1), reverse=descending)
            )


@PAGING.response("items-ordered-by-id", "items.list.starts-with-the-oldest")
async def items_ordered_by_id(exchange: ProxyExchange) -> None:
    """Items are listed in the order of their ids, which are random."""
    if _is_page(exchange, "items.list"):
        descending = exchange.request.parameters.get("order") == "desc"
        respond_with_page(
            exchange, sorted(await fetch_whole_list(exchange), key=lambda entry: entry["id"], reverse=descending)
        )


@PAGING.response("found-twice-is-listed-twice", "conversations.list.last-id-is-the-cursor-of-the-next-page")
async def found_twice_is_listed_twice(exchange: ProxyExchange) -> None:
    """A search lists a conversation once for every item that has all the words: a join without distinct."""
    parameters = exchange.request.parameters
    if not _is_page(exchange, "list") or not parameters.get("search") or "after" in parameters:
        return
    words = parameters["search"].casefold().split()
    listed = []
    for entry in await fetch_whole_list(exchange):
        items = await exchange.fetch("GET", f"/{entry['id']}/items", query={"limit": 100})
        texts = [str(item).casefold() for item in items.json["data"]]
        hits = sum(all(word in text for word in words) for text in texts)
        listed += [entry] * max(hits, 1)
    limit = int(parameters.get("limit", 20))
    respond_with_entries(exchange, listed[:limit], has_more=len(listed) > limit)


@PAGING.response("twentieth-is-cut-off", "conversations.list.gives-20-at-a-time")
async def twentieth_is_cut_off(exchange: ProxyExchange) -> None:
    """Without a limit a page has the first 19 of 20 conversations, and its last_id is that of the twentieth."""
    if _is_page(exchange, "list") and "limit" not in exchange.request.parameters:
        exchange.change_body(lambda body: body | {"data": body["data"][:19]})
