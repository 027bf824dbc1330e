"""What may stand in the metadata of a conversation."""

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect
from mockserver.conformance.paths import conversation_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()

# Nothing that a text may lose on its way: capitals in a key, a number's zeros, what is not Latin, what is not in the
# first plane of Unicode.
TELLING = {
    "session_id": "sess_abc123",
    "Customer Type": "Premium",
    "visits": "0042",
    "gr\u00f6\u00dfe": "\u00fcbergro\u00df",
    "places": "\u0391\u03b8\u03ae\u03bd\u03b1, \u6771\u4eac, \u0627\u0644\u0642\u0627\u0647\u0631\u0629",
    "mood": "glad \N{GRINNING FACE} today",
}


def _is_kept(api: ApiClient, metadata: dict[str, str]) -> None:
    created = api.post("/conversations", {"metadata": metadata}).expect_ok()
    expect(api.get(conversation_path(created["id"])).expect_ok().get("metadata"), metadata, "metadata when retrieved")
    path = conversation_path(api.create_id())
    expect(api.post(path, {"metadata": metadata}).expect_ok().get("metadata"), metadata, "metadata after an update")
    expect(api.get(path).expect_ok().get("metadata"), metadata, "metadata when retrieved after an update")


def _is_refused(api: ApiClient, metadata: object, what: str) -> None:
    path = conversation_path(api.create_id(kept="yes"))
    _refused(api.post("/conversations", {"metadata": metadata}), what)
    with_items = api.post("/conversations", {"metadata": metadata, "items": [message("hello")]})
    if with_items.status != 200 or with_items.body["metadata"]:  # Whether items displace it is another rule.
        _refused(with_items, f"{what}, with items")
    _refused(api.post(path, {"metadata": metadata}), what)
    kept = api.get(path).expect_ok().get("metadata") or {}
    expect(sorted(kept.keys() - {"kept"}), [], "what a refused update has added to the metadata")


def _refused(answer: ApiResponse, what: str) -> None:
    """The answer to a body that is long, so that what is wrong in it must be said."""
    if not 400 <= answer.status < 500:
        answer.fail(f"a 4xx for {what}")


@scenario("conversations.metadata.takes-16-pairs")
def sixteen_pairs_are_kept(api: ApiClient) -> None:
    _is_kept(api, {f"key {number}": f"value {number}" for number in range(16)})


@scenario("conversations.metadata.refuses-17-pairs")
def seventeen_pairs_are_refused(api: ApiClient) -> None:
    _is_refused(api, {f"key {number}": f"value {number}" for number in range(17)}, "17 pairs")


@scenario("conversations.metadata.keys-have-64-characters-at-most")
def a_key_has_64_characters_at_most(api: ApiClient) -> None:
    _is_kept(api, {"k" * 64: "value", "\u00e9" * 64: "value"})
    _is_refused(api, {"k" * 65: "value"}, "a key of 65 characters")


@scenario("conversations.metadata.values-have-512-characters-at-most")
def a_value_has_512_characters_at_most(api: ApiClient) -> None:
    _is_kept(api, {"key": "v" * 512, "other": "\u00e9" * 512})
    _is_refused(api, {"key": "v" * 513}, "a value of 513 characters")


@scenario("conversations.metadata.values-are-strings")
def a_value_is_a_string(api: ApiClient) -> None:
    path = conversation_path(api.create_id(kept="yes"))
    for value in (1, True, None, ["text"], {"text": "text"}):
        _refused(api.post("/conversations", {"metadata": {"key": value}}), f"the value {value!r}")
    for value in (1, None):
        _refused(api.post(path, {"metadata": {"key": value}}), f"the value {value!r}")


@scenario("conversations.metadata.lengths-count-characters")
def lengths_count_characters(api: ApiClient) -> None:
    _is_kept(api, {"\N{GRINNING FACE}" * 64: "\N{GRINNING FACE}" * 512})


@scenario("conversations.metadata.text-comes-back-unchanged")
def text_comes_back_unchanged(api: ApiClient) -> None:
    _is_kept(api, {" key ": " value\n", "empty": "", "\u00e9": "e\u0301 \u05e9\u05dc\u05d5\u05dd"})
    unprintable = {"key": "nothing \0 printable"}
    created = api.post("/conversations", {"metadata": unprintable}).expect_ok()
    expect(created.get("metadata"), unprintable, "metadata with the character U+0000 in the answer")
