"""The examples of the document, sent to a fake that has their objects."""

from collections.abc import Callable
from typing import Any

import pytest

from mockserver.contract.document import load_document

DOCUMENT = load_document()
EXAMPLES = DOCUMENT["components"]["examples"]
CALL, OUTPUT = EXAMPLES["AddedToolCallAndOutput"]["value"]["data"]
SEED = {
    "conversations": [
        {
            "id": "conv_abc123",
            "items": [EXAMPLES["StoredMessage"]["value"], CALL, OUTPUT],
        }
    ],
    "responses": [
        {
            "id": "resp_abc123",
            "request": {"model": "auto", "input": "What does a new belt cost?", "conversation": "conv_abc123"},
        },
    ],
}
SLEEPING = {"wakeResponse"}  # Its example needs a response that sleeps.


def examples_of(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: EXAMPLES[example["$ref"].rpartition("/")[2]]["value"]
        for name, example in content["application/json"]["examples"].items()
    }


REQUESTS = [
    pytest.param(verb, path, operation, body, id=f"{operation['operationId']}-{name}")
    for path, item in DOCUMENT["paths"].items()
    for verb, operation in item.items()
    if "requestBody" in operation and operation["operationId"] not in SLEEPING
    for name, body in examples_of(operation["requestBody"]["content"]).items()
]


@pytest.mark.parametrize(("verb", "path", "operation", "body"), REQUESTS)
def test_an_example_request_is_accepted(
    make_client: Callable[..., Any], verb: str, path: str, operation: dict[str, Any], body: Any
) -> None:
    """The response has the fields of one of the examples."""
    path = path.format(conversation_id="conv_abc123", item_id="msg_abc123", response_id="resp_abc123")
    response = make_client(seeds=(SEED,)).root.request(
        verb.upper(), path, json=body, headers={"Authorization": "Bearer mka1-test-key"}
    )
    assert response.status_code == 200, response.text
    if body.get("stream") is not True:
        shown = examples_of(operation["responses"]["200"]["content"]).values()
        assert any(response.json().keys() == example.keys() for example in shown), response.json().keys()
