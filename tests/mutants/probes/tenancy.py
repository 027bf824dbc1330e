"""How the mutants of tenancy show."""

from collections.abc import Callable
from typing import Any

from tests.mutants.client import KEY_TWO, MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import Response


def _bob_on_adas(
    act: Callable[[MutantClient, str, str], Response], owner: str | None = "ada", other: str | None = "bob"
) -> Any:
    """The status of what one end user does to another one's conversation, whose item's id is given as well."""

    def look(api: MutantClient) -> int:
        path = api.as_end_user(owner).create(items=[user_message("secret")], metadata={"of": "ada"})
        item = api.as_end_user(owner).get(f"{path}/items").json["last_id"]
        return act(api.as_end_user(other), path, item).status

    return look


def _listed_for(end_user: str | None, **query: str) -> Callable[[MutantClient], int]:
    """How many conversations someone sees who has none, beside one of Ada's."""

    def look(api: MutantClient) -> int:
        api.as_end_user("ada").create(items=[user_message("secret")], metadata={"of": "ada"})
        return len(api.as_end_user(end_user).list_paths(**query))

    return look


def _by_the_other_key(end_user: str | None) -> Callable[[MutantClient], int]:
    def look(api: MutantClient) -> int:
        path = api.as_end_user(end_user).create()
        return api.as_end_user(end_user).with_key(KEY_TWO).get(path).status

    return look


def _second_listing(api: MutantClient) -> list[int]:
    api.as_end_user("ada").create()
    return [len(api.as_end_user(user).list_paths()) for user in ("ada", "bob")]


TENANCIES = {
    "retrieve-of-others": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path)), 404, 200),
    "update-of-others": Probe(_bob_on_adas(lambda bob, path, item: bob.post(path, {"metadata": {}})), 404, 200),
    "delete-of-others": Probe(_bob_on_adas(lambda bob, path, item: bob.delete(path)), 404, 200),
    "items-listed-for-others": Probe(_bob_on_adas(lambda bob, path, item: bob.get(f"{path}/items")), 404, 200),
    "items-added-by-others": Probe(
        _bob_on_adas(lambda bob, path, item: bob.post(f"{path}/items", {"items": [user_message("x")]})), 404, 200
    ),
    "item-retrieved-by-others": Probe(_bob_on_adas(lambda bob, path, item: bob.get(f"{path}/items/{item}")), 404, 200),
    "items-removed-by-others": Probe(
        _bob_on_adas(lambda bob, path, item: bob.delete(f"{path}/items", {"item_ids": [item]})), 404, 200
    ),
    "account-reads-end-users": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path), other=None), 404, 200),
    "end-users-read-the-account": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path), owner=None), 404, 200),
    "end-user-ignored": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path)), 404, 200),
    "end-user-in-lower-case": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path), other="Ada"), 404, 200),
    "end-user-cut-at-32": Probe(
        _bob_on_adas(lambda bob, path, item: bob.get(path), owner="a" * 32 + "1", other="a" * 32 + "2"), 404, 200
    ),
    "key-ignored": Probe(_by_the_other_key(None), 404, 200),
    "end-users-are-shared-by-keys": Probe(
        lambda api: [_by_the_other_key(user)(api) for user in (None, "ada")], [404, 404], [404, 200]
    ),
    "account-lists-end-users": Probe(_listed_for(None), 0, 1),
    "search-leaks": Probe(_listed_for("bob", search="secret"), 0, 1),
    "metadata-filter-leaks": Probe(_listed_for("bob", metadata='{"of":"ada"}'), 0, 1),
    "descending-list-leaks": Probe(_listed_for("bob", order="desc"), 0, 1),
    "list-is-cached-across-end-users": Probe(_second_listing, [1, 0], [1, 1]),
    "foreign-is-403": Probe(_bob_on_adas(lambda bob, path, item: bob.get(path)), 404, 403),
}
