"""What may stand in the metadata of a conversation."""

from mockserver.conformance.api import Api, conversation_path
from mockserver.conformance.scenario import Scenarios, expect

scenario = Scenarios()


def _is_kept(api: Api, metadata: dict[str, str]) -> None:
    created = api.post("/conversations", {"metadata": metadata}).ok()
    expect(api.get(conversation_path(created["id"])).ok()["metadata"], metadata, "metadata when retrieved")
    path = conversation_path(api.create_id())
    expect(api.post(path, {"metadata": metadata}).ok()["metadata"], metadata, "metadata after an update")


def _is_refused(api: Api, metadata: object) -> None:
    path = conversation_path(api.create_id(kept="1"))
    api.post("/conversations", {"metadata": metadata}).refused()
    api.post(path, {"metadata": metadata}).refused()
    expect(api.get(path).ok()["metadata"], {"kept": "1"}, "metadata after the refused update")


@scenario("conversations.metadata.takes-16-pairs")
def sixteen_pairs_are_kept(api: Api) -> None:
    _is_kept(api, {f"key {number}": f"value {number}" for number in range(16)})


@scenario("conversations.metadata.refuses-17-pairs")
def seventeen_pairs_are_refused(api: Api) -> None:
    _is_refused(api, {f"key {number}": f"value {number}" for number in range(17)})


@scenario("conversations.metadata.keys-have-64-characters-at-most")
def a_key_has_64_characters_at_most(api: Api) -> None:
    _is_kept(api, {"k" * 64: "value"})
    _is_refused(api, {"k" * 65: "value"})


@scenario("conversations.metadata.values-have-512-characters-at-most")
def a_value_has_512_characters_at_most(api: Api) -> None:
    _is_kept(api, {"key": "v" * 512})
    _is_refused(api, {"key": "v" * 513})


@scenario("conversations.metadata.values-are-strings")
def a_value_is_a_string(api: Api) -> None:
    for value in (1, True, None, ["text"], {"text": "text"}):
        api.post("/conversations", {"metadata": {"key": value}}).refused()


@scenario("conversations.metadata.lengths-count-characters")
def lengths_count_characters(api: Api) -> None:
    _is_kept(api, {"\N{GRINNING FACE}" * 64: "\N{GRINNING FACE}" * 512})


@scenario("conversations.metadata.text-comes-back-unchanged")
def text_comes_back_unchanged(api: Api) -> None:
    _is_kept(api, {" key ": " value\n", "empty": "", "\u00e9": "e\u0301 \u05e9\u05dc\u05d5\u05dd"})
