"""Defects in responses of the model, their lists and their input items."""

import json
from collections.abc import Callable
from typing import Any

from tests.mutants.mutant import Family
from tests.mutants.proxy import RESPONSES, Change, Json, Mutation, ProxyExchange, json_response

RESPONSE = Family("responses")

_OBJECT = "#/components/schemas/ResponseObject"


def _change_created(exchange: ProxyExchange, change: Change) -> None:
    """Change a new response in place."""
    if exchange.creates_response:
        body = exchange.response_body
        change(body)
        exchange.response.json = body


def _change_texts(exchange: ProxyExchange, change: Callable[[str], str]) -> None:
    """Change all texts of the output of a new response."""

    def change_output(body: dict[str, Json]) -> None:
        for item in body["output"]:
            for part in item.get("content", ()) if item["type"] == "message" else ():
                part["text"] = change(part["text"])

    _change_created(exchange, change_output)


# -- Create


def _shows(name: str, behaviour: str, field: str, value: Any, description: str) -> None:
    """Declare a mutant that shows another value for a field of new responses."""

    def change(exchange: ProxyExchange) -> None:
        _change_created(exchange, lambda body: body.update({field: value}))

    change.__doc__ = description
    RESPONSE.response(name, f"responses.create.{behaviour}", _OBJECT)(change)


_shows("response-metadata-hidden", "returns-metadata", "metadata", {}, "New responses show no metadata.")
_shows("instructions-hidden", "returns-instructions", "instructions", None, "New responses show no instructions.")
_shows("tools-hidden", "returns-tools", "tools", [], "New responses show no tools.")
_shows("user-hidden", "returns-the-user", "user", None, "New responses show no user.")
_shows("temperature-reset", "returns-sampling-parameters", "temperature", 1.0, "New responses show temperature 1.")
_shows("truncation-reset", "returns-sampling-parameters", "truncation", "auto", "New responses show truncation auto.")
_shows("foreground-stays-in-progress", "completes-in-the-foreground", "status", "in_progress",
       "New responses show that they are in progress.")  # fmt: skip
_shows("output-empty", "output-has-a-message", "output", [], "New responses have no output.")
_shows("text-format-reset", "returns-the-text-format", "text", {"format": {"type": "json_object"}},
       "New responses show another text format.")  # fmt: skip
_shows("tokens-not-counted", "counts-tokens", "usage",
       {"input_tokens": 0, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0},
       "The usage of new responses is all zero.")  # fmt: skip


@RESPONSE.response("total-without-input", "responses.create.counts-tokens")
def total_without_input(exchange: ProxyExchange) -> None:
    """The total of the tokens leaves out those of the input."""
    _change_created(exchange, lambda body: body["usage"].update(total_tokens=body["usage"]["output_tokens"]))


@RESPONSE.response("ended-before-it-began", "responses.create.has-times")
def ended_before_it_began(exchange: ProxyExchange) -> None:
    """The time of the end is before the time of the creation."""
    _change_created(exchange, lambda body: body.update(completed_at=body["created_at"] - 10))


@RESPONSE.response("output-ids-repeat", "responses.create.output-ids-are-unique")
def output_ids_repeat(exchange: ProxyExchange) -> None:
    """All output items have the same id."""
    _change_created(exchange, lambda body: [item.update(id="msg_" + "0" * 32) for item in body["output"]])


@RESPONSE.response("arguments-cut", "responses.create.arguments-are-json")
def arguments_cut(exchange: ProxyExchange) -> None:
    """The arguments of function calls lack their last character."""

    def cut(body: dict[str, Json]) -> None:
        for item in body["output"]:
            if item["type"] == "function_call":
                item["arguments"] = item["arguments"][:-1]

    _change_created(exchange, cut)


@RESPONSE.response("other-function-called", "responses.create.calls-the-required-function")
def other_function_called(exchange: ProxyExchange) -> None:
    """Function calls name a function that was not offered."""

    def rename(body: dict[str, Json]) -> None:
        for item in body["output"]:
            if item["type"] == "function_call":
                item["name"] = f"{item['name']}_v2"

    _change_created(exchange, rename)


@RESPONSE.response("schema-ignored", "responses.create.text-follows-the-schema")
def schema_ignored(exchange: ProxyExchange) -> None:
    """JSON in the text has other names than the schema asks for."""
    _change_texts(exchange, lambda text: text.replace('"city"', '"town"'))


@RESPONSE.response(
    "json-in-a-fence", "responses.create.text-can-be-any-json", "responses.create.text-follows-the-schema"
)
def json_in_a_fence(exchange: ProxyExchange) -> None:
    """JSON in the text is wrapped in a Markdown fence."""
    _change_texts(exchange, lambda text: f"```json\n{text}\n```" if text.startswith("{") else text)


@RESPONSE.request("limit-of-tokens-ignored", "responses.create.stops-at-the-limit-of-tokens")
def limit_of_tokens_ignored(exchange: ProxyExchange) -> None:
    """The limit of output tokens has no effect."""
    limit = exchange.request_body.get("max_output_tokens")
    if exchange.response_operation == "create" and isinstance(limit, int) and limit > 0:
        exchange.request.json = exchange.request_body | {"max_output_tokens": 100_000}


@RESPONSE.request("unstored-is-kept", "responses.store.false-is-not-kept")
def unstored_is_kept(exchange: ProxyExchange) -> None:
    """Responses with store false are stored."""
    if exchange.response_operation == "create" and exchange.request_body.get("store") is False:
        exchange.request.json = exchange.request_body | {"store": True}


# -- Retrieve, update, delete


@RESPONSE.response("retrieved-without-output", "responses.retrieve.returns-the-response")
def retrieved_without_output(exchange: ProxyExchange) -> None:
    """Retrieved responses have no output."""
    if exchange.response_operation == "retrieve" and exchange.is_response:
        exchange.change_body(lambda body: body | {"output": []})


@RESPONSE.request(
    "unknown-response-is-another", "responses.retrieve.unknown-is-404", "responses.delete.removes-the-response"
)
async def unknown_response_is_another(exchange: ProxyExchange) -> None:
    """Retrieving an unknown response returns another one of the caller."""
    if exchange.response_operation != "retrieve" or exchange.request.query:
        return
    own = await exchange.resend()
    listed = await exchange.fetch("GET", RESPONSES)
    if own.status == 404 and listed.status == 200 and listed.json["data"]:
        exchange.response = json_response(200, listed.json["data"][0])


@RESPONSE.mutation("response-update-merges", "responses.update.replaces-metadata")
class ResponseUpdateMerges(Mutation):
    """An update adds to the metadata of a response."""

    async def request(self, exchange: ProxyExchange) -> None:
        new = exchange.request_body.get("metadata")
        if exchange.response_operation != "update" or not isinstance(new, dict):
            return
        stored = await exchange.fetch("GET", exchange.request.path)
        if stored.status == 200 and len(merged := stored.json["metadata"] | new) <= 16:
            exchange.request.json = {"metadata": merged}


@RESPONSE.mutation("update-shows-only", "responses.update.replaces-metadata")
class UpdateShowsOnly(Mutation):
    """An update of a response is shown, but not kept."""

    async def request(self, exchange: ProxyExchange) -> None:
        new = exchange.request_body
        if exchange.response_operation == "update" and set(new) == {"metadata"}:
            stored = await exchange.fetch("GET", exchange.request.path)
            checked = await exchange.resend()
            if stored.status == checked.status == 200:
                await exchange.fetch("POST", exchange.request.path, body={"metadata": stored.json["metadata"]})
                exchange.response = checked


@RESPONSE.request("response-stays-after-deletion", "responses.delete.removes-the-response")
async def response_stays_after_deletion(exchange: ProxyExchange) -> None:
    """Deleting a response is acknowledged, and does nothing."""
    if exchange.response_operation != "delete":
        return
    if (await exchange.fetch("GET", exchange.request.path)).status == 200:
        deleted = {"id": exchange.request.path.rpartition("/")[2], "object": "response", "deleted": True}
        exchange.response = json_response(200, deleted)


@RESPONSE.response("deletion-names-another-object", "responses.delete.acknowledges")
def deletion_names_another_object(exchange: ProxyExchange) -> None:
    """The acknowledgement of a deletion has another object type."""
    if exchange.response_operation == "delete" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"object": "response.deleted"})


@RESPONSE.response("compaction-without-output", "responses.compact.returns-a-compaction")
def compaction_without_output(exchange: ProxyExchange) -> None:
    """A compaction has no output."""
    if exchange.response_operation == "compact" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"output": []})


# -- Background


@RESPONSE.response("background-is-over-at-once", "responses.background.returns-at-once")
def background_is_over_at_once(exchange: ProxyExchange) -> None:
    """A response in the background shows that it is completed at once."""
    if exchange.creates_response and exchange.response_body["background"]:
        exchange.change_body(lambda body: body | {"status": "completed"})


@RESPONSE.response("background-forgotten", "responses.background.returns-at-once")
def background_forgotten(exchange: ProxyExchange) -> None:
    """A response in the background does not show that it is one."""
    _change_created(exchange, lambda body: body.update(background=False))


@RESPONSE.response("background-fails", "responses.background.ends")
def background_fails(exchange: ProxyExchange) -> None:
    """A response in the background ends as failed."""
    if exchange.response_operation == "retrieve" and exchange.is_response and exchange.response_body["background"]:
        error = {"code": "server_error", "message": "The model failed."}
        exchange.change_body(lambda body: body | {"status": "failed", "error": error})


@RESPONSE.request("cancelling-does-nothing", "responses.cancel.ends-a-background-response")
async def cancelling_does_nothing(exchange: ProxyExchange) -> None:
    """Cancelling a response returns it as it is."""
    if exchange.response_operation == "cancel":
        stored = await exchange.fetch("GET", exchange.response_path)
        if stored.status == 200 and stored.json["background"]:
            exchange.response = stored


@RESPONSE.request("foreground-can-be-cancelled", "responses.cancel.only-in-the-background")
async def foreground_can_be_cancelled(exchange: ProxyExchange) -> None:
    """Cancelling a response that is not in the background returns it."""
    if exchange.response_operation == "cancel":
        stored = await exchange.fetch("GET", exchange.response_path)
        if stored.status == 200 and not stored.json["background"]:
            exchange.response = stored


@RESPONSE.request("anything-can-be-woken", "responses.wake.not-asleep-is-409")
async def anything_can_be_woken(exchange: ProxyExchange) -> None:
    """Waking a response that does not sleep is acknowledged."""
    if exchange.response_operation == "wake" and (await exchange.resend()).status == 409:
        awake = {"object": "response.sleep_wake", "response_id": exchange.response_path.rpartition("/")[2]}
        exchange.response = json_response(200, awake | {"created_at": "2026-01-01T00:00:00Z"})


# -- Lists


@RESPONSE.request(
    "responses-oldest-first", "responses.list.newest-first-by-default", "#/components/parameters/ResponseOrder"
)
def responses_oldest_first(exchange: ProxyExchange) -> None:
    """Responses are listed with the oldest first by default."""
    if exchange.response_operation == "list" and "order" not in exchange.request.parameters:
        exchange.request.set_parameters(order="asc")


@RESPONSE.request("response-limit-ignored", "responses.list.limits-the-page")
def response_limit_ignored(exchange: ProxyExchange) -> None:
    """A page of responses always has up to 20."""
    if exchange.response_operation == "list" and exchange.request.parameters.get("limit", "").isdigit():
        limit = int(exchange.request.parameters["limit"])
        exchange.request.set_parameters(limit=None if 1 <= limit <= 100 else limit)


@RESPONSE.response("responses-never-have-more", "responses.list.has-more")
def responses_never_have_more(exchange: ProxyExchange) -> None:
    """A page of responses never says that another follows."""
    if exchange.response_operation == "list" and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"has_more": False})


@RESPONSE.request("response-cursor-ignored", "responses.list.after-continues")
def response_cursor_ignored(exchange: ProxyExchange) -> None:
    """The cursor after of a list of responses has no effect."""
    if exchange.response_operation == "list":
        exchange.request.set_parameters(after=None)


@RESPONSE.request("before-ignored", "responses.list.before-goes-back")
def before_ignored(exchange: ProxyExchange) -> None:
    """The cursor before of a list of responses has no effect."""
    if exchange.response_operation == "list":
        exchange.request.set_parameters(before=None)


@RESPONSE.response("updated-responses-come-first", "responses.list.orders-by-creation")
def updated_responses_come_first(exchange: ProxyExchange) -> None:
    """A list shows its oldest response first if its order is given as descending."""
    is_descending = exchange.request.parameters.get("order") == "desc"
    if exchange.response_operation == "list" and is_descending and exchange.has_succeeded:
        exchange.change_body(lambda body: body | {"data": body["data"][-1:] + body["data"][:-1]})


@RESPONSE.request("input-oldest-first", "responses.input-items.newest-first-by-default")
def input_oldest_first(exchange: ProxyExchange) -> None:
    """Input items are listed with the first one first by default."""
    if exchange.response_operation == "input_items" and "order" not in exchange.request.parameters:
        exchange.request.set_parameters(order="asc")


@RESPONSE.response("input-lacks-an-item", "responses.input-items.has-the-input")
def input_lacks_an_item(exchange: ProxyExchange) -> None:
    """A list of several input items lacks the last one."""
    if exchange.response_operation == "input_items" and len(exchange.response_body.get("data", ())) > 1:
        exchange.change_body(lambda body: body | {"data": body["data"][:-1]})


@RESPONSE.response("input-has-the-history", "responses.input-items.leaves-out-the-history")
async def input_has_the_history(exchange: ProxyExchange) -> None:
    """The input items of a response include the output of the previous one."""
    if exchange.response_operation != "input_items" or not exchange.has_succeeded:
        return
    response = (await exchange.fetch("GET", exchange.response_path)).json
    if previous := response["previous_response_id"]:
        output = (await exchange.fetch("GET", f"{RESPONSES}/{previous}")).json["output"]
        exchange.change_body(lambda body: body | {"data": body["data"] + output})


# -- Other callers


class _KnowsOwners(Mutation):
    """Knows the callers that created responses."""

    def __init__(self) -> None:
        self._owners: dict[str, str | None] = {}

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.creates_response:
            self._owners[exchange.response_body["id"]] = exchange.caller[1]

    def _owner_of(self, exchange: ProxyExchange) -> str | None:
        return self._owners.get(exchange.response_path.rpartition("/")[2])


@RESPONSE.mutation("responses-are-public", "responses.tenancy.others-cannot-use-a-response")
class ResponsesArePublic(_KnowsOwners):
    """Every end user can retrieve every response of the account."""

    def request(self, exchange: ProxyExchange) -> None:
        if exchange.response_operation == "retrieve" and self._owner_of(exchange):
            exchange.request.set_header("x-on-behalf-of", self._owner_of(exchange))


@RESPONSE.mutation("input-items-are-public", "responses.tenancy.others-cannot-use-a-response")
class InputItemsArePublic(_KnowsOwners):
    """Every end user can list the input items of every response of the account."""

    def request(self, exchange: ProxyExchange) -> None:
        if exchange.response_operation == "input_items" and self._owner_of(exchange):
            exchange.request.set_header("x-on-behalf-of", self._owner_of(exchange))


@RESPONSE.mutation("others-can-continue-a-response", "responses.tenancy.others-cannot-use-a-response")
class OthersCanContinueAResponse(_KnowsOwners):
    """A previous response of another end user is left out instead of rejected."""

    def request(self, exchange: ProxyExchange) -> None:
        previous = exchange.request_body.get("previous_response_id")
        owner = self._owners.get(previous) if isinstance(previous, str) else None
        if exchange.response_operation == "create" and owner not in (None, exchange.caller[1]):
            body = exchange.request_body
            del body["previous_response_id"]
            exchange.request.json = body


# -- Accepted


def _accepts(name: str, behaviour: str, repair: Callable[[dict[str, Json]], None], description: str) -> None:
    """Declare a mutant that repairs invalid requests for a response instead of rejecting them."""

    def change(exchange: ProxyExchange) -> None:
        body = exchange.request_body
        if exchange.response_operation == "create" and body:
            before = json.dumps(body)
            repair(body)
            if json.dumps(body) != before:
                exchange.request.json = body

    change.__doc__ = description
    RESPONSE.request(name, f"responses.invalid.{behaviour}")(change)


def _clamp_temperature(body: dict[str, Json]) -> None:
    if isinstance(body.get("temperature"), int | float):
        body["temperature"] = min(max(body["temperature"], 0), 2)


def _drop(*names: str) -> Callable[[dict[str, Json]], None]:
    def drop(body: dict[str, Json]) -> None:
        if not body.get("background"):
            for name in names:
                body.pop(name, None)

    return drop


def _cut_metadata(body: dict[str, Json]) -> None:
    if isinstance(body.get("metadata"), dict):
        body["metadata"] = dict(list(body["metadata"].items())[:16])


def _drop_unknown_choice(body: dict[str, Json]) -> None:
    choice, names = body.get("tool_choice"), [tool.get("name") for tool in body.get("tools", ())]
    if isinstance(choice, dict) and choice.get("name") not in names:
        del body["tool_choice"]


def _drop_repeated_tools(body: dict[str, Json]) -> None:
    if isinstance(body.get("tools"), list):
        body["tools"] = list({json.dumps(tool): tool for tool in body["tools"]}.values())


def _drop_broken_format(body: dict[str, Json]) -> None:
    if (body.get("text") or {}).get("format", {}).get("name") == "broken":
        del body["text"]


def _drop_orphans(body: dict[str, Json]) -> None:
    items = body.get("input")
    is_alone = not body.get("previous_response_id") and not body.get("conversation")
    if is_alone and isinstance(items, list) and [one.get("type") for one in items] == ["function_call_output"]:
        body["input"] = "Hello"


def _drop_secret(body: dict[str, Json]) -> None:
    if "webhook_url" not in body:
        body.pop("webhook_secret", None)


_accepts("temperature-is-clamped", "sampling-out-of-range", _clamp_temperature, "A temperature out of range is cut.")
_accepts("response-metadata-is-cut", "metadata", _cut_metadata, "More than 16 pairs of metadata are cut.")
_accepts("stream-events-anywhere", "stream-events-in-the-foreground", _drop("stream_events"),
         "stream_events is ignored in the foreground.")  # fmt: skip
_accepts("webhook-anywhere", "webhook-in-the-foreground", _drop("webhook_url"),
         "webhook_url is ignored in the foreground.")  # fmt: skip
_accepts("secret-alone", "webhook-secret-alone", _drop_secret, "webhook_secret is ignored without webhook_url.")
_accepts("choice-of-no-tool", "tool-choice-names-no-tool", _drop_unknown_choice, "A choice of no tool is ignored.")
_accepts("repeated-tools", "tools-with-one-name", _drop_repeated_tools, "A tool that is there twice counts once.")
_accepts("broken-format", "format-is-no-schema", _drop_broken_format, "A text format that is no schema is ignored.")
_accepts("orphaned-output", "output-without-call", _drop_orphans, "An output without its call is accepted.")
