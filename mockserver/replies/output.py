"""The output of the fake model: what a reply, or else the default, makes of a prompt."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.replies import default
from mockserver.replies.default import dump_json, text_message
from mockserver.replies.items import complete_items, cut_item, list_streamed_texts, mark_incomplete
from mockserver.replies.model import CONTENT_FIELDS, Reply
from mockserver.replies.prompt import Prompt
from mockserver.replies.words import count_item_words, split_into_words

NewId = Callable[[str], str]
"""Returns an unused id with the given prefix."""


class OutputItem(NamedTuple):
    """An item of the output.

    `body` is the finished item as the document requires it, but without `id` unless the reply has one. `deltas` has
    the pieces of each text that is streamed, one sequence for each text of `items.list_streamed_texts`.
    """

    body: dict[str, Any]
    deltas: Sequence[Sequence[str]] = ()


class ModelOutput(NamedTuple):
    """What the model says.

    `incomplete` is the reason of an incomplete response, `error` the code and message of a failed one. `usage` holds
    the counts that replace computed ones. `delay` and `delta_delay` are the seconds before the first item and before
    each delta, `queued` and `sleep` those that a background response is queued and sleeps. `fault` strikes while the
    output is delivered.
    """

    items: Sequence[OutputItem]
    incomplete: str | None = None
    error: Mapping[str, str] | None = None
    usage: Mapping[str, int] = {}
    delay: float = 0.0
    delta_delay: float = 0.0
    queued: float = 0.0
    sleep: float | None = None
    fault: Mapping[str, Any] | None = None


def write_output(reply: Reply | None, prompt: Prompt, new_id: NewId) -> ModelOutput:
    """Return what the model says: the output of `reply`, or the default."""
    fields: Mapping[str, Any] = reply.fields if reply is not None else {}
    failed, incomplete = fields.get("failed"), fields.get("incomplete")
    if any(name in fields for name in CONTENT_FIELDS):
        bodies = fields["items"] if "items" in fields else _write_bodies(fields)
    else:
        bodies = [] if failed else default.write_items(prompt)
    items = [_split_item(body) for body in complete_items(bodies, new_id)]
    if isinstance(pieces := fields.get("text", fields.get("refusal")), list):
        items = [item._replace(deltas=(pieces,)) if item.body["type"] == "message" else item for item in items]
    if incomplete is not None and items:
        items[-1] = items[-1]._replace(body=mark_incomplete(items[-1].body))
    limit = prompt.request.get("max_output_tokens")
    if limit is not None and sum(count_item_words(item.body) for item in items) > limit:
        items, incomplete, failed = _cut_items(items, limit), "max_output_tokens", None
    return ModelOutput(
        items,
        incomplete=incomplete,
        error=None if failed is None else _error(failed),
        usage=fields.get("usage", {}),
        delay=fields.get("delay", 0.0),
        delta_delay=fields.get("delta_delay", 0.0),
        queued=fields.get("queued", 0.0),
        sleep=fields.get("sleep"),
        fault=fields.get("fault"),
    )


def _write_bodies(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of the short forms: reasoning, then the message, then function calls."""
    bodies: list[dict[str, Any]] = []
    if "reasoning" in fields:
        summary = [{"type": "summary_text", "text": text} for text in _as_list(fields["reasoning"])]
        bodies.append({"type": "reasoning", "summary": summary})
    if "text" in fields:
        bodies.append(text_message("".join(fields["text"])))
    if "json" in fields:
        bodies.append(text_message(dump_json(fields["json"])))
    if "refusal" in fields:
        bodies.append({"type": "message", "content": [{"type": "refusal", "refusal": "".join(fields["refusal"])}]})
    for call in _as_list(fields.get("function_call", [])):
        arguments = call.get("arguments", {})
        text = arguments if isinstance(arguments, str) else dump_json(arguments)
        bodies.append({**call, "type": "function_call", "arguments": text})
    return bodies


def _split_item(body: dict[str, Any]) -> OutputItem:
    return OutputItem(body, tuple(map(split_into_words, list_streamed_texts(body))))


def _cut_items(items: Sequence[OutputItem], limit: int) -> list[OutputItem]:
    """Return the first items, with so many words in total; the last of them may be cut."""
    kept: list[OutputItem] = []
    for item in items:
        words = count_item_words(item.body)
        if words > limit:
            cut = cut_item(item.body, limit)
            if cut is not None:
                texts = list_streamed_texts(cut)
                kept.append(OutputItem(cut, [_cut_pieces(*pair) for pair in zip(item.deltas, texts, strict=False)]))
            break
        kept.append(item)
        limit -= words
    return kept


def _cut_pieces(pieces: Sequence[str], text: str) -> Sequence[str]:
    """Return the first pieces, which together are `text`."""
    kept, left = [], len(text)
    for piece in pieces:
        if left <= 0:
            break
        kept.append(piece[:left])
        left -= len(piece)
    return tuple(kept)


def _error(failed: Any) -> Mapping[str, str]:
    return {"code": "server_error"} | ({"message": failed} if isinstance(failed, str) else failed)


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
