"""The list of conversations: order, paging and the metadata filter."""

import json

from mockserver.conformance.api import Api, conversation_path, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect

scenario = Scenarios()


def _three(api: Api, **metadata: str) -> list[str]:
    return [api.create_id(**metadata) for _ in range(3)]


def _touch(api: Api, conversation: str, **metadata: str) -> None:
    api.post(conversation_path(conversation), {"metadata": metadata}).ok()


def _found(api: Api, *pairs: tuple[str, str]) -> list[str]:
    return ids(api.get("/conversations", pairs).ok())


# -- Order and paging --------------------------------------------------------------------------------------


@scenario("conversations.list.shows-the-callers-conversations")
def the_list_shows_what_creating_answered(api: Api) -> None:
    created = [api.create(topic="a"), api.create(says("hello"))]
    page = api.conversations()
    expect(page["object"], "list", "object")
    expect(sorted(page["data"], key=lambda one: str(one["id"])),
           sorted(created, key=lambda one: str(one["id"])), "the conversations")  # fmt: skip


@scenario(
    "conversations.list.orders-by-last-update",
    "conversations.list.starts-with-the-oldest",
    "conversations.list.desc-starts-with-the-newest",
    "conversations.updated.by-new-metadata",
)
def the_list_is_ordered_by_last_update(api: Api) -> None:
    first, second, third = _three(api)
    _touch(api, first, topic="new")
    expected = [second, third, first]
    expect(ids(api.conversations()), expected, "the order without a wish")
    expect(ids(api.conversations(order="asc")), expected, "the ascending order")
    expect(ids(api.conversations(order="desc")), expected[::-1], "the descending order")


@scenario("conversations.list.gives-20-at-a-time", "conversations.list.limit-is-1-to-50")
def a_page_has_20_conversations_unless_asked(api: Api) -> None:
    created = [api.create_id() for _ in range(21)]
    page = api.conversations()
    expect((ids(page), page["has_more"]), (created[:20], True), "the page without a limit")
    expect(ids(api.conversations(limit=1)), created[:1], "the page with the smallest limit")
    page = api.conversations(limit=50)
    expect((ids(page), page["has_more"]), (created, False), "the page with the largest limit")


@scenario("conversations.list.refuses-other-limits")
def a_limit_outside_1_to_50_is_refused(api: Api) -> None:
    for limit in (0, 51):
        api.get("/conversations", limit=limit).refused()


@scenario("conversations.list.says-whether-there-is-more", "conversations.list.last-id-is-the-cursor-of-the-next-page")
def pages_follow_each_other(api: Api) -> None:
    created = [api.create_id() for _ in range(4)]
    for order, expected in (("asc", created), ("desc", created[::-1])):
        first = api.conversations(limit=2, order=order)
        expect((ids(first), first["has_more"]), (expected[:2], True), f"the first page, {order}")
        expect(first["last_id"], expected[1], "last_id")
        second = api.conversations(limit=2, order=order, after=first["last_id"])
        expect((ids(second), second["has_more"]), (expected[2:], False), f"the second page, {order}")


@scenario("conversations.list.has-no-other-cursor")
def a_page_of_conversations_has_four_fields(api: Api) -> None:
    api.create()
    expect(sorted(api.conversations()), ["data", "has_more", "last_id", "object"], "the fields of a page")


@scenario("conversations.list.empty-page-has-no-last-id")
def an_empty_page_of_conversations_has_no_last_id(api: Api) -> None:
    expect(api.conversations(), {"object": "list", "data": [], "has_more": False}, "the empty page")


@scenario("conversations.list.unknown-cursor-is-400")
def an_unknown_cursor_of_conversations_answers_400(api: Api) -> None:
    expect(api.get("/conversations", after=fresh_name("conv")).refused(400).get("param"), "after", "param")


@scenario("conversations.list.foreign-cursor-is-400")
def a_foreign_cursor_of_conversations_answers_400(api: Api) -> None:
    foreign = api.other_end_user().create_id()
    expect(api.get("/conversations", after=foreign).refused(400).get("param"), "after", "param")


@scenario("conversations.list.deleted-cursor-keeps-its-place")
def a_deleted_conversation_keeps_its_place_as_a_cursor(api: Api) -> None:
    first, second, third = _three(api)
    api.delete(conversation_path(second)).ok()
    expect(ids(api.conversations(after=second)), [third], "the page after it")
    expect(ids(api.conversations(after=second, order="desc")), [first], "the page after it, descending")


@scenario("conversations.list.updated-cursor-counts-where-it-is-now")
def an_updated_conversation_counts_where_it_is_now_as_a_cursor(api: Api) -> None:
    first, second, third = _three(api)
    _touch(api, first, topic="new")
    expect(ids(api.conversations(after=first)), [], "the page after it")
    expect(ids(api.conversations(after=first, order="desc")), [third, second], "the page after it, descending")


@scenario("conversations.list.cursor-outside-the-filter-keeps-its-place")
def a_cursor_outside_the_filter_keeps_its_place(api: Api) -> None:
    first, second, third = _three(api, tag="x")
    _touch(api, first, tag="y")
    wanted = json.dumps({"tag": "x"})
    expect(ids(api.conversations(after=first, order="desc", metadata=wanted)), [third, second], "the page after it")
    _touch(api, second, tag="x")
    expect(ids(api.conversations(after=first, metadata=wanted)), [second], "the page after it, ascending")


# -- What counts as an update ------------------------------------------------------------------------------


@scenario("conversations.updated.by-added-items", "conversations.updated.by-removed-items")
def adding_and_removing_items_counts_as_an_update(api: Api) -> None:
    first = api.create_id(says("one"), says("two"))
    second = api.create_id(says("one"), says("two"))
    one, two = ids(api.items(first))
    api.add(second, says("three"))
    api.add(first, says("three"))
    expect(ids(api.conversations()), [second, first], "the order after items were added")
    api.delete(item_path(second, ids(api.items(second))[0])).ok()
    expect(ids(api.conversations()), [first, second], "the order after an item was removed")
    api.delete(items_path(first), {"item_ids": [one, two]}).ok()
    expect(ids(api.conversations()), [second, first], "the order after several items were removed")


@scenario("conversations.updated.not-by-reading", "conversations.updated.not-by-refused-requests")
def neither_reading_nor_a_refused_write_counts_as_an_update(api: Api) -> None:
    first, second = api.create_id(says("one")), api.create_id()
    item = ids(api.items(first))[0]
    api.get(conversation_path(first)).ok()
    api.get(item_path(first, item)).ok()
    expect(ids(api.conversations()), [first, second], "the order after reading")
    api.post(conversation_path(first), {"metadata": {"key": 1}}).refused()
    api.post(items_path(first), {"items": [says("two", id=item)]}).refused()
    api.delete(item_path(first, fresh_name("item"))).refused()
    expect(ids(api.conversations()), [first, second], "the order after refused writes")


# -- Metadata filter ---------------------------------------------------------------------------------------


@scenario("conversations.filter.takes-a-json-string", "conversations.filter.without-match-is-an-empty-page")
def the_filter_takes_a_json_string(api: Api) -> None:
    premium = api.create_id(user_type="premium", session_id="1")
    api.create(user_type="basic")
    api.create()
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [premium], "what matches")
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


@scenario("conversations.filter.wants-every-pair")
def the_filter_wants_every_pair(api: Api) -> None:
    api.create(a="1")
    api.create(b="2")
    both, more = api.create_id(a="1", b="2"), api.create_id(a="1", b="2", c="3")
    expect(_found(api, ("metadata", '{"a": "1", "b": "2"}')), [both, more], "what matches")
    expect(len(_found(api, ("metadata", "{}"))), 4, "how many match no pair at all")


@scenario("conversations.filter.matches-exactly")
def the_filter_matches_exactly(api: Api) -> None:
    wanted = api.create_id(user_type="premium")
    for value in ("Premium", "premium ", "premium-plus", "prem"):
        api.create(user_type=value)
    api.create(User_Type="premium")
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [wanted], "what matches")


@scenario("conversations.filter.adds-up-its-forms")
def the_filter_adds_up_its_forms(api: Api) -> None:
    wanted = api.create_id(a="1", b="2", c="3")
    for metadata in ({"a": "1", "b": "2"}, {"a": "1", "c": "3"}, {"b": "2", "c": "3"}):
        api.create(**metadata)
    expect(_found(api, ("metadata", '{"a": "1"}'), ("metadata[b]", "2"), ("c", "3")), [wanted], "what matches")


@scenario("conversations.filter.parameter-names-stay-parameters")
def parameter_names_stay_parameters(api: Api) -> None:
    first = api.create_id(limit="1", order="desc")
    second = api.create_id()
    expect(_found(api, ("limit", "1"), ("order", "desc")), [second], "the page with real parameters")
    expect(_found(api, ("metadata", '{"limit": "1", "order": "desc"}')), [first], "the page with a filter")


@scenario("conversations.filter.malformed-is-400")
def a_malformed_filter_answers_400(api: Api) -> None:
    for text in ("{", "premium", '["a"]', '"a"', "1", '{"a": 1}', '{"a": null}'):
        expect(api.get("/conversations", metadata=text).refused(400).get("param"), "metadata", f"param for {text}")


@scenario("conversations.filter.pages-through-matches")
def a_filtered_list_has_pages_of_matches(api: Api) -> None:
    matching = []
    for _ in range(3):
        matching.append(api.create_id(tag="x"))
        api.create(tag="y")
    first = api.conversations(metadata='{"tag": "x"}', limit=2)
    expect((ids(first), first["has_more"]), (matching[:2], True), "the first page")
    second = api.conversations(metadata='{"tag": "x"}', limit=2, after=first["last_id"])
    expect((ids(second), second["has_more"]), (matching[2:], False), "the second page")
