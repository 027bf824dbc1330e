"""The store that keeps everything in memory."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop
from itertools import islice

from mockserver.context import Tenant
from mockserver.errors import (
    ConversationNotFound,
    ItemIdInUse,
    ItemNotFound,
    ReferenceWithinConversation,
    UnknownCursor,
)
from mockserver.store.paging import Order, Page, Paging, Timeline, page_of
from mockserver.store.protocol import TenantData
from mockserver.store.records import Conversation, Item
from mockserver.store.search import Matches, SearchIndex

# How many items a search may look at one by one before it turns to the whole of its matches: about a millisecond.
_GLANCE = 4000


class MemoryStore:
    """A `Store` that forgets everything when it goes away."""

    def __init__(self) -> None:
        self._tenant_stores: dict[Tenant, _TenantStore] = {}

    def create_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        self._tenant_store_for_writing(tenant).create(conversation, items)

    def conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        return self._tenant_store(tenant).live(conversation_id).record

    def update_metadata(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        return self._tenant_store(tenant).update_metadata(conversation_id, metadata)

    def delete_conversation(self, tenant: Tenant, conversation_id: str, at: int) -> Conversation:
        return self._tenant_store(tenant).delete(conversation_id, at)

    def conversations(
        self,
        tenant: Tenant,
        paging: Paging,
        metadata: Sequence[tuple[str, str]] = (),
        search: str = "",
    ) -> Page[Conversation]:
        return self._tenant_store(tenant).page(paging, metadata, search)

    def add_items(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        self._tenant_store(tenant).add_items(conversation_id, items)

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Item:
        return self._tenant_store(tenant).folder(conversation_id).item(item_id)

    def items(self, tenant: Tenant, conversation_id: str, paging: Paging) -> Page[Item]:
        return self._tenant_store(tenant).folder(conversation_id).page(paging)

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Conversation:
        return self._tenant_store(tenant).delete_item(conversation_id, item_id)

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        return self._tenant_store(tenant).delete_items(conversation_id, item_ids)

    def has_conversation(self, tenant: Tenant, conversation_id: str) -> bool:
        return self._tenant_store(tenant).has(conversation_id)

    def has_item(self, tenant: Tenant, item_id: str) -> bool:
        return item_id in self._tenant_store(tenant).originals

    def reset(self) -> None:
        self._tenant_stores = {}

    def contents(self, account: str | None = None) -> Iterator[tuple[Tenant, Conversation, list[Item]]]:
        for tenant in self._tenants(account):
            for folder in self._tenant_stores[tenant].all():
                yield tenant, folder.record, list(folder.items.walk())

    def restore_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        self._tenant_store_for_writing(tenant).create(conversation, items, trust_references=True)

    def erase_conversation(self, tenant: Tenant, conversation_id: str) -> None:
        self._tenant_store(tenant).erase(conversation_id)

    def detach(self, account: str | None = None) -> TenantData:
        return {tenant: self._tenant_stores.pop(tenant) for tenant in self._tenants(account)}

    def attach(self, detached: TenantData) -> None:
        self._tenant_stores.update(detached)

    def _tenants(self, account: str | None) -> list[Tenant]:
        return [tenant for tenant in self._tenant_stores if account is None or tenant.account == account]

    def _tenant_store_for_writing(self, tenant: Tenant) -> "_TenantStore":
        tenant_store = self._tenant_stores.get(tenant)
        if tenant_store is None:
            tenant_store = self._tenant_stores[tenant] = _TenantStore()
        return tenant_store

    def _tenant_store(self, tenant: Tenant) -> "_TenantStore":
        tenant_store = self._tenant_stores.get(tenant)
        return _TenantStore() if tenant_store is None else tenant_store


class _StoredConversation:
    """A conversation and its items."""

    __slots__ = ("gone", "items", "place", "places", "record")

    def __init__(self, record: Conversation) -> None:
        self.record = record
        self.place = -1  # in the tenant's order of last update; once deleted, the last place it had
        self.items: Timeline[Item] = Timeline()
        self.places: dict[str, int] = {}  # item id -> place in `items`
        self.gone: dict[str, int] = {}  # the last places of items that were deleted, and may have come back

    def item(self, item_id: str) -> Item:
        if item_id not in self.places:
            raise ItemNotFound(item_id)
        return self.items.get(self.places[item_id])

    def page(self, paging: Paging) -> Page[Item]:
        after: int | None = None
        if paging.after is not None:
            after = self.places.get(paging.after, self.gone.get(paging.after))
            if after is None:
                raise UnknownCursor(paging.after)
        return page_of(self.items.walk(after, paging.order), paging.limit)


class _TenantStore:
    """What one tenant has."""

    __slots__ = ("_folders", "_index", "_order", "_pairs", "originals")

    def __init__(self) -> None:
        self._folders: dict[str, _StoredConversation] = {}
        self._order: Timeline[_StoredConversation] = Timeline()
        self._pairs: dict[tuple[str, str], set[_StoredConversation]] = {}
        self._index: SearchIndex[_StoredConversation] | None = None  # from the first search on
        self.originals: dict[str, _StoredConversation] = {}  # id of an item that is no reference -> where it is

    def folder(self, conversation_id: str) -> _StoredConversation:
        """The folder of a conversation, live or deleted."""
        folder = self._folders.get(conversation_id)
        if folder is None:
            raise ConversationNotFound(conversation_id)
        return folder

    def has(self, conversation_id: str) -> bool:
        return conversation_id in self._folders

    def live(self, conversation_id: str) -> _StoredConversation:
        folder = self._folders.get(conversation_id)
        if folder is None or folder.record.deleted_at is not None:
            raise ConversationNotFound(conversation_id)
        return folder

    # -- conversations

    def all(self) -> Iterator[_StoredConversation]:
        """Deleted ones first, then the live ones by last update."""
        yield from (folder for folder in self._folders.values() if folder.record.deleted_at is not None)
        yield from self._order.walk()

    def erase(self, conversation_id: str) -> None:
        folder = self.folder(conversation_id)
        if folder.record.deleted_at is None:
            self._unlist(folder)
        del self._folders[conversation_id]
        for item in folder.items.walk():
            if not item.is_reference:
                del self.originals[item.id]

    def create(self, conversation: Conversation, items: Sequence[Item], *, trust_references: bool = False) -> None:
        if conversation.id in self._folders:
            raise ValueError(f"there is, or was, a conversation {conversation.id!r}")
        folder = _StoredConversation(conversation)
        self._check(folder, items, trust_references=trust_references)
        self._folders[conversation.id] = folder
        folder.place = self._order.append(folder)
        self._index_metadata(folder)
        self._append(folder, items)
        if conversation.deleted_at is not None:
            self._unlist(folder)

    def update_metadata(self, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        folder = self.live(conversation_id)
        self._unindex_metadata(folder)
        folder.record = folder.record._replace(metadata=metadata)
        self._index_metadata(folder)
        self._move_to_newest(folder)
        return folder.record

    def delete(self, conversation_id: str, at: int) -> Conversation:
        folder = self.live(conversation_id)
        folder.record = folder.record._replace(deleted_at=at)
        self._unlist(folder)
        return folder.record

    def _unlist(self, folder: _StoredConversation) -> None:
        """Take a conversation off the list."""
        self._order.remove(folder.place)
        self._unindex_metadata(folder)
        if self._index is not None:
            for item in folder.items.walk():
                if not item.is_reference:
                    self._index.remove(item.id)

    def _move_to_newest(self, folder: _StoredConversation) -> None:
        """Make it the one updated last."""
        if self._order.is_newest(folder.place):
            return
        self._order.remove(folder.place)
        folder.place = self._order.append(folder)

    def _index_metadata(self, folder: _StoredConversation) -> None:
        for pair in folder.record.metadata.items():
            self._pairs.setdefault(pair, set()).add(folder)

    def _unindex_metadata(self, folder: _StoredConversation) -> None:
        for pair in folder.record.metadata.items():
            folders = self._pairs[pair]
            folders.discard(folder)
            if not folders:
                del self._pairs[pair]

    # -- the list of conversations

    def page(self, paging: Paging, metadata: Sequence[tuple[str, str]], search: str) -> Page[Conversation]:
        after = None
        if paging.after is not None:
            if paging.after not in self._folders:
                raise UnknownCursor(paging.after)
            after = self._folders[paging.after].place
        order, limit = paging.order, paging.limit
        sets: list[set[_StoredConversation]] = [self._pairs.get(pair, set()) for pair in metadata]
        folders: Page[_StoredConversation] | None = None
        if search.strip():
            matches = self._search(search)
            folders = _page_at_a_glance(self._among(sets, after, order), matches, limit)
            if folders is None:
                sets.append(matches.owners())
        if folders is None:
            folders = page_of(self._among(sets, after, order), limit)
        return Page([folder.record for folder in folders.data], folders.has_more)

    def _among(
        self, sets: Sequence[set[_StoredConversation]], after: int | None, order: Order
    ) -> Iterator[_StoredConversation]:
        """The live folders beyond `after` that are in all the sets, in order."""
        walk = self._order.walk(after, order)
        if not sets:
            yield from walk
            return
        # Where many match, walking comes upon them soon; where few do, putting them in order is cheap. A walk of
        # a quarter as many steps as there are candidates costs far less than ordering them: always worth a try.
        # Where every third of all is a candidate, walking all the way costs less.
        fewest, *others = sorted(sets, key=len)
        are_many = not others and len(fewest) * 3 >= len(self._folders)
        steps: Iterator[_StoredConversation] = walk if are_many else islice(walk, len(fewest) // 4)
        for folders in (fewest, *others):
            steps = filter(folders.__contains__, steps)
        for folder in steps:
            yield folder
            after = folder.place
        if next(walk, None) is None:
            return
        sign = 1 if order == "asc" else -1
        rest = [sign * folder.place for folder in fewest.intersection(*others)]
        if after is not None:
            rest = [place for place in rest if place > sign * after]
        heapify(rest)
        while rest:
            yield self._order.get(sign * heappop(rest))

    def _search(self, search: str) -> Matches[_StoredConversation]:
        if self._index is None:
            self._index = SearchIndex()
            for folder in self._order.walk():
                for item in folder.items.walk():
                    if not item.is_reference:
                        self._index.add(folder, item)
        return self._index.search(search)

    # -- items

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        folder = self.live(conversation_id)
        self._check(folder, items)
        self._append(folder, items)
        self._move_to_newest(folder)

    def _check(self, folder: _StoredConversation, items: Sequence[Item], *, trust_references: bool = False) -> None:
        """Whether the items may be added, all of them."""
        originals, places = self.originals, folder.places
        earlier: dict[str, bool] = {}  # id -> whether it is a reference, for what comes before in the request
        for index, item in enumerate(items):
            item_id = item.id
            if item.is_reference and not trust_references:
                home = folder if earlier.get(item_id) is False else originals.get(item_id)
                if home is None:
                    raise ItemNotFound(item_id, param=f"items[{index}].id")
                if home is folder:
                    raise ReferenceWithinConversation(item_id, index)
            elif not item.is_reference and item_id in originals:
                raise ItemIdInUse(item_id, index)
            if item_id in places or item_id in earlier:
                raise ItemIdInUse(item_id, index)
            earlier[item_id] = item.is_reference

    def _append(self, folder: _StoredConversation, items: Sequence[Item]) -> None:
        for item in items:
            folder.places[item.id] = folder.items.append(item)
            if not item.is_reference:
                self.originals[item.id] = folder
                if self._index is not None:
                    self._index.add(folder, item)

    def delete_item(self, conversation_id: str, item_id: str) -> Conversation:
        folder = self.live(conversation_id)
        if item_id not in folder.places:
            raise ItemNotFound(item_id)
        self._remove(folder, item_id)
        self._move_to_newest(folder)
        return folder.record

    def delete_items(self, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        folder = self.live(conversation_id)
        for index, item_id in enumerate(item_ids):
            if item_id not in folder.places:
                raise ItemNotFound(item_id, param=f"item_ids[{index}]")
        for item_id in dict.fromkeys(item_ids):
            self._remove(folder, item_id)
        self._move_to_newest(folder)
        return folder.record

    def _remove(self, folder: _StoredConversation, item_id: str) -> None:
        place = folder.gone[item_id] = folder.places.pop(item_id)
        if not folder.items.remove(place).is_reference:
            del self.originals[item_id]
            if self._index is not None:
                self._index.remove(item_id)


def _page_at_a_glance(
    candidates: Iterator[_StoredConversation], matches: Matches[_StoredConversation], limit: int
) -> Page[_StoredConversation] | None:
    """The page of those candidates that have a match; None when it is not quick to find.

    Where matches are many, looking at the items one by one fills a page long before all matches are gathered;
    looking at more items than there are matches cannot pay.
    """
    left = min(len(matches), _GLANCE)
    data: list[_StoredConversation] = []
    for folder in candidates:
        left -= 1
        for item_id in folder.places:
            if left < 0:
                break
            left -= 1
            if item_id in matches:
                data.append(folder)
                break
        if len(data) > limit:
            break
        if left < 0:
            return None
    return page_of(iter(data), limit)
