"""The list of conversations: order, paging and the metadata filter."""

import time
from collections.abc import Callable, Collection
from typing import Any

from mockserver.conformance.client import Api, conversation_path, fresh_name, ids, item_path, items_path, similar_id
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect, expect_soon
from mockserver.conformance.scenarios.metadata import TELLING
from mockserver.conformance.scenarios.reading import by_id

scenario = Scenarios()

_CURSOR = "conversations.list.last-id-is-the-cursor-of-the-next-page"
_FILTERS = "conversations.filter.takes-a-json-string"
_HAS_MORE = "conversations.list.says-whether-there-is-more"
_KEEPS = "conversations.create.keeps-metadata"
_LIMIT = "conversations.list.limit-is-1-to-50"
_LISTS = "conversations.list.shows-the-callers-conversations"
_UPDATES = "conversations.update.answers-with-the-new-metadata"


def _three(api: Api, **metadata: str) -> list[str]:
    return [api.create_id(**metadata) for _ in range(3)]


def _touch(api: Api, conversation: str, **metadata: str) -> None:
    api.post(conversation_path(conversation), {"metadata": metadata}).ok()


def _update(api: Api, conversation: str) -> None:
    """Whatever it is that counts as an update."""
    _touch(api, conversation, topic=fresh_name("topic"))
    api.add(conversation, says("new"))


# Nobody promises an order of what was done within one second: after a pause it is done again.
_PAUSE = 1.1


def _makes_it_the_newest(api: Api, conversation: str, update: Callable[[], object], what: str) -> None:
    for pause in (0, _PAUSE):
        time.sleep(pause)
        update()
        newest = ids(api.conversations(order="asc"))[-1]
        if newest == conversation:
            return
    expect(newest, conversation, f"the conversation updated last after {what}")


def _behind(conversation: str, listed: list[str]) -> list[str]:
    return listed[listed.index(conversation) + 1 :]


def _found(api: Api, *pairs: tuple[str, str]) -> list[str]:
    return ids(api.get("/conversations", pairs).ok())


def _pages(api: Api, total: int, limit: int, **parameters: str) -> list[dict[str, Any]]:
    """The pages of what has so many conversations; how many there are is not left to has_more, a rule of its own."""
    pages: list[dict[str, Any]] = []
    for _ in range(-(-total // limit)):
        pages.append(api.conversations(limit=limit, **parameters))
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
def the_list_shows_what_creating_answered(api: Api) -> None:
    api.checks(_LISTS)
    first = api.create(topic="a")
    expect(by_id(api.conversations()), [first], "the conversations")
    second = api.create(says("hello"), **TELLING)
    expect(by_id(api.conversations()), by_id({"data": [first, second]}), "the conversations when there is another")
    _updates(api, first["id"], topic="b")
    api.checks(_LISTS)
    metadata = {entry["id"]: entry.get("metadata") for entry in api.conversations()["data"]}
    expected = {first["id"]: {"topic": "b"}, second["id"]: second.get("metadata")}
    expect(metadata, expected, "the metadata when one was updated")


def _updates(api: Api, conversation: str, **metadata: str) -> None:
    """Update the metadata, and see that it stays."""
    api.checks(_UPDATES)
    _touch(api, conversation, **metadata)
    expect(api.get(conversation_path(conversation)).ok().get("metadata"), metadata, "metadata when retrieved")


@scenario(
    "conversations.list.orders-by-last-update",
    "conversations.list.starts-with-the-oldest",
    "conversations.list.desc-starts-with-the-newest",
    "conversations.updated.by-new-metadata",
)
def the_list_is_ordered_by_last_update(api: Api) -> None:
    first, second, third = _three(api)
    expected = [second, third, first]
    api.checks("conversations.list.orders-by-last-update")
    _update(api, first)
    listed = ids(api.conversations())
    if listed != expected:
        for conversation in expected:
            time.sleep(_PAUSE)
            _update(api, conversation)
        listed = ids(api.conversations())
    assert listed in (expected, expected[::-1]), (
        f"the order: expected {expected!r} or the other way round, received {listed!r}"
    )
    api.checks("conversations.list.starts-with-the-oldest")
    expect(listed, expected, "the order without a wish")
    expect(ids(api.conversations(order="asc")), expected, "the ascending order")
    api.checks("conversations.list.desc-starts-with-the-newest")
    expect(ids(api.conversations(order="desc")), expected[::-1], "the descending order")
    first_two = ids(api.conversations(order="desc", limit=2))[:2]
    expect(first_two, expected[:0:-1], "the first two in descending order")
    api.checks("conversations.updated.by-new-metadata")
    _makes_it_the_newest(api, second, lambda: _touch(api, second, topic=fresh_name("topic")), "new metadata")


@scenario("conversations.list.gives-20-at-a-time", _LIMIT)
def a_page_has_20_conversations_unless_asked(api: Api) -> None:
    created = [api.create_id() for _ in range(21)]
    api.checks("conversations.list.gives-20-at-a-time")
    expect(len(ids(api.conversations())), 20, "how many are on a page without a limit")
    api.checks(_LIMIT)
    expect(len(ids(api.conversations(limit=1))), 1, "how many are on the smallest page")
    expect(sorted(ids(api.conversations(limit=50))), sorted(created), "the page with the largest limit")


@scenario("conversations.list.refuses-other-limits")
def a_limit_outside_1_to_50_is_refused(api: Api) -> None:
    for limit in (0, 51, "ten"):
        api.get("/conversations", limit=limit).refused()


@scenario("conversations.list.refuses-other-orders")
def an_unknown_order_of_conversations_is_refused(api: Api) -> None:
    api.get("/conversations", order="newest").refused()


@scenario(_HAS_MORE, _CURSOR)
def pages_follow_each_other(api: Api) -> None:
    created = [api.create_id() for _ in range(6)]
    walks = [(order, _pages(api, len(created), limit, order=order)) for order, limit in (("asc", 2), ("desc", 3))]
    api.checks(_CURSOR)
    for order, pages in walks:
        for page in filter(ids, pages):
            expect(page.get("last_id"), ids(page)[-1], f"last_id, {order}")
        expect(sorted(_listed(pages)), sorted(created), f"what is on all {len(pages)} pages, {order}")
    api.checks(_HAS_MORE)
    for order, pages in walks:
        _expect_has_more(pages, len(created), order)


@scenario("conversations.list.has-no-other-cursor")
def a_page_of_conversations_has_four_fields(api: Api) -> None:
    api.create()
    fields = set(api.conversations()) & {"data", "first_id", "has_more", "last_id", "object"}
    expect(sorted(fields), ["data", "has_more", "last_id", "object"], "the fields of a page")


@scenario("conversations.list.empty-page-has-no-last-id")
def an_empty_page_of_conversations_has_no_last_id(api: Api) -> None:
    page = api.conversations()
    expect((page["data"], page.get("last_id", "absent")), ([], "absent"), "data and last_id of the empty page")


@scenario("conversations.list.unknown-cursor-is-400")
def an_unknown_cursor_of_conversations_answers_400(api: Api) -> None:
    unknown = similar_id(api.create_id())
    expect(api.get("/conversations", after=unknown).refused(400).get("param"), "after", "param")


@scenario("conversations.list.foreign-cursor-is-400")
def a_foreign_cursor_of_conversations_answers_400(api: Api) -> None:
    foreign = api.other_end_user().create_id()
    expect(api.get("/conversations", after=foreign).refused(400).get("param"), "after", "param")


@scenario("conversations.list.deleted-cursor-keeps-its-place")
def a_deleted_conversation_keeps_its_place_as_a_cursor(api: Api) -> None:
    _, second, _ = _three(api)
    before = {order: ids(api.conversations(order=order)) for order in ("asc", "desc")}
    api.delete(conversation_path(second)).ok()
    for order, listed in before.items():
        expect(
            ids(api.conversations(after=second, order=order)), _behind(second, listed), f"the page after it, {order}"
        )


@scenario("conversations.list.updated-cursor-counts-where-it-is-now")
def an_updated_conversation_counts_where_it_is_now_as_a_cursor(api: Api) -> None:
    first, *_ = _three(api)
    _update(api, first)
    for order in ("asc", "desc"):
        now = ids(api.conversations(order=order))
        expect(ids(api.conversations(after=first, order=order)), _behind(first, now), f"the page after it, {order}")


@scenario(_UPDATES, _FILTERS, "conversations.list.cursor-outside-the-filter-keeps-its-place")
def a_cursor_outside_the_filter_keeps_its_place(api: Api) -> None:
    first, second, third = _three(api, tag="x")
    _updates(api, second, tag="y")
    _touch(api, third, tag="x")
    _filters(api, [first, third], '{"tag": "x"}')
    api.checks("conversations.list.cursor-outside-the-filter-keeps-its-place")
    for order in ("asc", "desc"):
        now = ids(api.conversations(order=order))
        found = ids(api.conversations(after=second, order=order, metadata='{"tag": "x"}'))
        expect(found, _behind(second, now), f"the page after it, {order}")


# -- What counts as an update ------------------------------------------------------------------------------


@scenario("conversations.updated.by-added-items", "conversations.updated.by-removed-items")
def adding_and_removing_items_counts_as_an_update(api: Api) -> None:
    first, second = (api.create_id(*[says("hello")] * 4) for _ in range(2))
    one_by_one, in_pairs = iter(ids(api.items(second))), iter(ids(api.items(first)))
    api.checks("conversations.updated.by-added-items")
    _makes_it_the_newest(api, first, lambda: api.add(first, says("new")), "items were added")
    api.checks("conversations.updated.by-removed-items")
    _makes_it_the_newest(
        api, second, lambda: api.delete(item_path(second, next(one_by_one))).ok(), "an item was removed"
    )
    _makes_it_the_newest(
        api,
        first,
        lambda: api.delete(items_path(first), {"item_ids": [next(in_pairs), next(in_pairs)]}).ok(),
        "several items were removed",
    )


@scenario("conversations.updated.not-by-reading", "conversations.updated.not-by-refused-requests")
def neither_reading_nor_a_refused_write_counts_as_an_update(api: Api) -> None:
    for text in ("one", "two"):
        api.create(says(text))
    before = ids(api.conversations(order="asc"))
    api.checks("conversations.updated.not-by-reading")
    item = ids(api.items(before[0]))[0]
    api.get(conversation_path(before[0])).ok()
    api.get(item_path(before[0], item)).ok()
    expect(ids(api.conversations(order="asc")), before, "the order after reading")
    api.checks("conversations.updated.not-by-refused-requests")
    for method, path, body in (
        ("POST", conversation_path(before[0]), {"metadata": {"key": 1}}),
        ("POST", items_path(before[0]), {"items": []}),
        ("POST", items_path(before[0]), {"items": [says("two", id=item)]}),
        ("DELETE", item_path(before[0], fresh_name("item")), None),
    ):
        if api.request(method, path, json=body).status == 200:  # Whether it is refused is another rule.
            before = ids(api.conversations(order="asc"))
    expect(ids(api.conversations(order="asc")), before, "the order after refused writes")


# -- Metadata filter ---------------------------------------------------------------------------------------


def _filters(api: Api, conversations: Collection[str], wanted: str) -> None:
    """What any other rule about the JSON form of the filter needs. Nobody promises that an update counts at once."""
    api.checks(_FILTERS)
    expect_soon(api, lambda: _found(api, ("metadata", wanted)), conversations, f"what matches {wanted}")


def _expect_only(found: list[str], matching: Collection[str], what: str) -> None:
    assert set(found) <= set(matching), f"{what}: expected nothing but {sorted(matching)!r}, received {found!r}"


@scenario(_FILTERS, _KEEPS, _UPDATES, "conversations.filter.without-match-is-an-empty-page")
def the_filter_takes_a_json_string(api: Api) -> None:
    plain = api.create_id(user_type="premium", session_id="sess_1")
    left, entered = api.create_id(user_type="premium"), api.create_id(user_type="basic")
    api.create(says("hello"), user_type="basic")
    api.create()
    api.checks(_KEEPS)
    with_items = api.create(says("hello"), user_type="premium", City="K\u00f6ln")
    expect(with_items.get("metadata"), {"user_type": "premium", "City": "K\u00f6ln"}, "metadata in the answer")
    _updates(api, entered, user_type="premium")
    _touch(api, left, user_type="basic")
    premium = [plain, with_items["id"], entered]
    wanted = '{"user_type": "premium"}'
    _filters(api, premium, wanted)
    _filters(api, [with_items["id"]], '{"City": "K\u00f6ln"}')
    descending = ids(api.conversations(metadata=wanted, order="desc"))
    expect(sorted(descending), sorted(premium), "what matches, in descending order")
    behind = ids(api.conversations(metadata=wanted, order="desc", after=descending[0]))
    _expect_only(behind, premium, "what matches behind a cursor")
    api.checks("conversations.filter.without-match-is-an-empty-page")
    expect(_found(api, ("metadata", '{"user_type": "other"}')), [], "what matches nothing")


@scenario("conversations.filter.takes-top-level-pairs")
def the_filter_takes_top_level_pairs(api: Api) -> None:
    wanted = api.create_id(user_type="premium", **{"x y": "a&b"})
    api.create(user_type="premium")
    pairs = (("limit", "20"), ("order", "asc"), ("user_type", "premium"), ("x y", "a&b"))
    expect(_found(api, *pairs), [wanted], "what matches")


@scenario("conversations.filter.takes-bracketed-pairs")
def the_filter_takes_bracketed_pairs(api: Api) -> None:
    wanted = api.create_id(user_type="premium", **{"x y": "a&b"})
    api.create(user_type="premium")
    expect(_found(api, ("metadata[user_type]", "premium"), ("metadata[x y]", "a&b")), [wanted], "what matches")


@scenario(_FILTERS, "conversations.filter.wants-every-pair")
def the_filter_wants_every_pair(api: Api) -> None:
    one = api.create_id(a="one")
    other = api.create_id(b="two")
    both, more = api.create_id(a="one", b="two"), api.create_id(a="one", b="two", c="three")
    _filters(api, [one, both, more], '{"a": "one"}')
    api.checks("conversations.filter.wants-every-pair")
    found = _found(api, ("metadata", '{"a": "one", "b": "two"}'))
    expect(sorted(found), sorted([both, more]), "what matches")
    expect(sorted(_found(api, ("metadata", "{}"))), sorted([one, other, both, more]), "what matches no pair at all")


@scenario(_FILTERS, "conversations.filter.matches-exactly")
def the_filter_matches_exactly(api: Api) -> None:
    wanted, other = api.create_id(user_type="premium"), api.create_id(user_type="other")
    for value in ("Premium", "premium ", "premium-plus", "prem"):
        api.create(user_type=value)
    _filters(api, [other], '{"user_type": "other"}')
    api.checks("conversations.filter.matches-exactly")
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [wanted], "what matches")


@scenario(
    _FILTERS,
    "conversations.filter.takes-top-level-pairs",
    "conversations.filter.takes-bracketed-pairs",
    "conversations.filter.adds-up-its-forms",
)
def the_filter_adds_up_its_forms(api: Api) -> None:
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
            api.checks(rule)
            expected = {wanted, *without.values()} - {without[name]}
            expect(sorted(_found(api, pair)), sorted(expected), f"what matches {pair[0]}={pair[1]}")
        found = _found(api, *(pair for _, pair in forms.values()))
    api.checks("conversations.filter.adds-up-its-forms")
    expect(found, [wanted], "what matches")


@scenario(_FILTERS, "conversations.filter.parameter-names-stay-parameters")
def parameter_names_stay_parameters(api: Api) -> None:
    first, second = api.create_id(limit="2", order="desc", topic="names"), api.create_id()
    _filters(api, [first], '{"topic": "names"}')
    api.checks("conversations.filter.parameter-names-stay-parameters")
    found = _found(api, ("limit", "2"), ("order", "desc"))
    expect(sorted(found), sorted([first, second]), "the page with real parameters")
    expect(_found(api, ("metadata", '{"limit": "2", "order": "desc"}')), [first], "the page with a filter")


@scenario("conversations.filter.malformed-is-400")
def a_malformed_filter_answers_400(api: Api) -> None:
    for text in ("{", "premium", '["a"]', '"a"', "1", '{"a": 1}', '{"a": null}'):
        expect(api.get("/conversations", metadata=text).refused(400).get("param"), "metadata", f"param for {text}")


@scenario(_FILTERS, _CURSOR, _HAS_MORE, _LIMIT, "conversations.filter.pages-through-matches")
def a_filtered_list_has_pages_of_matches(api: Api) -> None:
    created = [api.create_id(tag="y" if number == 2 else "x") for number in range(6)]
    matching = [*created[:2], *created[3:]]
    wanted = '{"tag": "x"}'
    _filters(api, matching, wanted)
    pages = _pages(api, len(created), limit=2, order="desc", metadata=wanted)
    seen = _listed(pages)
    _expect_only(seen, matching, "what is on all pages of what matches")
    api.checks(_CURSOR)
    expect(sorted(seen), sorted(matching), "what is on all pages of what matches")
    api.checks(_HAS_MORE)
    _expect_has_more(pages, len(matching), "of what matches")
    sizes = [len(page["data"]) for page in pages]
    api.checks(_LIMIT)
    assert max(sizes) <= 2, f"how many are on each page: expected two at most, received {sizes!r}"
    api.checks("conversations.filter.pages-through-matches")
    expect(sizes, [2, 2, 1], "how many are on each page")
