"""One conversation: create, retrieve, update, delete, and what it shows of itself."""

import hashlib
import re
import time
from typing import Any

from mockserver.conformance.client import Answer, Api, conversation_path, ids, item_path, items_path, similar_id
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import ACCOUNTS, AccountItself, FakeSettings, Scenarios, expect
from mockserver.conformance.scenarios.metadata import TELLING
from mockserver.conformance.scenarios.reading import texts

scenario = Scenarios()

DAY = 24 * 60 * 60


# -- Create ------------------------------------------------------------------------------------------------


@scenario("conversations.create.answers-with-the-conversation", "conversations.create.keeps-metadata")
def creating_answers_with_the_conversation(api: Api) -> None:
    api.checks("conversations.create.answers-with-the-conversation")
    created = api.create(session_id="sess_abc123", user_type="premium")
    assert isinstance(created["id"], str), f"id: expected text, received {created['id']!r}"
    assert created["id"], "id: expected some text, received none"
    expect(created["object"], "conversation", "object")
    api.checks("conversations.create.keeps-metadata")
    for body in (
        {"metadata": {"session_id": "sess_abc123", "street": "Stra\u00dfe"}},
        {"metadata": TELLING, "items": [says("hello")]},
    ):
        created = _object(api.post("/conversations", body))
        expect(created.get("metadata"), body["metadata"], "metadata in the answer")
        read = _object(api.get(conversation_path(created["id"])))
        expect(read.get("metadata"), body["metadata"], "metadata when retrieved")


def _object(answer: Answer) -> dict[str, Any]:
    """The body of an answer whose text may be what makes it no JSON."""
    body = answer.ok()
    return body if isinstance(body, dict) else answer.fail("a JSON object")


@scenario("conversations.create.ids-are-unique", "conversations.create.needs-neither-items-nor-metadata")
def an_empty_object_creates_a_conversation_each_time(api: Api) -> None:
    api.checks("conversations.create.needs-neither-items-nor-metadata")
    first, second = (str(api.post("/conversations", {}).ok()["id"]) for _ in range(2))
    api.checks("conversations.create.ids-are-unique")
    api.delete(conversation_path(first))
    seen = [first, second, *(api.create_id() for _ in range(2))]
    assert len(set(seen)) == len(seen), f"ids, one of a conversation deleted since: expected four, received {seen!r}"


@scenario("conversations.create.without-metadata-reads-back-empty")
def no_metadata_reads_back_as_an_empty_object(api: Api) -> None:
    created = api.create()
    expect(created.get("metadata"), {}, "metadata in the answer")
    expect(api.get(conversation_path(created["id"])).ok().get("metadata"), {}, "metadata when retrieved")


@scenario("conversations.create.seeds-items", "conversations.create.takes-20-items")
def twenty_items_given_at_creation_are_there(api: Api) -> None:
    sent = [f"number {number}" for number in range(20)]
    api.checks("conversations.create.takes-20-items")
    conversation = api.create_id(*map(says, sent))
    api.checks("conversations.create.seeds-items")
    expect(sorted(texts(api.items(conversation, limit=50))), sorted(sent), "contents of the items")


@scenario("conversations.create.refuses-21-items")
def twenty_one_items_are_too_many_at_creation(api: Api) -> None:
    api.post("/conversations", {"items": [says("hello")] * 21}).refused()


@scenario("conversations.create.refuses-21-items")
def a_refused_creation_leaves_no_conversation(api: Api) -> None:
    if api.post("/conversations", {"items": [says("hello")] * 21}).status != 200:  # Whether it is has its scenario.
        expect(ids(api.conversations()), [], "conversations afterwards")


# -- The conversation itself -------------------------------------------------------------------------------


@scenario("conversations.object.created-at-is-unix-time")
def the_time_of_creation_is_now_in_seconds(api: Api) -> None:
    created_at = api.create()["created_at"]
    distance = abs(created_at - time.time())
    assert distance < DAY, f"created_at: expected about {time.time():.0f}, received {created_at!r}"


@scenario("conversations.object.created-at-is-whole-seconds")
def the_time_of_creation_has_no_fraction(api: Api) -> None:
    created_at = api.create()["created_at"]
    expect(created_at, int(created_at), "created_at")


@scenario("conversations.object.deleted-at-is-null-while-live")
def a_live_conversation_has_a_null_time_of_deletion(api: Api) -> None:
    created = api.create()
    expect(created.get("deleted_at", "absent"), None, "deleted_at in the answer")
    read = api.get(conversation_path(created["id"])).ok()
    expect(read.get("deleted_at", "absent"), None, "deleted_at when retrieved")


_SHOWN = "conversations.object.identity-is-always-shown"


def _identity(caller: Api) -> str:
    """What any other rule about the identity needs."""
    caller.checks(_SHOWN)
    created = caller.create()
    assert created.get("identity"), f"identity in the answer: expected one, received {created!r}"
    return str(created["identity"])


@scenario("conversations.object.identity-is-hash-or-pair", _SHOWN)
def the_identity_is_a_hash_or_a_pair(api: Api) -> None:
    identity = _identity(api)
    api.checks("conversations.object.identity-is-hash-or-pair")
    if not re.fullmatch("[0-9a-fA-F]{64}", identity):
        assert identity.endswith(f":{api.end_user}"), f"identity: expected a hash or a pair, received {identity!r}"


def _shows_an_identity(caller: Api) -> None:
    created = caller.create()
    assert created.get("identity"), f"identity in the answer: expected one, received {created!r}"
    read = caller.get(conversation_path(created["id"])).ok()
    assert read.get("identity"), f"identity when retrieved: expected one, received {read!r}"


@scenario(_SHOWN)
def the_identity_is_shown(api: Api) -> None:
    _shows_an_identity(api)


@scenario(_SHOWN, needs=AccountItself())
def the_identity_is_shown_without_end_user(api: Api) -> None:
    _shows_an_identity(api.as_end_user(None))


@scenario("conversations.object.identity-tells-end-users-apart", _SHOWN)
def the_identity_is_one_per_end_user(api: Api) -> None:
    first, second, other = (_identity(caller) for caller in (api, api, api.other_end_user()))
    api.checks("conversations.object.identity-tells-end-users-apart")
    expect(second, first, "identity of the same end user")
    assert other != first, f"identity of another end user: expected another one, received {other!r} again"


@scenario("conversations.object.identity-hash-covers-account-and-end-user", needs=FakeSettings())
def the_hashed_identity_covers_account_and_end_user(api: Api) -> None:
    expected = hashlib.sha256(f"{ACCOUNTS[0]}:{api.end_user}".encode()).hexdigest()
    expect(api.create()["identity"], expected, "identity")


@scenario("conversations.object.identity-without-end-user", needs=FakeSettings(identity_mode="raw"))
def the_identity_without_end_user_ends_with_the_colon(api: Api) -> None:
    expect(api.create()["identity"], f"{ACCOUNTS[0]}:{api.end_user}", "identity with an end user")
    expect(api.as_end_user(None).create()["identity"], f"{ACCOUNTS[0]}:", "identity without one")


# -- Retrieve ----------------------------------------------------------------------------------------------


@scenario("conversations.retrieve.answers-what-create-answered")
def retrieving_answers_what_creating_answered(api: Api) -> None:
    created = api.create(says("hello"), topic="tests")
    expect(api.get(conversation_path(created["id"])).ok(), created, "the conversation")


@scenario("conversations.retrieve.unknown-id-is-404")
def retrieving_an_unknown_id_answers_404(api: Api) -> None:
    api.get(conversation_path(similar_id(api.create_id()))).refused(404)


# -- Update ------------------------------------------------------------------------------------------------


@scenario("conversations.update.answers-with-the-new-metadata", "conversations.update.changes-nothing-else")
def updating_changes_the_metadata_only(api: Api) -> None:
    created = api.create(says("hello"), user_type="premium")
    path = conversation_path(created["id"])
    items = api.items(created["id"], order="asc")["data"]
    api.checks("conversations.update.answers-with-the-new-metadata")
    for metadata in (  # Each has the keys of the one before: whether a key that is not sent goes is another rule.
        {"user_type": "premium", "status": "active"},
        {"user_type": "basic", "status": "closed", **TELLING},
    ):
        updated = api.post(path, {"metadata": metadata}).ok()
        read = api.get(path).ok()
        expect(updated.get("object"), "conversation", "object in the answer")
        expect(updated.get("metadata"), metadata, "metadata in the answer")
        expect(read.get("metadata"), metadata, "metadata when retrieved")
    api.checks("conversations.update.changes-nothing-else")
    for name in ("id", "created_at"):
        expect(updated.get(name), created[name], f"{name} in the answer")
        expect(read.get(name), created[name], f"{name} when retrieved")
    expect(api.items(created["id"], order="asc")["data"], items, "its items")


@scenario("conversations.update.replaces-the-whole-set", "conversations.update.empty-metadata-clears")
def an_update_replaces_all_metadata(api: Api) -> None:
    path = conversation_path(api.create_id(old="one", kept="two"))
    for rule, metadata in (
        ("conversations.update.replaces-the-whole-set", {"kept": "three", "new": "four"}),
        ("conversations.update.empty-metadata-clears", {}),
    ):
        api.checks(rule)
        expect(api.post(path, {"metadata": metadata}).ok().get("metadata"), metadata, "metadata in the answer")
        expect(api.get(path).ok().get("metadata"), metadata, "metadata when retrieved")


@scenario("conversations.update.needs-metadata", "conversations.update.refuses-null")
def an_update_without_metadata_is_refused(api: Api) -> None:
    path = conversation_path(api.create_id(kept="yes"))
    for rule, body in (
        ("conversations.update.needs-metadata", {}),
        ("conversations.update.refuses-null", {"metadata": None}),
    ):
        api.checks(rule)
        api.post(path, body).refused()


@scenario("conversations.update.unknown-id-is-404")
def updating_an_unknown_id_answers_404(api: Api) -> None:
    api.post(conversation_path(similar_id(api.create_id())), {"metadata": {}}).refused(404)


# -- Delete ------------------------------------------------------------------------------------------------


@scenario("conversations.delete.acknowledges")
def deleting_acknowledges(api: Api) -> None:
    conversation = api.create_id()
    answer = api.delete(conversation_path(conversation)).ok()
    expected = {"id": conversation, "object": "conversation.deleted", "deleted": True}
    expect({name: answer.get(name) for name in expected}, expected, "the answer")


_DELETES = "conversations.delete.deletes"


def _delete(api: Api, conversation: str) -> Answer:
    """Delete a conversation, and see that it is not there as before; the answer is what retrieving it answers now."""
    api.checks(_DELETES)
    api.delete(conversation_path(conversation)).ok()
    answer = api.get(conversation_path(conversation))
    shows_it = isinstance(answer.body, dict) and answer.body.get("deleted_at")
    if not 400 <= answer.status < 500 and not (answer.status == 200 and shows_it):
        answer.fail("a 4xx, or the conversation with its time of deletion")
    return answer


@scenario(_DELETES, "conversations.delete.then-retrieve-is-404")
def a_deleted_conversation_is_gone(api: Api) -> None:
    answer = _delete(api, api.create_id(says("hello")))
    api.checks("conversations.delete.then-retrieve-is-404")
    answer.refused(404)


@scenario(_DELETES, "conversations.delete.leaves-the-list")
def a_deleted_conversation_is_not_listed(api: Api) -> None:
    kept, deleted = api.create_id(), api.create_id(says("hello"))
    api.conversations(order="asc")
    api.checks(_DELETES)
    api.delete(conversation_path(deleted)).ok()
    page = api.conversations(order="asc")
    live = [entry["id"] for entry in page["data"] if not entry.get("deleted_at")]
    expect(live, [kept], "the conversations listed without a time of deletion")
    api.checks("conversations.delete.leaves-the-list")
    expect(ids(page), [kept], "the list afterwards")


@scenario("conversations.delete.items-stay-listed", "conversations.delete.items-stay-retrievable")
def the_items_of_a_deleted_conversation_stay(api: Api) -> None:
    conversation = api.create_id(says("one"))
    before = api.items(conversation)["data"]
    api.delete(conversation_path(conversation)).ok()
    api.checks("conversations.delete.items-stay-listed")
    expect(api.items(conversation)["data"], before, "the list of items")
    api.checks("conversations.delete.items-stay-retrievable")
    item = before[0]["id"]
    expect(api.get(item_path(conversation, item)).ok()["id"], item, "id of the item")


@scenario(
    _DELETES,
    "conversations.delete.then-update-is-404",
    "conversations.delete.then-adding-items-is-404",
    "conversations.delete.then-removing-items-is-404",
)
def a_deleted_conversation_takes_no_writes(api: Api) -> None:
    conversation = api.create_id(says("one"))
    item = ids(api.items(conversation))[0]
    _delete(api, conversation)
    api.checks("conversations.delete.then-update-is-404")
    api.post(conversation_path(conversation), {"metadata": {"a": "b"}}).refused(404)
    api.checks("conversations.delete.then-adding-items-is-404")
    api.post(items_path(conversation), {"items": [says("two")]}).refused(404)
    left = _left(api, conversation)
    if left is not None:
        assert set(left) <= {item}, f"items afterwards: expected none but {item!r}, received {left!r}"
    api.checks("conversations.delete.then-removing-items-is-404")
    api.delete(item_path(conversation, item)).refused(404)
    if left is not None:
        expect(_left(api, conversation), left, "items afterwards")


@scenario(_DELETES, "conversations.delete.then-removing-items-is-404")
def several_items_cannot_be_removed_from_a_deleted_conversation(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    items = ids(api.items(conversation))
    _delete(api, conversation)
    left = _left(api, conversation)
    api.checks("conversations.delete.then-removing-items-is-404")
    api.delete(items_path(conversation), {"item_ids": items}).refused(404)
    if left is not None:
        expect(_left(api, conversation), left, "items afterwards")


def _left(api: Api, conversation: str) -> list[str] | None:
    """The items of a deleted conversation, unless they cannot be listed any more, which is another rule."""
    answer = api.get(items_path(conversation))
    return ids(answer.body) if answer.status == 200 else None


@scenario(_DELETES, "conversations.delete.twice-is-404", "conversations.delete.unknown-id-is-404")
def deleting_twice_answers_404(api: Api) -> None:
    conversation = api.create_id()
    api.checks("conversations.delete.unknown-id-is-404")
    api.delete(conversation_path(similar_id(conversation))).refused(404)
    _delete(api, conversation)
    api.checks("conversations.delete.twice-is-404")
    api.delete(conversation_path(conversation)).refused(404)
