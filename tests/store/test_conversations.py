import pytest

from mockserver.context import Tenant
from mockserver.errors import ConversationNotFound, ItemIdInUse, UnknownCursor
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation, Item


@pytest.fixture
def make(store, tenant):
    def make(*ids: str, **metadata: str) -> None:
        for conversation_id in ids:
            store.create_conversation(tenant, Conversation(conversation_id, 1, metadata), [])

    return make


@pytest.fixture
def listed(store, tenant):
    def listed(after: str | None = None, limit: int = 50, order="asc", **filters) -> str:
        page = store.conversations(tenant, Paging(after, limit, order), **filters)
        return "".join(conversation.id for conversation in page.data)

    return listed


def message(item_id: str) -> Item:
    return Item(item_id, b'{"type":"message","role":"user","content":"hi","id":"%b"}' % item_id.encode())


def test_a_conversation_comes_back_as_it_was_given(store, tenant):
    conversation = Conversation("a", 17, {"topic": "weather"})
    store.create_conversation(tenant, conversation, [message("1")])
    assert store.conversation(tenant, "a") == conversation
    assert store.item(tenant, "a", "1") == message("1")
    assert store.conversations(tenant, Paging()) == Page([conversation], False)


def test_an_id_is_given_once(store, tenant, make):
    make("a")
    store.delete_conversation(tenant, "a", at=2)
    with pytest.raises(ValueError, match="'a'"):
        make("a")


def test_a_conversation_whose_items_are_refused_is_not_made(store, tenant):
    with pytest.raises(ItemIdInUse):
        store.create_conversation(tenant, Conversation("a", 1, {"k": "v"}), [message("1"), message("1")])
    assert store.conversations(tenant, Paging()).data == []
    assert store.conversations(tenant, Paging(), metadata=[("k", "v")]).data == []
    assert not store.has_item(tenant, "1")
    store.create_conversation(tenant, Conversation("a", 1, {}), [message("1")])


def test_metadata_is_replaced_as_a_whole(store, tenant, make):
    make("a", one="1", two="2")
    updated = store.update_metadata(tenant, "a", {"two": "3"})
    assert updated == Conversation("a", 1, {"two": "3"})
    assert store.conversation(tenant, "a") == updated


def test_deletion_is_soft(store, tenant, make, listed):
    make("a", "b")
    store.add_items(tenant, "a", [message("1")])
    assert store.delete_conversation(tenant, "a", at=9) == Conversation("a", 1, {}, deleted_at=9)
    assert listed() == "b"
    assert store.item(tenant, "a", "1") == message("1")
    assert store.items(tenant, "a", Paging()).data == [message("1")]


def test_a_conversation_may_be_made_deleted(store, tenant, listed):
    store.create_conversation(tenant, Conversation("a", 1, {"k": "v"}, deleted_at=2), [message("1")])
    assert listed() == listed(metadata=[("k", "v")]) == listed(search="hi") == ""
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
def test_a_deleted_conversation_is_not_there(store, tenant, make, call):
    make("a")
    store.add_items(tenant, "a", [message("1")])
    store.delete_conversation(tenant, "a", at=2)
    with pytest.raises(ConversationNotFound):
        call(store, tenant)


@pytest.mark.parametrize("call", (WRITES_AND_READS | ITEM_READS).values(), ids=WRITES_AND_READS | ITEM_READS)
@pytest.mark.parametrize("other", [Tenant("acme", "anna"), Tenant("other")])
def test_what_is_foreign_is_not_there(store, tenant, make, other, call):
    make("a")
    store.add_items(tenant, "a", [message("1")])
    with pytest.raises(ConversationNotFound):
        call(store, other)
    store.create_conversation(other, Conversation("b", 1, {}), [message("1")])
    with pytest.raises(ConversationNotFound):
        call(store, other)
    call(store, tenant)


def test_tenants_do_not_see_each_other(store, tenant, make, listed):
    make("a", k="v")
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
def test_the_list_is_in_the_order_of_the_last_update(store, tenant, make, listed, update):
    make("a", "b", "c")
    store.add_items(tenant, "a", [message("1")])
    store.update_metadata(tenant, "c", {})
    assert listed() == "bac"
    update(store, tenant)
    assert listed() == "bca"
    assert listed(order="desc") == "acb"


def test_reading_and_failing_are_no_updates(store, tenant, make, listed):
    make("a", "b")
    store.add_items(tenant, "b", [message("1")])
    store.conversation(tenant, "a")
    store.items(tenant, "a", Paging())
    with pytest.raises(ItemIdInUse):
        store.add_items(tenant, "a", [message("1")])
    assert listed() == "ab"


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
def test_pages(store, tenant, make, paging, expected):
    make("a", "b", "c", "d", "e")
    page = store.conversations(tenant, paging)
    assert ("".join(conversation.id for conversation in page.data), page.has_more) == expected


def test_the_cursor_of_a_deleted_conversation_stays_where_it_was(store, tenant, make, listed):
    make("a", "b", "c", "d")
    store.delete_conversation(tenant, "b", at=2)
    assert listed(after="b") == "cd"
    assert listed(after="b", order="desc") == "a"
    store.delete_conversation(tenant, "c", at=2)
    assert listed(after="b") == "d"


def test_the_cursor_of_an_updated_conversation_counts_where_it_is_now(store, tenant, make, listed):
    make("a", "b", "c")
    store.update_metadata(tenant, "a", {})
    assert listed(after="a") == ""
    assert listed(after="a", order="desc") == "cb"


def test_the_cursor_need_not_pass_the_filter(store, tenant, make, listed):
    make("a", "b", k="v")
    make("c")
    make("d", k="v")
    assert listed(after="c", metadata=[("k", "v")]) == "d"
    assert listed(after="c", order="desc", metadata=[("k", "v")]) == "ba"


@pytest.mark.parametrize("after", ["nobody", "", "1"])
def test_a_cursor_that_never_was_is_refused(store, tenant, make, after):
    make("a")
    store.add_items(tenant, "a", [message("1")])
    with pytest.raises(UnknownCursor) as refusal:
        store.conversations(tenant, Paging(after))
    assert refusal.value.param == "after"


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
def test_every_pair_of_the_filter_must_match_exactly(make, listed, metadata, expected):
    make("a", k="v")
    make("b", k="v", l="w")
    make("c", k="v", l="w", m="x")
    make("d", k="w", l="w")
    assert listed(metadata=metadata) == expected
    assert listed(metadata=metadata, order="desc") == expected[::-1]


def test_the_filter_follows_updates_and_deletions(store, tenant, make, listed):
    make("a", "b", "c", k="v")
    store.update_metadata(tenant, "a", {"k": "w"})
    store.delete_conversation(tenant, "b", at=2)
    assert listed(metadata=[("k", "v")]) == "c"
    assert listed(metadata=[("k", "w")]) == "a"


@pytest.mark.parametrize("every", [1, 2, 7, 300, 999])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_filtered_pages_join_to_the_filtered_list(store, tenant, make, every, order):
    """However many match, and wherever they are."""
    for number in range(1000):
        make(f"c{number:03}", k=str(number % every == every - 1), half=str(number >= 500))
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


def test_reset_forgets_everything(store, tenant, make, listed):
    make("a", k="v")
    store.add_items(tenant, "a", [message("1")])
    assert listed(search="hi") == "a"
    store.reset()
    assert listed() == listed(metadata=[("k", "v")]) == listed(search="hi") == ""
    assert not store.has_item(tenant, "1")
    make("a")
    store.add_items(tenant, "a", [message("1")])
