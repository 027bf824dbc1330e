"""A base URL with a wrong path is explained, whatever is asked of it."""

import time

import pytest

HINT = "did you mean /api/v1/llm/conversations? The base URL ends in /api/v1/llm"


def message(response):
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", 404)
    return error["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/conversations",
        "/v1/conversations",
        "/llm/conversations",
        "/v1/llm/conversations",
        "/api/llm/conversations",
        "/api/v1/conversations",
        "/api/v2/llm/conversations",
        "/openai/v1/conversations",
        "/api/v1/llm/api/v1/llm/conversations",
        "/api/v1/llm/v1/conversations",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_wrong_prefix_is_explained(make_client, path, method):
    assert HINT in message(make_client().root.request(method, path))


def test_the_rest_of_the_path_is_kept(make_client):
    found = message(make_client().root.get("/v1/conversations/conv_1/items/msg_1"))
    assert "did you mean /api/v1/llm/conversations/conv_1/items/msg_1?" in found


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/converse",
        "/conversations/",
        "/v1/models",
        "/_mock/conversation",
        "/conversations/a/b/c/d",
        "/conversations/%1b\x1b[2J",
        "/conversations/" + "x" * 5000,
    ],
)
def test_other_paths_get_no_hint(make_client, path):
    found = message(make_client().root.get(path))
    assert "did you mean" not in found
    assert found.isprintable()
    assert len(found) < 300


def test_a_hint_for_a_path_with_many_segments_costs_nothing(make_client):
    client = make_client().root
    client.get("/conversations")
    started = time.perf_counter()
    client.get("/a" * 30_000)
    assert time.perf_counter() - started < 0.05
