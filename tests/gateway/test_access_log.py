import json

import pytest

from mockserver import Settings, create_app
from mockserver.gateway.access_log import AccessLog
from tests.support.asgi_client import AsgiClient


def read_log(log_format):
    """Send an accepted, a rejected and an unknown request, and return the lines of the log."""
    lines = []
    fake = create_app(Settings())
    app = AccessLog(fake, fake.state.journal, log_format, lambda make, *arguments: lines.append(make(*arguments)))
    with AsgiClient.connect(app, {"Authorization": "Bearer very-secret"}) as client:
        client.post("/conversations", json={"metadata": {"a": "b"}, "colour": 1})
        client.get("/conversations?limit=0&search=private")
        client.get("/nowhere")
    return lines


def test_text_lines_have_the_request_the_status_and_the_findings():
    accepted, rejected, unknown = read_log("text")
    assert accepted.startswith("POST /api/v1/llm/conversations 200 ")
    assert accepted.endswith(" ms; body /colour unknown_field")
    assert rejected.startswith("GET /api/v1/llm/conversations 400 ")
    assert rejected.endswith(" ms; query /limit minimum")
    assert unknown.startswith("GET /api/v1/llm/nowhere 404 ")


def test_json_lines_have_the_same():
    accepted, _, unknown = map(json.loads, read_log("json"))
    assert accepted["operation"] == "conversations.create"
    assert (accepted["method"], accepted["path"], accepted["status"]) == ("POST", "/api/v1/llm/conversations", 200)
    assert [(one["in"], one["pointer"], one["code"]) for one in accepted["findings"]] == [
        ("body", "/colour", "unknown_field")
    ]
    assert accepted["time"].endswith("+00:00")
    assert accepted["milliseconds"] >= 0
    assert (unknown["operation"], unknown["key"], unknown["status"]) == (None, None, 404)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_key_query_or_body_is_logged(log_format):
    log = "\n".join(read_log(log_format))
    for secret in ("very-secret", "private", '"b"'):
        assert secret not in log
