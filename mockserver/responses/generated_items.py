"""The items that the model generates, as the request wants them."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from mockserver.replies.output import ModelOutput
from mockserver.responses.compaction import seal
from mockserver.responses.request import Request

_ENCRYPTED_REASONING = "reasoning.encrypted_content"


def fit_output(output: ModelOutput, request: Request, is_used: Callable[[str], bool]) -> ModelOutput:
    """Return an output without ids that are used already, and with encrypted reasoning if the request includes it."""
    is_included = _ENCRYPTED_REASONING in request.get("include", ())
    ids: set[str] = set()
    items = []
    for item in output.items:
        body = item.body
        if (item_id := body.get("id")) is not None:
            if item_id in ids or is_used(item_id):
                body = {name: value for name, value in body.items() if name != "id"}
            ids.add(item_id)
        if is_included and body["type"] == "reasoning" and body.get("encrypted_content") is None:
            body = body | {"encrypted_content": _encrypt(body)}
        items.append(item._replace(body=body))
    return output._replace(items=items)


def _encrypt(body: Mapping[str, Any]) -> str:
    return seal(orjson.dumps([body["summary"], body.get("content")]).decode())
