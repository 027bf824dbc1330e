"""Responses in the store."""

import orjson
import pytest

from mockserver.context import Tenant
from mockserver.errors import ConversationNotFound, ResponseNotFound, UnknownCursor
from mockserver.store.memory import MemoryStore
from mockserver.store.records import Conversation
from mockserver.store.stored_responses import Origin, ResponsePaging, StoredResponse

from .builders import message, reference

TENANT, OTHER = Tenant("acme"), Tenant("acme", "ada")


def response(response_id, *output_ids):
    output = [{"id": item_id} for item_id in output_ids]
    body = {"id": response_id, "output": output, "metadata": {}}
    return StoredResponse(response_id, orjson.dumps(body), [], Origin())


def add(store, *responses):
    for each in responses:
        store.add_response(TENANT, each)
        store.responses(TENANT).index_output(each)


class Run:
    def __init__(self, body):
        self.response = body


@pytest.fixture
def store():
    return MemoryStore()


def test_a_response_is_found_by_its_tenant_only(store):
    stored = response("resp_1")
    add(store, stored)
    assert store.responses(TENANT).get("resp_1") is stored
    for tenant in (OTHER, Tenant("other")):
        with pytest.raises(ResponseNotFound):
            store.responses(tenant).get("resp_1")
        assert store.responses(tenant).find("resp_1") is None
        with pytest.raises(UnknownCursor):
            store.responses(tenant).page(ResponsePaging(after="resp_1"))


def test_an_id_is_never_used_again(store):
    add(store, response("resp_1"))
    with pytest.raises(ValueError, match="resp_1"):
        add(store, response("resp_1"))
    store.responses(TENANT).remove("resp_1")
    with pytest.raises(ValueError, match="resp_1"):
        add(store, response("resp_1"))
    assert store.has_response(TENANT, "resp_1")
    assert not store.has_response(OTHER, "resp_1")


def test_an_erased_response_leaves_no_trace(store):
    add(store, response("resp_1", "msg_1"))
    store.responses(TENANT).erase("resp_1")
    assert not store.has_response(TENANT, "resp_1")
    assert not store.has_item(TENANT, "msg_1")
    assert list(store.all_responses()) == []


def test_output_items_are_found_by_id(store):
    add(store, response("resp_1", "msg_1", "msg_2"))
    assert store.has_item(TENANT, "msg_2")
    assert not store.has_item(OTHER, "msg_2")
    assert store.responses(TENANT).output_item("msg_2") == {"id": "msg_2"}
    assert store.responses(TENANT).output_item("msg_3") is None
    store.responses(TENANT).remove("resp_1")
    assert not store.has_item(TENANT, "msg_2")


def test_output_that_ends_after_deletion_is_not_indexed(store):
    stored = response("resp_1", "msg_1")
    store.add_response(TENANT, stored)
    responses = store.responses(TENANT)
    responses.remove("resp_1")
    responses.index_output(stored)
    assert not store.has_item(TENANT, "msg_1")


def test_a_running_response_is_what_its_run_has_made(store):
    stored = response("resp_1")
    stored.run = Run({"id": "resp_1", "output": [], "status": "in_progress"})
    assert stored.body["status"] == "in_progress"
    stored.update_metadata({"a": "b"})
    stored.run.response["status"] = "completed"
    stored.end()
    assert stored.run is None
    assert stored.body == {"id": "resp_1", "output": [], "status": "completed", "metadata": {"a": "b"}}
    stored.update_metadata({})
    assert stored.body["metadata"] == {}


def test_responses_are_detached_with_their_tenant(store):
    add(store, response("resp_1"))
    detached = store.detach("acme")
    assert list(store.all_responses()) == []
    store.attach(detached)
    assert [(tenant, stored.id) for tenant, stored in store.all_responses("acme")] == [(TENANT, "resp_1")]
    assert list(store.all_responses("other")) == []


# Turns


@pytest.fixture
def conversation(store):
    store.create_conversation(TENANT, Conversation("conv_a", 0, {}), [message("a")])
    store.create_conversation(TENANT, Conversation("conv_b", 0, {}), [message("b"), message("c")])
    return store


def test_a_turn_adds_what_the_conversation_lacks(conversation):
    conversation.append_turn(TENANT, "conv_b", [message("c"), message("a", "other"), message("d"), message("d")])
    tenant_items = next(items for _, record, items in conversation.contents() if record.id == "conv_b")
    assert [(item.id, item.is_reference) for item in tenant_items] == [
        ("b", False),
        ("c", False),
        ("a", True),
        ("d", False),
    ]
    assert orjson.loads(tenant_items[2].data) == {"id": "a", "type": "item_reference"}


def test_a_turn_cannot_be_added_to_a_deleted_conversation(conversation):
    conversation.delete_conversation(TENANT, "conv_b", 1)
    with pytest.raises(ConversationNotFound):
        conversation.append_turn(TENANT, "conv_b", [message("d")])
    with pytest.raises(ConversationNotFound):
        conversation.next_position(TENANT, "conv_b")
    assert [item.id for item in conversation.items_before(TENANT, "conv_b")] == ["b", "c"]


def test_items_before_a_position_are_those_there_at_that_time(conversation):
    position = conversation.next_position(TENANT, "conv_b")
    conversation.add_items(TENANT, "conv_b", [reference("a"), message("d")])
    conversation.delete_item(TENANT, "conv_b", "b")
    assert [item.id for item in conversation.items_before(TENANT, "conv_b", position)] == ["c"]
    assert [item.id for item in conversation.items_before(TENANT, "conv_b")] == ["c", "a", "d"]
    conversation.delete_item(TENANT, "conv_a", "a")
    assert [item.id for item in conversation.items_before(TENANT, "conv_b")] == ["c", "d"]
    assert conversation.items_before(TENANT, "conv_c") == []
