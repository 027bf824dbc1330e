import pytest

from mockserver.context import Tenant
from mockserver.errors import ConversationNotFound, ItemIdInUse, UnknownCursor
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation
from tests.store.builders import joined_ids, message


@pytest.fixture
def create(store, tenant):
    def create(*ids: str, **metadata: str) -> None:
        for conversation_id in ids:
            store.create_conversation(tenant, Conversation(conversation_id, 1, metadata), [])

    return create


@pytest.fixture
def list_ids(store, tenant):
    def list_ids(after: str | None = None, limit: int = 50, order="asc", **filters) -> str:
        return joined_ids(store.conversations(tenant, Paging(after, limit, order), **filters))

    return list_ids


def test_a_conversation_is_stored_unchanged(store, tenant):
    conversation = Conversation("a", 17, {"topic": "weather"})
    store.create_conversation(tenant, conversation, [message("1")])
    assert store.conversation(tenant, "a") == conversation
    assert store.item(tenant, "a", "1") == message("1")
    assert store.conversations(tenant, Paging()) == Page([conversation], False)


def test_the_id_of_a_deleted_conversation_stays_in_use(store, tenant, create):
    create("a")
    store.delete_conversation(tenant, "a", at=2)
    with pytest.raises(ValueError, match="'a'"):
        create("a")


def test_a_conversation_with_rejected_items_is_not_created(store, tenant):
    with pytest.raises(ItemIdInUse):
        store.create_conversation(tenant, Conversation("a", 1, {"k": "v"}), [message("1"), message("1")])
    assert store.conversations(tenant, Paging()).data == []
    assert store.conversations(tenant, Paging(), metadata=[("k", "v")]).data == []
    assert not store.has_item(tenant, "1")
    store.create_conversation(tenant, Conversation("a", 1, {}), [message("1")])


def test_an_update_replaces_all_metadata(store, tenant, create):
    create("a", one="1", two="2")
    updated = store.update_metadata(tenant, "a", {"two": "3"})
    assert updated == Conversation("a", 1, {"two": "3"})
    assert store.conversation(tenant, "a") == updated


def test_deletion_is_soft(store, tenant, create, list_ids):
    create("a", "b")
    store.add_items(tenant, "a", [message("1")])
    assert store.delete_conversation(tenant, "a", at=9) == Conversation("a", 1, {}, deleted_at=9)
    assert list_ids() == "b"
    assert store.item(tenant, "a", "1") == message("1")
    assert store.items(tenant, "a", Paging()).data == [message("1")]


def test_a_conversation_can_be_created_as_deleted(store, tenant, list_ids):
    store.create_conversation(tenant, Conversation("a", 1, {"k": "v"}, deleted_at=2), [message("1")])
    assert list_ids() == list_ids(metadata=[("k", "v")]) == list_ids(search="hi") == ""
    assert store.items(tenant, "a", Paging()).data == [message("1")]


WRITES_AND_READS = {
    "retrieve": lambda store, tenant: store.conversation(tenant, "a"),
    "update": lambda store, tenant: store.update_metadata(tenant, "a", {}),
    "delete": lambda store, tenant: store.delete_conversation(tenant, "a", at=3),
    "add": lambda store, tenant: store.add_items(tenant, "a", [message("2")]),
    "delete item": lambda store, tenant: store.delete_item(tenant, "a", "1"),
    "delete items": lambda store, tenant: store.delete_items(tenant, "a", ["1"]),
}
ITEM_READS = {
    "item": lambda store, tenant: store.item(tenant, "a", "1"),
    "items": lambda store, tenant: store.items(tenant, "a", Paging()),
}


@pytest.mark.parametrize("call", WRITES_AND_READS.values(), ids=WRITES_AND_READS)
def test_a_deleted_conversation_is_not_found(store, tenant, create, call):
    create("a")
    store.add_items(tenant, "a", [message("1")])
    store.delete_conversation(tenant, "a", at=2)
    with pytest.raises(ConversationNotFound):
        call(store, tenant)


@pytest.mark.parametrize("call", (WRITES_AND_READS | ITEM_READS).values(), ids=WRITES_AND_READS | ITEM_READS)
@pytest.mark.parametrize("other", [Tenant("acme", "anna"), Tenant("other")])
def test_a_conversation_of_another_tenant_is_not_found(store, tenant, create, other, call):
    create("a")
    store.add_items(tenant, "a", [message("1")])
    with pytest.raises(ConversationNotFound):
        call(store, other)
    store.create_conversation(other, Conversation("b", 1, {}), [message("1")])
    with pytest.raises(ConversationNotFound):
        call(store, other)
    call(store, tenant)


def test_tenants_share_nothing(store, tenant, create, list_ids):
    create("a", k="v")
    other = Tenant("acme", "anna")
    assert store.conversations(other, Paging(), [("k", "v")]) == Page([], False)
    with pytest.raises(UnknownCursor):
        store.conversations(other, Paging("a"))
    store.create_conversation(other, Conversation("a", 5, {}), [message("1")])
    store.delete_conversation(tenant, "a", at=2)
    assert store.conversation(other, "a").created_at == 5
    assert store.has_item(other, "1")
    assert not store.has_item(tenant, "1")


UPDATES = {
    "metadata": lambda store, tenant: store.update_metadata(tenant, "a", {}),
    "items added": lambda store, tenant: store.add_items(tenant, "a", [message("2")]),
    "item deleted": lambda store, tenant: store.delete_item(tenant, "a", "1"),
    "items deleted": lambda store, tenant: store.delete_items(tenant, "a", ["1"]),
}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_the_list_is_ordered_by_last_update(store, tenant, create, list_ids, update):
    create("a", "b", "c")
    store.add_items(tenant, "a", [message("1")])
    store.update_metadata(tenant, "c", {})
    assert list_ids() == "bac"
    update(store, tenant)
    assert list_ids() == "bca"
    assert list_ids(order="desc") == "acb"


def test_reads_and_failed_writes_are_no_updates(store, tenant, create, list_ids):
    create("a", "b")
    store.add_items(tenant, "b", [message("1")])
    store.conversation(tenant, "a")
    store.items(tenant, "a", Paging())
    with pytest.raises(ItemIdInUse):
        store.add_items(tenant, "a", [message("1")])
    assert list_ids() == "ab"


@pytest.mark.parametrize(
    ("paging", "expected"),
    [
        (Paging(None, 3, "asc"), ("abc", True)),
        (Paging("c", 3, "asc"), ("de", False)),
        (Paging("b", 3, "asc"), ("cde", False)),
        (Paging("e", 3, "asc"), ("", False)),
        (Paging(None, 3, "desc"), ("edc", True)),
        (Paging("c", 1, "desc"), ("b", True)),
        (Paging("a", 3, "desc"), ("", False)),
    ],
)
def test_pages(store, tenant, create, paging, expected):
    create("a", "b", "c", "d", "e")
    page = store.conversations(tenant, paging)
    assert (joined_ids(page), page.has_more) == expected


def test_a_deleted_cursor_keeps_its_position(store, tenant, create, list_ids):
    create("a", "b", "c", "d")
    store.delete_conversation(tenant, "b", at=2)
    assert list_ids(after="b") == "cd"
    assert list_ids(after="b", order="desc") == "a"
    store.delete_conversation(tenant, "c", at=2)
    assert list_ids(after="b") == "d"


def test_an_updated_cursor_has_its_new_position(store, tenant, create, list_ids):
    create("a", "b", "c")
    store.update_metadata(tenant, "a", {})
    assert list_ids(after="a") == ""
    assert list_ids(after="a", order="desc") == "cb"


def test_a_cursor_need_not_pass_the_filter(store, tenant, create, list_ids):
    create("a", "b", k="v")
    create("c")
    create("d", k="v")
    assert list_ids(after="c", metadata=[("k", "v")]) == "d"
    assert list_ids(after="c", order="desc", metadata=[("k", "v")]) == "ba"


@pytest.mark.parametrize("after", ["nobody", "", "1"])
def test_an_unknown_cursor_is_rejected(store, tenant, create, after):
    create("a")
    store.add_items(tenant, "a", [message("1")])
    with pytest.raises(UnknownCursor) as caught:
        store.conversations(tenant, Paging(after))
    assert caught.value.param == "after"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ([], "abcd"),
        ([("k", "v")], "abc"),
        ([("k", "v"), ("l", "w")], "bc"),
        ([("l", "w"), ("l", "w")], "bcd"),
        ([("k", "v"), ("k", "w")], ""),
        ([("k", "V")], ""),
        ([("k", "")], ""),
        ([("v", "k")], ""),
    ],
)
def test_all_pairs_of_a_filter_must_match_exactly(create, list_ids, metadata, expected):
    create("a", k="v")
    create("b", k="v", l="w")
    create("c", k="v", l="w", m="x")
    create("d", k="w", l="w")
    assert list_ids(metadata=metadata) == expected
    assert list_ids(metadata=metadata, order="desc") == expected[::-1]


def test_filters_reflect_updates_and_deletions(store, tenant, create, list_ids):
    create("a", "b", "c", k="v")
    store.update_metadata(tenant, "a", {"k": "w"})
    store.delete_conversation(tenant, "b", at=2)
    assert list_ids(metadata=[("k", "v")]) == "c"
    assert list_ids(metadata=[("k", "w")]) == "a"


@pytest.mark.parametrize("every", [1, 2, 7, 300, 999])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_filtered_pages_add_up_to_the_filtered_list(store, tenant, create, every, order):
    for number in range(1000):
        create(f"c{number:03}", k=str(number % every == every - 1), half=str(number >= 500))
    for metadata in [("k", "True")], [("k", "True"), ("half", "True")], [("half", "True")]:
        expected = [
            conversation.id
            for conversation in store.conversations(tenant, Paging(None, 1000, order)).data
            if set(metadata) <= conversation.metadata.items()
        ]
        after, seen, more = None, [], True
        while more:
            page = store.conversations(tenant, Paging(after, 50, order), metadata)
            seen += [conversation.id for conversation in page.data]
            after, more = seen[-1] if seen else None, page.has_more
        assert seen == expected


def test_reset_removes_everything(store, tenant, create, list_ids):
    create("a", k="v")
    store.add_items(tenant, "a", [message("1")])
    assert list_ids(search="hi") == "a"
    store.reset()
    assert list_ids() == list_ids(metadata=[("k", "v")]) == list_ids(search="hi") == ""
    assert not store.has_item(tenant, "1")
    create("a")
    store.add_items(tenant, "a", [message("1")])
