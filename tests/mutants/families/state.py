"""Stored data that differs from what was written."""

import json
import unicodedata
from collections import defaultdict

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_whole_list, respond_with_page
from tests.mutants.proxy import Json, Mutation, ProxyExchange, json_response

STATE = Family("state")

_READS_OF_ITEMS = ("items.list", "items.retrieve")


# -- Deleting


@STATE.request(
    "delete-does-nothing", "conversations.delete.then-retrieve-is-404", "conversations.delete.leaves-the-list"
)
async def delete_does_nothing(exchange: ProxyExchange) -> None:
    """Deleting a conversation is acknowledged, and the conversation stays."""
    if exchange.operation == "delete":
        found = await exchange.fetch("GET", exchange.conversation_path)
        if found.status == 200:
            exchange.response = json_response(
                200, {"id": exchange.conversation_id, "object": "conversation.deleted", "deleted": True}
            )


@STATE.response("delete-of-an-unknown-id-is-acknowledged", "conversations.delete.unknown-id-is-404")
def delete_of_an_unknown_id_is_acknowledged(exchange: ProxyExchange) -> None:
    """Deleting a conversation that never was, or is no more, is acknowledged."""
    if exchange.operation == "delete" and exchange.response.status == 404:
        exchange.response = json_response(
            200, {"id": exchange.conversation_id, "object": "conversation.deleted", "deleted": True}
        )


@STATE.mutation(
    "delete-takes-the-items-along",
    "conversations.delete.items-stay-listed",
    "conversations.delete.items-stay-retrievable",
)
class DeleteTakesTheItemsAlong(Mutation):
    """Deleting a conversation deletes its items."""

    def __init__(self) -> None:
        self._deleted: set[str] = set()

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "delete" and exchange.has_succeeded:
            self._deleted.add(exchange.conversation_id)
        if (
            exchange.operation in _READS_OF_ITEMS
            and exchange.has_succeeded
            and exchange.conversation_id in self._deleted
        ):
            await exchange.reject(404, f"No conversation has the id '{exchange.conversation_id}'.", "conversation_id")


@STATE.request("removed-item-stays", "items.delete.removes-only-that-item")
async def removed_item_stays(exchange: ProxyExchange) -> None:
    """Removing an item returns the conversation and removes nothing."""
    if exchange.operation == "items.delete":
        found = await exchange.fetch("GET", exchange.subpath)
        if found.status == 200:
            exchange.response = await exchange.fetch("GET", exchange.conversation_path)


@STATE.request("removing-an-item-removes-the-next", "items.delete.removes-only-that-item")
async def removing_an_item_removes_the_next(exchange: ProxyExchange) -> None:
    """Removing an item removes the one behind it as well."""
    if exchange.operation == "items.delete":
        path = f"{exchange.conversation_path}/items"
        page = await exchange.fetch("GET", path, query={"after": exchange.item_id, "limit": 1})
        for item in page.json.get("data", ()):
            await exchange.fetch("DELETE", f"{path}/{item['id']}")


@STATE.request("removing-a-call-removes-its-output", "items.delete.removes-only-that-item")
async def removing_a_call_removes_its_output(exchange: ProxyExchange) -> None:
    """Removing a call removes its output, too."""
    if exchange.operation != "items.delete":
        return
    path = f"{exchange.conversation_path}/items"
    items = (await exchange.fetch("GET", path, query={"limit": 100})).json.get("data", ())
    call = next((item.get("call_id") for item in items if item["id"] == exchange.item_id), None)
    for item in items:
        if call and item.get("call_id") == call and item["id"] != exchange.item_id:
            await exchange.fetch("DELETE", f"{path}/{item['id']}")


@STATE.request("delete-many-removes-the-first", "items.delete-many.removes-exactly-those")
async def delete_many_removes_the_first(exchange: ProxyExchange) -> None:
    """Of several items only the first one named is removed."""
    ids = exchange.request_body.get("item_ids")
    if exchange.operation == "items.deleteMany" and isinstance(ids, list) and len(ids) > 1:
        path = f"{exchange.conversation_path}/items"
        listed = {
            item["id"] for item in (await exchange.fetch("GET", path, query={"limit": 100})).json.get("data", ())
        }
        if listed.issuperset(map(str, ids)):
            exchange.request.json = {"item_ids": ids[:1]}


@STATE.request("delete-many-stops-half-way", "items.delete-many.is-all-or-nothing")
async def delete_many_stops_half_way(exchange: ProxyExchange) -> None:
    """When one of several ids is unknown, those in front of it are removed nevertheless."""
    ids = exchange.request_body.get("item_ids")
    if exchange.operation == "items.deleteMany" and isinstance(ids, list) and all(map(_is_id, ids)):
        for item_id in ids:
            one = await exchange.fetch("DELETE", f"{exchange.conversation_path}/items", body={"item_ids": [item_id]})
            if one.status != 200:
                exchange.response = one
                return
            exchange.response = one


def _is_id(value: Json) -> bool:
    return isinstance(value, str) and value != ""


# -- Updating


@STATE.request("update-merges", "conversations.update.replaces-the-whole-set")
async def update_merges(exchange: ProxyExchange) -> None:
    """New metadata is added to the old."""
    if exchange.operation == "update" and isinstance(new := exchange.request_body.get("metadata"), dict):
        old = (await exchange.fetch("GET", exchange.conversation_path)).json.get("metadata") or {}
        exchange.request.json = exchange.request_body | {"metadata": old | new}


@STATE.request("update-is-not-kept", "conversations.update.answers-with-the-new-metadata")
async def update_is_not_kept(exchange: ProxyExchange) -> None:
    """An update of a conversation that has metadata returns the new and keeps the old."""
    if exchange.operation == "update":
        old = await exchange.fetch("GET", exchange.conversation_path)
        if old.status == 200 and old.json["metadata"]:
            exchange.response = await exchange.resend()
            await exchange.fetch("POST", exchange.conversation_path, body={"metadata": old.json["metadata"]})


@STATE.mutation("second-update-is-lost", "conversations.update.answers-with-the-new-metadata")
class SecondUpdateIsLost(Mutation):
    """The first update of a conversation counts, the later ones are answered and not kept."""

    def __init__(self) -> None:
        self._first: dict[str, Json] = {}

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "update" and exchange.has_succeeded:
            first = self._first.setdefault(exchange.conversation_id, exchange.response_body["metadata"])
            await exchange.fetch("POST", exchange.conversation_path, body={"metadata": first})


@STATE.response("update-answers-with-zero-time", "conversations.update.changes-nothing-else")
def update_answers_with_zero_time(exchange: ProxyExchange) -> None:
    """The response to an update has 0 as the time of creation, which was not read from the database."""
    if exchange.operation == "update":
        exchange.change_conversations(lambda conversation: conversation.update(created_at=0))


@STATE.response("update-empties-the-conversation", "conversations.update.changes-nothing-else")
async def update_empties_the_conversation(exchange: ProxyExchange) -> None:
    """An update writes the row anew, and its items go with the old one."""
    if exchange.operation == "update" and exchange.has_succeeded:
        path = f"{exchange.conversation_path}/items"
        items = (await exchange.fetch("GET", path, query={"limit": 100})).json["data"]
        if items:
            await exchange.fetch("DELETE", path, body={"item_ids": [item["id"] for item in items]})


@STATE.mutation("read-after-update-is-stale", "conversations.update.answers-with-the-new-metadata")
class ReadAfterUpdateIsStale(Mutation):
    """The first read of a conversation after an update still shows what the last read showed."""

    def __init__(self) -> None:
        self._read: dict[tuple, bytes] = {}
        self._written: set[tuple] = set()

    def request(self, exchange: ProxyExchange) -> None:
        key = (exchange.caller, exchange.request.path)
        if exchange.operation == "retrieve" and key in self._written and key in self._read:
            self._written.remove(key)
            exchange.response = json_response(200, json.loads(self._read[key]))

    def response(self, exchange: ProxyExchange) -> None:
        key = (exchange.caller, exchange.request.path)
        if exchange.operation == "retrieve" and exchange.has_succeeded:
            self._read[key] = exchange.response.body
        if exchange.operation == "update" and exchange.has_succeeded:
            self._written.add(key)


@STATE.mutation("list-after-adding-is-stale", "items.list.shows-the-items")
class ListAfterAddingIsStale(Mutation):
    """The first list of items after an addition is the one that was listed last with the same parameters."""

    def __init__(self) -> None:
        self._listed: dict[tuple, bytes] = {}
        self._stale: set[tuple] = set()

    def request(self, exchange: ProxyExchange) -> None:
        key = (exchange.caller, exchange.request.path, exchange.request.query)
        if exchange.operation == "items.list" and key in self._stale:
            self._stale.remove(key)
            exchange.response = json_response(200, json.loads(self._listed[key]))

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "items.list" and exchange.has_succeeded:
            self._listed[exchange.caller, exchange.request.path, exchange.request.query] = exchange.response.body
        if exchange.operation == "items.create" and exchange.has_succeeded:
            self._stale |= {key for key in self._listed if key[:2] == (exchange.caller, exchange.request.path)}


# -- Adding


@STATE.request("adding-stops-half-way", "items.create.is-all-or-nothing")
async def adding_stops_half_way(exchange: ProxyExchange) -> None:
    """When one of several items is rejected, those in front of it are added nevertheless."""
    items = exchange.request_body.get("items")
    if exchange.operation == "items.create" and isinstance(items, list) and 1 < len(items) <= 20:
        for end in range(len(items), 0, -1):
            trial = await exchange.fetch("POST", f"{exchange.conversation_path}/items", body={"items": items[:end]})
            if trial.status == 200:
                exchange.response = trial if end == len(items) else await exchange.resend()
                return


@STATE.response("twentieth-item-is-lost", "items.create.takes-20-items", "items.list.shows-the-items")
async def twentieth_item_is_lost(exchange: ProxyExchange) -> None:
    """Of 20 items added together the last one is answered and not kept."""
    if exchange.operation == "items.create" and len(exchange.response_body.get("data", ())) == 20:
        await exchange.fetch("DELETE", f"{exchange.conversation_path}/items/{exchange.response_body['last_id']}")


@STATE.request("create-keeps-ten-items", "conversations.create.seeds-items", "conversations.create.takes-20-items")
def create_keeps_ten_items(exchange: ProxyExchange) -> None:
    """A conversation that is created with more than ten items has the first ten."""
    items = exchange.request_body.get("items")
    if exchange.operation == "create" and isinstance(items, list) and 10 < len(items) <= 20:
        exchange.request.json = exchange.request_body | {"items": items[:10]}


@STATE.request("long-batch-in-the-order-of-text", "items.create.keeps-the-order", "items.list.starts-with-the-oldest")
def long_batch_in_the_order_of_text(exchange: ProxyExchange) -> None:
    """More than ten items added together are kept in the order of their numbers as text: 0, 1, 10, 11, 2."""
    items = exchange.request_body.get("items")
    if exchange.operation in ("create", "items.create") and isinstance(items, list) and len(items) > 10:
        numbers = sorted(range(len(items)), key=str)
        exchange.request.json = exchange.request_body | {"items": [items[number] for number in numbers]}


@STATE.mutation("later-items-go-to-the-front", "items.create.appends")
class LaterItemsGoToTheFront(Mutation):
    """Items that are added to a conversation which has some are listed in front of those."""

    def __init__(self) -> None:
        self._batches: dict[str, list[str]] = defaultdict(list)

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "items.create" and exchange.has_succeeded:
            self._batches[exchange.conversation_id] += [item["id"] for item in exchange.response_body["data"]]
        if exchange.operation == "items.list" and exchange.has_succeeded:
            added = self._batches[exchange.conversation_id]
            entries = await fetch_whole_list(exchange)
            descending = exchange.request.parameters.get("order") == "desc"
            respond_with_page(
                exchange, sorted(entries, key=lambda entry: entry["id"] not in added, reverse=descending)
            )


@STATE.request("items-displace-metadata", "conversations.create.keeps-metadata")
def items_displace_metadata(exchange: ProxyExchange) -> None:
    """A conversation that is created with items has no metadata; without items it has."""
    if exchange.operation == "create" and exchange.request_body.get("items") and exchange.request_body.get("metadata"):
        exchange.request.json = {name: value for name, value in exchange.request_body.items() if name != "metadata"}


@STATE.response("created-metadata-is-only-answered", "conversations.create.keeps-metadata")
async def created_metadata_is_only_answered(exchange: ProxyExchange) -> None:
    """Metadata given at creation is in the response and in nothing that is read later."""
    if exchange.operation == "create" and exchange.response_body.get("metadata"):
        await exchange.fetch("POST", f"/{exchange.response_body['id']}", body={"metadata": {}})


# -- Ids


@STATE.mutation("ids-of-the-deleted-are-used-again", "conversations.create.ids-are-unique")
class IdsOfTheDeletedAreUsedAgain(Mutation):
    """A new conversation gets the id of one that was deleted before."""

    def __init__(self) -> None:
        self._free: list[str] = []
        self._shown: dict[str, str] = {}

    def request(self, exchange: ProxyExchange) -> None:
        for real, shown in self._shown.items():
            exchange.request.path = exchange.request.path.replace(shown, real)
            exchange.request.query = exchange.request.query.replace(shown, real)

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "delete" and exchange.has_succeeded:
            self._free.append(exchange.conversation_id)
        if exchange.operation == "create" and exchange.has_succeeded and self._free:
            self._shown[exchange.response_body["id"]] = self._free.pop()
        for real, shown in self._shown.items():
            exchange.response.set_body(exchange.response.body.replace(real.encode(), shown.encode()))


@STATE.mutation("calls-made-together-share-an-id", "items.create.gives-every-item-an-id")
class CallsMadeTogetherShareAnId(Mutation):
    """Function calls that are added together without ids all get the same one."""

    def __init__(self) -> None:
        self._shared: dict[str, str] = {}

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "items.create" and exchange.has_succeeded:
            pairs = zip(exchange.request_body["items"], exchange.response_body["data"], strict=True)
            calls = [kept["id"] for item, kept in pairs if item.get("type") == "function_call" and not item.get("id")]
            self._shared |= dict.fromkeys(calls[1:], calls[0] if calls else "")
        exchange.change_items(lambda item: item.update(id=self._shared.get(item["id"], item["id"])))


# -- Text


@STATE.request("metadata-value-cut-at-255", "conversations.create.keeps-metadata")
def metadata_value_cut_at_255(exchange: ProxyExchange) -> None:
    """Metadata values are cut at 255 characters."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in ("create", "update") and isinstance(metadata, dict):
        cut = {name: _cut_at_255(value) for name, value in metadata.items()}
        exchange.request.json = exchange.request_body | {"metadata": cut}


def _cut_at_255(value: Json) -> Json:
    return value[:255] if isinstance(value, str) and len(value) <= 512 else value


@STATE.request("metadata-keys-in-lower-case", "conversations.create.keeps-metadata")
def metadata_keys_in_lower_case(exchange: ProxyExchange) -> None:
    """Metadata keys come back in lower case, as from a store that folds names."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation == "create" and isinstance(metadata, dict):
        exchange.request.json = exchange.request_body | {
            "metadata": {key.lower(): value for key, value in metadata.items()}
        }


@STATE.request("metadata-ends-at-an-emoji", "conversations.create.keeps-metadata")
def metadata_ends_at_an_emoji(exchange: ProxyExchange) -> None:
    """A metadata value ends in front of the first character that takes four bytes in UTF-8."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in ("create", "update") and isinstance(metadata, dict):
        cut = {name: _until_four_bytes(value) for name, value in metadata.items()}
        exchange.request.json = exchange.request_body | {"metadata": cut}


def _until_four_bytes(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    end = next((index for index, letter in enumerate(value) if ord(letter) > 0xFFFF), len(value))
    return value[:end]


@STATE.response("retrieved-text-is-normalised", "items.retrieve.answers-what-create-answered")
def retrieved_text_is_normalised(exchange: ProxyExchange) -> None:
    """An item that is retrieved alone has its text in Unicode's composed form."""
    if exchange.operation == "items.retrieve" and exchange.has_succeeded:
        exchange.change_body(
            lambda body: json.loads(unicodedata.normalize("NFC", json.dumps(body, ensure_ascii=False)))
        )


@STATE.response("listed-text-is-latin-only", "items.list.shows-the-items")
def listed_text_is_latin_only(exchange: ProxyExchange) -> None:
    """In lists of items, letters beyond Latin-1 have become question marks."""
    if exchange.operation == "items.list" and exchange.has_succeeded:
        exchange.change_body(
            lambda body: json.loads(
                json.dumps(body, ensure_ascii=False).encode("latin-1", "replace").decode("latin-1")
            )
        )


@STATE.response("long-text-is-cut", "items.list.shows-the-items", "items.retrieve.answers-what-create-answered")
def long_text_is_cut(exchange: ProxyExchange) -> None:
    """Message text over 65,535 characters is cut when it is read back."""

    def change(item: dict) -> None:
        if isinstance(item.get("content"), str):
            item["content"] = item["content"][:65535]

    if exchange.operation in _READS_OF_ITEMS:
        exchange.change_items(change)


@STATE.response("outputs-are-trimmed", "items.retrieve.answers-what-create-answered", "items.list.shows-the-items")
def outputs_are_trimmed(exchange: ProxyExchange) -> None:
    """The output of a function is read back without the white space at its ends."""

    def change(item: dict) -> None:
        if item.get("type") == "function_call_output":
            item["output"] = item["output"].strip()

    if exchange.operation in _READS_OF_ITEMS:
        exchange.change_items(change)


@STATE.response("listed-reasoning-has-no-content", "items.list.shows-the-items")
def listed_reasoning_has_no_content(exchange: ProxyExchange) -> None:
    """In lists, reasoning comes without its content."""
    if exchange.operation == "items.list":
        exchange.change_items(lambda item: item.get("type") == "reasoning" and item.pop("content", None))


@STATE.response("item-status-is-always-completed", "items.retrieve.answers-what-create-answered")
def item_status_is_always_completed(exchange: ProxyExchange) -> None:
    """An item that was still in progress or incomplete is completed when it is retrieved."""
    if exchange.operation == "items.retrieve":
        exchange.change_items(lambda item: item.get("status") and item.update(status="completed"))
