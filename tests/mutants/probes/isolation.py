"""Probes of the family isolation."""

from typing import Any

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe


def _texts_of_both(api: MutantClient, change: Any) -> list[list[Any]]:
    """Create two conversations, change something, and return the texts of both."""
    first, second = api.create_with_messages("a"), api.create_with_messages("b")
    change(api, first, second)
    return [api.list_texts(first), api.list_texts(second)]


def _metadata_of_the_second(api: MutantClient) -> Any:
    first, second = api.create(metadata={"of": "first"}), api.create(metadata={"of": "second"})
    api.post(first, {"metadata": {"of": "changed"}})
    return api.get(second).json["metadata"]


def _remove_through_the_second(api: MutantClient, first: str, second: str) -> None:
    (item,) = api.get(f"{first}/items").json["data"]
    api.delete(f"{second}/items/{item['id']}")


ISOLATED: dict[str, Probe] = {
    "list-shows-items-of-the-next-conversation": Probe(
        lambda api: _texts_of_both(api, lambda *_: None), [["a"], ["b"]], [["a", "b"], ["b"]]
    ),
    "added-items-also-join-the-previous-conversation": Probe(
        lambda api: _texts_of_both(api, lambda api, first, second: api.add(second, user_message("c"))),
        [["a"], ["b", "c"]],
        [["a", "b", "c"], ["b", "c"]],
    ),
    "update-changes-the-next-conversation": Probe(_metadata_of_the_second, {"of": "second"}, {"of": "changed"}),
    "deletion-empties-the-previous-conversation": Probe(
        lambda api: _texts_of_both(api, lambda api, first, second: api.delete(second))[0], ["a"], []
    ),
    "items-are-removed-through-any-conversation": Probe(
        lambda api: _texts_of_both(api, _remove_through_the_second), [["a"], ["b"]], [[], ["b"]]
    ),
}
