"""Scenarios for the list of conversations: order, paging and the metadata filter."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ABSENT, expect, require, show
from mockserver.conformance.names import conversation_path, item_path, items_path, unique_name, unknown_id_like
from mockserver.conformance.response import ids, sort_by_id
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios
from mockserver.conformance.scenarios.metadata import FRAGILE_METADATA

scenario = Scenarios()

_CURSOR = "conversations.list.last-id-is-the-cursor-of-the-next-page"
_FILTERS = "conversations.filter.takes-a-json-string"
_HAS_MORE = "conversations.list.says-whether-there-is-more"
_KEEPS = "conversations.create.keeps-metadata"
_LIMIT = "conversations.list.limit-is-1-to-50"
_LISTS = "conversations.list.shows-the-callers-conversations"
_UPDATES = "conversations.update.answers-with-the-new-metadata"


def _create_three(api: ApiClient, **metadata: str) -> list[str]:
    return [api.create_id(**metadata) for _ in range(3)]


def _touch(api: ApiClient, conversation: str) -> None:
    """Change a conversation in every way that can count as an update."""
    api.update(conversation, topic=unique_name("topic"))
    api.add_items(conversation, message("new"))


# The order of updates within one second is not documented.
_PAUSE = 1.1


def _expect_newest(api: ApiClient, conversation: str, update: Callable[[], object], cause: str) -> None:
    """Fail unless the update moves the conversation to the end of the list; try again after a pause."""
    for pause in (0, _PAUSE):
        time.sleep(pause)
        update()
        newest = api.conversation_ids(order="asc")[-1]
        if newest == conversation:
            return
    expect(newest, conversation, f"newest conversation after {cause}")


def _list_in_both_orders(api: ApiClient) -> dict[str, list[str]]:
    return {order: api.conversation_ids(order=order) for order in ("asc", "desc")}


def _check_cursor(api: ApiClient, cursor: str, listed: Mapping[str, list[str]], **filters: str) -> None:
    """Check that the page after the cursor is the rest of the list, in both orders."""
    for order, conversations in listed.items():
        expected = conversations[conversations.index(cursor) + 1 :]
        expect(api.conversation_ids(after=cursor, order=order, **filters), expected, f"page after the cursor, {order}")


def _search(api: ApiClient, *parameters: tuple[str, str]) -> list[str]:
    return ids(api.get("/conversations", parameters).expect_ok())


def _get_pages(api: ApiClient, total: int, limit: int, **parameters: str) -> list[dict[str, Any]]:
    """Return the pages that `total` conversations fill, whatever `has_more` says: that is another behaviour."""
    pages: list[dict[str, Any]] = []
    for _ in range(-(-total // limit)):
        pages.append(api.list_conversations(limit=limit, **parameters))
        if not pages[-1]["data"]:
            break
        parameters["after"] = pages[-1].get("last_id") or ids(pages[-1])[-1]
    return pages


def _all_ids(pages: list[dict[str, Any]]) -> list[str]:
    return [conversation for page in pages for conversation in ids(page)]


def _expect_has_more(pages: list[dict[str, Any]], total: int, label: str) -> None:
    seen = 0
    for number, page in enumerate(pages, start=1):
        seen += len(page["data"])
        expect(page.get("has_more"), seen < total, f"has_more of page {number}, {label}")


# -- Order and paging --------------------------------------------------------------------------------------


@scenario(_LISTS, _UPDATES)
def the_list_shows_the_created_conversations(api: ApiClient) -> None:
    api.set_behaviour(_LISTS)
    first = api.create(topic="a")
    expect(api.list_conversations()["data"], [first], "conversations")
    second = api.create(message("hello"), **FRAGILE_METADATA)
    both = sort_by_id({"data": [first, second]})
    expect(sort_by_id(api.list_conversations()), both, "conversations after another one was created")
    _check_update(api, first["id"], topic="b")
    api.set_behaviour(_LISTS)
    metadata = {entry["id"]: entry.get("metadata") for entry in api.list_conversations()["data"]}
    expected = {first["id"]: {"topic": "b"}, second["id"]: second.get("metadata")}
    expect(metadata, expected, "metadata in the list after an update")


def _check_update(api: ApiClient, conversation: str, **metadata: str) -> None:
    """Update the metadata and check that they are stored."""
    api.set_behaviour(_UPDATES)
    api.update(conversation, **metadata)
    expect(api.retrieve(conversation).get("metadata"), metadata, "metadata when retrieved")


@scenario(
    "conversations.list.orders-by-last-update",
    "conversations.list.starts-with-the-oldest",
    "conversations.list.desc-starts-with-the-newest",
    "conversations.updated.by-new-metadata",
)
def the_list_is_ordered_by_last_update(api: ApiClient) -> None:
    first, second, third = _create_three(api)
    expected = [second, third, first]
    api.set_behaviour("conversations.list.orders-by-last-update")
    _touch(api, first)
    listed = api.conversation_ids()
    if listed != expected:
        for conversation in expected:
            time.sleep(_PAUSE)
            _touch(api, conversation)
        listed = api.conversation_ids()
    require(listed in (expected, expected[::-1]), "order", f"{show(expected)} or its reverse", listed)
    api.set_behaviour("conversations.list.starts-with-the-oldest")
    expect(listed, expected, "default order")
    expect(api.conversation_ids(order="asc"), expected, "ascending order")
    api.set_behaviour("conversations.list.desc-starts-with-the-newest")
    expect(api.conversation_ids(order="desc"), expected[::-1], "descending order")
    first_two = api.conversation_ids(order="desc", limit=2)[:2]
    expect(first_two, expected[:0:-1], "first two in descending order")
    api.set_behaviour("conversations.updated.by-new-metadata")
    _expect_newest(api, second, lambda: api.update(second, topic=unique_name("topic")), "new metadata")


@scenario("conversations.list.gives-20-at-a-time", _LIMIT)
def a_page_has_20_conversations_by_default(api: ApiClient) -> None:
    created = [api.create_id() for _ in range(21)]
    api.set_behaviour("conversations.list.gives-20-at-a-time")
    expect(len(api.conversation_ids()), 20, "length of a page without a limit")
    api.set_behaviour(_LIMIT)
    expect(len(api.conversation_ids(limit=1)), 1, "length of a page with limit 1")
    expect(sorted(api.conversation_ids(limit=50)), sorted(created), "page with limit 50")


@scenario("conversations.list.refuses-other-limits")
def a_limit_outside_1_to_50_is_rejected(api: ApiClient) -> None:
    for limit in (0, 51, "ten"):
        api.get("/conversations", limit=limit).expect_error()


@scenario("conversations.list.refuses-other-orders")
def an_unknown_order_of_conversations_is_rejected(api: ApiClient) -> None:
    api.get("/conversations", order="newest").expect_error()


@scenario(_HAS_MORE, _CURSOR)
def pages_follow_each_other(api: ApiClient) -> None:
    created = [api.create_id() for _ in range(6)]
    limits = {"asc": 2, "desc": 3}
    pages_by_order = {order: _get_pages(api, 6, limit, order=order) for order, limit in limits.items()}
    api.set_behaviour(_CURSOR)
    for order, pages in pages_by_order.items():
        for page in filter(ids, pages):
            expect(page.get("last_id"), ids(page)[-1], f"last_id, {order}")
        expect(sorted(_all_ids(pages)), sorted(created), f"ids on all {len(pages)} pages, {order}")
    api.set_behaviour(_HAS_MORE)
    for order, pages in pages_by_order.items():
        _expect_has_more(pages, len(created), order)


@scenario("conversations.list.has-no-other-cursor")
def a_page_of_conversations_has_four_fields(api: ApiClient) -> None:
    api.create()
    fields = set(api.list_conversations()) & {"data", "first_id", "has_more", "last_id", "object"}
    expect(sorted(fields), ["data", "has_more", "last_id", "object"], "fields of a page")


@scenario("conversations.list.empty-page-has-no-last-id")
def an_empty_page_of_conversations_has_no_last_id(api: ApiClient) -> None:
    page = api.list_conversations()
    expect((page["data"], page.get("last_id", ABSENT)), ([], ABSENT), "data and last_id of the empty page")


@scenario("conversations.list.unknown-cursor-is-400")
def an_unknown_cursor_of_conversations_returns_400(api: ApiClient) -> None:
    unknown = unknown_id_like(api.create_id())
    api.get("/conversations", after=unknown).expect_error(400, param="after")


@scenario("conversations.list.foreign-cursor-is-400")
def a_foreign_cursor_of_conversations_returns_400(api: ApiClient) -> None:
    foreign = api.with_new_end_user().create_id()
    api.get("/conversations", after=foreign).expect_error(400, param="after")


@scenario("conversations.list.deleted-cursor-keeps-its-place")
def a_deleted_conversation_stays_a_valid_cursor(api: ApiClient) -> None:
    _, second, _ = _create_three(api)
    before = _list_in_both_orders(api)
    api.delete(conversation_path(second)).expect_ok()
    _check_cursor(api, second, before)


@scenario("conversations.list.updated-cursor-counts-where-it-is-now")
def an_updated_conversation_is_a_cursor_at_its_new_place(api: ApiClient) -> None:
    first, *_ = _create_three(api)
    _touch(api, first)
    _check_cursor(api, first, _list_in_both_orders(api))


@scenario(_UPDATES, _FILTERS, "conversations.list.cursor-outside-the-filter-keeps-its-place")
def a_cursor_outside_the_filter_keeps_its_place(api: ApiClient) -> None:
    first, second, third = _create_three(api, tag="x")
    _check_update(api, second, tag="y")
    api.update(third, tag="x")
    _check_filter(api, [first, third], '{"tag": "x"}')
    api.set_behaviour("conversations.list.cursor-outside-the-filter-keeps-its-place")
    _check_cursor(api, second, _list_in_both_orders(api), metadata='{"tag": "x"}')


# -- What counts as an update ------------------------------------------------------------------------------


@scenario("conversations.updated.by-added-items", "conversations.updated.by-removed-items")
def adding_and_removing_items_counts_as_an_update(api: ApiClient) -> None:
    first, second = (api.create_id(*[message("hello")] * 4) for _ in range(2))
    one_by_one, in_pairs = iter(api.item_ids(second)), iter(api.item_ids(first))
    api.set_behaviour("conversations.updated.by-added-items")
    _expect_newest(api, first, lambda: api.add_items(first, message("new")), "items were added")
    api.set_behaviour("conversations.updated.by-removed-items")
    _expect_newest(
        api, second, lambda: api.delete(item_path(second, next(one_by_one))).expect_ok(), "an item was removed"
    )
    _expect_newest(
        api,
        first,
        lambda: api.delete(items_path(first), {"item_ids": [next(in_pairs), next(in_pairs)]}).expect_ok(),
        "several items were removed",
    )


@scenario("conversations.updated.not-by-reading", "conversations.updated.not-by-refused-requests")
def neither_reading_nor_a_rejected_write_counts_as_an_update(api: ApiClient) -> None:
    for text in ("one", "two"):
        api.create(message(text))
    before = api.conversation_ids(order="asc")
    api.set_behaviour("conversations.updated.not-by-reading")
    item = api.item_ids(before[0])[0]
    api.retrieve(before[0])
    api.retrieve_item(before[0], item)
    expect(api.conversation_ids(order="asc"), before, "order after reading")
    api.set_behaviour("conversations.updated.not-by-refused-requests")
    for method, path, body in (
        ("POST", conversation_path(before[0]), {"metadata": {"key": 1}}),
        ("POST", items_path(before[0]), {"items": []}),
        ("POST", items_path(before[0]), {"items": [message("two", id=item)]}),
        ("DELETE", item_path(before[0], unique_name("item")), None),
    ):
        if api.request(method, path, json=body).status == 200:
            before = api.conversation_ids(order="asc")
    expect(api.conversation_ids(order="asc"), before, "order after rejected writes")


# -- Metadata filter ---------------------------------------------------------------------------------------


def _check_filter(api: ApiClient, conversations: Collection[str], wanted: str) -> None:
    """Check the JSON form of the filter, which other behaviours need. An index may be updated late."""
    api.set_behaviour(_FILTERS)
    api.polling.expect(lambda: _search(api, ("metadata", wanted)), conversations, f"matches of {wanted}")


def _expect_only(found: list[str], matching: Collection[str], subject: str) -> None:
    require(set(found) <= set(matching), subject, f"only {show(sorted(matching))}", found)


@scenario(_FILTERS, _KEEPS, _UPDATES, "conversations.filter.without-match-is-an-empty-page")
def the_filter_takes_a_json_string(api: ApiClient) -> None:
    plain = api.create_id(user_type="premium", session_id="sess_1")
    left, entered = api.create_id(user_type="premium"), api.create_id(user_type="basic")
    api.create(message("hello"), user_type="basic")
    api.create()
    api.set_behaviour(_KEEPS)
    with_items = api.create(message("hello"), user_type="premium", City="K\u00f6ln")
    expect(with_items.get("metadata"), {"user_type": "premium", "City": "K\u00f6ln"}, "metadata in the response")
    _check_update(api, entered, user_type="premium")
    api.update(left, user_type="basic")
    premium = [plain, with_items["id"], entered]
    wanted = '{"user_type": "premium"}'
    _check_filter(api, premium, wanted)
    _check_filter(api, [with_items["id"]], '{"City": "K\u00f6ln"}')
    descending = api.conversation_ids(metadata=wanted, order="desc")
    expect(sorted(descending), sorted(premium), "matches in descending order")
    after_first = api.conversation_ids(metadata=wanted, order="desc", after=descending[0])
    _expect_only(after_first, premium, "matches after a cursor")
    api.set_behaviour("conversations.filter.without-match-is-an-empty-page")
    expect(_search(api, ("metadata", '{"user_type": "other"}')), [], "matches of a value that nothing has")


def _check_two_pairs(api: ApiClient, *parameters: tuple[str, str]) -> None:
    wanted = api.create_id(user_type="premium", **{"x y": "a&b"})
    api.create(user_type="premium")
    expect(_search(api, *parameters), [wanted], "matches")


@scenario("conversations.filter.takes-top-level-pairs")
def the_filter_takes_top_level_pairs(api: ApiClient) -> None:
    _check_two_pairs(api, ("limit", "20"), ("order", "asc"), ("user_type", "premium"), ("x y", "a&b"))


@scenario("conversations.filter.takes-bracketed-pairs")
def the_filter_takes_bracketed_pairs(api: ApiClient) -> None:
    _check_two_pairs(api, ("metadata[user_type]", "premium"), ("metadata[x y]", "a&b"))


@scenario(_FILTERS, "conversations.filter.wants-every-pair")
def the_filter_requires_every_pair(api: ApiClient) -> None:
    one = api.create_id(a="one")
    other = api.create_id(b="two")
    both, more = api.create_id(a="one", b="two"), api.create_id(a="one", b="two", c="three")
    _check_filter(api, [one, both, more], '{"a": "one"}')
    api.set_behaviour("conversations.filter.wants-every-pair")
    found = _search(api, ("metadata", '{"a": "one", "b": "two"}'))
    expect(sorted(found), sorted([both, more]), "matches")
    expect(sorted(_search(api, ("metadata", "{}"))), sorted([one, other, both, more]), "matches of an empty filter")


@scenario(_FILTERS, "conversations.filter.matches-exactly")
def the_filter_matches_exactly(api: ApiClient) -> None:
    wanted, other = api.create_id(user_type="premium"), api.create_id(user_type="other")
    for value in ("Premium", "premium ", "premium-plus", "prem"):
        api.create(user_type=value)
    _check_filter(api, [other], '{"user_type": "other"}')
    api.set_behaviour("conversations.filter.matches-exactly")
    expect(_search(api, ("metadata", '{"user_type": "premium"}')), [wanted], "matches")


@scenario(
    _FILTERS,
    "conversations.filter.takes-top-level-pairs",
    "conversations.filter.takes-bracketed-pairs",
    "conversations.filter.adds-up-its-forms",
)
def the_filter_combines_its_forms(api: ApiClient) -> None:
    wanted = api.create_id(a="one", b="two", c="three")
    without = {name: api.create_id(**pairs) for name, pairs in (
        ("a", {"b": "two", "c": "three"}),
        ("b", {"a": "one", "c": "three"}),
        ("c", {"a": "one", "b": "two"}),
    )}  # fmt: skip
    forms = {
        "a": (_FILTERS, ("metadata", '{"a": "one"}')),
        "b": ("conversations.filter.takes-bracketed-pairs", ("metadata[b]", "two")),
        "c": ("conversations.filter.takes-top-level-pairs", ("c", "three")),
    }
    found = _search(api, *(pair for _, pair in forms.values()))
    if found != [wanted]:  # A form that fails alone is another behaviour.
        for name, (behaviour, pair) in forms.items():
            api.set_behaviour(behaviour)
            expected = {wanted, *without.values()} - {without[name]}
            expect(sorted(_search(api, pair)), sorted(expected), f"matches of {pair[0]}={pair[1]}")
        found = _search(api, *(pair for _, pair in forms.values()))
    api.set_behaviour("conversations.filter.adds-up-its-forms")
    expect(found, [wanted], "matches")


@scenario(_FILTERS, "conversations.filter.parameter-names-stay-parameters")
def parameter_names_stay_parameters(api: ApiClient) -> None:
    first, second = api.create_id(limit="2", order="desc", topic="names"), api.create_id()
    _check_filter(api, [first], '{"topic": "names"}')
    api.set_behaviour("conversations.filter.parameter-names-stay-parameters")
    found = _search(api, ("limit", "2"), ("order", "desc"))
    expect(sorted(found), sorted([first, second]), "page with limit and order")
    expect(_search(api, ("metadata", '{"limit": "2", "order": "desc"}')), [first], "page with a filter on these names")


@scenario("conversations.filter.malformed-is-400")
def a_malformed_filter_returns_400(api: ApiClient) -> None:
    for text in ("{", "premium", '["a"]', '"a"', "1", '{"a": 1}', '{"a": null}'):
        api.get("/conversations", metadata=text).expect_error(400, param="metadata")


@scenario(_FILTERS, _CURSOR, _HAS_MORE, _LIMIT, "conversations.filter.pages-through-matches")
def a_filtered_list_has_pages_of_matches(api: ApiClient) -> None:
    created = [api.create_id(tag="y" if number == 2 else "x") for number in range(6)]
    matching = [*created[:2], *created[3:]]
    wanted = '{"tag": "x"}'
    _check_filter(api, matching, wanted)
    pages = _get_pages(api, len(created), limit=2, order="desc", metadata=wanted)
    seen = _all_ids(pages)
    _expect_only(seen, matching, "matches on all pages")
    api.set_behaviour(_CURSOR)
    expect(sorted(seen), sorted(matching), "matches on all pages")
    api.set_behaviour(_HAS_MORE)
    _expect_has_more(pages, len(matching), "filtered")
    sizes = [len(page["data"]) for page in pages]
    api.set_behaviour(_LIMIT)
    require(max(sizes) <= 2, "lengths of the pages", "at most two", sizes)
    api.set_behaviour("conversations.filter.pages-through-matches")
    expect(sizes, [2, 2, 1], "lengths of the pages")
