"""Short forms of requests for responses."""

from typing import Any

from tests.support.asgi_client import AsgiClient

FUNCTION = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": True}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "3 degrees"}


def respond(client: AsgiClient, sent: Any = "hi", *, headers: Any = (), **fields: Any) -> Any:
    """Create a response and return its body."""
    response = client.post("/responses", json={"model": "auto", "input": sent, **fields}, headers=headers)
    assert response.status_code == 200, response
    return response.json()


def reject(client: AsgiClient, status: int, *, headers: Any = (), **fields: Any) -> Any:
    """Send a request that must fail with this status, and return the error."""
    response = client.post("/responses", json={"model": "auto", **fields}, headers=headers)
    assert response.status_code == status, response
    return response.json()["error"]


def create_conversation(client: AsgiClient, *texts: str) -> str:
    """Create a conversation with user messages and return its id."""
    items = [{"type": "message", "role": "user", "content": text} for text in texts]
    conversation_id: str = client.post("/conversations", json={"items": items}).json()["id"]
    return conversation_id


def list_items(client: AsgiClient, conversation_id: str) -> Any:
    return client.get(f"/conversations/{conversation_id}/items?limit=100").json()["data"]


def text_of(response: Any) -> str:
    """Return the text of a response's last message."""
    text: str = response["output"][-1]["content"][0]["text"]
    return text


def user(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **fields}
