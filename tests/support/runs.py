"""Runs of responses without a server, and outputs of every kind."""

from itertools import count
from typing import Any

from mockserver.replies.items import complete_items, list_streamed_texts
from mockserver.replies.output import ModelOutput, OutputItem
from mockserver.responses.response_object import new_response
from mockserver.responses.run import ResponseRun

REQUEST: dict[str, Any] = {
    "model": "auto",
    "background": False,
    "max_tool_calls": 64,
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "store": True,
    "truncation": "auto",
}
NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}

TEXT = {"type": "output_text", "text": "It rains in Oslo, and it will rain."}
CITED = TEXT | {
    "annotations": [
        {"type": "url_citation", "start_index": 0, "end_index": 8, "title": "Weather", "url": "https://example.com"},
        {"type": "file_citation", "file_id": "file_1", "filename": "weather.txt", "index": 3},
        {"type": "file_path", "file_id": "file_1", "index": 3},
    ]
}
CALL = {"type": "function_call", "name": "get_weather", "arguments": '{"city": "Oslo", "unit": "celsius"}'}


def hosted(name: str, arguments: str, output: str = "done") -> list[dict[str, Any]]:
    """Return a function call that the service has run itself, and its output."""
    return [
        {"type": "function_call", "name": name, "arguments": arguments},
        {"type": "function_call_output", "output": output},
    ]


OUTPUTS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "text": [{"type": "message", "content": [TEXT]}],
    "empty_text": [{"type": "message", "content": [TEXT | {"text": ""}]}],
    "cited_text": [{"type": "message", "content": [CITED]}],
    "several_parts": [{"type": "message", "content": [TEXT, CITED, {"type": "refusal", "refusal": "I cannot."}]}],
    "refusal": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot do that."}]}],
    "commentary": [{"type": "message", "phase": "commentary", "content": [TEXT]}],
    "no_parts": [{"type": "message", "content": []}],
    "reasoning": [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "First one."}, {"type": "summary_text", "text": "Then two."}],
            "content": [{"type": "reasoning_text", "text": "It is so."}],
            "encrypted_content": "secret",
        }
    ],
    "function_call": [CALL],
    "parallel_calls": [CALL, CALL | {"arguments": "{}"}, {"type": "message", "content": [TEXT]}],
    "invalid_arguments": [CALL | {"arguments": "not JSON"}],
    "custom_tool_call": [{"type": "custom_tool_call", "name": "run", "input": "print the weather"}],
    "mcp_call": [{"type": "mcp_call", "name": "ask", "server_label": "docs", "arguments": '{"q": 1}', "output": "42"}],
    "failed_mcp_call": [{"type": "mcp_call", "name": "ask", "server_label": "docs", "error": "unreachable"}],
    "mcp_list_tools": [
        {
            "type": "mcp_list_tools",
            "server_label": "docs",
            "tools": [{"name": "ask", "input_schema": {"type": "object"}}],
        }
    ],
    "failed_mcp_list_tools": [{"type": "mcp_list_tools", "server_label": "docs", "error": "unreachable"}],
    "mcp_approval_request": [{"type": "mcp_approval_request", "name": "ask", "server_label": "docs"}],
    "web_search_call": [{"type": "web_search_call", "action": {"type": "search", "query": "weather in Oslo"}}],
    "open_page": [{"type": "web_search_call", "action": {"type": "open_page", "url": "https://example.com"}}],
    "file_search_call": [
        {"type": "file_search_call", "queries": ["weather"], "results": [{"file_id": "file_1", "score": 0.5}]}
    ],
    "failed_file_search_call": [{"type": "file_search_call", "status": "failed"}],
    "code_interpreter_call": [
        {"type": "code_interpreter_call", "code": "print(1 + 1)", "outputs": [{"type": "logs", "logs": "2"}]}
    ],
    "code_interpreter_call_without_code": [{"type": "code_interpreter_call", "status": "failed"}],
    "image_generation_call": [{"type": "image_generation_call", "result": "aGVsbG8=", "revised_prompt": "a cat"}],
    "failed_image_generation_call": [{"type": "image_generation_call", "status": "failed"}],
    "computer_call": [{"type": "computer_call"}],
    "local_shell_call": [{"type": "local_shell_call"}],
    "shell_call": [
        {"type": "shell_call", "action": {"type": "exec", "command": "ls"}},
        {"type": "shell_call_output"},
    ],
    "output_audio": [{"type": "output_audio", "data": "aGVsbG8=", "transcript": "hello"}],
    "compaction": [{"type": "compaction", "content": "It rained."}],
    "agent": hosted("researcher", '{"task": "look"}'),
    "file_search": hosted("file_search", "{}"),
    "history": hosted("history", '{"query": "weather"}'),
    "history_without_query": hosted("history", "{}"),
    "image_generation": hosted("image_generation", '{"prompt": "a cat"}'),
    "read_file": hosted("read_file", '{"file_id": "file_1"}'),
    "shell": hosted("shell", '{"command": "ls"}'),
    "sleep": hosted("sleep", '{"duration_seconds": 3, "reason": "tired"}'),
    "tool_search": hosted("tool_search", '{"query": "weather", "max_results": 2.5}'),
    "web_search": hosted("web_search", '{"query": "weather", "country": "NO"}'),
    "unknown_hosted": hosted("get_weather", "{}"),
}
OUTPUTS["everything"] = [item for items in OUTPUTS.values() for item in items]

TOOLS: list[dict[str, Any]] = [
    {"type": "agent", "agent_id": "agent_1", "name": "researcher"},
    {"type": "image_generation", "partial_images": 2},
]


def make_output(items: list[dict[str, Any]], **fields: Any) -> ModelOutput:
    """Return an output of these items, of which each text is streamed in pieces of 5 characters."""
    numbers = count(1)
    return ModelOutput(
        [
            OutputItem(
                body, [[text[at : at + 5] for at in range(0, len(text), 5)] for text in list_streamed_texts(body)]
            )
            for body in complete_items(items, lambda prefix: f"{prefix}_{next(numbers)}")
        ],
        **fields,
    )


def make_run(
    output: ModelOutput, *, request: Any = None, commit: Any = lambda _run: None, **options: Any
) -> ResponseRun:
    """Return the run of a response that nothing stores."""
    numbers = count(1)
    return ResponseRun(
        new_response("resp_1", 1_700_000_000, REQUEST | {"tools": TOOLS} | (request or {})),
        output,
        new_item_id=lambda item_type: f"{item_type}_{next(numbers)}",
        count_usage=lambda _items: NO_USAGE | {"output_tokens": 7, "total_tokens": 7},
        commit=commit,
        now=lambda: 1_700_000_001,
        **options,
    )


def list_events(output: ModelOutput, **options: Any) -> list[dict[str, Any]]:
    """Return the events of a run of this output."""
    return [step.event for step in make_run(output, **options).steps() if step.event is not None]
