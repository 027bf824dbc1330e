"""How the mutants of shape show."""

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe

CALL = {"type": "function_call", "call_id": "c", "name": "find", "arguments": '{"part": "belt"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}
ANSWER = {"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}


def _first_item(api: MutantClient, item: dict) -> dict:
    path = api.create(items=[item])
    item_id = api.get(f"{path}/items").json["data"][0]["id"]
    return api.get(f"{path}/items/{item_id}").json


def _listed_item(api: MutantClient, item: dict) -> dict:
    return api.get(f"{api.create(items=[item])}/items").json["data"][0]


def _removal(api: MutantClient) -> dict:
    path = api.create_with_messages("one")
    return api.delete(f"{path}/items/{api.get(f'{path}/items').json['last_id']}").json


def _listed_conversation(api: MutantClient) -> dict:
    api.create()
    return api.get().json["data"][0]


def _more_and_first(api: MutantClient) -> tuple:
    api.create()
    page = api.get().json
    return page["has_more"], "first_id" in page


SHAPES = {
    "conversation-without-deleted-at": Probe(lambda api: "deleted_at" in api.post().json, True, False),
    "created-at-as-text": Probe(lambda api: type(api.post().json["created_at"]), int, str),
    "created-at-in-milliseconds": Probe(lambda api: api.post().json["created_at"] > 1e11, False, True),
    "created-at-in-camel-case-when-listed": Probe(lambda api: "created_at" in _listed_conversation(api), True, False),
    "identity-is-null-without-end-user": Probe(
        lambda api: [user.post().json["identity"] is None for user in (api, api.as_end_user("ada"))],
        [False, False],
        [True, False],
    ),
    "empty-metadata-as-list": Probe(lambda api: api.post().json["metadata"], {}, []),
    "metadata-digits-as-number": Probe(
        lambda api: api.post(body={"metadata": {"a": "42", "b": "x"}}).json["metadata"],
        {"a": "42", "b": "x"},
        {"a": 42, "b": "x"},
    ),
    "receipt-is-a-conversation": Probe(
        lambda api: api.delete(api.create()).json["object"], "conversation.deleted", "conversation"
    ),
    "receipt-says-one": Probe(lambda api: repr(api.delete(api.create()).json["deleted"]), "True", "1"),
    "last-page-has-null-for-has-more": Probe(lambda api: api.get().json["has_more"], False, None),
    "empty-page-has-null-for-last-id": Probe(lambda api: api.get(f"{api.create()}/items").json["last_id"], "", None),
    "pages-have-first-id": Probe(_more_and_first, (False, False), (False, True)),
    "page-is-a-bare-list": Probe(lambda api: type(api.get(f"{api.create()}/items").json), dict, list),
    "page-object-is-page": Probe(lambda api: api.get().json["object"], "list", "page"),
    "item-in-an-envelope": Probe(lambda api: list(_first_item(api, user_message("x"))) == ["data"], False, True),
    "outputs-lose-their-id-when-listed": Probe(
        lambda api: ["id" in _listed_item(api, item) for item in (OUTPUT, CALL)], [True, True], [False, True]
    ),
    "arguments-come-parsed": Probe(
        lambda api: _first_item(api, CALL)["arguments"], '{"part": "belt"}', {"part": "belt"}
    ),
    "answers-have-null-annotations": Probe(
        lambda api: _listed_item(api, ANSWER)["content"][0].get("annotations", "none"), "none", None
    ),
    "text-becomes-parts-when-listed": Probe(
        lambda api: _listed_item(api, user_message("x"))["content"], "x", [{"type": "input_text", "text": "x"}]
    ),
    "retrieved-conversation-is-plain-text": Probe(
        lambda api: api.get(api.create()).header("content-type"), "application/json", "text/plain; charset=utf-8"
    ),
    "create-answers-201": Probe(lambda api: api.post().status, 200, 201),
    "delete-answers-204": Probe(lambda api: api.delete(api.create()).status, 200, 204),
    "removed-item-is-answered-with-a-receipt": Probe(
        lambda api: _removal(api)["object"], "conversation", "conversation.item"
    ),
    "adding-one-item-answers-with-it-alone": Probe(
        lambda api: "data" in api.post(f"{api.create()}/items", {"items": [user_message("x")]}).json, True, False
    ),
    "added-items-come-with-the-old-ones": Probe(
        lambda api: len(api.add(api.create_with_messages("a"), user_message("b"))), 1, 2
    ),
    "client-items-name-a-response": Probe(
        lambda api: _listed_item(api, user_message("x")).get("response_id"), None, "resp_0"
    ),
}
