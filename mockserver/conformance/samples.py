"""One valid item of every kind, for scenarios and tests to send and to spoil."""

from typing import Any

Item = dict[str, Any]


def says(text: str, role: str = "user", **more: Any) -> Item:
    """A message."""
    return {"type": "message", "role": role, "content": text, **more}


def item_of_every_kind(unique: str, referenced: str) -> dict[str, Item]:
    """By kind, each with the optional fields that it has a use for. The two kinds of messages are told apart.

    `unique` makes the required ids unique; `referenced` is the id of an item in another conversation.
    """
    return {name: _with_id(item, unique) for name, item in _ITEMS.items()} | {
        "item_reference": {"type": "item_reference", "id": referenced}
    }


def _with_id(item: Item, unique: str) -> Item:
    return item | {"id": f"{item['id']}_{unique}"} if "id" in item else dict(item)


_ITEMS: dict[str, Item] = {
    "input message": {
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [
            {"type": "input_text", "text": "What is on this picture?"},
            {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "low"},
            {"type": "input_file", "file_id": "file_1", "filename": "notes.txt"},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    },
    "output message": {
        "type": "message",
        "id": "msg",
        "role": "assistant",
        "status": "completed",
        "content": [
            {
                "type": "output_text",
                "text": "A cat, see the page.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "start_index": 0,
                        "end_index": 5,
                        "title": "Cats",
                        "url": "https://example.com/cats",
                    }
                ],
            },
            {"type": "refusal", "refusal": "I will not name it."},
        ],
    },
    "function_call": {
        "type": "function_call",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": '{"city":"Lisbon"}',
        "status": "completed",
    },
    "function_call_output": {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": '{"celsius":21}',
        "status": "completed",
    },
    "custom_tool_call": {"type": "custom_tool_call", "call_id": "call_2", "name": "sql", "input": "select 1"},
    "custom_tool_call_output": {"type": "custom_tool_call_output", "call_id": "call_2", "output": "1"},
    "computer_call": {
        "type": "computer_call",
        "id": "cu",
        "call_id": "call_3",
        "action": {"type": "click", "button": "left", "x": 10, "y": 20},
        "pending_safety_checks": [{"id": "check_1", "code": "domain", "message": "Look twice."}],
        "status": "completed",
    },
    "computer_call_output": {
        "type": "computer_call_output",
        "call_id": "call_3",
        "output": {"type": "computer_screenshot", "image_url": "https://example.com/screen.png"},
        "acknowledged_safety_checks": [{"id": "check_1"}],
    },
    "file_search_call": {
        "type": "file_search_call",
        "id": "fs",
        "queries": ["opening hours"],
        "status": "completed",
        "results": [{"file_id": "file_1", "filename": "hours.txt", "score": 0.5, "text": "From nine."}],
    },
    "web_search_call": {
        "type": "web_search_call",
        "id": "ws",
        "action": {
            "type": "search",
            "query": "tides",
            "sources": [{"type": "url", "url": "https://example.com"}],
        },
        "status": "completed",
    },
    "reasoning": {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": "Compared both."}],
        "content": [{"type": "reasoning_text", "text": "The first is cheaper."}],
    },
    "image_generation_call": {
        "type": "image_generation_call",
        "id": "ig",
        "status": "completed",
        "result": "iVBORw0KGgo=",
        "size": "1024x1024",
    },
    "code_interpreter_call": {
        "type": "code_interpreter_call",
        "id": "ci",
        "code": "print(1)",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "1"}],
        "status": "completed",
    },
    "local_shell_call": {
        "type": "local_shell_call",
        "id": "ls",
        "call_id": "call_4",
        "action": {"type": "exec", "command": ["ls", "-l"], "env": {"LANG": "C"}, "timeout_ms": 1000},
        "status": "completed",
    },
    "local_shell_call_output": {"type": "local_shell_call_output", "id": "lso", "output": "total 0"},
    "shell_call": {
        "type": "shell_call",
        "id": "sh",
        "call_id": "call_5",
        "action": {"type": "exec", "command": "date", "timeout_ms": 1000},
        "status": "completed",
    },
    "shell_call_output": {
        "type": "shell_call_output",
        "id": "sho",
        "call_id": "call_5",
        "output": {"stdout": "Monday", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
    },
    "mcp_list_tools": {
        "type": "mcp_list_tools",
        "id": "mcpl",
        "server_label": "tickets",
        "tools": [{"name": "find", "input_schema": {"type": "object"}, "description": "Finds tickets."}],
    },
    "mcp_approval_request": {
        "type": "mcp_approval_request",
        "id": "mcpr",
        "arguments": "{}",
        "name": "find",
        "server_label": "tickets",
    },
    "mcp_approval_response": {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
        "reason": "It only reads.",
    },
    "mcp_call": {
        "type": "mcp_call",
        "id": "mcp",
        "arguments": "{}",
        "name": "find",
        "server_label": "tickets",
        "output": "none",
    },
    "output_audio": {
        "type": "output_audio",
        "id": "audio",
        "data": "UklGRg==",
        "transcript": "Hello.",
        "status": "completed",
    },
    "compaction": {"type": "compaction", "id": "cmp", "content": "They talked about cats."},
}
