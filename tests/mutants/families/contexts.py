"""Defects in how responses continue conversations and earlier responses."""

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_all_entries
from tests.mutants.proxy import RESPONSES, Json, Mutation, ProxyExchange

CONTEXT = Family("contexts")


def _conversation_of(exchange: ProxyExchange) -> str | None:
    """Return the conversation to which a new response was added."""
    conversation = exchange.response_body.get("conversation") if exchange.creates_response else None
    return f"/{conversation['id']}" if conversation else None


async def _delete_items(exchange: ProxyExchange, *, of_output: bool) -> None:
    """Delete the items that a new response has added to its conversation: its output, or else its input."""
    path = _conversation_of(exchange)
    if path is None:
        return
    response = exchange.response_body
    output = {item["id"] for item in response["output"]}
    added = [
        item["id"]
        for item in await fetch_all_entries(exchange, f"{path}/items")
        if item.get("response_id") == response["id"] and (item["id"] in output) is of_output
    ]
    if added:
        await exchange.fetch("DELETE", f"{path}/items", body={"item_ids": added})


@CONTEXT.response("input-is-not-added", "responses.conversation.gets-the-input")
async def input_is_not_added(exchange: ProxyExchange) -> None:
    """The input of a response is not added to its conversation."""
    await _delete_items(exchange, of_output=False)


@CONTEXT.response("output-is-not-added", "responses.conversation.gets-the-output")
async def output_is_not_added(exchange: ProxyExchange) -> None:
    """The output of a response is not added to its conversation."""
    await _delete_items(exchange, of_output=True)


@CONTEXT.response("conversation-is-hidden", "responses.conversation.is-named-by-the-response")
def conversation_is_hidden(exchange: ProxyExchange) -> None:
    """A response does not show its conversation."""
    if _conversation_of(exchange):
        exchange.change_body(lambda body: {name: body[name] for name in body if name != "conversation"})


@CONTEXT.response("items-lose-their-response", "responses.conversation.items-name-their-response")
def items_lose_their_response(exchange: ProxyExchange) -> None:
    """Items do not name the response that added them."""
    if exchange.operation == "items.list":
        exchange.change_items(lambda item: item.pop("response_id", None))


@CONTEXT.response("items-lose-their-metadata", "responses.conversation.items-have-the-metadata-of-the-response")
def items_lose_their_metadata(exchange: ProxyExchange) -> None:
    """Items do not have the metadata of their response."""
    if exchange.operation.startswith("items."):
        exchange.change_items(lambda item: item.pop("metadata", None))


@CONTEXT.response("conversation-is-not-read", "responses.conversation.counts-as-input")
async def conversation_is_not_read(exchange: ProxyExchange) -> None:
    """The items of a conversation do not count as input of its responses."""
    if _conversation_of(exchange):
        body = {name: value for name, value in exchange.request_body.items() if name != "conversation"}
        alone = await exchange.fetch("POST", RESPONSES, body=body | {"store": False})
        if alone.status == 200:
            exchange.change_body(lambda shown: shown | {"usage": alone.json["usage"]})


@CONTEXT.request("object-names-no-conversation", "responses.conversation.can-be-an-object")
def object_names_no_conversation(exchange: ProxyExchange) -> None:
    """A conversation that is named by an object is ignored."""
    body = exchange.request_body
    if exchange.response_operation == "create" and isinstance(body.get("conversation"), dict):
        exchange.request.json = body | {"conversation": None}


@CONTEXT.request("unstored-is-not-added", "responses.conversation.also-without-store")
def unstored_is_not_added(exchange: ProxyExchange) -> None:
    """A response with store false is not added to its conversation."""
    body = exchange.request_body
    if exchange.response_operation == "create" and body.get("store") is False:
        exchange.request.json = body | {"conversation": None}


class _AcceptsUnknown(Mutation):
    """Requests for a response are sent again without the field that names something unknown."""

    field = ""

    async def request(self, exchange: ProxyExchange) -> None:
        body = exchange.request_body
        if exchange.response_operation != "create" or not body.get(self.field):
            return
        if (await exchange.resend(body=b'{"model":1}')).status == 400 and (await self._is_unknown(exchange)):
            exchange.request.json = {name: value for name, value in body.items() if name != self.field}

    async def _is_unknown(self, exchange: ProxyExchange) -> bool:
        name = exchange.request_body[self.field]
        path = f"{RESPONSES}/{name}" if self.field == "previous_response_id" else f"/{name}"
        return isinstance(name, str) and (await exchange.fetch("GET", path)).status == 404


@CONTEXT.mutation("unknown-conversation-is-ignored", "responses.conversation.unknown-is-404")
class UnknownConversationIsIgnored(_AcceptsUnknown):
    """A response in an unknown conversation is created in none."""

    field = "conversation"


@CONTEXT.mutation("unknown-previous-is-ignored", "responses.previous.unknown-is-404")
class UnknownPreviousIsIgnored(_AcceptsUnknown):
    """A response that continues an unknown one continues none."""

    field = "previous_response_id"


@CONTEXT.request("both-contexts-are-accepted", "responses.previous.not-with-a-conversation")
def both_contexts_are_accepted(exchange: ProxyExchange) -> None:
    """A request with a conversation and a previous response uses the conversation."""
    body = exchange.request_body
    if exchange.response_operation == "create" and body.get("conversation") and body.get("previous_response_id"):
        exchange.request.json = body | {"previous_response_id": None}


@CONTEXT.mutation("previous-is-not-read", "responses.previous.counts-as-input", "responses.previous.goes-far-back")
class PreviousIsNotRead(Mutation):
    """The items of a previous response do not count as input."""

    async def response(self, exchange: ProxyExchange) -> None:
        body = exchange.request_body
        if exchange.creates_response and body.get("previous_response_id"):
            alone = {name: value for name, value in body.items() if name != "previous_response_id"}
            response = await exchange.fetch("POST", RESPONSES, body=alone | {"store": False})
            if response.status == 200:
                exchange.change_body(lambda shown: shown | {"usage": response.json["usage"]})


@CONTEXT.response("previous-is-hidden", "responses.previous.is-returned")
def previous_is_hidden(exchange: ProxyExchange) -> None:
    """A response does not show which one it continues."""
    if exchange.is_response:
        exchange.change_body(lambda body: body | {"previous_response_id": None})


@CONTEXT.mutation("deletion-takes-the-items", "responses.conversation.survives-the-response")
class DeletionTakesTheItems(Mutation):
    """Deleting a response deletes the items that it added to its conversation."""

    async def request(self, exchange: ProxyExchange) -> None:
        if exchange.response_operation != "delete":
            return
        response: Json = (await exchange.fetch("GET", exchange.response_path)).json
        conversation = response.get("conversation")
        if not conversation:
            return
        path = f"/{conversation['id']}/items"
        added = [
            item["id"] for item in await fetch_all_entries(exchange, path) if item.get("response_id") == response["id"]
        ]
        if added:
            await exchange.fetch("DELETE", path, body={"item_ids": added})


@CONTEXT.mutation("rejected-input-is-added", "responses.conversation.failed-requests-change-nothing")
class RejectedInputIsAdded(Mutation):
    """The first input item of a rejected request is added to the conversation."""

    async def response(self, exchange: ProxyExchange) -> None:
        body = exchange.request_body
        conversation, items = body.get("conversation"), body.get("input")
        is_rejected = exchange.response_operation == "create" and exchange.response.status >= 400
        if is_rejected and isinstance(conversation, str) and isinstance(items, list):
            await exchange.fetch("POST", f"/{conversation}/items", body={"items": items[:1]})


@CONTEXT.mutation("output-joins-another-conversation", "responses.conversation.stays-alone")
class OutputJoinsAnotherConversation(Mutation):
    """A response in a conversation also adds a message to the newest conversation of the caller."""

    async def response(self, exchange: ProxyExchange) -> None:
        if _conversation_of(exchange):
            newest = (await exchange.fetch("GET", "", query={"order": "desc", "limit": 2})).json["data"]
            for conversation in newest:
                if f"/{conversation['id']}" != _conversation_of(exchange):
                    message = {"role": "assistant", "content": "Hello"}
                    await exchange.fetch("POST", f"/{conversation['id']}/items", body={"items": [message]})
                    return


@CONTEXT.mutation("unknown-reference-is-ignored", "responses.references.unknown-is-404")
class UnknownReferenceIsIgnored(Mutation):
    """References to unknown items are left out of the input."""

    async def request(self, exchange: ProxyExchange) -> None:
        body = exchange.request_body
        items = body.get("input")
        if exchange.response_operation != "create" or not isinstance(items, list):
            return
        rest = [item for item in items if isinstance(item, dict) and item.get("type") != "item_reference"]
        if rest and len(rest) < len(items) and (await exchange.resend()).status == 404:
            exchange.request.json = body | {"input": rest}
