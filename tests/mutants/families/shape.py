"""Answers that do not look as the document says."""

import json
from contextlib import suppress

from tests.mutants.defect import Family
from tests.mutants.proxy import Exchange, json_answer

SHAPE = Family("shape")


@SHAPE.answer(
    "conversation-without-deleted-at",
    "conversations.object.deleted-at-is-null-while-live",
    "#/components/schemas/ConversationObject/required",
)
def conversation_without_deleted_at(exchange: Exchange) -> None:
    """A field that is null is left out of the answer: no conversation says deleted_at."""
    exchange.each_conversation(lambda conversation: conversation.pop("deleted_at"))


@SHAPE.answer("created-at-as-text", "#/components/schemas/ConversationObject/properties/created_at")
def created_at_as_text(exchange: Exchange) -> None:
    """The time of creation comes as text."""
    exchange.each_conversation(lambda conversation: conversation.update(created_at=str(conversation["created_at"])))


@SHAPE.answer("created-at-in-milliseconds", "conversations.object.created-at-is-unix-time")
def created_at_in_milliseconds(exchange: Exchange) -> None:
    """The time of creation counts milliseconds."""
    exchange.each_conversation(lambda conversation: conversation.update(created_at=conversation["created_at"] * 1000))


@SHAPE.answer("created-at-in-camel-case-when-listed", "#/components/schemas/ConversationObject/required")
def created_at_in_camel_case_when_listed(exchange: Exchange) -> None:
    """Lists have another serialiser, which writes createdAt."""
    if exchange.operation == "list":
        exchange.each_conversation(lambda thing: thing.update(createdAt=thing.pop("created_at")))


@SHAPE.answer("identity-is-null-without-end-user", "#/components/schemas/ConversationObject/properties/identity")
def identity_is_null_without_end_user(exchange: Exchange) -> None:
    """Without an end user the identity is null."""
    if not exchange.request.header("x-on-behalf-of"):
        exchange.each_conversation(lambda conversation: conversation.update(identity=None))


@SHAPE.answer("empty-metadata-as-list", "#/components/schemas/ConversationObject/properties/metadata")
def empty_metadata_as_list(exchange: Exchange) -> None:
    """Empty metadata comes as an empty list, as from a language without empty objects."""
    exchange.each_conversation(lambda conversation: conversation.update(metadata=conversation["metadata"] or []))


@SHAPE.answer("metadata-digits-as-number", "conversations.create.keeps-metadata", "#/components/schemas/Metadata")
def metadata_digits_as_number(exchange: Exchange) -> None:
    """A metadata value that has only digits comes back as a number."""

    def change(conversation: dict) -> None:
        for key, value in (conversation["metadata"] or {}).items():
            if value.isdecimal():
                conversation["metadata"][key] = int(value)

    exchange.each_conversation(change)


@SHAPE.answer(
    "receipt-is-a-conversation",
    "conversations.delete.acknowledges",
    "#/components/schemas/ConversationDeletedObject/properties/object",
)
def receipt_is_a_conversation(exchange: Exchange) -> None:
    """The receipt for a deleted conversation calls itself a conversation."""
    if exchange.operation == "delete" and exchange.succeeded:
        exchange.change(lambda body: body | {"object": "conversation"})


@SHAPE.answer(
    "receipt-says-one",
    "conversations.delete.acknowledges",
    "#/components/schemas/ConversationDeletedObject/properties/deleted",
)
def receipt_says_one(exchange: Exchange) -> None:
    """The receipt for a deleted conversation says how many rows are gone."""
    if exchange.operation == "delete" and exchange.succeeded:
        exchange.change(lambda body: body | {"deleted": 1})


@SHAPE.answer("last-page-has-null-for-has-more", "#/components/schemas/ConversationListObject/properties/has_more")
def last_page_has_null_for_has_more(exchange: Exchange) -> None:
    """On the last page of conversations has_more is null."""
    if exchange.operation == "list" and exchange.succeeded:
        exchange.change(lambda body: body | {"has_more": body["has_more"] or None})


@SHAPE.answer(
    "empty-page-has-null-for-last-id",
    "items.list.last-id-is-always-text",
    "#/components/schemas/ConversationItemList/properties/last_id",
)
def empty_page_has_null_for_last_id(exchange: Exchange) -> None:
    """On an empty page of items last_id is null."""
    if exchange.operation == "items.list" and exchange.succeeded:
        exchange.change(lambda body: body | {"last_id": body["last_id"] or None})


@SHAPE.answer("pages-have-first-id", "conversations.list.has-no-other-cursor")
def pages_have_first_id(exchange: Exchange) -> None:
    """Pages of conversations have a first_id, as those of another API."""
    if exchange.operation == "list" and exchange.received.get("data"):
        exchange.change(lambda body: body | {"first_id": body["data"][0]["id"]})


@SHAPE.answer("page-is-a-bare-list", "items.list.shows-the-items", "#/components/schemas/ConversationItemList")
def page_is_a_bare_list(exchange: Exchange) -> None:
    """A list of items is nothing but the items, without the page around them."""
    if exchange.operation == "items.list" and exchange.succeeded:
        exchange.change(lambda body: body["data"])


@SHAPE.answer("page-object-is-page", "#/components/schemas/ConversationListObject/properties/object")
def page_object_is_page(exchange: Exchange) -> None:
    """A page of conversations calls itself a page."""
    if exchange.operation == "list" and exchange.succeeded:
        exchange.change(lambda body: body | {"object": "page"})


@SHAPE.answer("item-in-an-envelope", "#/components/schemas/ConversationItem")
def item_in_an_envelope(exchange: Exchange) -> None:
    """A single item comes wrapped in data."""
    if exchange.operation == "items.retrieve" and exchange.succeeded:
        exchange.change(lambda body: {"data": body})


@SHAPE.answer(
    "outputs-lose-their-id-when-listed",
    "items.create.gives-every-item-an-id",
    "#/components/schemas/StoredItemFields/required",
)
def outputs_lose_their_id_when_listed(exchange: Exchange) -> None:
    """In a list the outputs of functions have no id; all other kinds do."""
    if exchange.operation == "items.list":
        exchange.each_item(lambda item: item.get("type") == "function_call_output" and item.pop("id"))


@SHAPE.answer(
    "arguments-come-parsed",
    "items.retrieve.answers-what-create-answered",
    "#/components/schemas/FunctionToolCall/properties/arguments",
)
def arguments_come_parsed(exchange: Exchange) -> None:
    """The arguments of a function call, retrieved alone, are an object and not its text."""

    def change(item: dict) -> None:
        if item.get("type") == "function_call":
            with suppress(ValueError):
                item["arguments"] = json.loads(item["arguments"])

    if exchange.operation == "items.retrieve":
        exchange.each_item(change)


@SHAPE.answer("answers-have-null-annotations", "#/components/schemas/OutputText/properties/annotations")
def answers_have_null_annotations(exchange: Exchange) -> None:
    """Text of the model that has no annotations says null for them."""

    def change(item: dict) -> None:
        for part in item["content"] if isinstance(item.get("content"), list) else ():
            if isinstance(part, dict) and part.get("type") == "output_text":
                part.setdefault("annotations", None)

    exchange.each_item(change)


@SHAPE.answer("text-becomes-parts-when-listed", "items.list.shows-the-items", "items.create.text-stays-text")
def text_becomes_parts_when_listed(exchange: Exchange) -> None:
    """In a list, message content that was sent as text has become a list of one part."""

    def change(item: dict) -> None:
        if isinstance(text := item.get("content"), str) and item.get("role"):
            item["content"] = [{"type": "input_text", "text": text}]

    if exchange.operation == "items.list":
        exchange.each_item(change)


@SHAPE.answer("retrieved-conversation-is-plain-text", "gateway.success-is-200-json")
def retrieved_conversation_is_plain_text(exchange: Exchange) -> None:
    """A retrieved conversation is JSON, but its media type is text/plain."""
    if exchange.operation == "retrieve" and exchange.succeeded:
        exchange.answer.set_header("content-type", "text/plain; charset=utf-8")


@SHAPE.answer("create-answers-201", "gateway.success-is-200-json")
def create_answers_201(exchange: Exchange) -> None:
    """Creating a conversation answers 201."""
    if exchange.operation == "create" and exchange.succeeded:
        exchange.answer.status = 201


@SHAPE.answer("delete-answers-204", "gateway.success-is-200-json", "conversations.delete.acknowledges")
def delete_answers_204(exchange: Exchange) -> None:
    """Deleting a conversation answers 204 without a body."""
    if exchange.operation == "delete" and exchange.succeeded:
        exchange.answer.status = 204
        exchange.answer.body = b""
        exchange.answer.headers = []


@SHAPE.answer("removed-item-is-answered-with-a-receipt", "items.delete.answers-with-the-conversation")
def removed_item_is_answered_with_a_receipt(exchange: Exchange) -> None:
    """Removing an item answers with a receipt for the item and not with the conversation."""
    if exchange.operation == "items.delete" and exchange.succeeded:
        exchange.answer = json_answer(200, {"id": exchange.item_id, "object": "conversation.item", "deleted": True})


@SHAPE.answer("adding-one-item-answers-with-it-alone", "items.create.answers-with-the-new-items")
def adding_one_item_answers_with_it_alone(exchange: Exchange) -> None:
    """Adding a single item answers with the item and not with a list of one."""
    if exchange.operation == "items.create" and len(exchange.received.get("data", ())) == 1:
        exchange.change(lambda body: body["data"][0])


@SHAPE.answer("added-items-come-with-the-old-ones", "items.create.answers-with-the-new-items")
async def added_items_come_with_the_old_ones(exchange: Exchange) -> None:
    """Adding items answers with all items of the conversation."""
    if exchange.operation == "items.create" and exchange.succeeded:
        exchange.answer = await exchange.ask("GET", exchange.below, query={"limit": 100})


@SHAPE.answer("client-items-name-a-response", "items.create.no-response-made-them")
def client_items_name_a_response(exchange: Exchange) -> None:
    """Items that the client added say that a response made them."""
    if exchange.operation in ("items.list", "items.retrieve"):
        exchange.each_item(lambda item: item.update(response_id="resp_0"))
