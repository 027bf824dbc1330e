"""Requests that are refused: the status, the field, and that nothing has happened."""

import pytest

from .support import CALL, FUNCTION, OUTPUT, create_conversation, list_items, reject, respond, user

CUSTOM = {"type": "custom", "name": "get_weather"}
MCP = {"type": "mcp", "server_label": "files", "server_url": "https://example.com"}
AGENT = {"type": "agent", "agent_id": "agent_1"}


def json_schema(schema):
    return {"format": {"type": "json_schema", "name": "n", "schema": schema}}


CASES = {
    "both": ({"conversation": "c", "previous_response_id": "resp_1"}, "previous_response_id", "conflict"),
    "foreground events": ({"stream_events": True}, "stream_events", "conflict"),
    "foreground webhook": ({"webhook_url": "http://127.0.0.1/"}, "webhook_url", "conflict"),
    "secret alone": ({"webhook_secret": "s", "background": True}, "webhook_secret", "conflict"),
    "background, not stored": ({"background": True, "store": False}, "store", "conflict"),
    "computer tool": ({"tools": [{"type": "computer_use_preview"}]}, "tools[0].type", "unsupported_tool"),
    "computer choice": ({"tool_choice": {"type": "computer_use_preview"}}, "tool_choice.type", "unsupported_tool"),
    "foreground agent": ({"tools": [FUNCTION, AGENT]}, "tools[1].type", "unsupported_tool"),
    "same function": ({"tools": [FUNCTION, FUNCTION]}, "tools[1].name", "duplicate_tool"),
    "same custom tool": ({"tools": [FUNCTION, CUSTOM]}, "tools[1].name", "duplicate_tool"),
    "unknown function": (
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "f"}},
        "tool_choice.name",
        "unknown_tool",
    ),
    "unknown custom tool": (
        {"tools": [FUNCTION], "tool_choice": {"type": "custom", "name": "get_weather"}},
        "tool_choice.name",
        "unknown_tool",
    ),
    "unknown hosted tool": ({"tool_choice": {"type": "file_search"}}, "tool_choice.type", "unknown_tool"),
    "unknown server": (
        {"tools": [MCP], "tool_choice": {"type": "mcp", "server_label": "mail"}},
        "tool_choice.server_label",
        "unknown_tool",
    ),
    "unknown allowed tool": (
        {
            "tools": [FUNCTION],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "get_weather"}, {"type": "function", "name": "f"}],
            },
        },
        "tool_choice.tools[1].name",
        "unknown_tool",
    ),
    "required without tools": ({"tool_choice": "required"}, "tool_choice", "unknown_tool"),
    "schema type": ({"text": json_schema({"type": "objekt"})}, "text.format.schema.type", "invalid_schema"),
    "schema reference": ({"text": json_schema({"$ref": "#/$defs/x"})}, "text.format.schema", "invalid_schema"),
    "schema elsewhere": (
        {"text": json_schema({"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}})},
        "text.format.schema",
        "invalid_schema",
    ),
    "tool parameters": (
        {"tools": [{**FUNCTION, "parameters": {"properties": {"a": {"minimum": "x"}}}}]},
        "tools[0].parameters.properties.a.minimum",
        "invalid_schema",
    ),
    "no call": ({"input": [user("x"), OUTPUT]}, "input[1].call_id", "unknown_call"),
    "call after its output": ({"input": [OUTPUT, CALL]}, "input[0].call_id", "unknown_call"),
    "call of another kind": (
        {"input": [CALL, {"type": "custom_tool_call_output", "call_id": "call_1", "output": "x"}]},
        "input[1].call_id",
        "unknown_call",
    ),
    "no approval request": (
        {"input": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]},
        "input[0].approval_request_id",
        "unknown_call",
    ),
    "temperature": ({"temperature": 2.1}, "temperature", "maximum"),
    "empty conversation": ({"conversation": ""}, "conversation", "minLength"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_request_is_rejected_and_changes_nothing(make_client, name):
    fields, param, code = CASES[name]
    client = make_client()
    conversation_id = create_conversation(client, "first")
    before = client.root.get("/_mock/state").json()
    if "previous_response_id" not in fields:
        fields = {"conversation": conversation_id} | fields
    error = reject(client, 400, **{"input": "x", **fields})
    assert (error["param"], error["findings"][0]["code"]) == (param, code)
    assert error["message"].startswith(f"{param}: ")
    assert client.root.get("/_mock/state").json() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [FUNCTION] * 500},
        {"input": [OUTPUT] * 500},
        {"tools": [{**FUNCTION, "name": f"f{number}", "parameters": {"type": number}} for number in range(500)]},
    ],
)
def test_an_error_lists_the_first_mistakes(make_client, fields):
    error = reject(make_client(), 400, **fields)
    assert len(error["findings"]) == 20
    assert error["message"].endswith("(and 19 more, see findings)")


def test_a_mistake_in_a_list_of_the_query_names_its_place(make_client):
    client = make_client()
    error = client.get(f"/responses/{respond(client)['id']}?include=a").json()["error"]
    assert error["param"] == "include[0]"


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": {}}, "$ref": "#/$defs/a"},
        {"$schema": "urn:mine", "type": "object"},
        {"type": "object", "properties": {"a": {"format": "no such format"}}, "x-mine": 1},
    ],
)
def test_a_good_schema_is_accepted(make_client, schema):
    tool = {**FUNCTION, "parameters": schema}
    text = json_schema(schema)
    response = respond(make_client(), text=text, tools=[tool])
    assert response["text"]["format"]["schema"] == schema
    assert response["tools"][0]["parameters"] == schema


@pytest.mark.parametrize(
    ("tool", "choice"),
    [
        (FUNCTION, "auto"),
        (FUNCTION, "none"),
        (FUNCTION, {"type": "function", "name": "get_weather"}),
        (CUSTOM, {"type": "custom", "name": "get_weather"}),
        (MCP, {"type": "mcp", "server_label": "files", "name": "read"}),
        ({"type": "web_search"}, {"type": "web_search_preview"}),
        ({"type": "image_generation"}, {"type": "image_generation"}),
        (
            FUNCTION,
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]},
        ),
    ],
)
def test_a_choice_of_a_tool_of_the_request_is_accepted(make_client, tool, choice):
    # The context ends with a tool output, so that the default output is a message.
    assert respond(make_client(), [CALL, OUTPUT], tools=[tool], tool_choice=choice)["tool_choice"] == choice


def test_a_prompt_template_may_bring_tools(make_client):
    choice = {"type": "function", "name": "f"}
    for each in (choice, "required"):
        response = respond(make_client(), [CALL, OUTPUT], prompt={"id": "pmpt_1"}, tool_choice=each)
        assert response["tool_choice"] == each


def test_a_call_may_be_in_the_history(make_client):
    client = make_client()
    conversation_id = create_conversation(client)
    client.post(f"/conversations/{conversation_id}/items", json={"items": [CALL]})
    respond(client, [OUTPUT], conversation=conversation_id)
    first = respond(client, [CALL])
    respond(client, [OUTPUT], previous_response_id=first["id"])


def test_an_output_in_the_history_may_have_no_call(make_client):
    client = make_client()
    conversation_id = create_conversation(client)
    client.post(f"/conversations/{conversation_id}/items", json={"items": [OUTPUT]})
    respond(client, "x", conversation=conversation_id)


@pytest.mark.parametrize("named", ["call_shell", "lsh_1"])
def test_the_output_of_a_local_shell_names_its_call_by_its_id(make_client, named):
    action = {"type": "exec", "command": ["ls"], "env": {}}
    call = {
        "type": "local_shell_call",
        "id": "lsh_1",
        "call_id": "call_shell",
        "action": action,
        "status": "completed",
    }
    client = make_client()
    first = respond(client, [call])
    respond(
        client, [{"type": "local_shell_call_output", "id": named, "output": "x"}], previous_response_id=first["id"]
    )


UNKNOWN = {
    "conversation": ({"conversation": "conv_none"}, "conversation"),
    "conversation object": ({"conversation": {"id": "conv_none"}}, "conversation"),
    "response": ({"previous_response_id": "resp_none"}, "previous_response_id"),
    "odd response": ({"previous_response_id": "none"}, "previous_response_id"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_unknown_is_404(make_client, name):
    fields, param = UNKNOWN[name]
    assert reject(make_client(), 404, input="x", **fields)["param"] == param


def test_what_is_deleted_or_foreign_is_404_with_the_same_body(make_client):
    client = make_client()
    conversation_id, response = create_conversation(client), respond(client)
    ada = {"X-On-Behalf-Of": "ada"}
    fields = ({"conversation": conversation_id}, {"previous_response_id": response["id"]})
    foreign = [reject(client, 404, headers=ada, **each) for each in fields]
    client.delete(f"/conversations/{conversation_id}")
    client.delete(f"/responses/{response['id']}")
    assert [reject(client, 404, **each) for each in fields] == foreign
    assert list_items(client, conversation_id) == []


@pytest.mark.parametrize("response_id", ["none", "resp_", "resp_a.b", "conv_1"])
def test_an_id_that_no_response_can_have_is_400(make_client, response_id):
    response = make_client().get(f"/responses/{response_id}")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "response_id")
