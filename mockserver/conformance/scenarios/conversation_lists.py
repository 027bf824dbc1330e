"""The list of conversations: order, paging and the metadata filter."""

import time
from collections.abc import Callable, Collection
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require
from mockserver.conformance.names import unique_name, unknown_id_like
from mockserver.conformance.pages import ids, sort_by_id
from mockserver.conformance.paths import conversation_path, item_path, items_path
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios
from mockserver.conformance.scenarios.metadata import TELLING

scenario = Scenarios()

_CURSOR = "conversations.list.last-id-is-the-cursor-of-the-next-page"
_FILTERS = "conversations.filter.takes-a-json-string"
_HAS_MORE = "conversations.list.says-whether-there-is-more"
_KEEPS = "conversations.create.keeps-metadata"
_LIMIT = "conversations.list.limit-is-1-to-50"
_LISTS = "conversations.list.shows-the-callers-conversations"
_UPDATES = "conversations.update.answers-with-the-new-metadata"


def _three(api: ApiClient, **metadata: str) -> list[str]:
    return [api.create_id(**metadata) for _ in range(3)]


def _touch(api: ApiClient, conversation: str, **metadata: str) -> None:
    api.post(conversation_path(conversation), {"metadata": metadata}).expect_ok()


def _update(api: ApiClient, conversation: str) -> None:
    """Whatever it is that counts as an update."""
    _touch(api, conversation, topic=unique_name("topic"))
    api.add_items(conversation, message("new"))


# Nobody promises an order of what was done within one second: after a pause it is done again.
_PAUSE = 1.1


def _makes_it_the_newest(api: ApiClient, conversation: str, update: Callable[[], object], what: str) -> None:
    for pause in (0, _PAUSE):
        time.sleep(pause)
        update()
        newest = ids(api.list_conversations(order="asc"))[-1]
        if newest == conversation:
            return
    expect(newest, conversation, f"the conversation updated last after {what}")


def _behind(conversation: str, listed: list[str]) -> list[str]:
    return listed[listed.index(conversation) + 1 :]


def _found(api: ApiClient, *pairs: tuple[str, str]) -> list[str]:
    return ids(api.get("/conversations", pairs).expect_ok())


def _pages(api: ApiClient, total: int, limit: int, **parameters: str) -> list[dict[str, Any]]:
    """The pages of what has so many conversations; how many there are is not left to has_more, a rule of its own."""
    pages: list[dict[str, Any]] = []
    for _ in range(-(-total // limit)):
        pages.append(api.list_conversations(limit=limit, **parameters))
        if not pages[-1]["data"]:
            break
        parameters["after"] = pages[-1].get("last_id") or ids(pages[-1])[-1]
    return pages


def _listed(pages: list[dict[str, Any]]) -> list[str]:
    return [conversation for page in pages for conversation in ids(page)]


def _expect_has_more(pages: list[dict[str, Any]], total: int, what: str) -> None:
    seen = 0
    for number, page in enumerate(pages, start=1):
        seen += len(page["data"])
        expect(page.get("has_more"), seen < total, f"has_more of page {number}, {what}")


# -- Order and paging --------------------------------------------------------------------------------------


@scenario(_LISTS, _UPDATES)
def the_list_shows_what_creating_answered(api: ApiClient) -> None:
    api.set_behaviour(_LISTS)
    first = api.create(topic="a")
    expect(sort_by_id(api.list_conversations()), [first], "the conversations")
    second = api.create(message("hello"), **TELLING)
    expect(
        sort_by_id(api.list_conversations()),
        sort_by_id({"data": [first, second]}),
        "the conversations when there is another",
    )
    _updates(api, first["id"], topic="b")
    api.set_behaviour(_LISTS)
    metadata = {entry["id"]: entry.get("metadata") for entry in api.list_conversations()["data"]}
    expected = {first["id"]: {"topic": "b"}, second["id"]: second.get("metadata")}
    expect(metadata, expected, "the metadata when one was updated")


def _updates(api: ApiClient, conversation: str, **metadata: str) -> None:
    """Update the metadata, and see that it stays."""
    api.set_behaviour(_UPDATES)
    _touch(api, conversation, **metadata)
    expect(api.get(conversation_path(conversation)).expect_ok().get("metadata"), metadata, "metadata when retrieved")


@scenario(
    "conversations.list.orders-by-last-update",
    "conversations.list.starts-with-the-oldest",
    "conversations.list.desc-starts-with-the-newest",
    "conversations.updated.by-new-metadata",
)
def the_list_is_ordered_by_last_update(api: ApiClient) -> None:
    first, second, third = _three(api)
    expected = [second, third, first]
    api.set_behaviour("conversations.list.orders-by-last-update")
    _update(api, first)
    listed = ids(api.list_conversations())
    if listed != expected:
        for conversation in expected:
            time.sleep(_PAUSE)
            _update(api, conversation)
        listed = ids(api.list_conversations())
    require(listed in (expected, expected[::-1]), "the order", f"{expected!r} or the other way round", listed)
    api.set_behaviour("conversations.list.starts-with-the-oldest")
    expect(listed, expected, "the order without a wish")
    expect(ids(api.list_conversations(order="asc")), expected, "the ascending order")
    api.set_behaviour("conversations.list.desc-starts-with-the-newest")
    expect(ids(api.list_conversations(order="desc")), expected[::-1], "the descending order")
    first_two = ids(api.list_conversations(order="desc", limit=2))[:2]
    expect(first_two, expected[:0:-1], "the first two in descending order")
    api.set_behaviour("conversations.updated.by-new-metadata")
    _makes_it_the_newest(api, second, lambda: _touch(api, second, topic=unique_name("topic")), "new metadata")


@scenario("conversations.list.gives-20-at-a-time", _LIMIT)
def a_page_has_20_conversations_unless_asked(api: ApiClient) -> None:
    created = [api.create_id() for _ in range(21)]
    api.set_behaviour("conversations.list.gives-20-at-a-time")
    expect(len(ids(api.list_conversations())), 20, "how many are on a page without a limit")
    api.set_behaviour(_LIMIT)
    expect(len(ids(api.list_conversations(limit=1))), 1, "how many are on the smallest page")
    expect(sorted(ids(api.list_conversations(limit=50))), sorted(created), "the page with the largest limit")


@scenario("conversations.list.refuses-other-limits")
def a_limit_outside_1_to_50_is_refused(api: ApiClient) -> None:
    for limit in (0, 51, "ten"):
        api.get("/conversations", limit=limit).expect_error()


@scenario("conversations.list.refuses-other-orders")
def an_unknown_order_of_conversations_is_refused(api: ApiClient) -> None:
    api.get("/conversations", order="newest").expect_error()


@scenario(_HAS_MORE, _CURSOR)
def pages_follow_each_other(api: ApiClient) -> None:
    created = [api.create_id() for _ in range(6)]
    walks = [(order, _pages(api, len(created), limit, order=order)) for order, limit in (("asc", 2), ("desc", 3))]
    api.set_behaviour(_CURSOR)
    for order, pages in walks:
        for page in filter(ids, pages):
            expect(page.get("last_id"), ids(page)[-1], f"last_id, {order}")
        expect(sorted(_listed(pages)), sorted(created), f"what is on all {len(pages)} pages, {order}")
    api.set_behaviour(_HAS_MORE)
    for order, pages in walks:
        _expect_has_more(pages, len(created), order)


@scenario("conversations.list.has-no-other-cursor")
def a_page_of_conversations_has_four_fields(api: ApiClient) -> None:
    api.create()
    fields = set(api.list_conversations()) & {"data", "first_id", "has_more", "last_id", "object"}
    expect(sorted(fields), ["data", "has_more", "last_id", "object"], "the fields of a page")


@scenario("conversations.list.empty-page-has-no-last-id")
def an_empty_page_of_conversations_has_no_last_id(api: ApiClient) -> None:
    page = api.list_conversations()
    expect((page["data"], page.get("last_id", "absent")), ([], "absent"), "data and last_id of the empty page")


@scenario("conversations.list.unknown-cursor-is-400")
def an_unknown_cursor_of_conversations_answers_400(api: ApiClient) -> None:
    unknown = unknown_id_like(api.create_id())
    expect(api.get("/conversations", after=unknown).expect_error(400).get("param"), "after", "param")


@scenario("conversations.list.foreign-cursor-is-400")
def a_foreign_cursor_of_conversations_answers_400(api: ApiClient) -> None:
    foreign = api.with_new_end_user().create_id()
    expect(api.get("/conversations", after=foreign).expect_error(400).get("param"), "after", "param")


@scenario("conversations.list.deleted-cursor-keeps-its-place")
def a_deleted_conversation_keeps_its_place_as_a_cursor(api: ApiClient) -> None:
    _, second, _ = _three(api)
    before = {order: ids(api.list_conversations(order=order)) for order in ("asc", "desc")}
    api.delete(conversation_path(second)).expect_ok()
    for order, listed in before.items():
        expect(
            ids(api.list_conversations(after=second, order=order)),
            _behind(second, listed),
            f"the page after it, {order}",
        )


@scenario("conversations.list.updated-cursor-counts-where-it-is-now")
def an_updated_conversation_counts_where_it_is_now_as_a_cursor(api: ApiClient) -> None:
    first, *_ = _three(api)
    _update(api, first)
    for order in ("asc", "desc"):
        now = ids(api.list_conversations(order=order))
        expect(
            ids(api.list_conversations(after=first, order=order)), _behind(first, now), f"the page after it, {order}"
        )


@scenario(_UPDATES, _FILTERS, "conversations.list.cursor-outside-the-filter-keeps-its-place")
def a_cursor_outside_the_filter_keeps_its_place(api: ApiClient) -> None:
    first, second, third = _three(api, tag="x")
    _updates(api, second, tag="y")
    _touch(api, third, tag="x")
    _filters(api, [first, third], '{"tag": "x"}')
    api.set_behaviour("conversations.list.cursor-outside-the-filter-keeps-its-place")
    for order in ("asc", "desc"):
        now = ids(api.list_conversations(order=order))
        found = ids(api.list_conversations(after=second, order=order, metadata='{"tag": "x"}'))
        expect(found, _behind(second, now), f"the page after it, {order}")


# -- What counts as an update ------------------------------------------------------------------------------


@scenario("conversations.updated.by-added-items", "conversations.updated.by-removed-items")
def adding_and_removing_items_counts_as_an_update(api: ApiClient) -> None:
    first, second = (api.create_id(*[message("hello")] * 4) for _ in range(2))
    one_by_one, in_pairs = iter(ids(api.list_items(second))), iter(ids(api.list_items(first)))
    api.set_behaviour("conversations.updated.by-added-items")
    _makes_it_the_newest(api, first, lambda: api.add_items(first, message("new")), "items were added")
    api.set_behaviour("conversations.updated.by-removed-items")
    _makes_it_the_newest(
        api, second, lambda: api.delete(item_path(second, next(one_by_one))).expect_ok(), "an item was removed"
    )
    _makes_it_the_newest(
        api,
        first,
        lambda: api.delete(items_path(first), {"item_ids": [next(in_pairs), next(in_pairs)]}).expect_ok(),
        "several items were removed",
    )


@scenario("conversations.updated.not-by-reading", "conversations.updated.not-by-refused-requests")
def neither_reading_nor_a_refused_write_counts_as_an_update(api: ApiClient) -> None:
    for text in ("one", "two"):
        api.create(message(text))
    before = ids(api.list_conversations(order="asc"))
    api.set_behaviour("conversations.updated.not-by-reading")
    item = ids(api.list_items(before[0]))[0]
    api.get(conversation_path(before[0])).expect_ok()
    api.get(item_path(before[0], item)).expect_ok()
    expect(ids(api.list_conversations(order="asc")), before, "the order after reading")
    api.set_behaviour("conversations.updated.not-by-refused-requests")
    for method, path, body in (
        ("POST", conversation_path(before[0]), {"metadata": {"key": 1}}),
        ("POST", items_path(before[0]), {"items": []}),
        ("POST", items_path(before[0]), {"items": [message("two", id=item)]}),
        ("DELETE", item_path(before[0], unique_name("item")), None),
    ):
        if api.request(method, path, json=body).status == 200:  # Whether it is refused is another rule.
            before = ids(api.list_conversations(order="asc"))
    expect(ids(api.list_conversations(order="asc")), before, "the order after refused writes")


# -- Metadata filter ---------------------------------------------------------------------------------------


def _filters(api: ApiClient, conversations: Collection[str], wanted: str) -> None:
    """What any other rule about the JSON form of the filter needs. Nobody promises that an update counts at once."""
    api.set_behaviour(_FILTERS)
    api.polling.expect(lambda: _found(api, ("metadata", wanted)), conversations, f"what matches {wanted}")


def _expect_only(found: list[str], matching: Collection[str], what: str) -> None:
    require(set(found) <= set(matching), f"{what}", f"nothing but {sorted(matching)!r}", found)


@scenario(_FILTERS, _KEEPS, _UPDATES, "conversations.filter.without-match-is-an-empty-page")
def the_filter_takes_a_json_string(api: ApiClient) -> None:
    plain = api.create_id(user_type="premium", session_id="sess_1")
    left, entered = api.create_id(user_type="premium"), api.create_id(user_type="basic")
    api.create(message("hello"), user_type="basic")
    api.create()
    api.set_behaviour(_KEEPS)
    with_items = api.create(message("hello"), user_type="premium", City="K\u00f6ln")
    expect(with_items.get("metadata"), {"user_type": "premium", "City": "K\u00f6ln"}, "metadata in the answer")
    _updates(api, entered, user_type="premium")
    _touch(api, left, user_type="basic")
    premium = [plain, with_items["id"], entered]
    wanted = '{"user_type": "premium"}'
    _filters(api, premium, wanted)
    _filters(api, [with_items["id"]], '{"City": "K\u00f6ln"}')
    descending = ids(api.list_conversations(metadata=wanted, order="desc"))
    expect(sorted(descending), sorted(premium), "what matches, in descending order")
    behind = ids(api.list_conversations(metadata=wanted, order="desc", after=descending[0]))
    _expect_only(behind, premium, "what matches behind a cursor")
    api.set_behaviour("conversations.filter.without-match-is-an-empty-page")
    expect(_found(api, ("metadata", '{"user_type": "other"}')), [], "what matches nothing")


@scenario("conversations.filter.takes-top-level-pairs")
def the_filter_takes_top_level_pairs(api: ApiClient) -> None:
    wanted = api.create_id(user_type="premium", **{"x y": "a&b"})
    api.create(user_type="premium")
    pairs = (("limit", "20"), ("order", "asc"), ("user_type", "premium"), ("x y", "a&b"))
    expect(_found(api, *pairs), [wanted], "what matches")


@scenario("conversations.filter.takes-bracketed-pairs")
def the_filter_takes_bracketed_pairs(api: ApiClient) -> None:
    wanted = api.create_id(user_type="premium", **{"x y": "a&b"})
    api.create(user_type="premium")
    expect(_found(api, ("metadata[user_type]", "premium"), ("metadata[x y]", "a&b")), [wanted], "what matches")


@scenario(_FILTERS, "conversations.filter.wants-every-pair")
def the_filter_wants_every_pair(api: ApiClient) -> None:
    one = api.create_id(a="one")
    other = api.create_id(b="two")
    both, more = api.create_id(a="one", b="two"), api.create_id(a="one", b="two", c="three")
    _filters(api, [one, both, more], '{"a": "one"}')
    api.set_behaviour("conversations.filter.wants-every-pair")
    found = _found(api, ("metadata", '{"a": "one", "b": "two"}'))
    expect(sorted(found), sorted([both, more]), "what matches")
    expect(sorted(_found(api, ("metadata", "{}"))), sorted([one, other, both, more]), "what matches no pair at all")


@scenario(_FILTERS, "conversations.filter.matches-exactly")
def the_filter_matches_exactly(api: ApiClient) -> None:
    wanted, other = api.create_id(user_type="premium"), api.create_id(user_type="other")
    for value in ("Premium", "premium ", "premium-plus", "prem"):
        api.create(user_type=value)
    _filters(api, [other], '{"user_type": "other"}')
    api.set_behaviour("conversations.filter.matches-exactly")
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [wanted], "what matches")


@scenario(
    _FILTERS,
    "conversations.filter.takes-top-level-pairs",
    "conversations.filter.takes-bracketed-pairs",
    "conversations.filter.adds-up-its-forms",
)
def the_filter_adds_up_its_forms(api: ApiClient) -> None:
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
    found = _found(api, *(pair for _, pair in forms.values()))
    if found != [wanted]:  # Is it one of the forms alone?
        for name, (rule, pair) in forms.items():
            api.set_behaviour(rule)
            expected = {wanted, *without.values()} - {without[name]}
            expect(sorted(_found(api, pair)), sorted(expected), f"what matches {pair[0]}={pair[1]}")
        found = _found(api, *(pair for _, pair in forms.values()))
    api.set_behaviour("conversations.filter.adds-up-its-forms")
    expect(found, [wanted], "what matches")


@scenario(_FILTERS, "conversations.filter.parameter-names-stay-parameters")
def parameter_names_stay_parameters(api: ApiClient) -> None:
    first, second = api.create_id(limit="2", order="desc", topic="names"), api.create_id()
    _filters(api, [first], '{"topic": "names"}')
    api.set_behaviour("conversations.filter.parameter-names-stay-parameters")
    found = _found(api, ("limit", "2"), ("order", "desc"))
    expect(sorted(found), sorted([first, second]), "the page with real parameters")
    expect(_found(api, ("metadata", '{"limit": "2", "order": "desc"}')), [first], "the page with a filter")


@scenario("conversations.filter.malformed-is-400")
def a_malformed_filter_answers_400(api: ApiClient) -> None:
    for text in ("{", "premium", '["a"]', '"a"', "1", '{"a": 1}', '{"a": null}'):
        expect(
            api.get("/conversations", metadata=text).expect_error(400).get("param"), "metadata", f"param for {text}"
        )


@scenario(_FILTERS, _CURSOR, _HAS_MORE, _LIMIT, "conversations.filter.pages-through-matches")
def a_filtered_list_has_pages_of_matches(api: ApiClient) -> None:
    created = [api.create_id(tag="y" if number == 2 else "x") for number in range(6)]
    matching = [*created[:2], *created[3:]]
    wanted = '{"tag": "x"}'
    _filters(api, matching, wanted)
    pages = _pages(api, len(created), limit=2, order="desc", metadata=wanted)
    seen = _listed(pages)
    _expect_only(seen, matching, "what is on all pages of what matches")
    api.set_behaviour(_CURSOR)
    expect(sorted(seen), sorted(matching), "what is on all pages of what matches")
    api.set_behaviour(_HAS_MORE)
    _expect_has_more(pages, len(matching), "of what matches")
    sizes = [len(page["data"]) for page in pages]
    api.set_behaviour(_LIMIT)
    require(max(sizes) <= 2, "how many are on each page", "two at most", sizes)
    api.set_behaviour("conversations.filter.pages-through-matches")
    expect(sizes, [2, 2, 1], "how many are on each page")
