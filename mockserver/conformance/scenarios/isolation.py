"""Scenarios for the separation of the conversations of one caller."""

from collections.abc import Callable
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect
from mockserver.conformance.names import conversation_path, item_path, items_path
from mockserver.conformance.response import Json, ids, sort_by_id
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()


def _read_items(api: ApiClient, conversation: str) -> list[Any]:
    """Read the items of a conversation in every way: whole lists in both orders, page by page, and one by one."""
    whole = api.list_items(conversation, limit=100, order="asc")
    backwards = api.list_items(conversation, limit=100, order="desc")
    pages: list[Any] = []
    page = api.list_items(conversation, limit=1, order="asc")
    while page["data"] and len(pages) <= len(whole["data"]):
        pages += page["data"]
        page = api.list_items(conversation, limit=1, order="asc", after=pages[-1]["id"])
    single = [api.retrieve_item(conversation, item) for item in ids(whole)]
    return [sort_by_id(whole), sort_by_id(backwards), sort_by_id({"data": pages}), sort_by_id({"data": single})]


@scenario("isolation.items-stay-in-their-conversation")
def items_stay_in_their_conversation(api: ApiClient) -> None:
    older = api.create_id(message("in the older one"))
    one = api.create_id(message("at creation"))
    api.add_items(one, message("added"), message("added with it"))
    before = _read_items(api, one)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("an item was added to an older conversation", lambda: api.add_items(older, message("added later"))),
        ("a conversation was created with an item", lambda: api.create_id(message("in a newer one"))),
        ("an item was added to a newer conversation", lambda: api.add_items(api.create_id(), message("added later"))),
        ("a conversation was created without items", api.create_id),
    ]
    for event, step in steps:
        step()
        expect(_read_items(api, one), before, f"items of a conversation after {event}")


@scenario("isolation.changes-stay-in-their-conversation")
def changes_stay_in_their_conversation(api: ApiClient) -> None:
    older, one, newer = (api.create_id(message("one"), message("two"), mark=mark) for mark in "abc")
    before, items = api.retrieve(one), _read_items(api, one)
    own = items[0][0]["id"]
    for name, other in (("an older", older), ("a newer", newer)):
        first, second = api.item_ids(other, limit=2, order="asc")
        path, their_items = conversation_path(other), items_path(other)
        requests: list[tuple[str, str, str, Json]] = [
            ("an update", "POST", path, {"metadata": {"mark": "changed"}}),
            ("the removal of an item", "DELETE", item_path(other, first), None),
            ("the removal of several items", "DELETE", their_items, {"item_ids": [second]}),
            ("an attempt to remove its item", "DELETE", item_path(other, own), None),
            ("an attempt to remove its items", "DELETE", their_items, {"item_ids": [own]}),
            ("the deletion", "DELETE", path, None),
        ]
        for event, method, target, body in requests:
            api.request(method, target, json=body)
            now = api.retrieve(one), sort_by_id(api.list_items(one, limit=100))
            expect(now, (before, items[0]), f"a conversation after {event} through {name} conversation")
    expect(_read_items(api, one), items, "items of a conversation after all changes to others")
