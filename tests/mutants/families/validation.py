"""Invalid requests that are accepted, and valid ones that are rejected."""

from collections.abc import Callable
from typing import Any

from tests.mutants.mutant import Family
from tests.mutants.proxy import Json, Mutation, ProxyExchange

VALIDATION = Family("validation")

_WRITES_ITEMS = ("create", "items.create")
_WRITES_METADATA = ("create", "update")


# -- Let through


@VALIDATION.mutation(
    "21-items-can-be-added", "items.create.refuses-21-items", "#/components/schemas/CreateItemsRequest"
)
class TwentyOneItemsCanBeAdded(Mutation):
    """Any number of items can be added at a time."""

    async def request(self, exchange: ProxyExchange) -> None:
        items = exchange.request_body.get("items")
        if exchange.operation != "items.create" or not isinstance(items, list) or len(items) <= 20:
            return
        added: list[Json] = []
        for start in range(0, len(items), 20):
            response = await exchange.fetch("POST", exchange.subpath, body={"items": items[start : start + 20]})
            exchange.response = response
            if response.status != 200:
                return
            added += response.json["data"]
        exchange.change_body(lambda body: body | {"data": added})


@VALIDATION.request(
    "21-items-can-be-given-at-creation",
    "conversations.create.refuses-21-items",
    "#/components/schemas/CreateConversationRequest",
)
def twenty_one_items_can_be_given_at_creation(exchange: ProxyExchange) -> None:
    """A conversation can be created with more than 20 items, of which 20 are kept."""
    items = exchange.request_body.get("items")
    if exchange.operation == "create" and isinstance(items, list) and len(items) > 20:
        exchange.request.json = exchange.request_body | {"items": items[:20]}


def _change_metadata(exchange: ProxyExchange, change: Callable[[dict[str, Any]], Json]) -> None:
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in _WRITES_METADATA and isinstance(metadata, dict):
        exchange.request.json = exchange.request_body | {"metadata": change(metadata)}


@VALIDATION.request("17-pairs-are-taken", "conversations.metadata.refuses-17-pairs", "#/components/schemas/Metadata")
def seventeen_pairs_are_taken(exchange: ProxyExchange) -> None:
    """Metadata may have more than 16 pairs, of which 16 are kept."""
    _change_metadata(exchange, lambda metadata: dict(list(metadata.items())[:16]))


@VALIDATION.request(
    "17-pairs-are-taken-beside-items", "conversations.metadata.refuses-17-pairs", "#/components/schemas/Metadata"
)
def seventeen_pairs_are_taken_beside_items(exchange: ProxyExchange) -> None:
    """Metadata may have more than 16 pairs when a conversation is created with items."""
    if exchange.request_body.get("items"):
        _change_metadata(exchange, lambda metadata: dict(list(metadata.items())[:16]))


@VALIDATION.request("long-metadata-keys-are-taken", "conversations.metadata.keys-have-64-characters-at-most")
def long_metadata_keys_are_taken(exchange: ProxyExchange) -> None:
    """A metadata key may have more than 64 characters, of which 64 are kept."""
    _change_metadata(exchange, lambda metadata: {name[:64]: value for name, value in metadata.items()})


@VALIDATION.request("long-values-are-taken-by-update", "conversations.metadata.values-have-512-characters-at-most")
def long_values_are_taken_by_update(exchange: ProxyExchange) -> None:
    """In an update a metadata value may have more than 512 characters, of which 512 are kept."""
    if exchange.operation == "update":
        _change_metadata(exchange, lambda metadata: {name: _cut(value) for name, value in metadata.items()})


def _cut(value: Json) -> Json:
    return value[:512] if isinstance(value, str) else value


@VALIDATION.request("metadata-numbers-are-taken", "conversations.metadata.values-are-strings")
def metadata_numbers_are_taken(exchange: ProxyExchange) -> None:
    """A number as a metadata value becomes its text."""
    _change_metadata(
        exchange,
        lambda metadata: {
            name: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            for name, value in metadata.items()
        },
    )


@VALIDATION.request("null-metadata-clears", "conversations.update.refuses-null")
def null_metadata_clears(exchange: ProxyExchange) -> None:
    """An update with null as metadata is accepted and removes all of it."""
    if exchange.operation == "update" and exchange.request_body.get("metadata", "") is None:
        exchange.request.json = {"metadata": {}}


@VALIDATION.request("update-without-metadata-is-taken", "conversations.update.needs-metadata")
async def update_without_metadata_is_taken(exchange: ProxyExchange) -> None:
    """An update without metadata is accepted and changes nothing."""
    if exchange.operation == "update" and exchange.has_empty_body:
        exchange.response = await exchange.fetch("GET", exchange.conversation_path)


@VALIDATION.request("limit-0-is-taken", "conversations.list.refuses-other-limits")
def limit_0_is_taken(exchange: ProxyExchange) -> None:
    """A limit of 0 for conversations is the same as none."""
    if exchange.operation == "list" and exchange.request.parameters.get("limit") == "0":
        exchange.request.set_parameters(limit=None)


@VALIDATION.request("items-limit-is-clamped", "items.list.refuses-other-limits", "#/components/parameters/ItemLimit")
def items_limit_is_clamped(exchange: ProxyExchange) -> None:
    """A limit over 100 for items is the same as 100."""
    limit = exchange.request.parameters.get("limit", "")
    if exchange.operation == "items.list" and limit.isdecimal() and int(limit) > 100:
        exchange.request.set_parameters(limit=100)


@VALIDATION.request("conversations-limit-is-100", "conversations.list.refuses-other-limits")
def conversations_limit_is_100(exchange: ProxyExchange) -> None:
    """A limit from 51 to 100 is accepted for conversations, too, as it is for items."""
    limit = exchange.request.parameters.get("limit", "")
    if exchange.operation == "list" and limit.isdecimal() and 50 < int(limit) <= 100:
        exchange.request.set_parameters(limit=50)


@VALIDATION.request("limit-that-is-no-number-is-ignored", "#/components/parameters/ConversationLimit")
def limit_that_is_no_number_is_ignored(exchange: ProxyExchange) -> None:
    """A limit that is not a number is the same as none."""
    limit = exchange.request.parameters.get("limit")
    if limit is not None and not limit.lstrip("+-").isdecimal():
        exchange.request.set_parameters(limit=None)


@VALIDATION.request("unknown-order-is-ascending", "#/components/parameters/ConversationOrder")
def unknown_order_is_ascending(exchange: ProxyExchange) -> None:
    """An order that is neither asc nor desc is the same as none."""
    if exchange.request.parameters.get("order", "asc") not in ("asc", "desc"):
        exchange.request.set_parameters(order=None)


@VALIDATION.mutation("unknown-kinds-are-kept", "#/components/schemas/Item", "items.create.unknown-kind-is-refused")
class UnknownKindsAreKept(Mutation):
    """An item of any kind is added and comes back as it is."""

    def __init__(self) -> None:
        self._unknown: dict[str, Json] = {}

    def request(self, exchange: ProxyExchange) -> None:
        items = exchange.request_body.get("items")
        if exchange.operation not in _WRITES_ITEMS or not isinstance(items, list):
            return
        for index, item in enumerate(items):
            if isinstance(item, dict) and isinstance(item.get("type"), str) and item["type"] not in _KINDS:
                item_id = f"item_{len(self._unknown)}"
                self._unknown[item_id] = item
                items[index] = {"id": item_id, "role": "user", "content": ""}
        exchange.request.json = exchange.request_body | {"items": items}

    def response(self, exchange: ProxyExchange) -> None:
        def restore(item: dict) -> None:
            if item["id"] in self._unknown:
                known = item["id"]
                item.clear()
                item.update({"id": known} | self._unknown[known])

        exchange.change_items(restore)


_KINDS = {
    "message",
    "output_audio",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "web_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "compaction",
    "item_reference",
}


@VALIDATION.request("outputs-need-no-call-id", "#/components/schemas/FunctionToolCallOutput/required")
def outputs_need_no_call_id(exchange: ProxyExchange) -> None:
    """The output of a function may lack its call_id, which is then empty."""
    items = exchange.request_body.get("items")
    if exchange.operation in _WRITES_ITEMS and isinstance(items, list):
        for item in items:
            if isinstance(item, dict) and item.get("type") == "function_call_output":
                item.setdefault("call_id", "")
        exchange.request.json = exchange.request_body | {"items": items}


@VALIDATION.request(
    "adding-nothing-is-taken", "items.create.refuses-0-items", "#/components/schemas/CreateItemsRequest"
)
async def adding_nothing_is_taken(exchange: ProxyExchange) -> None:
    """An empty list of items can be added."""
    if exchange.operation == "items.create" and exchange.request_body.get("items") == []:
        exchange.response = await exchange.fetch("GET", exchange.subpath, query={"limit": 1})
        if exchange.response.status == 200:
            exchange.change_body(lambda body: body | {"data": [], "has_more": False, "last_id": ""})


@VALIDATION.request("removing-nothing-is-taken", "items.delete-many.refuses-none")
async def removing_nothing_is_taken(exchange: ProxyExchange) -> None:
    """An empty list of items can be removed."""
    if exchange.operation == "items.deleteMany" and exchange.request_body.get("item_ids") == []:
        exchange.response = await exchange.fetch("GET", exchange.conversation_path)


@VALIDATION.request("ids-may-be-repeated-in-a-request", "items.ids.differ-within-a-request")
def ids_may_be_repeated_in_a_request(exchange: ProxyExchange) -> None:
    """When two items of a request have the same id, the last one is kept."""
    items = exchange.request_body.get("items")
    if exchange.operation in _WRITES_ITEMS and isinstance(items, list):
        by_id: dict[Any, Json] = {}
        for item in items:
            item_id = item.get("id") if isinstance(item, dict) else None
            by_id[item_id if isinstance(item_id, str) else object()] = item
        exchange.request.json = exchange.request_body | {"items": list(by_id.values())}


# -- Refused


@VALIDATION.request("16-pairs-are-refused", "conversations.metadata.takes-16-pairs", "#/components/schemas/Metadata")
async def sixteen_pairs_are_refused(exchange: ProxyExchange) -> None:
    """Metadata may have 15 pairs at most."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in _WRITES_METADATA and isinstance(metadata, dict) and len(metadata) == 16:
        await exchange.reject(400, "must have fewer than 16 pairs", "metadata")


@VALIDATION.request("20-items-are-refused", "items.create.takes-20-items", "#/components/schemas/CreateItemsRequest")
async def twenty_items_are_refused(exchange: ProxyExchange) -> None:
    """19 items can be added at a time."""
    items = exchange.request_body.get("items")
    if exchange.operation == "items.create" and isinstance(items, list) and len(items) == 20:
        await exchange.reject(400, "must be fewer than 20", "items")


@VALIDATION.request("limit-50-is-refused", "conversations.list.limit-is-1-to-50")
async def limit_50_is_refused(exchange: ProxyExchange) -> None:
    """The limit for conversations may be 49 at most."""
    if exchange.operation == "list" and exchange.request.parameters.get("limit") == "50":
        await exchange.reject(400, "must be less than 50", "limit", where="query")


@VALIDATION.request(
    "metadata-length-counts-bytes",
    "conversations.metadata.values-have-512-characters-at-most",
    "conversations.metadata.lengths-count-characters",
    "#/components/schemas/Metadata/additionalProperties",
)
async def metadata_length_counts_bytes(exchange: ProxyExchange) -> None:
    """A metadata value of 512 characters is rejected when it has more bytes than that."""
    metadata = exchange.request_body.get("metadata")
    if exchange.operation in _WRITES_METADATA and isinstance(metadata, dict):
        for value in metadata.values():
            if isinstance(value, str) and len(value) <= 512 < len(value.encode("utf-8", "replace")):
                await exchange.reject(400, "has a value that is too long", "metadata")


async def _refuse_items(exchange: ProxyExchange, is_refused: Callable[[dict[str, Any]], bool], message: str) -> None:
    items = exchange.request_body.get("items") if exchange.operation in _WRITES_ITEMS else None
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and is_refused(item):
            await exchange.reject(400, message, f"items/{index}")


@VALIDATION.request("typeless-messages-are-refused", "items.create.messages-need-no-type")
async def typeless_messages_are_refused(exchange: ProxyExchange) -> None:
    """A message must say that it is one."""
    await _refuse_items(exchange, lambda item: "role" in item and "type" not in item, "needs a type")


@VALIDATION.request("compactions-are-refused", "items.create.takes-every-kind")
async def compactions_are_refused(exchange: ProxyExchange) -> None:
    """Compactions are not known as items."""
    await _refuse_items(exchange, lambda item: item.get("type") == "compaction", "is of an unknown kind")


@VALIDATION.request("code-must-be-text", "#/components/schemas/CodeInterpreterToolCall/properties/code")
async def code_must_be_text(exchange: ProxyExchange) -> None:
    """A run of the code interpreter whose code is null is rejected."""
    await _refuse_items(exchange, lambda item: item.get("code", "") is None, "must have code")


@VALIDATION.request("images-need-a-url", "#/components/schemas/InputImage")
async def images_need_a_url(exchange: ProxyExchange) -> None:
    """A message with an image that is given by its file_id is rejected."""

    def has_file(item: dict) -> bool:
        content = item.get("content")
        parts = content if isinstance(content, list) else ()
        return any(
            isinstance(part, dict) and part.get("type") == "input_image" and "file_id" in part for part in parts
        )

    await _refuse_items(exchange, has_file, "must have image_url")


@VALIDATION.request("empty-object-is-refused-at-creation", "conversations.create.needs-neither-items-nor-metadata")
async def empty_object_is_refused_at_creation(exchange: ProxyExchange) -> None:
    """An empty object cannot create a conversation."""
    if exchange.operation == "create" and exchange.has_empty_body:
        await exchange.reject(400, "needs items or metadata")


@VALIDATION.request(
    "repeated-include-is-refused", "items.list.ignores-include", "#/components/parameters/IncludeFields"
)
async def repeated_include_is_refused(exchange: ProxyExchange) -> None:
    """The parameter include of a list of items can be given only once."""
    if exchange.operation == "items.list" and [name for name, _ in exchange.request.pairs].count("include") > 1:
        await exchange.reject(400, "must be given once", "include", where="query")


@VALIDATION.request("include-in-the-body-is-refused", "items.create.ignores-include")
async def include_in_the_body_is_refused(exchange: ProxyExchange) -> None:
    """The body field include of added items is rejected."""
    if exchange.operation == "items.create" and "include" in exchange.request_body:
        await exchange.reject(400, "is not known", "include")


@VALIDATION.request("json-type-without-body-is-refused", "gateway.json-type-without-body-is-fine")
async def json_type_without_body_is_refused(exchange: ProxyExchange) -> None:
    """A DELETE without a body must not say that it sends JSON."""
    is_json = exchange.request.header("content-type") == "application/json"
    if exchange.operation in ("delete", "items.delete") and is_json and not exchange.request.body:
        await exchange.reject(400, "Body cannot be empty when content-type is set to 'application/json'")
