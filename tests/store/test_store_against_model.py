"""The store and the naive model of the API give the same results for every sequence of calls, errors included."""

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mockserver import context
from mockserver.errors import ApiError
from mockserver.resources import serialisation
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation, Item
from tests.stateful.model import Model, Rejection, Tenant

NO_IDS = [""] * 3  # Every item has an id of its own, so that the model needs none from the store.
WORDS = ["sun", "rain", "snow"]
TENANTS = st.sampled_from([Tenant("acme"), Tenant("acme"), Tenant("acme", "anna")])
CONVERSATION_IDS = [f"conv_{number}" for number in range(6)]
CONVERSATIONS = st.sampled_from(CONVERSATION_IDS)
ITEMS = st.sampled_from([f"msg_{number}" for number in range(8)])
METADATA = st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"))
TEXTS = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
REFERENCES = st.fixed_dictionaries({"type": st.just("item_reference"), "id": ITEMS})
MESSAGES = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.just("user"), "id": ITEMS, "content": TEXTS}
) | st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "role": st.just("assistant"),
        "id": ITEMS,
        "content": TEXTS,
        "response_id": st.just("resp_1"),
        "metadata": st.none() | METADATA,
    }
)
NEW_ITEMS = st.lists(MESSAGES | MESSAGES | REFERENCES, max_size=3)


def paging(cursors: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"after": st.none() | cursors, "limit": st.integers(1, 4), "order": st.sampled_from(["asc", "desc"])}
    )


def build_item(body: dict[str, Any]) -> Item:
    data = {name: value for name, value in body.items() if name not in ("response_id", "metadata")}
    is_reference = body["type"] == "item_reference"
    return Item(body["id"], orjson.dumps(data), is_reference, body.get("response_id"), body.get("metadata"))


class StoreAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.model = Model()

    def agree(self, expected: Callable[[], Any], actual: Callable[[], bytes]) -> None:
        """Check that both return the same JSON, or raise the same error, but for its wording."""
        try:
            result = expected()
        except Rejection as rejection:
            result = rejection.body
        try:
            assert orjson.loads(actual()) == result
        except ApiError as error:
            body = {"type": "invalid_request_error", "param": error.param, "code": error.status}
            if error.findings:
                body["findings"] = [{"in": one.location, "pointer": one.pointer} for one in error.findings]
            assert body == result

    @initialize()
    def create_conversations(self):
        for conversation_id in CONVERSATION_IDS[:3]:
            self.create(Tenant("acme"), conversation_id, {"k": "v"}, [])

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, metadata=METADATA, items=NEW_ITEMS)
    def create(self, tenant, conversation_id, metadata, items):
        if conversation_id in self.model.tenants[tenant].conversations:
            return
        record = Conversation(conversation_id, 1, metadata)

        def create() -> bytes:
            self.store.create_conversation(context.Tenant(*tenant), record, [build_item(item) for item in items])
            return serialisation.conversation_json(record, tenant.identity)

        body = {"metadata": metadata, "items": items}
        self.agree(lambda: self.model.create(tenant, 1, conversation_id, body, NO_IDS[: len(items)]), create)

    def agree_on_conversation(
        self, tenant: Tenant, expected: Callable[[], Any], actual: Callable[[context.Tenant], Conversation]
    ) -> None:
        self.agree(expected, lambda: serialisation.conversation_json(actual(context.Tenant(*tenant)), tenant.identity))

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, metadata=METADATA)
    def update_metadata(self, tenant, conversation_id, metadata):
        self.agree_on_conversation(
            tenant,
            lambda: self.model.update(tenant, conversation_id, metadata),
            lambda owner: self.store.update_metadata(owner, conversation_id, metadata),
        )

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS)
    def delete(self, tenant, conversation_id):
        def delete() -> bytes:
            record = self.store.delete_conversation(context.Tenant(*tenant), conversation_id, 7)
            assert record.deleted_at == 7
            return serialisation.deleted_conversation_json(record)

        self.agree(lambda: self.model.delete(tenant, conversation_id), delete)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, items=NEW_ITEMS)
    def add_items(self, tenant, conversation_id, items):
        def add_items() -> bytes:
            records = [build_item(item) for item in items]
            self.store.add_items(context.Tenant(*tenant), conversation_id, records)
            return serialisation.item_page_json(Page(records, has_more=False))

        self.agree(lambda: self.model.add_items(tenant, conversation_id, items, NO_IDS[: len(items)]), add_items)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_id=ITEMS)
    def delete_item(self, tenant, conversation_id, item_id):
        self.agree_on_conversation(
            tenant,
            lambda: self.model.delete_item(tenant, conversation_id, item_id),
            lambda owner: self.store.delete_item(owner, conversation_id, item_id),
        )

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_ids=st.lists(ITEMS, min_size=1, max_size=3))
    def delete_items(self, tenant, conversation_id, item_ids):
        self.agree_on_conversation(
            tenant,
            lambda: self.model.delete_items(tenant, conversation_id, item_ids),
            lambda owner: self.store.delete_items(owner, conversation_id, item_ids),
        )

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_id=ITEMS)
    def retrieve(self, tenant, conversation_id, item_id):
        owner, data = context.Tenant(*tenant), self.model.tenants[tenant]
        self.agree_on_conversation(
            tenant,
            lambda: self.model.retrieve(tenant, conversation_id),
            lambda owner: self.store.conversation(owner, conversation_id),
        )
        self.agree(
            lambda: self.model.retrieve_item(tenant, conversation_id, item_id),
            lambda: serialisation.item_json(self.store.item(owner, conversation_id, item_id)),
        )
        assert self.store.has_conversation(owner, conversation_id) == (conversation_id in data.conversations)
        assert self.store.has_item(owner, item_id) == data.has_original(item_id)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, paging=paging(ITEMS))
    def list_items(self, tenant, conversation_id, paging):
        def list_items() -> bytes:
            page = self.store.items(context.Tenant(*tenant), conversation_id, Paging(**paging))
            return serialisation.item_page_json(page)

        self.agree(lambda: self.model.list_items(tenant, conversation_id, **paging), list_items)

    @rule(
        tenant=TENANTS,
        paging=paging(CONVERSATIONS),
        pairs=st.lists(st.tuples(st.sampled_from("kl"), st.sampled_from("vw")), max_size=2),
        search=st.sampled_from(["", " "]) | TEXTS,
    )
    def list_conversations(self, tenant, paging, pairs, search):
        def list_conversations() -> bytes:
            page = self.store.conversations(context.Tenant(*tenant), Paging(**paging), pairs, search)
            return serialisation.conversation_page_json(page, tenant.identity)

        self.agree(
            lambda: self.model.list_conversations(tenant, pairs=pairs, search=search, **paging), list_conversations
        )

    @rule(is_certain=st.integers(0, 9).map(lambda number: number == 0))
    def reset(self, is_certain):
        if is_certain:
            self.store.reset()
            self.model = Model()


StoreAgainstModel.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestStoreAgainstModel = StoreAgainstModel.TestCase
