"""The list of a conversation's items."""

from mockserver.conformance.api import Api, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect
from mockserver.conformance.scenarios.reading import by_id

scenario = Scenarios()


@scenario("items.list.shows-the-items")
def the_list_of_items_shows_what_adding_answered(api: Api) -> None:
    conversation = api.create_id()
    added = api.add(conversation, says("one"), says("two"))
    expect(by_id(api.items(conversation)), by_id({"data": added}), "the items")


@scenario("items.list.starts-with-the-oldest", "items.list.desc-starts-with-the-newest")
def items_are_listed_in_the_order_added(api: Api) -> None:
    conversation = api.create_id()
    expected = [api.add(conversation, says(text))[0]["id"] for text in ("one", "two", "three")]
    api.checks("items.list.starts-with-the-oldest")
    expect(ids(api.items(conversation)), expected, "the order without a wish")
    expect(ids(api.items(conversation, order="asc")), expected, "the ascending order")
    api.checks("items.list.desc-starts-with-the-newest")
    expect(ids(api.items(conversation, order="desc")), expected[::-1], "the descending order")


@scenario("items.list.gives-20-at-a-time", "items.list.limit-is-1-to-100")
def a_page_has_20_items_unless_asked(api: Api) -> None:
    conversation = api.create_id(*[says("hello")] * 20)
    api.add(conversation, says("last"))
    api.checks("items.list.gives-20-at-a-time")
    expect(len(ids(api.items(conversation))), 20, "how many are on a page without a limit")
    api.checks("items.list.limit-is-1-to-100")
    expect(len(ids(api.items(conversation, limit=1))), 1, "how many are on the smallest page")
    expect(len(ids(api.items(conversation, limit=100))), 21, "how many are on the page with the largest limit")


@scenario("items.list.refuses-other-limits")
def a_limit_outside_1_to_100_is_refused(api: Api) -> None:
    conversation = api.create_id()
    for limit in (0, 101):
        api.get(items_path(conversation), limit=limit).refused()


@scenario("items.list.says-whether-there-is-more", "items.list.last-id-is-the-cursor-of-the-next-page")
def pages_of_items_follow_each_other(api: Api) -> None:
    conversation = api.create_id(*map(says, ("one", "two", "three", "four")))
    everything = ids(api.items(conversation))
    pages = []
    api.checks("items.list.last-id-is-the-cursor-of-the-next-page")
    for order in ("asc", "desc"):
        first = api.items(conversation, limit=2, order=order)
        expect(first["last_id"], ids(first)[-1], f"last_id, {order}")
        second = api.items(conversation, limit=2, order=order, after=first["last_id"])
        expect(sorted(ids(first) + ids(second)), sorted(everything), f"what is on both pages, {order}")
        pages += [(first, len(ids(first)) < len(everything)), (second, False)]
    api.checks("items.list.says-whether-there-is-more")
    for page, has_more in pages:
        expect(page["has_more"], has_more, f"has_more of the page {ids(page)!r}")


@scenario("items.list.has-no-other-cursor")
def a_page_of_items_has_three_or_four_fields(api: Api) -> None:
    fields = set(api.items(api.create_id(says("one")))) & {"data", "first_id", "has_more", "last_id"}
    expect(sorted(fields), ["data", "has_more", "last_id"], "the fields of a page")


@scenario("items.list.last-id-is-always-text")
def last_id_of_items_is_text(api: Api) -> None:
    for page in (api.items(api.create_id(says("one"))), api.items(api.create_id())):
        assert isinstance(page.get("last_id"), str), f"last_id: expected text, received {page.get('last_id')!r}"


@scenario("items.list.empty-page-has-an-empty-last-id")
def an_empty_page_of_items_has_an_empty_last_id(api: Api) -> None:
    page = api.items(api.create_id())
    expect((page["data"], page.get("last_id")), ([], ""), "data and last_id of the empty page")


@scenario("items.list.ignores-include")
def include_has_no_effect_on_the_list(api: Api) -> None:
    conversation = api.create_id(says("one"))
    expected = api.items(conversation)
    for values in (["content"], ["content", "metadata"]):
        answer = api.get(items_path(conversation), [("include", value) for value in values])
        expect(answer.ok(), expected, "the page")


@scenario("items.list.unknown-cursor-is-400")
def an_unknown_cursor_of_items_answers_400(api: Api) -> None:
    conversation = api.create_id(says("one"))
    error = api.get(items_path(conversation), after=fresh_name("msg")).refused(400)
    expect(error.get("param"), "after", "param")


@scenario("items.list.foreign-cursor-is-400")
def a_cursor_of_another_conversation_answers_400(api: Api) -> None:
    foreign = api.add(api.create_id(), says("elsewhere"))[0]["id"]
    conversation = api.create_id(says("one"))
    expect(api.get(items_path(conversation), after=foreign).refused(400).get("param"), "after", "param")


@scenario("items.list.deleted-cursor-keeps-its-place")
def a_removed_item_keeps_its_place_as_a_cursor(api: Api) -> None:
    conversation = api.create_id(*map(says, ("one", "two", "three")))
    one, two, three = ids(api.items(conversation))
    api.delete(item_path(conversation, two)).ok()
    expect(ids(api.items(conversation, after=two)), [three], "the page after it")
    expect(ids(api.items(conversation, after=two, order="desc")), [one], "the page after it, descending")


@scenario("items.list.unknown-conversation-is-404")
def listing_items_of_an_unknown_conversation_answers_404(api: Api) -> None:
    api.get(items_path(fresh_name("conv"))).refused(404)
