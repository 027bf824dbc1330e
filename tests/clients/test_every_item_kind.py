"""Round trips of every example of every item type, through each client."""

import json
from typing import Any

import httpx
import pytest
from meetkai_mka1 import SDK, models

from mockserver import RunningServer
from mockserver.contract.document import load_document

SCHEMAS = load_document()["components"]["schemas"]
KINDS = [reference["$ref"].rpartition("/")[2] for reference in SCHEMAS["Item"]["anyOf"]]

Json = Any


def examples_of(kind: str) -> list[Json]:
    return SCHEMAS[kind]["examples"]


def test_every_kind_has_examples() -> None:
    assert len(set(KINDS)) == 24
    for kind in KINDS:
        examples = examples_of(kind)
        assert 1 <= len(examples) <= 20, kind  # One request sends them all.
        shown = {name for example in examples for name in example}
        assert shown == set(SCHEMAS[kind]["properties"]), kind


# -- Changes of an item in a round trip


def with_type(kind: str, item: Json) -> Json:
    """Add a `type` where there is none, as the API does."""
    return {"type": SCHEMAS[kind]["properties"]["type"]["const"], **item}


def as_read_by_the_mka1_sdk(item: Json) -> Json:
    """Apply the changes that the SDK makes when it sends or reads an item.

    * It reads a message with content as an input message, which has no `phase`.
    * It adds the default `detail` of an image.
    """
    if item["type"] != "message" or not item["content"]:
        return item
    content = item["content"]
    if not isinstance(content, str):
        content = [
            {"detail": "auto", **part} if isinstance(part, dict) and part["type"] == "input_image" else part
            for part in content
        ]
    return {name: value for name, value in item.items() if name != "phase"} | {"content": content}


def as_text(value: Json) -> str:
    """Return text to compare as JSON: `true` differs from `1`, and the order of names does not matter."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)


def as_text_of_floats(value: Json) -> str:
    """Return the same with 1 equal to 1.0, as both clients read a `number` as a float."""
    return as_text(json.loads(json.dumps(value), parse_int=float))


def without_generated_ids(kind: str, items: list[Json]) -> list[Json]:
    """Check the ids that the client did not choose, and leave them out."""
    made = [item["id"] for item, example in zip(items, examples_of(kind), strict=True) if "id" not in example]
    prefix = SCHEMAS[kind].get("x-id-prefix")
    assert all(one.startswith(f"{prefix}_") and len(one) > len(prefix) + 16 for one in made)
    assert len(set(made)) == len(made)
    return [{name: value for name, value in item.items() if value not in made} for item in items]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, http: httpx.Client) -> str:
    """Return the schema name of an item type; items that its examples reference are stored."""
    if request.param == "ItemReference":
        referenced = [example["id"] for example in examples_of("ItemReference")]
        items = [item for kind in KINDS for item in examples_of(kind) if item.get("id") in referenced]
        items = [item for item in items if "content" in item]
        assert len(items) == len(referenced)
        assert http.post("/conversations", json={"items": items}).status_code == 200
    return request.param


@pytest.fixture
def conversation(http: httpx.Client) -> str:
    return http.post("/conversations", json={}).json()["id"]


def stored(http: httpx.Client, conversation: str) -> list[Json]:
    return http.get(f"/conversations/{conversation}/items").json()["data"]


# -- Plain HTTP


def test_over_http(kind: str, http: httpx.Client, conversation: str) -> None:
    items = f"/conversations/{conversation}/items"
    response = http.post(items, json={"items": examples_of(kind)})
    assert response.status_code == 200, response.text
    created = response.json()["data"]
    expected = [with_type(kind, example) for example in examples_of(kind)]
    assert as_text(without_generated_ids(kind, created)) == as_text(expected)
    assert as_text(stored(http, conversation)) == as_text(created)
    assert as_text([http.get(f"{items}/{item['id']}").json() for item in created]) == as_text(created)

    for item in created:
        assert http.delete(f"{items}/{item['id']}").status_code == 200
    response = http.post("/conversations", json={"items": examples_of(kind)})
    assert response.status_code == 200, response.text
    assert as_text(without_generated_ids(kind, stored(http, response.json()["id"]))) == as_text(expected)


# -- The MKA1 SDK


def as_json(read: list[Any]) -> list[Json]:
    """Return models of the MKA1 SDK as JSON, without unset fields."""
    return [item.model_dump(mode="json", by_alias=True) for item in read]


def test_through_the_mka1_sdk(kind: str, conversations: Any, conversation: str, http: httpx.Client) -> None:
    """Items are sent as dicts and as models, and read as models of their type, except for messages with content."""
    sent_as_models = [getattr(models, kind)(**example) for example in examples_of(kind)]
    for sent in (examples_of(kind), sent_as_models):
        created = conversations.create_items(conversation_id=conversation, items=sent).data
        expected = [as_read_by_the_mka1_sdk(with_type(kind, example)) for example in examples_of(kind)]
        assert as_text_of_floats(without_generated_ids(kind, as_json(created))) == as_text_of_floats(expected)

        listed = conversations.list_items(conversation_id=conversation).data
        retrieved = [conversations.get_item(conversation_id=conversation, item_id=item.id) for item in created]
        assert as_json(listed) == as_json(created)
        assert as_json(retrieved) == as_json(created)
        for item in created + listed + retrieved:
            is_message = item.type == "message" and item.content
            assert type(item).__name__.endswith("InputMessageItem" if is_message else f"{kind}WithID")

        over_http = [as_read_by_the_mka1_sdk(item) for item in stored(http, conversation)]
        assert as_text_of_floats(over_http) == as_text_of_floats(as_json(created))

        conversations.delete_items(conversation_id=conversation, item_ids=[item.id for item in created])
        assert stored(http, conversation) == []


def test_the_mka1_sdk_reads_items_of_other_clients(http: httpx.Client, server: RunningServer, api_key: str) -> None:
    """That includes fields that it does not send itself."""
    with SDK(bearer_auth=api_key, server_url=server.url) as sdk:
        for kind in KINDS:
            conversation = http.post("/conversations", json={"items": examples_of(kind)}).json()["id"]
            read = sdk.llm.conversations.list_items(conversation_id=conversation).data
            expected = [as_read_by_the_mka1_sdk(item) for item in stored(http, conversation)]
            assert as_text_of_floats(as_json(read)) == as_text_of_floats(expected)


def test_the_mka1_sdk_loses_the_phase(conversations: Any, conversation: str, http: httpx.Client) -> None:
    """It drops `phase` from dicts and from responses; the fake keeps it."""
    answer = models.OutputMessage(**examples_of("OutputMessage")[0])
    assert answer.phase == "final_answer"
    created = conversations.create_items(conversation_id=conversation, items=[answer]).data[0]
    assert not hasattr(created, "phase")
    assert stored(http, conversation)[0]["phase"] == "final_answer"

    conversations.delete_item(conversation_id=conversation, item_id=created.id)
    conversations.create_items(conversation_id=conversation, items=[examples_of("OutputMessage")[0]])
    assert "phase" not in stored(http, conversation)[0]


# -- The openai client


def as_dicts(read: list[Any]) -> list[Json]:
    """Return models of the openai client as JSON; it keeps, with a warning, types that OpenAI does not have."""
    return [item.to_dict(mode="json", warnings=False) for item in read]


def test_through_the_openai_client(kind: str, client: Any, conversation: str, http: httpx.Client) -> None:
    items = client.conversations.items
    created = items.create(conversation, items=examples_of(kind)).data
    expected = [with_type(kind, example) for example in examples_of(kind)]
    assert as_text(without_generated_ids(kind, stored(http, conversation))) == as_text(expected)
    assert as_text_of_floats(without_generated_ids(kind, as_dicts(created))) == as_text_of_floats(expected)

    retrieved = [items.retrieve(item.id, conversation_id=conversation) for item in created]
    assert as_dicts(retrieved) == as_dicts(created)
    assert as_dicts(items.list(conversation).data) == as_dicts(created)

    for item in created:
        items.delete(item.id, conversation_id=conversation)
    assert stored(http, conversation) == []
