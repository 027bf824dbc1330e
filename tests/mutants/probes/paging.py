"""How the mutants of paging show."""

from typing import Any

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe


def _numbered(api: MutantClient, count: int) -> list[str]:
    return [api.create() for _ in range(count)]


def _places(api: MutantClient, count: int, **query: Any) -> list[int]:
    """Where the listed conversations stand in the order of their creation."""
    paths = _numbered(api, count)
    if "after" in query:
        query["after"] = paths[query["after"]][1:]
    return [paths.index(path) for path in api.list_paths(**query)]


def _thread(api: MutantClient, count: int) -> tuple[str, list[str]]:
    path = api.create()
    ids = []
    for start in range(0, count, 20):
        ids += api.add(path, *[user_message(str(number)) for number in range(start, min(start + 20, count))])
    return path, ids


def _item_places(api: MutantClient, count: int, **query: Any) -> list[int]:
    """Where the listed items stand in the order in which they were added."""
    path, ids = _thread(api, count)
    if "after" in query:
        query["after"] = ids[query["after"]]
    return [ids.index(item["id"]) for item in api.get(f"{path}/items", **query).json["data"]]


def _more_items(api: MutantClient, count: int, **query: Any) -> bool:
    path, ids = _thread(api, count)
    if "after" in query:
        query["after"] = ids[query["after"]]
    return api.get(f"{path}/items", **query).json["has_more"]


def _last_place(api: MutantClient, **query: Any) -> int:
    path, ids = _thread(api, 4)
    return ids.index(api.get(f"{path}/items", **query).json["last_id"])


def _after_creation(api: MutantClient) -> tuple[int, bool]:
    response = api.post(f"{api.create()}/items", {"items": [user_message("a"), user_message("b")]}).json
    return [item["id"] for item in response["data"]].index(response["last_id"]), response["has_more"]


def _updated_first(api: MutantClient) -> list[int]:
    paths = _numbered(api, 3)
    api.post(paths[0], {"metadata": {}})
    return [paths.index(path) for path in api.list_paths()]


def _chosen_ids(api: MutantClient) -> list[str]:
    path = api.create(items=[user_message("1", id="b"), user_message("2", id="a")])
    return [item["id"] for item in api.get(f"{path}/items").json["data"]]


PAGES = {
    "limit-ignored": Probe(lambda api: _places(api, 3, limit=2), [0, 1], [0, 1, 2]),
    "one-item-too-many": Probe(lambda api: _item_places(api, 3, limit=1), [0], [0, 1]),
    "items-page-caps-at-50": Probe(lambda api: len(_item_places(api, 60, limit=100)), 60, 50),
    "items-default-limit-is-10": Probe(lambda api: len(_item_places(api, 20)), 20, 10),
    "descending-ignored": Probe(lambda api: _places(api, 3, order="desc"), [2, 1, 0], [0, 1, 2]),
    "items-newest-first-by-default": Probe(lambda api: _item_places(api, 3), [0, 1, 2], [2, 1, 0]),
    "conversations-newest-first-by-default": Probe(lambda api: _places(api, 3), [0, 1, 2], [2, 1, 0]),
    "cursor-inclusive": Probe(lambda api: _places(api, 3, after=0), [1, 2], [0, 1, 2]),
    "cursor-inclusive-in-descending-order": Probe(
        lambda api: (_item_places(api, 3, after=1), _item_places(api, 3, after=1, order="desc")),
        ([2], [0]),
        ([2], [1, 0]),
    ),
    "cursor-ignored-for-items": Probe(lambda api: _item_places(api, 3, after=1), [2], [0, 1, 2]),
    "second-page-skips-one": Probe(lambda api: _places(api, 4, after=0, limit=2), [1, 2], [2, 3]),
    "has-more-is-always-false": Probe(
        lambda api: (_numbered(api, 3), api.get(limit=2).json["has_more"])[1], True, False
    ),
    "full-last-page-promises-more": Probe(lambda api: _more_items(api, 2, limit=2), False, True),
    "second-page-claims-to-be-the-last": Probe(
        lambda api: [_more_items(api, 5, limit=2), _more_items(api, 5, limit=2, after=1)], [True, True], [True, False]
    ),
    "last-id-is-the-first-in-descending-order": Probe(
        lambda api: [_last_place(api, limit=2), _last_place(api, limit=2, order="desc")], [1, 2], [1, 3]
    ),
    "last-id-of-new-items-is-the-first": Probe(_after_creation, (1, False), (0, False)),
    "added-items-promise-more": Probe(_after_creation, (1, False), (1, True)),
    "last-page-of-items-has-no-last-id": Probe(
        lambda api: "last_id" in api.get(f"{api.create_with_messages('a')}/items").json, True, False
    ),
    "descending-page-is-an-ascending-one-reversed": Probe(
        lambda api: [
            _places(api.as_end_user("ada"), 3, order="desc", limit=3),
            _places(api.as_end_user("bob"), 3, order="desc", limit=2),
        ],
        [[2, 1, 0], [2, 1]],
        [[2, 1, 0], [1, 0]],
    ),
    "ordered-by-creation": Probe(_updated_first, [1, 2, 0], [0, 1, 2]),
    "items-ordered-by-id": Probe(_chosen_ids, ["b", "a"], ["a", "b"]),
    "found-twice-is-listed-twice": Probe(
        lambda api: (api.create_with_messages("rain", "Rain again"), len(api.list_paths(search="rain")))[1], 1, 2
    ),
    "twentieth-is-cut-off": Probe(lambda api: len(_places(api, 21)), 20, 19),
}
