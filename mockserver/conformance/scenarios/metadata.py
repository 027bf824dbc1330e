"""Scenarios for the limits and values of metadata."""

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, show
from mockserver.conformance.names import conversation_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()

# Text that careless code changes: capitals in keys, leading zeros, other scripts, characters outside the basic plane.
FRAGILE_METADATA = {
    "session_id": "sess_abc123",
    "Customer Type": "Premium",
    "visits": "0042",
    "gr\u00f6\u00dfe": "\u00fcbergro\u00df",
    "places": "\u0391\u03b8\u03ae\u03bd\u03b1, \u6771\u4eac, \u0627\u0644\u0642\u0627\u0647\u0631\u0629",
    "mood": "glad \N{GRINNING FACE} today",
}


def _check_kept(api: ApiClient, metadata: dict[str, str]) -> None:
    created = api.post("/conversations", {"metadata": metadata}).expect_ok()
    expect(api.retrieve(created["id"]).get("metadata"), metadata, "metadata when retrieved")
    conversation = api.create_id()
    expect(api.update(conversation, **metadata).get("metadata"), metadata, "metadata after an update")
    expect(api.retrieve(conversation).get("metadata"), metadata, "metadata when retrieved after an update")


def _check_rejected(api: ApiClient, metadata: object, case: str) -> None:
    conversation = api.create_id(kept="yes")
    _expect_rejected(api.post("/conversations", {"metadata": metadata}), case)
    with_items = api.post("/conversations", {"metadata": metadata, "items": [message("hello")]})
    if with_items.status != 200 or with_items.body["metadata"]:  # Items may displace them: another behaviour.
        _expect_rejected(with_items, f"{case}, with items")
    _expect_rejected(api.post(conversation_path(conversation), {"metadata": metadata}), case)
    kept = api.retrieve(conversation).get("metadata") or {}
    expect(sorted(kept.keys() - {"kept"}), [], "metadata added by a rejected update")


def _expect_rejected(response: ApiResponse, case: str) -> None:
    if not response.is_client_error:
        response.fail(f"a 4xx for {case}")


@scenario("conversations.metadata.takes-16-pairs")
def sixteen_pairs_are_kept(api: ApiClient) -> None:
    _check_kept(api, {f"key {number}": f"value {number}" for number in range(16)})


@scenario("conversations.metadata.refuses-17-pairs")
def seventeen_pairs_are_rejected(api: ApiClient) -> None:
    _check_rejected(api, {f"key {number}": f"value {number}" for number in range(17)}, "17 pairs")


@scenario("conversations.metadata.keys-have-64-characters-at-most")
def a_key_has_64_characters_at_most(api: ApiClient) -> None:
    _check_kept(api, {"k" * 64: "value", "\u00e9" * 64: "value"})
    _check_rejected(api, {"k" * 65: "value"}, "a key of 65 characters")


@scenario("conversations.metadata.values-have-512-characters-at-most")
def a_value_has_512_characters_at_most(api: ApiClient) -> None:
    _check_kept(api, {"key": "v" * 512, "other": "\u00e9" * 512})
    _check_rejected(api, {"key": "v" * 513}, "a value of 513 characters")


@scenario("conversations.metadata.values-are-strings")
def a_value_is_a_string(api: ApiClient) -> None:
    path = conversation_path(api.create_id(kept="yes"))
    for value in (1, True, None, ["text"], {"text": "text"}):
        _expect_rejected(api.post("/conversations", {"metadata": {"key": value}}), f"the value {show(value)}")
    for value in (1, None):
        _expect_rejected(api.post(path, {"metadata": {"key": value}}), f"the value {show(value)}")


@scenario("conversations.metadata.lengths-count-characters")
def lengths_count_characters(api: ApiClient) -> None:
    _check_kept(api, {"\N{GRINNING FACE}" * 64: "\N{GRINNING FACE}" * 512})


@scenario("conversations.metadata.text-comes-back-unchanged")
def text_comes_back_unchanged(api: ApiClient) -> None:
    _check_kept(api, {" key ": " value\n", "empty": "", "\u00e9": "e\u0301 \u05e9\u05dc\u05d5\u05dd"})
    unprintable = {"key": "nothing \0 printable"}
    created = api.post("/conversations", {"metadata": unprintable}).expect_ok()
    expect(created.get("metadata"), unprintable, "metadata with the character U+0000 in the response")
