"""How the mutants of auth show."""

from collections.abc import Callable

from tests.mutants.client import KEY_ONE, MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import Response


def _with(
    key: str | None, ask: Callable[[MutantClient, str], Response] = lambda api, path: api.get(path)
) -> Callable[[MutantClient], int]:
    """The status of a request for a conversation with another key than its own."""

    def look(api: MutantClient) -> int:
        return ask(api.with_key(key), api.create(items=[user_message("x", id="x")])).status

    return look


def _list_items(api: MutantClient, path: str) -> Response:
    return api.get(f"{path}/items")


def _remove_items(api: MutantClient, path: str) -> Response:
    return api.delete(f"{path}/items", {"item_ids": ["x"]})


def _refusal(api: MutantClient) -> Response:
    return api.with_key(None).get()


KEYS = {
    "no-key-is-let-in": Probe(_with(None), 401, 200),
    "items-are-listed-without-a-key": Probe(
        lambda api: [_with(None)(api.as_end_user("ada")), _with(None, _list_items)(api)], [401, 401], [401, 200]
    ),
    "items-are-removed-without-a-key": Probe(
        lambda api: [_with(None, _list_items)(api.as_end_user("ada")), _with(None, _remove_items)(api)],
        [401, 401],
        [401, 200],
    ),
    "empty-key-is-let-in": Probe(_with("Bearer"), 401, 200),
    "wrong-key-is-let-in": Probe(_with("Bearer wrong"), 401, 200),
    "longer-key-is-let-in": Probe(_with(f"{KEY_ONE}-and-more"), 401, 200),
    "any-scheme-is-let-in": Probe(_with("Token key-one"), 401, 200),
    "403-for-401": Probe(_with(None), 401, 403),
    "401-is-an-empty-page": Probe(lambda api: _refusal(api).status, 401, 200),
    "401-in-the-words-of-the-proxy": Probe(lambda api: list(_refusal(api).json), ["error"], ["message"]),
    "401-has-no-body": Probe(lambda api: _refusal(api).body == b"", False, True),
}
