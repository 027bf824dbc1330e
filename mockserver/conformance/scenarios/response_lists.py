"""Scenarios for the lists of responses and of their input items."""

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect
from mockserver.conformance.names import response_path, unknown_id_like
from mockserver.conformance.response import ids, texts
from mockserver.conformance.responses import HELLO, call_weather_tool, function_calls
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()


def _create(api: ApiClient, count: int) -> list[str]:
    """Create responses and return their ids, the oldest first."""
    return [api.respond(HELLO)["id"] for _ in range(count)]


@scenario("responses.list.newest-first-by-default", "responses.list.orders-by-creation")
def responses_are_listed_by_creation(api: ApiClient) -> None:
    created = _create(api, 3)
    api.set_behaviour("responses.list.newest-first-by-default")
    expect(api.response_ids(), created[::-1], "listed responses")
    api.set_behaviour("responses.list.orders-by-creation")
    api.post(response_path(created[0]), {"metadata": dict(api.mark)}).expect_ok()
    listed = api.response_ids(order="asc"), api.response_ids(order="desc")
    expect(listed, (created, created[::-1]), "listed responses in both orders")


@scenario("responses.list.limits-the-page", "responses.list.has-more", "responses.list.after-continues")
def responses_are_listed_page_by_page(api: ApiClient) -> None:
    created = _create(api, 3)
    first = api.get("/responses", limit=2).expect_ok()
    api.set_behaviour("responses.list.limits-the-page")
    expect(ids(first), [created[2], created[1]], "first page")
    api.set_behaviour("responses.list.has-more")
    whole = api.get("/responses", limit=3).expect_ok()
    expect([first["has_more"], whole["has_more"]], [True, False], "has_more of a part and of the whole list")
    api.set_behaviour("responses.list.after-continues")
    rest = api.get("/responses", limit=2, after=created[1]).expect_ok()
    expect(ids(rest), [created[0]], "second page")


@scenario("responses.list.before-goes-back")
def responses_are_listed_backwards(api: ApiClient) -> None:
    oldest, middle, newest = _create(api, 3)
    expect(api.response_ids(before=oldest), [newest, middle], "responses before the oldest")
    expect(api.response_ids(before=middle), [newest], "responses before the middle")
    expect(api.response_ids(before=newest, order="asc"), [oldest, middle], "responses before the newest, ascending")


@scenario("responses.list.unknown-cursor-is-400")
def an_unknown_cursor_is_rejected(api: ApiClient) -> None:
    (created,) = _create(api, 1)
    for name in ("after", "before"):
        parameters: dict[str, str | int] = {name: unknown_id_like(created)}
        api.get("/responses", parameters).expect_error(400)


@scenario("responses.list.is-empty-at-first")
def the_list_is_empty_at_first(api: ApiClient) -> None:
    page = api.get("/responses").expect_ok()
    expect([page["data"], page["has_more"]], [[], False], "data and has_more")


@scenario("responses.input-items.has-the-input", "responses.input-items.string-becomes-a-message")
def the_input_can_be_listed(api: ApiClient) -> None:
    as_items = api.respond([message("one"), message("two")])["id"]
    api.set_behaviour("responses.input-items.has-the-input")
    expect(texts(api.input_items(as_items, order="asc")), ["one", "two"], "texts of the input items")
    api.set_behaviour("responses.input-items.string-becomes-a-message")
    as_text = api.respond(HELLO)["id"]
    page = api.input_items(as_text)
    described = [(item.get("type", "message"), item["role"]) for item in page["data"]]
    expect((described, texts(page)), ([("message", "user")], [HELLO]), "input items")


@scenario("responses.input-items.newest-first-by-default", "responses.input-items.are-paginated")
def the_input_is_listed_page_by_page(api: ApiClient) -> None:
    created = api.respond([message(text) for text in ("one", "two", "three")])["id"]
    api.set_behaviour("responses.input-items.newest-first-by-default")
    expect(texts(api.input_items(created)), ["three", "two", "one"], "texts of the input items")
    api.set_behaviour("responses.input-items.are-paginated")
    first = api.input_items(created, limit=2, order="asc")
    second = api.input_items(created, limit=2, order="asc", after=ids(first)[-1])
    pages = [(texts(page), page["has_more"]) for page in (first, second)]
    expect(pages, [(["one", "two"], True), (["three"], False)], "texts and has_more of both pages")


@scenario("responses.input-items.leaves-out-the-history")
def the_history_is_no_input(api: ApiClient) -> None:
    first = call_weather_tool(api)
    output = {"type": "function_call_output", "call_id": function_calls(first)[0]["call_id"], "output": "rain"}
    second = api.respond([output], previous_response_id=first["id"])["id"]
    types = [item["type"] for item in api.input_items(second)["data"]]
    expect(types, ["function_call_output"], "types of the input items")


@scenario("responses.input-items.unknown-response-is-404")
def the_input_of_an_unknown_response(api: ApiClient) -> None:
    (created,) = _create(api, 1)
    api.get(response_path(unknown_id_like(created), "input_items")).expect_error(404)
