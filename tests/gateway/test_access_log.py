import asyncio
import io
import json

import httpx
import pytest

from mockserver import Settings, create_app
from mockserver.gateway.access_log import AccessLog


def logged(form, *requests):
    stream = io.StringIO()
    app = AccessLog(create_app(Settings()), form, stream)

    async def run():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fake/api/v1/llm") as client:
            for method, path, options in requests:
                await client.request(method, path, headers={"Authorization": "Bearer very-secret"}, **options)

    asyncio.run(run())
    return stream.getvalue().splitlines()


CREATE = ("POST", "/conversations", {"json": {"metadata": {"a": "b"}, "colour": 1}})
WRONG = ("GET", "/conversations?limit=0&search=private", {})
NOWHERE = ("GET", "/nowhere", {})


def test_text_lines_tell_what_was_asked_and_what_came_of_it():
    created, wrong, nowhere = logged("text", CREATE, WRONG, NOWHERE)
    assert created.startswith("POST /api/v1/llm/conversations 200 ")
    assert created.endswith(" ms; body /colour is not a field of this object")
    assert wrong.startswith("GET /api/v1/llm/conversations 400 ")
    assert wrong.endswith(" ms; query /limit must be at least 1, not 0")
    assert nowhere.startswith("GET /api/v1/llm/nowhere 404 ")


def test_json_lines_hold_the_same():
    created, _, nowhere = map(json.loads, logged("json", CREATE, WRONG, NOWHERE))
    assert created["operation"] == "conversations.create"
    assert (created["method"], created["path"], created["status"]) == ("POST", "/api/v1/llm/conversations", 200)
    assert created["findings"] == [
        {"in": "body", "pointer": "/colour", "code": "unknown_field", "message": "is not a field of this object"}
    ]
    assert created["time"].endswith("+00:00")
    assert created["milliseconds"] >= 0
    assert (nowhere["operation"], nowhere["key"], nowhere["status"]) == (None, None, 404)


@pytest.mark.parametrize("form", ["text", "json"])
def test_neither_key_nor_query_nor_body_is_logged(form):
    lines = "\n".join(logged(form, CREATE, WRONG))
    assert "very-secret" not in lines
    assert "private" not in lines
    assert '"b"' not in lines
