"""Valid items of every kind, for scenarios and tests."""

from typing import Any

Item = dict[str, Any]

# Characters of one to four bytes, a combining accent, and white space at both ends.
TEXT = " \tNaïve Ωmega — 東京 🦆 and ame\u0301lie.\n "


def message(text: str, role: str = "user", **fields: Any) -> Item:
    return {"type": "message", "role": role, "content": text, **fields}


def minimal_items(unique: str, referenced: str) -> dict[str, Item]:
    """Return one item of every kind with its required fields only, and one message of each direction.

    `unique` makes the required ids unique; `referenced` is the id of an item in another conversation.
    """
    reference = {"item_reference": {"type": "item_reference", "id": referenced}}
    return {name: _with_id(item, f"minimal_{unique}") for name, item in _MINIMAL.items()} | reference


def full_items(unique: str) -> dict[str, Item]:
    """Return items of every kind except references, with all optional fields, by description."""
    return {name: _with_id(item, f"{place}_{unique}") for place, (name, item) in enumerate(_FULL.items())}


def _with_id(item: Item, unique: str) -> Item:
    return item | {"id": f"{item['id']}_{unique}"} if "id" in item else dict(item)


_MINIMAL: dict[str, Item] = {
    "input message": {"type": "message", "role": "user", "content": "Hello."},
    "output message": {
        "type": "message",
        "id": "msg",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello."}],
    },
    "function_call": {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
    "function_call_output": {"type": "function_call_output", "call_id": "call_1", "output": ""},
    "custom_tool_call": {"type": "custom_tool_call", "call_id": "call_2", "name": "sql", "input": "select 1"},
    "custom_tool_call_output": {"type": "custom_tool_call_output", "call_id": "call_2", "output": "1"},
    "computer_call": {
        "type": "computer_call",
        "id": "cu",
        "call_id": "call_3",
        "action": {"type": "screenshot"},
        "pending_safety_checks": [],
        "status": "completed",
    },
    "computer_call_output": {
        "type": "computer_call_output",
        "call_id": "call_3",
        "output": {"type": "computer_screenshot", "image_url": "https://example.com/screen.png"},
    },
    "file_search_call": {"type": "file_search_call", "id": "fs", "queries": ["opening hours"], "status": "completed"},
    "web_search_call": {
        "type": "web_search_call",
        "id": "ws",
        "action": {"type": "search", "query": "tides"},
        "status": "completed",
    },
    "reasoning": {"type": "reasoning", "id": "rs", "summary": []},
    "image_generation_call": {
        "type": "image_generation_call",
        "id": "ig",
        "status": "completed",
        "result": "iVBORw0KGgo=",
    },
    "code_interpreter_call": {
        "type": "code_interpreter_call",
        "id": "ci",
        "code": None,
        "container_id": "cntr_1",
        "outputs": None,
        "status": "completed",
    },
    "local_shell_call": {
        "type": "local_shell_call",
        "id": "ls",
        "call_id": "call_4",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
        "status": "completed",
    },
    "local_shell_call_output": {"type": "local_shell_call_output", "id": "lso", "output": "total 0"},
    "shell_call": {
        "type": "shell_call",
        "id": "sh",
        "call_id": "call_5",
        "action": {"type": "exec"},
        "status": "completed",
    },
    "shell_call_output": {
        "type": "shell_call_output",
        "id": "sho",
        "call_id": "call_5",
        "output": {"stdout": "", "stderr": "", "outcome": {"type": "timeout", "exit_code": None}},
    },
    "mcp_list_tools": {"type": "mcp_list_tools", "id": "mcpl", "server_label": "tickets", "tools": []},
    "mcp_approval_request": {
        "type": "mcp_approval_request",
        "id": "mcpr",
        "arguments": "{}",
        "name": "find",
        "server_label": "tickets",
    },
    "mcp_approval_response": {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False},
    "mcp_call": {"type": "mcp_call", "id": "mcp", "arguments": "{}", "name": "list", "server_label": "tickets"},
    "output_audio": {
        "type": "output_audio",
        "id": "audio",
        "data": "UklGRg==",
        "transcript": "Hello.",
        "status": "completed",
    },
    "compaction": {"type": "compaction", "id": "cmp", "content": "They talked about cats."},
}

_FULL: dict[str, Item] = {
    "a message in several scripts": {"type": "message", "role": "developer", "content": TEXT},
    "a message with an image by URL": {
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [
            {"type": "input_text", "text": "What is on this picture?"},
            {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "low"},
        ],
    },
    "a message with an image by file id": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "file_id": "file_1", "detail": "auto"}],
    },
    "a message with a file": {
        "type": "message",
        "role": "user",
        "status": "in_progress",
        "content": [
            {"type": "input_file", "file_id": "file_1", "filename": "notes.txt"},
            {"type": "input_file", "file_url": "https://example.com/notes.txt"},
        ],
    },
    "a message with audio": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}],
    },
    "an output message with citations": {
        "type": "message",
        "id": "msg",
        "role": "assistant",
        "status": "incomplete",
        "phase": "commentary",
        "content": [
            {
                "type": "output_text",
                "text": TEXT,
                "annotations": [
                    {
                        "type": "url_citation",
                        "start_index": 0,
                        "end_index": 5,
                        "title": "Cats",
                        "url": "https://example.com/cats",
                    },
                    {"type": "file_citation", "file_id": "file_1", "filename": "cats.txt", "index": 3},
                ],
                "logprobs": [
                    {
                        "token": "A",
                        "logprob": -0.25,
                        "bytes": [65],
                        "top_logprobs": [{"token": "A", "logprob": -0.25, "bytes": [65]}],
                    }
                ],
            },
            {"type": "refusal", "refusal": "I will not name it."},
        ],
    },
    "a function_call in progress": {
        "type": "function_call",
        "call_id": "call_6",
        "name": "get_weather",
        "arguments": '{ "city": "São Paulo 🦆",\n  "days": 1.0 }',
        "status": "in_progress",
    },
    "another function_call, incomplete": {
        "type": "function_call",
        "call_id": "call_7",
        "name": "get_weather",
        "arguments": '{"city":"Lis',
        "status": "incomplete",
    },
    "a function_call_output with white space around it": {
        "type": "function_call_output",
        "call_id": "call_6",
        "output": TEXT,
        "status": "incomplete",
    },
    "a custom_tool_call with several lines": {
        "type": "custom_tool_call",
        "call_id": "call_8",
        "name": "sql",
        "input": "select *\n  from ducks\n where name = 'Ame\u0301lie 🦆';\n",
    },
    "a custom_tool_call_output with white space around it": {
        "type": "custom_tool_call_output",
        "call_id": "call_8",
        "output": TEXT,
    },
    "a computer_call in progress": {
        "type": "computer_call",
        "id": "cu",
        "call_id": "call_9",
        "action": {"type": "click", "button": "left", "x": 10, "y": 20},
        "pending_safety_checks": [{"id": "check_1", "code": "domain", "message": "Look twice."}],
        "status": "in_progress",
    },
    "a computer_call_output with acknowledged checks": {
        "type": "computer_call_output",
        "call_id": "call_9",
        "output": {"type": "computer_screenshot", "file_id": "file_1", "image_url": "https://example.com/desk.png"},
        "acknowledged_safety_checks": [{"id": "check_1", "code": "domain", "message": "Look twice."}],
        "status": "incomplete",
    },
    "a file_search_call with results": {
        "type": "file_search_call",
        "id": "fs",
        "queries": ["opening hours", "Öffnungszeiten"],
        "status": "completed",
        "results": [
            {
                "file_id": "file_1",
                "filename": "hours.txt",
                "score": 0.5,
                "text": "From nine.",
                "attributes": {"year": 2025, "draft": False, "city": "Köln"},
            }
        ],
    },
    "a web_search_call with sources": {
        "type": "web_search_call",
        "id": "ws",
        "action": {
            "type": "search",
            "query": "tides in Lisbon",
            "sources": [{"type": "url", "url": "https://example.com"}],
        },
        "status": "completed",
    },
    "reasoning with its content": {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": "Compared two."}],
        "content": [{"type": "reasoning_text", "text": "The first is cheaper."}],
        "encrypted_content": "gAAAAABo",
        "status": "incomplete",
    },
    "reasoning with nulls": {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": "Compared both."}],
        "encrypted_content": None,
        "status": None,
    },
    "an image_generation_call with its settings": {
        "type": "image_generation_call",
        "id": "ig",
        "status": "completed",
        "result": "/9j/4AAQSkZJRg==",
        "background": "opaque",
        "output_format": "png",
        "quality": "high",
        "size": "1024x1024",
        "revised_prompt": "A duck, in oil.",
    },
    "a code_interpreter_call with outputs": {
        "type": "code_interpreter_call",
        "id": "ci",
        "code": "for n in range(2):\n    print(n)\n",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "0\n1\n"}, {"type": "image", "url": "https://example.com/plot.png"}],
        "status": "interpreting",
    },
    "a local_shell_call with all settings": {
        "type": "local_shell_call",
        "id": "ls",
        "call_id": "call_10",
        "action": {
            "type": "exec",
            "command": ["ls", "-l"],
            "env": {"LANG": "C"},
            "timeout_ms": 1000,
            "user": "nobody",
            "working_directory": "/srv/ducks",
        },
        "status": "in_progress",
    },
    "a local_shell_call_output, incomplete": {
        "type": "local_shell_call_output",
        "id": "lso",
        "output": "total 0\n",
        "status": "incomplete",
    },
    "a shell_call with all settings": {
        "type": "shell_call",
        "id": "sh",
        "call_id": "call_11",
        "action": {"type": "exec", "command": "date", "timeout_ms": 1000, "max_output_length": 500},
        "status": "in_progress",
    },
    "a shell_call_output with an exit code": {
        "type": "shell_call_output",
        "id": "sho",
        "call_id": "call_11",
        "output": {"stdout": "Monday\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
        "status": "completed",
    },
    "mcp_list_tools with tools": {
        "type": "mcp_list_tools",
        "id": "mcpl",
        "server_label": "tickets",
        "tools": [
            {
                "name": "find",
                "description": "Finds tickets.",
                "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
                "annotations": {"readOnlyHint": True},
            }
        ],
        "error": "one of two servers is away",
    },
    "an mcp_approval_response with a reason": {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
        "reason": "It only reads.",
    },
    "an mcp_call with its output": {
        "type": "mcp_call",
        "id": "mcp",
        "arguments": '{"text": "duck"}',
        "name": "find",
        "server_label": "tickets",
        "approval_request_id": "mcpr_1",
        "output": "[]\n",
    },
    "an mcp_call that failed": {
        "type": "mcp_call",
        "id": "mcp",
        "arguments": "{}",
        "name": "find",
        "server_label": "tickets",
        "approval_request_id": None,
        "error": "timed out",
    },
    "output_audio in progress": {
        "type": "output_audio",
        "id": "audio",
        "data": "UklGRg==",
        "transcript": TEXT,
        "status": "in_progress",
    },
    "a compaction with its author": {
        "type": "compaction",
        "id": "cmp",
        "content": "They talked about ducks.",
        "encrypted_content": "gAAAAABo",
        "created_by": "a model",
    },
}
