"""Commands and programs from the documentation of MKA1, run with another host and API key."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockserver import RunningServer, Settings, create_app, run_server

KEY = "mka1-key-of-the-reader"

DOCUMENTED_CONVERSATION = {
    "id": "conv_abc123",
    "metadata": {"session_id": "sess_abc123"},
    "api_key": KEY,
    "items": [
        {"id": "item_first", "type": "message", "role": "user", "content": "Good morning!"},
        {
            "id": "item_second",
            "response_id": "resp_abc123",
            "metadata": {"user_type": "premium"},
            "type": "message",
            "role": "assistant",
            "content": "Good morning! What can I do for you?",
        },
        {"id": "item_abc123", "type": "message", "role": "user", "content": "What is the weather today?"},
    ],
}


@pytest.fixture(scope="module")
def documented() -> Iterator[RunningServer]:
    """Run a server with the conversation and the items of the API reference."""
    settings = Settings(api_keys=(KEY,), seeds=({"conversations": [DOCUMENTED_CONVERSATION]},))
    with run_server(create_app(settings)) as running:
        yield running


# -- The guide on conversations

GUIDE_CREATE = """
curl https://apigw.mka1.com/api/v1/llm/conversations \\
  --request POST \\
  --header 'Content-Type: application/json' \\
  --header 'Authorization: Bearer <mka1-api-key>' \\
  --header 'X-On-Behalf-Of: <end-user-id>' \\
  --data '{
    "metadata": {
      "session_id": "web-42",
      "channel": "support"
    }
  }'
"""

GUIDE_ADD_ITEMS = """
curl https://apigw.mka1.com/api/v1/llm/conversations/conv_abc123/items \\
  --request POST \\
  --header 'Content-Type: application/json' \\
  --header 'Authorization: Bearer <mka1-api-key>' \\
  --header 'X-On-Behalf-Of: <end-user-id>' \\
  --data '{
    "items": [
      {
        "type": "message",
        "role": "user",
        "content": "Summarize the latest support ticket."
      }
    ]
  }'
"""

AS_THE_END_USER = "--header 'Authorization: Bearer <mka1-api-key>' --header 'X-On-Behalf-Of: <end-user-id>'"
AS_JSON = "--header 'Content-Type: application/json'"


class Shell:
    """Runs commands of the guide."""

    def __init__(self, server: RunningServer) -> None:
        self.placeholders = {
            "https://apigw.mka1.com": server.url,
            "<mka1-api-key>": "key-of-the-guides-reader",
            "<end-user-id>": "customer-42",
        }

    def run(self, command: str, status: int = 200) -> Any:
        """Run a command and return the JSON that it prints."""
        for placeholder, value in self.placeholders.items():
            command = command.replace(placeholder, value)
        command = command.strip().replace("curl ", "curl --silent --show-error --noproxy '*' ", 1)
        command += " --write-out '\\n%{http_code}'"
        process = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)
        assert (process.returncode, process.stderr) == (0, ""), process
        body, _, printed_status = process.stdout.rpartition("\n")
        assert int(printed_status) == status, body
        return json.loads(body)

    def call(self, path: str, options: str = "", status: int = 200) -> Any:
        return self.run(f"curl 'https://apigw.mka1.com/api/v1/llm{path}' {AS_THE_END_USER} {options}", status)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guide_with_curl(server: RunningServer) -> None:
    shell = Shell(server)

    created = shell.run(GUIDE_CREATE)
    assert created["object"] == "conversation"
    assert created["metadata"] == {"session_id": "web-42", "channel": "support"}
    shell.placeholders["conv_abc123"] = created["id"]

    added = shell.run(GUIDE_ADD_ITEMS)
    assert added["object"] == "list"
    [question] = added["data"]
    assert question == {
        "id": added["last_id"],
        "type": "message",
        "role": "user",
        "content": "Summarize the latest support ticket.",
    }

    # The rest of the guide names operations and filters without commands.
    assert shell.call("/conversations")["data"] == [created]
    assert shell.call("/conversations?limit=1&order=desc&search=support+ticket")["data"] == [created]
    assert shell.call("/conversations?metadata=%7B%22channel%22%3A%22support%22%7D")["data"] == [created]
    assert shell.call("/conversations?metadata=%7B%22channel%22%3A%22sales%22%7D")["data"] == []
    assert shell.call("/conversations?after=conv_abc123")["data"] == []
    assert shell.call("/conversations/conv_abc123") == created

    closed = shell.call(
        "/conversations/conv_abc123", f"""--request POST {AS_JSON} --data '{{"metadata": {{"state": "closed"}}}}'"""
    )
    assert closed == created | {"metadata": {"state": "closed"}}

    assert shell.call("/conversations/conv_abc123/items") == added
    assert shell.call(f"/conversations/conv_abc123/items/{question['id']}") == question

    more = shell.run(GUIDE_ADD_ITEMS)["last_id"]
    most = shell.run(GUIDE_ADD_ITEMS)["last_id"]
    assert shell.call(f"/conversations/conv_abc123/items/{question['id']}", "--request DELETE") == closed
    assert (
        shell.call(
            "/conversations/conv_abc123/items",
            f"""--request DELETE {AS_JSON} --data '{{ "item_ids": ["{more}"] }}'""",
        )
        == closed
    )
    kept = shell.call("/conversations/conv_abc123/items")
    assert [item["id"] for item in kept["data"]] == [most]

    deleted = shell.call("/conversations/conv_abc123", "--request DELETE")
    assert deleted == {"id": created["id"], "object": "conversation.deleted", "deleted": True}
    assert shell.call("/conversations")["data"] == []
    assert shell.call("/conversations/conv_abc123", status=404)["error"]["param"] == "conversation_id"
    assert shell.call("/conversations/conv_abc123/items") == kept, "the items are not deleted"


# -- The programs of the API reference

CREATE = """
from mka1 import SDK


with SDK(
    bearer_auth="<YOUR_BEARER_TOKEN_HERE>",
) as sdk:

    res = sdk.llm.conversations.create(metadata={
        "session_id": "sess_abc123",
        "user_type": "premium",
    })

    # Handle response
    print(res)
"""

CREATE_ITEMS = """
from mka1 import SDK


with SDK(
    bearer_auth="<YOUR_BEARER_TOKEN_HERE>",
) as sdk:

    res = sdk.llm.conversations.create_items(conversation_id="conv_abc123", items=[
        {
            "type": "message",
            "role": "user",
            "content": "What is the weather today?",
        },
    ])

    # Handle response
    print(res)
"""

LIST_ITEMS = """
from mka1 import SDK


with SDK(
    bearer_auth="<YOUR_BEARER_TOKEN_HERE>",
) as sdk:

    res = sdk.llm.conversations.list_items(conversation_id="conv_abc123", after="item_abc123", include=[
        "content",
        "metadata",
    ], limit=50, order="desc")

    # Handle response
    print(res)
"""


def run_program(program: str, server: RunningServer, module: str) -> Any:
    """Run a program and return its variable `res`, which it also prints, as JSON."""
    printed: list[Any] = []
    program = program.replace("from mka1 ", f"from {module} ")
    program = program.replace('"<YOUR_BEARER_TOKEN_HERE>",', f'"{KEY}", server_url="{server.url}",')
    names: dict[str, Any] = {"print": printed.append}
    exec(program, names)
    assert printed == [names["res"]]
    return names["res"].model_dump(mode="json")


@pytest.fixture(params=["mka1", "meetkai_mka1"])
def module(request: pytest.FixtureRequest) -> str:
    """Return a module name of the SDK; the documentation uses the first, the package has both."""
    name: str = request.param
    return name


def test_create_in_python(documented: RunningServer, module: str) -> None:
    result = run_program(CREATE, documented, module)
    assert result["id"].startswith("conv_")
    assert result["object"] == "conversation"
    assert result["created_at"] > 1_704_067_200
    assert result["metadata"] == {"session_id": "sess_abc123", "user_type": "premium"}


def test_create_items_in_python(documented: RunningServer, module: str) -> None:
    result = run_program(CREATE_ITEMS, documented, module)
    item_id = result["last_id"]
    assert item_id
    assert result == {
        "object": "list",
        "data": [{"id": item_id, "type": "message", "role": "user", "content": "What is the weather today?"}],
        "has_more": False,
        "last_id": item_id,
    }


def test_list_items_in_python(documented: RunningServer, module: str) -> None:
    """The second item was created by a response, and names it."""
    first, second, _ = DOCUMENTED_CONVERSATION["items"]
    assert run_program(LIST_ITEMS, documented, module) == {
        "object": "list",
        "data": [second, first],
        "has_more": False,
        "last_id": "item_first",
    }


def test_create_items_in_typescript(documented: RunningServer) -> None:
    """The TypeScript SDK sends this request for `createItems({conversationId, createItemsRequest})`."""
    response = httpx.post(
        f"{documented.url}/api/v1/llm/conversations/conv_abc123/items",
        content='{"items":[{"type":"message","role":"user","content":"What is the weather today?"}]}',
        headers={
            "accept": "application/json",
            "authorization": f"Bearer {KEY}",
            "content-type": "application/json",
        },
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    result = response.json()
    [item] = result["data"]
    assert item == {
        "id": result["last_id"],
        "type": "message",
        "role": "user",
        "content": "What is the weather today?",
    }
    assert (result["object"], result["has_more"]) == ("list", False)
