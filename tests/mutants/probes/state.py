"""How the mutants of state show."""

from typing import Any

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe

CALL = {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": " x\n"}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
    "status": "incomplete",
}
COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"
CALL_WITHOUT_CALL_ID = {"type": "function_call_output", "output": "x"}


def _deleted(api: MutantClient) -> str:
    path = api.create_with_messages("a")
    api.delete(path)
    return path


def _removing(api: MutantClient, *indices: int, unknown: bool = False) -> list[Any]:
    """The status of removing some of a, b, c, and what is left of them."""
    path = api.create_with_messages("a", "b", "c")
    ids = [item["id"] for item in api.get(f"{path}/items").json["data"]]
    if len(indices) == 1 and not unknown:
        response = api.delete(f"{path}/items/{ids[indices[0]]}")
    else:
        response = api.delete(f"{path}/items", {"item_ids": [ids[index] for index in indices] + ["no"] * unknown})
    return [response.status, *api.list_texts(path)]


def _kinds_left_without_the_call(api: MutantClient) -> list[str]:
    path = api.create()
    call = api.add(path, CALL, OUTPUT)[0]
    api.delete(f"{path}/items/{call}")
    return [item["type"] for item in api.get(f"{path}/items").json["data"]]


def _updated(api: MutantClient, *updates: dict[str, str]) -> tuple[Any, Any]:
    """The metadata that the last of several updates returns, and what is read then."""
    path = api.create(metadata={"a": "1"})
    api.get(path)
    responses = [api.post(path, {"metadata": update}) for update in updates]
    return responses[-1].json["metadata"], api.get(path).json["metadata"]


def _created_at_of_an_update(api: MutantClient) -> bool:
    return api.post(api.create(), {"metadata": {}}).json["created_at"] > 0


def _texts_after_an_update(api: MutantClient) -> list[str]:
    path = api.create_with_messages("a")
    api.post(path, {"metadata": {}})
    return api.list_texts(path)


def _texts_listed_twice(api: MutantClient) -> list[list[str]]:
    path = api.create_with_messages("a")
    api.list_texts(path)
    api.add(path, user_message("b"))
    return [api.list_texts(path), api.list_texts(path)]


def _half_refused(api: MutantClient) -> list[Any]:
    path = api.create()
    return [
        api.post(f"{path}/items", {"items": [user_message("a"), CALL_WITHOUT_CALL_ID]}).status,
        *api.list_texts(path),
    ]


def _batch(api: MutantClient, count: int) -> list[int]:
    path = api.create_with_messages(*map(str, range(count)))
    return [int(text) for text in api.list_texts(path)]


def _id_after_a_deletion(api: MutantClient) -> bool:
    old = api.create()
    api.delete(old)
    return api.create() == old


def _two_calls(api: MutantClient) -> int:
    return len(set(api.add(api.create(), CALL, CALL)))


def _metadata_read_back(api: MutantClient, metadata: dict[str, str], **more: Any) -> dict[str, str]:
    return api.get(api.create(metadata=metadata, **more)).json["metadata"]


def _item_read_back(api: MutantClient, item: dict[str, Any], field: str) -> list[Any]:
    """A field of an item, retrieved and listed."""
    path = api.create()
    item_id = api.add(path, item)[0]
    listed = api.get(f"{path}/items").json["data"][0]
    return [thing.get(field) for thing in (api.get(f"{path}/items/{item_id}").json, listed)]


STATES = {
    "delete-does-nothing": Probe(lambda api: api.get(_deleted(api)).status, 404, 200),
    "delete-of-an-unknown-id-is-acknowledged": Probe(lambda api: api.delete("/no").status, 404, 200),
    "delete-takes-the-items-along": Probe(lambda api: api.get(f"{_deleted(api)}/items").status, 200, 404),
    "removed-item-stays": Probe(lambda api: _removing(api, 1), [200, "a", "c"], [200, "a", "b", "c"]),
    "removing-an-item-removes-the-next": Probe(lambda api: _removing(api, 1), [200, "a", "c"], [200, "a"]),
    "removing-a-call-removes-its-output": Probe(_kinds_left_without_the_call, ["function_call_output"], []),
    "delete-many-removes-the-first": Probe(lambda api: _removing(api, 0, 2), [200, "b"], [200, "b", "c"]),
    "delete-many-stops-half-way": Probe(
        lambda api: _removing(api, 0, unknown=True), [404, "a", "b", "c"], [404, "b", "c"]
    ),
    "update-merges": Probe(
        lambda api: _updated(api, {"b": "2"}), ({"b": "2"}, {"b": "2"}), ({"a": "1", "b": "2"}, {"a": "1", "b": "2"})
    ),
    "update-is-not-kept": Probe(
        lambda api: _updated(api, {"b": "2"}), ({"b": "2"}, {"b": "2"}), ({"b": "2"}, {"a": "1"})
    ),
    "second-update-is-lost": Probe(
        lambda api: _updated(api, {"b": "2"}, {"c": "3"}), ({"c": "3"}, {"c": "3"}), ({"c": "3"}, {"b": "2"})
    ),
    "update-answers-with-zero-time": Probe(_created_at_of_an_update, True, False),
    "update-empties-the-conversation": Probe(_texts_after_an_update, ["a"], []),
    "read-after-update-is-stale": Probe(
        lambda api: _updated(api, {"b": "2"}), ({"b": "2"}, {"b": "2"}), ({"b": "2"}, {"a": "1"})
    ),
    "list-after-adding-is-stale": Probe(_texts_listed_twice, [["a", "b"], ["a", "b"]], [["a"], ["a", "b"]]),
    "adding-stops-half-way": Probe(_half_refused, [400], [400, "a"]),
    "twentieth-item-is-lost": Probe(lambda api: _batch(api, 20), [*range(20)], [*range(19)]),
    "create-keeps-ten-items": Probe(
        lambda api: len(api.list_texts(api.create(items=[user_message("a") for _ in range(12)]))), 12, 10
    ),
    "long-batch-in-the-order-of-text": Probe(
        lambda api: _batch(api, 12), [*range(12)], [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]
    ),
    "later-items-go-to-the-front": Probe(
        lambda api: (
            path := api.create(items=[user_message("a")]),
            api.add(path, user_message("b")),
            api.list_texts(path),
        )[-1],
        ["a", "b"],
        ["b", "a"],
    ),
    "items-displace-metadata": Probe(
        lambda api: [
            _metadata_read_back(api, {"a": "1"}),
            _metadata_read_back(api, {"a": "1"}, items=[user_message("x")]),
        ],
        [{"a": "1"}, {"a": "1"}],
        [{"a": "1"}, {}],
    ),
    "created-metadata-is-only-answered": Probe(lambda api: _metadata_read_back(api, {"a": "1"}), {"a": "1"}, {}),
    "ids-of-the-deleted-are-used-again": Probe(_id_after_a_deletion, False, True),
    "calls-made-together-share-an-id": Probe(_two_calls, 2, 1),
    "metadata-value-cut-at-255": Probe(lambda api: len(_metadata_read_back(api, {"a": "x" * 300})["a"]), 300, 255),
    "metadata-keys-in-lower-case": Probe(lambda api: _metadata_read_back(api, {"Ab": "C"}), {"Ab": "C"}, {"ab": "C"}),
    "metadata-ends-at-an-emoji": Probe(
        lambda api: _metadata_read_back(api, {"a": "rain \U0001f327 all day"})["a"], "rain \U0001f327 all day", "rain "
    ),
    "retrieved-text-is-normalised": Probe(
        lambda api: _item_read_back(api, user_message(DECOMPOSED), "content"),
        [DECOMPOSED, DECOMPOSED],
        [COMPOSED, DECOMPOSED],
    ),
    "listed-text-is-latin-only": Probe(
        lambda api: _item_read_back(api, user_message("é 東"), "content"), ["é 東", "é 東"], ["é 東", "é ?"]
    ),
    "long-text-is-cut": Probe(
        lambda api: [*map(len, _item_read_back(api, user_message("x" * 70_000), "content"))],
        [70_000, 70_000],
        [65_535, 65_535],
    ),
    "outputs-are-trimmed": Probe(lambda api: _item_read_back(api, OUTPUT, "output"), [" x\n", " x\n"], ["x", "x"]),
    "listed-reasoning-has-no-content": Probe(
        lambda api: [content is None for content in _item_read_back(api, REASONING, "content")],
        [False, False],
        [False, True],
    ),
    "item-status-is-always-completed": Probe(
        lambda api: _item_read_back(api, REASONING, "status"),
        ["incomplete", "incomplete"],
        ["completed", "incomplete"],
    ),
}
