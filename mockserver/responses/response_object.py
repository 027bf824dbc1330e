"""The response object."""

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.replies.words import count_item_words
from mockserver.responses.request import Request, conversation_id_of

# The fields of a response that are null, or have this value, if the request does not give them.
_ECHOED_ALWAYS: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "previous_response_id": None,
    "tool_choice": "auto",
    "tools": [],
    "user": None,
}
# The fields of a response that it has if the request gives them, or the document has a default for them.
_ECHOED_IF_GIVEN = (
    *("background", "context_management", "frequency_penalty", "max_tool_calls", "parallel_tool_calls"),
    *("presence_penalty", "prompt", "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store"),
    *("temperature", "top_logprobs", "top_p", "truncation"),
)
_NO_USAGE = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "reasoning_tokens": 0}


def new_response(response_id: str, created_at: int, request: Request) -> dict[str, Any]:
    """Return the response object of an accepted request, before anything was generated."""
    response = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "queued" if request["background"] else "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": request["model"],
        "resolved_model": request["model"],
        "output": [],
        "text": {"format": {"type": "text"}, **request.get("text", {})},
        "usage": _usage(_NO_USAGE),
        **{name: request.get(name, default) for name, default in _ECHOED_ALWAYS.items()},
        **{name: request[name] for name in _ECHOED_IF_GIVEN if name in request},
    }
    if (conversation_id := conversation_id_of(request)) is not None:
        response["conversation"] = {"id": conversation_id}
    return response


def echoed_request(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that its response echoes."""
    names = ("model", "text", "conversation", *_ECHOED_ALWAYS, *_ECHOED_IF_GIVEN)
    return {name: response[name] for name in names if response.get(name) is not None}


def output_text(output: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of all messages of an output."""
    contents = [item["content"] for item in output if item["type"] == "message"]
    parts = [part for content in contents for part in ([content] if isinstance(content, str) else content)]
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in parts)


def count_usage(input_words: int, output: Sequence[Mapping[str, Any]], planned: Mapping[str, int]) -> dict[str, Any]:
    """Return the usage of a response: a token is a word, unless the reply plans another count."""
    counted = {
        "input_tokens": input_words,
        "output_tokens": sum(map(count_item_words, output)),
        "reasoning_tokens": sum(count_item_words(item) for item in output if item["type"] == "reasoning"),
    }
    return _usage({**_NO_USAGE, **counted, **planned})


def _usage(counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "input_tokens": counts["input_tokens"],
        "input_tokens_details": {"cached_tokens": counts["cached_tokens"]},
        "output_tokens": counts["output_tokens"],
        "output_tokens_details": {"reasoning_tokens": counts["reasoning_tokens"]},
        "total_tokens": counts["input_tokens"] + counts["output_tokens"],
    }
