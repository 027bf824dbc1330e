"""The list of conversations: order, paging and the metadata filter."""

import time
from collections.abc import Callable

from mockserver.conformance.api import Api, conversation_path, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect
from mockserver.conformance.scenarios.reading import by_id

scenario = Scenarios()


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


# -- Order and paging --------------------------------------------------------------------------------------


@scenario("conversations.list.shows-the-callers-conversations")
def the_list_shows_what_creating_answered(api: Api) -> None:
    created = [api.create(topic="a"), api.create(says("hello"))]
    expect(by_id(api.conversations()), by_id({"data": created}), "the conversations")


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
    api.checks("conversations.updated.by-new-metadata")
    _makes_it_the_newest(api, second, lambda: _touch(api, second, topic=fresh_name("topic")), "new metadata")


@scenario("conversations.list.gives-20-at-a-time", "conversations.list.limit-is-1-to-50")
def a_page_has_20_conversations_unless_asked(api: Api) -> None:
    created = [api.create_id() for _ in range(21)]
    api.checks("conversations.list.gives-20-at-a-time")
    expect(len(ids(api.conversations())), 20, "how many are on a page without a limit")
    api.checks("conversations.list.limit-is-1-to-50")
    expect(len(ids(api.conversations(limit=1))), 1, "how many are on the smallest page")
    expect(sorted(ids(api.conversations(limit=50))), sorted(created), "the page with the largest limit")


@scenario("conversations.list.refuses-other-limits")
def a_limit_outside_1_to_50_is_refused(api: Api) -> None:
    for limit in (0, 51):
        api.get("/conversations", limit=limit).refused()


@scenario("conversations.list.says-whether-there-is-more", "conversations.list.last-id-is-the-cursor-of-the-next-page")
def pages_follow_each_other(api: Api) -> None:
    created = [api.create_id() for _ in range(4)]
    pages = []
    api.checks("conversations.list.last-id-is-the-cursor-of-the-next-page")
    for order in ("asc", "desc"):
        first = api.conversations(limit=2, order=order)
        expect(first["last_id"], ids(first)[-1], f"last_id, {order}")
        second = api.conversations(limit=2, order=order, after=first["last_id"])
        expect(sorted(ids(first) + ids(second)), sorted(created), f"what is on both pages, {order}")
        pages += [(first, len(ids(first)) < len(created)), (second, False)]
    api.checks("conversations.list.says-whether-there-is-more")
    for page, has_more in pages:
        expect(page["has_more"], has_more, f"has_more of the page {ids(page)!r}")


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
    expect(api.get("/conversations", after=fresh_name("conv")).refused(400).get("param"), "after", "param")


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


@scenario("conversations.list.cursor-outside-the-filter-keeps-its-place")
def a_cursor_outside_the_filter_keeps_its_place(api: Api) -> None:
    _, second, third = _three(api, tag="x")
    _touch(api, second, tag="y")
    _touch(api, third, tag="x")
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
    before = ids(api.conversations())
    api.checks("conversations.updated.not-by-reading")
    item = ids(api.items(before[0]))[0]
    api.get(conversation_path(before[0])).ok()
    api.get(item_path(before[0], item)).ok()
    expect(ids(api.conversations()), before, "the order after reading")
    api.checks("conversations.updated.not-by-refused-requests")
    for method, path, body in (
        ("POST", conversation_path(before[0]), {"metadata": {"key": 1}}),
        ("POST", items_path(before[0]), {"items": []}),
        ("POST", items_path(before[0]), {"items": [says("two", id=item)]}),
        ("DELETE", item_path(before[0], fresh_name("item")), None),
    ):
        if api.request(method, path, json=body).status == 200:  # Whether it is refused is another rule.
            before = ids(api.conversations())
    expect(ids(api.conversations()), before, "the order after refused writes")


# -- Metadata filter ---------------------------------------------------------------------------------------


@scenario("conversations.filter.takes-a-json-string", "conversations.filter.without-match-is-an-empty-page")
def the_filter_takes_a_json_string(api: Api) -> None:
    premium = api.create_id(user_type="premium", session_id="1")
    api.create(user_type="basic")
    api.create()
    api.checks("conversations.filter.takes-a-json-string")
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [premium], "what matches")
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


@scenario("conversations.filter.wants-every-pair")
def the_filter_wants_every_pair(api: Api) -> None:
    api.create(a="1")
    api.create(b="2")
    both, more = api.create_id(a="1", b="2"), api.create_id(a="1", b="2", c="3")
    found = _found(api, ("metadata", '{"a": "1", "b": "2"}'))
    expect(sorted(found), sorted([both, more]), "what matches")
    expect(len(_found(api, ("metadata", "{}"))), 4, "how many match no pair at all")


@scenario("conversations.filter.matches-exactly")
def the_filter_matches_exactly(api: Api) -> None:
    wanted = api.create_id(user_type="premium")
    for value in ("Premium", "premium ", "premium-plus", "prem"):
        api.create(user_type=value)
    expect(_found(api, ("metadata", '{"user_type": "premium"}')), [wanted], "what matches")


@scenario("conversations.filter.adds-up-its-forms")
def the_filter_adds_up_its_forms(api: Api) -> None:
    wanted = api.create_id(a="1", b="2", c="3")
    for metadata in ({"a": "1", "b": "2"}, {"a": "1", "c": "3"}, {"b": "2", "c": "3"}):
        api.create(**metadata)
    expect(_found(api, ("metadata", '{"a": "1"}'), ("metadata[b]", "2"), ("c", "3")), [wanted], "what matches")


@scenario("conversations.filter.parameter-names-stay-parameters")
def parameter_names_stay_parameters(api: Api) -> None:
    first, second = api.create_id(limit="2", order="desc"), api.create_id()
    found = _found(api, ("limit", "2"), ("order", "desc"))
    expect(sorted(found), sorted([first, second]), "the page with real parameters")
    expect(_found(api, ("metadata", '{"limit": "2", "order": "desc"}')), [first], "the page with a filter")


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
    expect(len(ids(first)), 2, "how many are on the first page")
    second = api.conversations(metadata='{"tag": "x"}', limit=2, after=ids(first)[-1])
    expect(sorted(ids(first) + ids(second)), sorted(matching), "what is on both pages")
