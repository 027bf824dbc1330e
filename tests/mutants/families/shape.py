"""Responses that differ from the document."""

import json
from contextlib import suppress

from tests.mutants.mutant import Family
from tests.mutants.proxy import ProxyExchange, json_response

SHAPE = Family("shape")


@SHAPE.response(
    "conversation-without-deleted-at",
    "conversations.object.deleted-at-is-null-while-live",
    "#/components/schemas/ConversationObject/required",
)
def conversation_without_deleted_at(exchange: ProxyExchange) -> None:
    """A field that is null is left out of the response: no conversation says deleted_at."""
    exchange.change_conversations(lambda conversation: conversation.pop("deleted_at"))


@SHAPE.response("created-at-as-text", "#/components/schemas/ConversationObject/properties/created_at")
def created_at_as_text(exchange: ProxyExchange) -> None:
    """The time of creation comes as text."""
    exchange.change_conversations(lambda conversation: conversation.update(created_at=str(conversation["created_at"])))


@SHAPE.response("created-at-in-milliseconds", "conversations.object.created-at-is-unix-time")
def created_at_in_milliseconds(exchange: ProxyExchange) -> None:
    """The time of creation counts milliseconds."""
    exchange.change_conversations(
        lambda conversation: conversation.update(created_at=conversation["created_at"] * 1000)
    )


@SHAPE.response("created-at-in-camel-case-when-listed", "#/components/schemas/ConversationObject/required")
def created_at_in_camel_case_when_listed(exchange: ProxyExchange) -> None:
    """Lists have another serialiser, which writes createdAt."""
    if exchange.operation == "list":
        exchange.change_conversations(lambda thing: thing.update(createdAt=thing.pop("created_at")))


@SHAPE.response("identity-is-null-without-end-user", "#/components/schemas/ConversationObject/properties/identity")
def identity_is_null_without_end_user(exchange: ProxyExchange) -> None:
    """Without an end user the identity is null."""
    if not exchange.request.header("x-on-behalf-of"):
        exchange.change_conversations(lambda conversation: conversation.update(identity=None))


@SHAPE.response("empty-metadata-as-list", "#/components/schemas/ConversationObject/properties/metadata")
def empty_metadata_as_list(exchange: ProxyExchange) -> None:
    """Empty metadata comes as an empty list, as from a language without empty objects."""
    exchange.change_conversations(lambda conversation: conversation.update(metadata=conversation["metadata"] or []))


@SHAPE.response("metadata-digits-as-number", "conversations.create.keeps-metadata", "#/components/schemas/Metadata")
def metadata_digits_as_number(exchange: ProxyExchange) -> None:
    """A metadata value that has only digits comes back as a number."""

    def change(conversation: dict) -> None:
        for key, value in (conversation["metadata"] or {}).items():
            if value.isdecimal():
                conversation["metadata"][key] = int(value)

    exchange.change_conversations(change)


@SHAPE.response(
    "receipt-is-a-conversation",
    "conversations.delete.acknowledges",
    "#/components/schemas/ConversationDeletedObject/properties/object",
)
def receipt_is_a_conversation(exchange: ProxyExchange) -> None:
    """The receipt for a deleted conversation has conversation as its object."""
    if exchange.operation == "delete" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"object": "conversation"})


@SHAPE.response(
    "receipt-says-one",
    "conversations.delete.acknowledges",
    "#/components/schemas/ConversationDeletedObject/properties/deleted",
)
def receipt_says_one(exchange: ProxyExchange) -> None:
    """The receipt for a deleted conversation says how many rows are gone."""
    if exchange.operation == "delete" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"deleted": 1})


@SHAPE.response("last-page-has-null-for-has-more", "#/components/schemas/ConversationListObject/properties/has_more")
def last_page_has_null_for_has_more(exchange: ProxyExchange) -> None:
    """On the last page of conversations has_more is null."""
    if exchange.operation == "list" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"has_more": body["has_more"] or None})


@SHAPE.response(
    "empty-page-has-null-for-last-id",
    "items.list.last-id-is-always-text",
    "#/components/schemas/ConversationItemList/properties/last_id",
)
def empty_page_has_null_for_last_id(exchange: ProxyExchange) -> None:
    """On an empty page of items last_id is null."""
    if exchange.operation == "items.list" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"last_id": body["last_id"] or None})


@SHAPE.response("pages-have-first-id", "conversations.list.has-no-other-cursor")
def pages_have_first_id(exchange: ProxyExchange) -> None:
    """Pages of conversations have a first_id, as in another API."""
    if exchange.operation == "list" and exchange.response_body.get("data"):
        exchange.change_body(lambda body: body | {"first_id": body["data"][0]["id"]})


@SHAPE.response("page-is-a-bare-list", "items.list.shows-the-items", "#/components/schemas/ConversationItemList")
def page_is_a_bare_list(exchange: ProxyExchange) -> None:
    """A list of items is a bare array of items."""
    if exchange.operation == "items.list" and exchange.has_succeeded:
        exchange.change_body(lambda body: body["data"])


@SHAPE.response("page-object-is-page", "#/components/schemas/ConversationListObject/properties/object")
def page_object_is_page(exchange: ProxyExchange) -> None:
    """A page of conversations has page as its object."""
    if exchange.operation == "list" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"object": "page"})


@SHAPE.response("item-in-an-envelope", "#/components/schemas/ConversationItem")
def item_in_an_envelope(exchange: ProxyExchange) -> None:
    """A single item comes wrapped in data."""
    if exchange.operation == "items.retrieve" and exchange.has_succeeded:
        exchange.change_body(lambda body: {"data": body})


@SHAPE.response(
    "outputs-lose-their-id-when-listed",
    "items.create.gives-every-item-an-id",
    "#/components/schemas/StoredItemFields/required",
)
def outputs_lose_their_id_when_listed(exchange: ProxyExchange) -> None:
    """In a list the outputs of functions have no id; all other kinds do."""
    if exchange.operation == "items.list":
        exchange.change_items(lambda item: item.get("type") == "function_call_output" and item.pop("id"))


@SHAPE.response(
    "arguments-come-parsed",
    "items.retrieve.answers-what-create-answered",
    "#/components/schemas/FunctionToolCall/properties/arguments",
)
def arguments_come_parsed(exchange: ProxyExchange) -> None:
    """The arguments of a function call, retrieved alone, are an object and not its text."""

    def change(item: dict) -> None:
        if item.get("type") == "function_call":
            with suppress(ValueError):
                item["arguments"] = json.loads(item["arguments"])

    if exchange.operation == "items.retrieve":
        exchange.change_items(change)


@SHAPE.response("answers-have-null-annotations", "#/components/schemas/OutputText/properties/annotations")
def answers_have_null_annotations(exchange: ProxyExchange) -> None:
    """Text of the model that has no annotations says null for them."""

    def change(item: dict) -> None:
        for part in item["content"] if isinstance(item.get("content"), list) else ():
            if isinstance(part, dict) and part.get("type") == "output_text":
                part.setdefault("annotations", None)

    exchange.change_items(change)


@SHAPE.response("text-becomes-parts-when-listed", "items.list.shows-the-items", "items.create.text-stays-text")
def text_becomes_parts_when_listed(exchange: ProxyExchange) -> None:
    """In a list, message content that was sent as text has become a list of one part."""

    def change(item: dict) -> None:
        if isinstance(text := item.get("content"), str) and item.get("role"):
            item["content"] = [{"type": "input_text", "text": text}]

    if exchange.operation == "items.list":
        exchange.change_items(change)


@SHAPE.response("retrieved-conversation-is-plain-text", "gateway.success-is-200-json")
def retrieved_conversation_is_plain_text(exchange: ProxyExchange) -> None:
    """A retrieved conversation is JSON, but its media type is text/plain."""
    if exchange.operation == "retrieve" and exchange.has_succeeded:
        exchange.response.set_header("content-type", "text/plain; charset=utf-8")


@SHAPE.response("create-answers-201", "gateway.success-is-200-json")
def create_answers_201(exchange: ProxyExchange) -> None:
    """Creating a conversation returns 201."""
    if exchange.operation == "create" and exchange.has_succeeded:
        exchange.response.status = 201


@SHAPE.response("delete-answers-204", "gateway.success-is-200-json", "conversations.delete.acknowledges")
def delete_answers_204(exchange: ProxyExchange) -> None:
    """Deleting a conversation returns 204 without a body."""
    if exchange.operation == "delete" and exchange.has_succeeded:
        exchange.response.status = 204
        exchange.response.body = b""
        exchange.response.headers = []


@SHAPE.response("removed-item-is-answered-with-a-receipt", "items.delete.answers-with-the-conversation")
def removed_item_is_answered_with_a_receipt(exchange: ProxyExchange) -> None:
    """Removing an item returns a receipt for the item and not with the conversation."""
    if exchange.operation == "items.delete" and exchange.has_succeeded:
        exchange.response = json_response(
            200, {"id": exchange.item_id, "object": "conversation.item", "deleted": True}
        )


@SHAPE.response("adding-one-item-answers-with-it-alone", "items.create.answers-with-the-new-items")
def adding_one_item_answers_with_it_alone(exchange: ProxyExchange) -> None:
    """Adding a single item returns the item and not with a list of one."""
    if exchange.operation == "items.create" and len(exchange.response_body.get("data", ())) == 1:
        exchange.change_body(lambda body: body["data"][0])


@SHAPE.response("added-items-come-with-the-old-ones", "items.create.answers-with-the-new-items")
async def added_items_come_with_the_old_ones(exchange: ProxyExchange) -> None:
    """Adding items returns all items of the conversation."""
    if exchange.operation == "items.create" and exchange.has_succeeded:
        exchange.response = await exchange.fetch("GET", exchange.subpath, query={"limit": 100})


@SHAPE.response("client-items-name-a-response", "items.create.no-response-made-them")
def client_items_name_a_response(exchange: ProxyExchange) -> None:
    """Items that the client added say that a response made them."""
    if exchange.operation in ("items.list", "items.retrieve"):
        exchange.change_items(lambda item: item.update(response_id="resp_0"))
