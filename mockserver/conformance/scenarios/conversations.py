"""Scenarios for one conversation: create, retrieve, update, delete, and its fields."""

import hashlib
import re
import time
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ABSENT, expect, require, require_text, show
from mockserver.conformance.names import conversation_path, item_path, items_path, unknown_id_like
from mockserver.conformance.response import ApiResponse, ids, texts
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import ACCOUNTS, AccountItself, FakeSettings, Scenarios
from mockserver.conformance.scenarios.metadata import FRAGILE_METADATA

scenario = Scenarios()

DAY = 24 * 60 * 60


# -- Create ------------------------------------------------------------------------------------------------


@scenario("conversations.create.answers-with-the-conversation", "conversations.create.keeps-metadata")
def creating_returns_the_conversation(api: ApiClient) -> None:
    api.set_behaviour("conversations.create.answers-with-the-conversation")
    created = api.create(session_id="sess_abc123", user_type="premium")
    require_text(created["id"], "id")
    expect(created["object"], "conversation", "object")
    api.set_behaviour("conversations.create.keeps-metadata")
    for body in (
        {"metadata": {"session_id": "sess_abc123", "street": "Stra\u00dfe"}},
        {"metadata": FRAGILE_METADATA, "items": [message("hello")]},
    ):
        created = _object(api.post("/conversations", body))
        expect(created.get("metadata"), body["metadata"], "metadata in the response")
        read = _object(api.get(conversation_path(created["id"])))
        expect(read.get("metadata"), body["metadata"], "metadata when retrieved")


def _object(response: ApiResponse) -> dict[str, Any]:
    """Return the body; fail unless it is an object, because text that is kept badly can break the JSON."""
    body = response.expect_ok()
    return body if isinstance(body, dict) else response.fail("a JSON object")


@scenario("conversations.create.ids-are-unique", "conversations.create.needs-neither-items-nor-metadata")
def every_empty_object_creates_a_conversation(api: ApiClient) -> None:
    api.set_behaviour("conversations.create.needs-neither-items-nor-metadata")
    first, second = (str(api.post("/conversations", {}).expect_ok()["id"]) for _ in range(2))
    api.set_behaviour("conversations.create.ids-are-unique")
    api.delete(conversation_path(first))
    seen = [first, second, *(api.create_id() for _ in range(2))]
    require(len(set(seen)) == len(seen), "ids of four conversations, one of them deleted", "different ones", seen)


@scenario("conversations.create.without-metadata-reads-back-empty")
def missing_metadata_reads_back_as_an_empty_object(api: ApiClient) -> None:
    created = api.create()
    expect(created.get("metadata"), {}, "metadata in the response")
    expect(api.retrieve(created["id"]).get("metadata"), {}, "metadata when retrieved")


@scenario("conversations.create.seeds-items", "conversations.create.takes-20-items")
def a_conversation_can_be_created_with_20_items(api: ApiClient) -> None:
    sent = [f"number {number}" for number in range(20)]
    api.set_behaviour("conversations.create.takes-20-items")
    conversation = api.create_id(*map(message, sent))
    api.set_behaviour("conversations.create.seeds-items")
    expect(sorted(texts(api.list_items(conversation, limit=50))), sorted(sent), "texts of the items")


@scenario("conversations.create.refuses-21-items")
def creating_with_21_items_is_rejected(api: ApiClient) -> None:
    api.post("/conversations", {"items": [message("hello")] * 21}).expect_error()


@scenario("conversations.create.refuses-21-items")
def a_rejected_request_creates_no_conversation(api: ApiClient) -> None:
    if api.post("/conversations", {"items": [message("hello")] * 21}).status != 200:
        expect(api.conversation_ids(), [], "conversations afterwards")


# -- Fields ------------------------------------------------------------------------------------------------


@scenario("conversations.object.created-at-is-unix-time")
def created_at_is_the_current_time_in_seconds(api: ApiClient) -> None:
    created_at = api.create()["created_at"]
    distance = abs(created_at - time.time())
    require(distance < DAY, "created_at", f"about {time.time():.0f}", created_at)


@scenario("conversations.object.created-at-is-whole-seconds")
def created_at_has_no_fraction(api: ApiClient) -> None:
    created_at = api.create()["created_at"]
    expect(created_at, int(created_at), "created_at")


@scenario("conversations.object.deleted-at-is-null-while-live")
def deleted_at_of_a_live_conversation_is_null(api: ApiClient) -> None:
    created = api.create()
    expect(created.get("deleted_at", ABSENT), None, "deleted_at in the response")
    read = api.retrieve(created["id"])
    expect(read.get("deleted_at", ABSENT), None, "deleted_at when retrieved")


_SHOWN = "conversations.object.identity-is-always-shown"


def _require_identity(caller: ApiClient) -> str:
    """Return the identity, which every other behaviour about it needs."""
    caller.set_behaviour(_SHOWN)
    created = caller.create()
    require(created.get("identity"), "identity in the response", "one", created)
    return str(created["identity"])


@scenario("conversations.object.identity-is-hash-or-pair", _SHOWN)
def the_identity_is_a_hash_or_a_pair(api: ApiClient) -> None:
    identity = _require_identity(api)
    api.set_behaviour("conversations.object.identity-is-hash-or-pair")
    if not re.fullmatch("[0-9a-fA-F]{64}", identity):
        require(identity.endswith(f":{api.end_user}"), "identity", "a hash or a pair", identity)


@scenario(_SHOWN)
def the_identity_is_shown(api: ApiClient) -> None:
    created = api.create()
    require(created.get("identity"), "identity in the response", "one", created)
    read = api.retrieve(created["id"])
    require(read.get("identity"), "identity when retrieved", "one", read)


@scenario(_SHOWN, needs=AccountItself())
def the_identity_is_shown_without_end_user(api: ApiClient) -> None:
    the_identity_is_shown(api.with_end_user(None))


@scenario("conversations.object.identity-tells-end-users-apart", _SHOWN)
def each_end_user_has_one_identity(api: ApiClient) -> None:
    first, second, other = (_require_identity(caller) for caller in (api, api, api.with_new_end_user()))
    api.set_behaviour("conversations.object.identity-tells-end-users-apart")
    expect(second, first, "identity of the same end user")
    require(other != first, "identity of another end user", "a different one", other)


@scenario("conversations.object.identity-hash-covers-account-and-end-user", needs=FakeSettings())
def the_identity_is_the_hash_of_account_and_end_user(api: ApiClient) -> None:
    expected = hashlib.sha256(f"{ACCOUNTS[0]}:{api.end_user}".encode()).hexdigest()
    expect(api.create()["identity"], expected, "identity")


@scenario("conversations.object.identity-without-end-user", needs=FakeSettings(identity_mode="raw"))
def the_identity_without_end_user_ends_with_the_colon(api: ApiClient) -> None:
    expect(api.create()["identity"], f"{ACCOUNTS[0]}:{api.end_user}", "identity with an end user")
    expect(api.with_end_user(None).create()["identity"], f"{ACCOUNTS[0]}:", "identity without an end user")


# -- Retrieve ----------------------------------------------------------------------------------------------


@scenario("conversations.retrieve.answers-what-create-answered")
def retrieving_returns_the_created_conversation(api: ApiClient) -> None:
    created = api.create(message("hello"), topic="tests")
    expect(api.retrieve(created["id"]), created, "conversation")


@scenario("conversations.retrieve.unknown-id-is-404")
def retrieving_an_unknown_id_returns_404(api: ApiClient) -> None:
    api.get(conversation_path(unknown_id_like(api.create_id()))).expect_error(404)


# -- Update ------------------------------------------------------------------------------------------------


@scenario("conversations.update.answers-with-the-new-metadata", "conversations.update.changes-nothing-else")
def an_update_changes_only_the_metadata(api: ApiClient) -> None:
    created = api.create(message("hello"), user_type="premium")
    items = api.list_items(created["id"], order="asc")["data"]
    api.set_behaviour("conversations.update.answers-with-the-new-metadata")
    for metadata in (  # No key is ever missing: whether that removes it is another behaviour.
        {"user_type": "premium", "status": "active"},
        {"user_type": "basic", "status": "closed", **FRAGILE_METADATA},
    ):
        updated = api.update(created["id"], **metadata)
        read = api.retrieve(created["id"])
        expect(updated.get("object"), "conversation", "object in the response")
        expect(updated.get("metadata"), metadata, "metadata in the response")
        expect(read.get("metadata"), metadata, "metadata when retrieved")
    api.set_behaviour("conversations.update.changes-nothing-else")
    for name in ("id", "created_at"):
        expect(updated.get(name), created[name], f"{name} in the response")
        expect(read.get(name), created[name], f"{name} when retrieved")
    expect(api.list_items(created["id"], order="asc")["data"], items, "items")


@scenario("conversations.update.replaces-the-whole-set", "conversations.update.empty-metadata-clears")
def an_update_replaces_all_metadata(api: ApiClient) -> None:
    conversation = api.create_id(old="one", kept="two")
    for behaviour, metadata in (
        ("conversations.update.replaces-the-whole-set", {"kept": "three", "new": "four"}),
        ("conversations.update.empty-metadata-clears", {}),
    ):
        api.set_behaviour(behaviour)
        expect(api.update(conversation, **metadata).get("metadata"), metadata, "metadata in the response")
        expect(api.retrieve(conversation).get("metadata"), metadata, "metadata when retrieved")


@scenario("conversations.update.needs-metadata", "conversations.update.refuses-null")
def an_update_without_metadata_is_rejected(api: ApiClient) -> None:
    path = conversation_path(api.create_id(kept="yes"))
    for behaviour, body in (
        ("conversations.update.needs-metadata", {}),
        ("conversations.update.refuses-null", {"metadata": None}),
    ):
        api.set_behaviour(behaviour)
        api.post(path, body).expect_error()


@scenario("conversations.update.unknown-id-is-404")
def updating_an_unknown_id_returns_404(api: ApiClient) -> None:
    api.post(conversation_path(unknown_id_like(api.create_id())), {"metadata": {}}).expect_error(404)


# -- Delete ------------------------------------------------------------------------------------------------


@scenario("conversations.delete.acknowledges")
def deleting_returns_an_acknowledgement(api: ApiClient) -> None:
    conversation = api.create_id()
    response = api.delete(conversation_path(conversation)).expect_ok()
    expected = {"id": conversation, "object": "conversation.deleted", "deleted": True}
    expect({name: response.get(name) for name in expected}, expected, "acknowledgement")


_DELETES = "conversations.delete.deletes"


def _delete(api: ApiClient, conversation: str) -> ApiResponse:
    """Delete a conversation, check that it counts as deleted, and return the response to retrieving it."""
    api.set_behaviour(_DELETES)
    api.delete(conversation_path(conversation)).expect_ok()
    response = api.get(conversation_path(conversation))
    shows_deletion = response.status == 200 and isinstance(response.body, dict) and response.body.get("deleted_at")
    if not response.is_client_error and not shows_deletion:
        response.fail("a 4xx, or the conversation with its deleted_at")
    return response


@scenario(_DELETES, "conversations.delete.then-retrieve-is-404")
def a_deleted_conversation_cannot_be_retrieved(api: ApiClient) -> None:
    response = _delete(api, api.create_id(message("hello")))
    api.set_behaviour("conversations.delete.then-retrieve-is-404")
    response.expect_error(404)


@scenario(_DELETES, "conversations.delete.leaves-the-list")
def a_deleted_conversation_is_not_listed(api: ApiClient) -> None:
    kept, deleted = api.create_id(), api.create_id(message("hello"))
    api.list_conversations(order="asc")
    api.set_behaviour(_DELETES)
    api.delete(conversation_path(deleted)).expect_ok()
    page = api.list_conversations(order="asc")
    live = [entry["id"] for entry in page["data"] if not entry.get("deleted_at")]
    expect(live, [kept], "listed conversations without deleted_at")
    api.set_behaviour("conversations.delete.leaves-the-list")
    expect(ids(page), [kept], "listed conversations")


@scenario("conversations.delete.items-stay-listed", "conversations.delete.items-stay-retrievable")
def the_items_of_a_deleted_conversation_stay_readable(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    before = api.list_items(conversation)["data"]
    api.delete(conversation_path(conversation)).expect_ok()
    api.set_behaviour("conversations.delete.items-stay-listed")
    expect(api.list_items(conversation)["data"], before, "listed items")
    api.set_behaviour("conversations.delete.items-stay-retrievable")
    item = before[0]["id"]
    expect(api.retrieve_item(conversation, item)["id"], item, "id of the item")


@scenario(
    _DELETES,
    "conversations.delete.then-update-is-404",
    "conversations.delete.then-adding-items-is-404",
    "conversations.delete.then-removing-items-is-404",
)
def a_deleted_conversation_rejects_writes(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    item = api.item_ids(conversation)[0]
    _delete(api, conversation)
    api.set_behaviour("conversations.delete.then-update-is-404")
    api.post(conversation_path(conversation), {"metadata": {"a": "b"}}).expect_error(404)
    api.set_behaviour("conversations.delete.then-adding-items-is-404")
    api.post_items(conversation, message("two")).expect_error(404)
    left = _remaining_items(api, conversation)
    if left is not None:
        require(set(left) <= {item}, "items afterwards", f"none but {show(item)}", left)
    api.set_behaviour("conversations.delete.then-removing-items-is-404")
    api.delete(item_path(conversation, item)).expect_error(404)
    if left is not None:
        expect(_remaining_items(api, conversation), left, "items afterwards")


@scenario(_DELETES, "conversations.delete.then-removing-items-is-404")
def items_cannot_be_removed_from_a_deleted_conversation(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    items = api.item_ids(conversation)
    _delete(api, conversation)
    left = _remaining_items(api, conversation)
    api.set_behaviour("conversations.delete.then-removing-items-is-404")
    api.delete(items_path(conversation), {"item_ids": items}).expect_error(404)
    if left is not None:
        expect(_remaining_items(api, conversation), left, "items afterwards")


def _remaining_items(api: ApiClient, conversation: str) -> list[str] | None:
    """Return the items of a deleted conversation, or None where they can no longer be listed."""
    response = api.get(items_path(conversation))
    return ids(response.body) if response.status == 200 else None


@scenario(_DELETES, "conversations.delete.twice-is-404", "conversations.delete.unknown-id-is-404")
def deleting_twice_returns_404(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("conversations.delete.unknown-id-is-404")
    api.delete(conversation_path(unknown_id_like(conversation))).expect_error(404)
    _delete(api, conversation)
    api.set_behaviour("conversations.delete.twice-is-404")
    api.delete(conversation_path(conversation)).expect_error(404)
