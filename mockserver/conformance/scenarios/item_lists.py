"""Scenarios for the list of a conversation's items."""

from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require
from mockserver.conformance.names import item_path, items_path, unknown_id_like
from mockserver.conformance.response import ids, sort_by_id
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()


@scenario("items.list.shows-the-items")
def the_list_shows_the_added_items(api: ApiClient) -> None:
    conversation = api.create_id()
    added = []
    for new in ([message("one"), message("two")], [message("three")]):  # The second list could be a stale copy.
        added += api.add_items(conversation, *new)
        expect(sort_by_id(api.list_items(conversation, order="asc")), sort_by_id({"data": added}), "items")


@scenario("items.list.starts-with-the-oldest", "items.list.desc-starts-with-the-newest")
def items_are_listed_in_the_order_added(api: ApiClient) -> None:
    conversation = api.create_id()
    expected = [api.add_items(conversation, message(text))[0]["id"] for text in ("one", "two", "three")]
    api.set_behaviour("items.list.starts-with-the-oldest")
    expect(api.item_ids(conversation), expected, "default order")
    expect(api.item_ids(conversation, order="asc"), expected, "ascending order")
    api.set_behaviour("items.list.desc-starts-with-the-newest")
    expect(api.item_ids(conversation, order="desc"), expected[::-1], "descending order")


@scenario("items.list.gives-20-at-a-time", "items.list.limit-is-1-to-100")
def a_page_has_20_items_by_default(api: ApiClient) -> None:
    conversation = api.create_id(*[message("hello")] * 20)
    api.add_items(conversation, message("last"))
    api.set_behaviour("items.list.gives-20-at-a-time")
    expect(len(api.item_ids(conversation)), 20, "length of a page without a limit")
    api.set_behaviour("items.list.limit-is-1-to-100")
    expect(len(api.item_ids(conversation, limit=1)), 1, "length of a page with limit 1")


@scenario("items.list.refuses-other-limits")
def a_limit_outside_1_to_100_is_rejected(api: ApiClient) -> None:
    items = items_path(api.create_id())
    for limit in ("0", "101", "many"):
        api.get(items, limit=limit).expect_error()


@scenario("items.list.refuses-other-orders")
def an_unknown_order_of_items_is_rejected(api: ApiClient) -> None:
    api.get(items_path(api.create_id()), order="newest").expect_error()


def _get_pages(api: ApiClient, conversation: str, count: int, order: str, limit: int) -> list[dict[str, Any]]:
    """Return the pages that `count` items fill, whatever `has_more` says."""
    pages = [api.list_items(conversation, limit=limit, order=order)]
    while len(pages) * limit < count:
        last = pages[-1].get("last_id")
        expect(last, ids(pages[-1])[-1], f"last_id of page {len(pages)}, {order}")
        pages.append(api.list_items(conversation, limit=limit, order=order, after=str(last)))
    return pages


@scenario(
    "items.list.limit-is-1-to-100",
    "items.list.last-id-is-the-cursor-of-the-next-page",
    "items.list.starts-with-the-oldest",
    "items.list.desc-starts-with-the-newest",
    "items.list.says-whether-there-is-more",
)
def pages_of_items_follow_each_other(api: ApiClient) -> None:
    conversation = api.create_id()
    turn: dict[str, int] = {}  # Request by item: the order within a request is another behaviour.
    for number, size in enumerate((20, 20, 20, 3)):
        turn |= {item["id"]: number for item in api.add_items(conversation, *[message(f"turn {number}")] * size)}
    api.set_behaviour("items.list.limit-is-1-to-100")
    whole = api.list_items(conversation, limit=100, order="asc")
    expect(len(ids(whole)), len(turn), "length of the page with limit 100")
    api.set_behaviour("items.list.last-id-is-the-cursor-of-the-next-page")
    pages_by_order = {
        order: _get_pages(api, conversation, len(turn), order, limit) for order, limit in (("asc", 21), ("desc", 20))
    }
    seen = {order: [item for page in pages for item in ids(page)] for order, pages in pages_by_order.items()}
    for order, items in seen.items():
        expect(len(items), len(turn), f"number of items on all pages, {order}")
        expect(len(set(items)), len(turn), f"number of different items on all pages, {order}")
    for order, behaviour in (
        ("asc", "items.list.starts-with-the-oldest"),
        ("desc", "items.list.desc-starts-with-the-newest"),
    ):
        api.set_behaviour(behaviour)
        turns = [turn[item] for item in seen[order]]
        expect(turns, sorted(turns, reverse=order == "desc"), f"requests that added the items, {order}")
    api.set_behaviour("items.list.says-whether-there-is-more")
    expect(whole.get("has_more"), False, "has_more of a page with all items")
    for (
        order,
        pages,
    ) in pages_by_order.items():
        has_more = [page.get("has_more") for page in pages]
        expect(has_more, [True] * (len(pages) - 1) + [False], f"has_more of the pages, {order}")


@scenario("items.list.has-no-other-cursor")
def a_page_of_items_has_three_or_four_fields(api: ApiClient) -> None:
    fields = set(api.list_items(api.create_id(message("one")))) & {"data", "first_id", "has_more", "last_id"}
    expect(sorted(fields), ["data", "has_more", "last_id"], "fields of a page")


@scenario("items.list.last-id-is-always-text")
def last_id_of_items_is_text(api: ApiClient) -> None:
    for page in (api.list_items(api.create_id(message("one"))), api.list_items(api.create_id())):
        require(isinstance(page.get("last_id"), str), "last_id", "text", page.get("last_id"))


@scenario("items.list.empty-page-has-an-empty-last-id")
def an_empty_page_of_items_has_an_empty_last_id(api: ApiClient) -> None:
    page = api.list_items(api.create_id())
    expect((page["data"], page.get("last_id")), ([], ""), "data and last_id of the empty page")


@scenario("items.list.ignores-include")
def include_has_no_effect_on_the_list(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    expected = api.list_items(conversation)
    for values in (["content"], ["content", "metadata"]):
        response = api.get(items_path(conversation), [("include", value) for value in values])
        expect(response.expect_ok(), expected, "page")


@scenario("items.list.unknown-cursor-is-400")
def an_unknown_cursor_of_items_returns_400(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    unknown = unknown_id_like(api.item_ids(conversation)[0])
    api.get(items_path(conversation), after=unknown).expect_error(400, param="after")


@scenario("items.list.unknown-cursor-is-400", "items.list.foreign-cursor-is-400")
def a_cursor_of_another_conversation_returns_400(api: ApiClient) -> None:
    foreign = api.add_items(api.create_id(), message("elsewhere"))[0]["id"]
    conversation = api.create_id(message("one"))
    api.set_behaviour("items.list.unknown-cursor-is-400")
    api.get(items_path(conversation), after=unknown_id_like(foreign)).expect_error(400)
    api.set_behaviour("items.list.foreign-cursor-is-400")
    api.get(items_path(conversation), after=foreign).expect_error(400, param="after")


@scenario("items.list.deleted-cursor-keeps-its-place")
def a_removed_item_stays_a_valid_cursor(api: ApiClient) -> None:
    conversation = api.create_id(*map(message, ("one", "two", "three")))
    one, two, three = api.item_ids(conversation, order="asc")
    api.delete(item_path(conversation, two)).expect_ok()
    expect(api.item_ids(conversation, after=two, order="asc"), [three], "page after it")
    expect(api.item_ids(conversation, after=two, order="desc"), [one], "page after it, descending")


@scenario("items.list.unknown-conversation-is-404")
def listing_items_of_an_unknown_conversation_returns_404(api: ApiClient) -> None:
    api.get(items_path(unknown_id_like(api.create_id()))).expect_error(404)
