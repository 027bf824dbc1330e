import pytest

from mockserver.context import Tenant
from mockserver.errors import ItemIdInUse, ItemNotFound, ReferenceWithinConversation, UnknownCursor
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation, Item
from tests.store.builders import joined_ids, message, reference


@pytest.fixture
def filled(store, tenant):
    """Conversation a has items 1 to 5, b has 6 and a reference to 1, the deleted d has 8."""
    store.create_conversation(tenant, Conversation("a", 1, {}), [message(str(number)) for number in range(1, 6)])
    store.create_conversation(tenant, Conversation("b", 1, {}), [message("6"), reference("1")])
    store.create_conversation(tenant, Conversation("c", 1, {}), [])
    store.create_conversation(tenant, Conversation("d", 1, {}), [message("8")])
    store.delete_conversation(tenant, "d", at=2)
    return store


@pytest.fixture
def list_ids(filled, tenant):
    def list_ids(conversation_id: str, after: str | None = None, limit: int = 100, order="asc") -> str:
        return joined_ids(filled.items(tenant, conversation_id, Paging(after, limit, order)))

    return list_ids


def test_items_are_stored_unchanged_and_in_order(filled, tenant):
    items = [message("z"), message("y"), Item("x", b"{}", False, "resp_1", {"k": "v"}), reference("6")]
    filled.add_items(tenant, "c", items[:1])
    filled.add_items(tenant, "c", items[1:])
    assert filled.items(tenant, "c", Paging()) == Page(items, False)
    for item in items:
        assert filled.item(tenant, "c", item.id) == item


@pytest.mark.parametrize(
    ("paging", "expected"),
    [
        (Paging(None, 3, "asc"), ("123", True)),
        (Paging("2", 3, "asc"), ("345", False)),
        (Paging("5", 3, "asc"), ("", False)),
        (Paging(None, 5, "desc"), ("54321", False)),
        (Paging("4", 2, "desc"), ("32", True)),
    ],
)
def test_pages(filled, tenant, paging, expected):
    page = filled.items(tenant, "a", paging)
    assert (joined_ids(page), page.has_more) == expected


@pytest.mark.parametrize("after", ["nobody", "", "6", "a"])
def test_an_unknown_cursor_is_rejected(filled, tenant, after):
    with pytest.raises(UnknownCursor):
        filled.items(tenant, "a", Paging(after))


def test_a_deleted_cursor_keeps_its_position(filled, tenant, list_ids):
    filled.delete_items(tenant, "a", ["3", "4"])
    assert list_ids("a", after="3") == list_ids("a", after="4") == "5"
    assert list_ids("a", after="3", order="desc") == "21"


def test_a_cursor_whose_id_was_used_again_has_the_new_position(filled, tenant, list_ids):
    filled.delete_item(tenant, "a", "2")
    filled.add_items(tenant, "c", [message("2")])
    assert list_ids("a", after="2") == "345"
    filled.delete_item(tenant, "c", "2")
    filled.add_items(tenant, "a", [message("2"), message("7")])
    assert list_ids("a") == "134527"
    assert list_ids("a", after="2") == "7"
    filled.delete_item(tenant, "a", "2")
    assert list_ids("a", after="2") == "7"


REJECTED = {
    "in use in the conversation": ("a", [message("1")], ItemIdInUse("1", 0)),
    "in use in another": ("c", [message("1")], ItemIdInUse("1", 0)),
    "in use in a deleted one": ("c", [message("8")], ItemIdInUse("8", 0)),
    "twice in the request": ("c", [message("x"), message("y"), message("x")], ItemIdInUse("x", 2)),
    "named by a reference here": ("b", [message("1")], ItemIdInUse("1", 0)),
    "named by a reference before it": ("c", [reference("6"), message("6")], ItemIdInUse("6", 1)),
    "the same reference again": ("b", [reference("1")], ItemIdInUse("1", 0)),
    "the same reference twice": ("c", [reference("6"), reference("6")], ItemIdInUse("6", 1)),
    "a reference to nothing": ("c", [message("x"), reference("y")], ItemNotFound("y", param="items[1].id")),
    "a reference to what comes later": ("c", [reference("x"), message("x")], ItemNotFound("x", param="items[0].id")),
    "a reference within the conversation": ("a", [reference("1")], ReferenceWithinConversation("1", 0)),
    "a reference within the request": ("c", [message("x"), reference("x")], ReferenceWithinConversation("x", 1)),
}


@pytest.mark.parametrize(("conversation", "items", "error"), REJECTED.values(), ids=REJECTED)
def test_items_that_may_not_be_added(filled, tenant, list_ids, conversation, items, error):
    before = list_ids(conversation)
    with pytest.raises(type(error)) as caught:
        filled.add_items(tenant, conversation, items)
    assert caught.value.body() == error.body()
    assert list_ids(conversation) == before
    assert not filled.has_item(tenant, "x")


def test_item_ids_are_separate_for_each_tenant(filled, tenant):
    other = Tenant("acme", "anna")
    filled.create_conversation(other, Conversation("a", 1, {}), [message("1")])
    with pytest.raises(ItemNotFound):
        filled.add_items(other, "a", [reference("6")])


def test_the_id_of_a_deleted_item_can_be_used_again(filled, tenant, list_ids):
    filled.delete_item(tenant, "a", "3")
    assert not filled.has_item(tenant, "3")
    with pytest.raises(ItemNotFound):
        filled.item(tenant, "a", "3")
    filled.add_items(tenant, "c", [message("3", "new")])
    assert filled.item(tenant, "c", "3") == message("3", "new")
    assert list_ids("a") == "1245"


def test_a_reference_stays_when_its_item_is_deleted(filled, tenant, list_ids):
    filled.delete_item(tenant, "a", "1")
    assert filled.item(tenant, "b", "1") == reference("1")
    with pytest.raises(ItemNotFound):
        filled.add_items(tenant, "c", [reference("1")])
    with pytest.raises(ItemIdInUse):
        filled.add_items(tenant, "b", [message("1")])
    filled.add_items(tenant, "c", [message("1")])
    assert list_ids("b") == "61"


def test_deleting_a_reference_keeps_its_item(filled, tenant, list_ids):
    filled.delete_item(tenant, "b", "1")
    assert filled.has_item(tenant, "1")
    assert list_ids("a") == "12345"
    filled.add_items(tenant, "b", [reference("1")])


def test_items_of_deleted_conversations_can_be_referenced(filled, tenant, list_ids):
    filled.add_items(tenant, "c", [reference("8")])
    assert list_ids("c") == "8"


@pytest.mark.parametrize("item_id", ["6", "x", ""])
def test_an_unknown_item_is_not_found(filled, tenant, item_id):
    for call in filled.item, filled.delete_item:
        with pytest.raises(ItemNotFound) as caught:
            call(tenant, "a", item_id)
        assert caught.value.param == "item_id"


def test_deleting_items_returns_the_conversation(filled, tenant, list_ids):
    assert filled.delete_item(tenant, "a", "5") == filled.conversation(tenant, "a")
    assert filled.delete_items(tenant, "a", ["4", "2", "4"]) == filled.conversation(tenant, "a")
    assert list_ids("a") == "13"


def test_deleting_many_is_all_or_nothing(filled, tenant, list_ids):
    with pytest.raises(ItemNotFound) as caught:
        filled.delete_items(tenant, "a", ["1", "2", "6", "x"])
    assert caught.value.body() == ItemNotFound("6", param="item_ids[2]").body()
    assert list_ids("a") == "12345"
