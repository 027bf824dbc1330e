"""Scenarios for items of every kind: they are accepted and come back unchanged."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure, expect, require
from mockserver.conformance.names import unique_name
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import Item, full_items, message, minimal_items
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()

_MAX_ITEMS_PER_REQUEST = 20


def expect_unique_ids(items: Iterable[Item]) -> None:
    found = [item.get("id") for item in items]
    require(all(isinstance(one, str) and one for one in found), "ids", "text", found)
    expect(sorted({str(one) for one in found if found.count(one) > 1}), [], "repeated ids")


def _kind(item: Item) -> tuple[str | None, str | None]:
    """Return type and role; messages of different roles are different kinds."""
    return item.get("type"), item.get("role")


def _difference(before: Any, after: Any, place: str = "") -> str | None:
    """Describe the first value that changed, or return None. New fields are allowed; null equals absent."""
    if isinstance(before, dict) and isinstance(after, dict):
        inner = ((value, after.get(name), f"{place}.{name}" if place else name) for name, value in before.items())
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        inner = (
            (one, other, f"{place}[{number}]") for number, (one, other) in enumerate(zip(before, after, strict=True))
        )
    else:
        return None if before == after else f"{place} {_short(before)} became {_short(after)}"
    return next((difference for one in inner if (difference := _difference(*one))), None)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expect_no_differences(
    responses: Iterable[ApiResponse], differences: Mapping[str, str | None], items: Mapping[str, Item], where: str
) -> None:
    """Fail with the first difference, and with the first response that shows that item."""
    found = [f"{name}: {difference}" for name, difference in differences.items() if difference]
    if not found:
        return
    first = next(name for name, difference in differences.items() if difference)
    item = items.get(first, {}).get("id")
    shown = (one for one in responses if item is not None and item in _ids_in(one.body))
    more = f", and {len(found) - 1} more items differ" if len(found) > 1 else ""
    raise ScenarioFailure(f"differences {where}", "none", found[0] + more, details=found, response=next(shown, None))


def _ids_in(body: Any) -> list[Any]:
    data = body.get("data") if isinstance(body, dict) else None
    return [one.get("id") for one in [body, *(data if isinstance(data, list) else [])] if isinstance(one, dict)]


def _without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id" or item["type"] == "item_reference"}


def _add_accepted_items(api: ApiClient, conversation: str, items: Mapping[str, Item]) -> tuple[list[Item], list[str]]:
    """Return the added items of the responses, and the names of the items that are rejected even alone."""
    names, added, rejected = list(items), list[Item](), list[str]()
    for start in range(0, len(names), _MAX_ITEMS_PER_REQUEST):
        some = names[start : start + _MAX_ITEMS_PER_REQUEST]
        response = api.post_items(conversation, *(items[name] for name in some))
        if response.status == 200:
            added += response.body["data"]
            continue
        for name in some:
            response = api.post_items(conversation, items[name])
            if response.status == 200:
                added += response.body["data"]
            else:
                rejected.append(name)
    return added, rejected


def _list_all(api: ApiClient, conversation: str, order: str) -> list[Item]:
    """Return all items, however many fit on a page."""
    page = api.list_items(conversation, limit=100, order=order)
    found = list[Item](page["data"])
    while page.get("has_more") and len(found) < 100:
        page = api.list_items(conversation, limit=100, order=order, after=str(page.get("last_id")))
        found += page["data"]
    return found


def _match_by_content(sent: Mapping[str, Item], received: Iterable[Item]) -> dict[str, Item]:
    """Return the received items by the names of the sent ones. Their order is ignored: it is another behaviour."""
    left, found = list(received), dict[str, Item]()
    for may_differ in (False, True):  # Equal items first, then any of the same kind.
        for name, item in sent.items():
            alike = (one for one in left if may_differ or not _difference(_without_id(item), one))
            one = None if name in found else next((one for one in alike if _kind(one) == _kind(item)), None)
            if one is not None:
                left.remove(one)
                found[name] = one
    return found


def _items_of_every_kind(api: ApiClient) -> dict[str, Item]:
    """Return minimal and full items of every kind, by name."""
    referenced = api.add_items(api.create_id(), message("elsewhere"))[0]["id"]
    return minimal_items(unique_name(""), referenced) | full_items(unique_name(""))


@scenario("items.create.takes-every-kind", "items.create.gives-every-item-an-id")
def items_of_every_kind_are_accepted(api: ApiClient) -> None:
    sent = _items_of_every_kind(api)
    conversation = api.create_id()
    api.set_behaviour("items.create.takes-every-kind")
    added, rejected = _add_accepted_items(api, conversation, sent)
    unknown = {sent[name]["type"] for name in rejected if name in minimal_items("", "")} - {"message"}
    distinct = [name for name in rejected if name in unknown or sent[name]["type"] not in unknown]
    expect(distinct, [], "rejected items")
    listed = _list_all(api, conversation, "asc")
    for where, items in (("the response", added), ("the list", listed)):
        missing = sorted(sent.keys() - _match_by_content(sent, items))
        expect(missing, [], f"items that {where} does not show with their kind")
    api.set_behaviour("items.create.gives-every-item-an-id")
    for items in (added, listed):
        expect_unique_ids(items)


@scenario(
    "items.list.shows-the-items", "items.retrieve.answers-what-create-answered", "items.create.keeps-every-field"
)
def items_of_every_kind_come_back_unchanged(api: ApiClient) -> None:
    sent = _items_of_every_kind(api)
    conversation = api.create_id()
    received, rejected = _add_accepted_items(api, conversation, sent)
    added = _match_by_content({name: item for name, item in sent.items() if name not in rejected}, received)

    def compare(name: str, item: Item | None) -> str | None:
        return "is missing" if item is None else _difference(added[name], item) or _difference(item, added[name])

    api.set_behaviour("items.list.shows-the-items")
    for order in ("asc", "desc"):
        listed = {item.get("id"): item for item in _list_all(api, conversation, order)}
        differences = {name: compare(name, listed.get(item["id"])) for name, item in added.items()}
        _expect_no_differences((), differences, {}, f"in the list, {order}")
    api.set_behaviour("items.retrieve.answers-what-create-answered")
    full = {name: item["id"] for name, item in added.items() if name in full_items("")}
    read = {name: api.retrieve_item(conversation, item) for name, item in full.items()}
    differences = {name: compare(name, item) for name, item in read.items()}
    _expect_no_differences(reversed(api.responses), differences, added, "when retrieved")
    api.set_behaviour("items.create.keeps-every-field")
    differences = {name: _difference(_without_id(sent[name]), item) for name, item in added.items()}
    _expect_no_differences(api.responses, differences, added, "when added")
