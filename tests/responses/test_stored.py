"""The responses that the fake keeps: lists, input items, updates, deletion, tenants."""

import pytest

from .support import create_conversation, list_items, respond, user

ADA = {"X-On-Behalf-Of": "ada"}
ORDERS = {"asc": "abcdefg", "desc": "gfedcba"}


@pytest.fixture
def listed(make_client):
    """Return a function that lists seven responses, named a to g, and returns the page and the names on it."""
    client = make_client()
    names = {respond(client, name)["id"]: name for name in "abcdefg"}
    ids = {name: response_id for response_id, name in names.items()}

    def list_page(**query):
        query = {key: ids.get(value, value) for key, value in query.items()}
        response = client.get("/responses", params=query)
        assert response.status_code == 200, response
        page = response.json()
        found = "".join(names[each["id"]] for each in page["data"])
        assert (page.get("first_id"), page.get("last_id")) == (
            (ids[found[0]], ids[found[-1]]) if found else (None, None)
        )
        return found, page["has_more"]

    list_page.client, list_page.ids = client, ids
    return list_page


def test_the_newest_response_comes_first(listed):
    assert listed() == ("gfedcba", False)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("after", [None, *"adg"])
@pytest.mark.parametrize("before", [None, *"adg"])
def test_a_page_lies_behind_one_entry_and_in_front_of_another(listed, order, limit, after, before):
    whole = ORDERS[order]
    start = 0 if after is None else whole.index(after) + 1
    end = len(whole) if before is None else whole.index(before)
    found = whole[start:end]
    # With `before` alone, the page is the part next to it.
    expected = found[-limit:] if after is None and before is not None else found[:limit]
    query = {"after": after, "before": before, "limit": limit, "order": order}
    page = listed(**{name: value for name, value in query.items() if value is not None})
    assert page == (expected, len(found) > limit)


def test_paging_backwards_ends_where_paging_forwards_began(listed):
    pages, before = [], "a"
    while True:
        found, has_more = listed(before=before, limit=2)
        pages.insert(0, found)
        if not has_more:
            break
        before = found[0]
    assert pages == ["gf", "ed", "cb"]


@pytest.mark.parametrize("parameter", ["after", "before"])
def test_an_unknown_cursor_is_400(listed, parameter):
    response = listed.client.get("/responses", params={parameter: "resp_none"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["findings"][0]["code"]) == (parameter, "unknown_cursor")
    foreign = listed.client.get("/responses", params={parameter: listed.ids["a"]}, headers=ADA)
    assert foreign.status_code == 400


def test_a_deleted_response_remains_a_cursor(listed):
    listed.client.delete(f"/responses/{listed.ids['d']}")
    assert listed(after="d") == ("cba", False)
    assert listed(before="d") == ("gfe", False)


def test_input_items_have_ids_and_come_last_first(make_client):
    client = make_client()
    sent = [user("a", id="msg_a"), user("b"), user("c", type="message", status="completed")]
    path = f"/responses/{respond(client, sent)['id']}/input_items"
    page = client.get(path).json()
    assert [item["content"] for item in page["data"]] == ["c", "b", "a"]
    assert page["has_more"] is False
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], "msg_a")
    assert [item["id"][:4] for item in page["data"]] == ["msg_"] * 3
    assert [item["content"] for item in client.get(path, params={"order": "asc"}).json()["data"]] == ["a", "b", "c"]
    first = client.get(path, params={"order": "asc", "limit": 2}).json()
    assert first["has_more"] is True
    rest = client.get(path, params={"order": "asc", "after": first["last_id"]}).json()
    assert ([item["content"] for item in rest["data"]], rest["has_more"]) == (["c"], False)
    unknown = client.get(path, params={"after": "msg_none"})
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "after")


def test_input_items_are_those_of_the_request_alone(make_client):
    client = make_client()
    conversation_id = create_conversation(client, "earlier")
    first = respond(client, "now", conversation=conversation_id)
    (item,) = client.get(f"/responses/{first['id']}/input_items").json()["data"]
    assert item == {"id": item["id"], "type": "message", "role": "user", "content": "now"}
    second = respond(client, "later", previous_response_id=first["id"])
    (item,) = client.get(f"/responses/{second['id']}/input_items").json()["data"]
    assert item["content"] == "later"


def test_metadata_is_replaced(make_client):
    client = make_client()
    response = respond(client, metadata={"a": "1", "b": "2"})
    updated = client.post(f"/responses/{response['id']}", json={"metadata": {"c": "3"}})
    assert updated.json() == response | {"metadata": {"c": "3"}}
    assert client.get(f"/responses/{response['id']}").json() == updated.json()


def test_deletion_is_final_and_leaves_the_conversation(make_client):
    client = make_client()
    conversation_id = create_conversation(client)
    response = respond(client, conversation=conversation_id)
    path = f"/responses/{response['id']}"
    items = list_items(client, conversation_id)
    assert client.delete(path).json() == {"id": response["id"], "object": "response", "deleted": True}
    for method, where, body in (
        ("GET", path, None),
        ("POST", path, {"metadata": {}}),
        ("DELETE", path, None),
        ("GET", f"{path}/input_items", None),
    ):
        assert client.request(method, where, json=body).status_code == 404
    assert client.get("/responses").json() == {"object": "list", "data": [], "has_more": False}
    assert list_items(client, conversation_id) == items


def test_an_item_of_a_deleted_response_cannot_be_referenced(make_client):
    client = make_client()
    response = respond(client)
    client.delete(f"/responses/{response['id']}")
    reference = {"model": "auto", "input": [{"id": response["output"][0]["id"]}]}
    assert client.post("/responses", json=reference).status_code == 404


def test_tenants_do_not_see_each_other(make_client):
    client = make_client()
    response = respond(client)
    path, unknown = f"/responses/{response['id']}", "/responses/resp_unknown"
    for method, tail, body in (
        ("GET", "", None),
        ("POST", "", {"metadata": {}}),
        ("DELETE", "", None),
        ("GET", "/input_items", None),
    ):
        foreign = client.request(method, path + tail, json=body, headers=ADA)
        missing = client.request(method, unknown + tail, json=body)
        assert foreign.status_code == 404
        assert foreign.text == missing.text.replace("resp_unknown", response["id"])
    assert client.get("/responses", headers=ADA).json()["data"] == []
    assert client.get(path).json() == response


def test_an_end_user_may_use_the_ids_of_another(make_client):
    client = make_client()
    mine = respond(client, [user("x", id="msg_x")])
    theirs = respond(client, [user("x", id="msg_x")], headers=ADA)
    assert mine["id"] != theirs["id"]
    assert client.get(f"/responses/{theirs['id']}", headers=ADA).status_code == 200


def test_a_reset_removes_responses(make_client):
    client = make_client()
    response = respond(client)
    client.root.post("/_mock/reset")
    assert client.get(f"/responses/{response['id']}").status_code == 404
    assert client.get("/responses").json()["data"] == []


# Compaction


def test_a_context_is_compacted_to_one_item(make_client):
    client = make_client()
    first = respond(client, "one two", metadata={"a": "b"})
    body = {"model": "auto", "previous_response_id": first["id"], "input": [user("three")], "instructions": None}
    compacted = client.post("/responses/compact", json=body).json()
    (item,) = compacted["output"]
    assert compacted["object"] == "response.compaction"
    assert item["type"] == "compaction"
    assert item["content"] == "user: one two\n\nassistant: You said: one two\n\nuser: three"
    assert compacted["usage"]["input_tokens"] == 7
    assert compacted["usage"]["output_tokens"] == 10
    assert len(client.get("/responses").json()["data"]) == 1
    again = client.post("/responses/compact", json={"model": "auto", "input": [item, user("four")]}).json()
    assert again["output"][0]["content"] == item["content"] + "\n\nuser: four"
    assert respond(client, [item, user("four")])["usage"]["input_tokens"] == 11


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"previous_response_id": "resp_none"}, 404, "previous_response_id"),
        ({"input": [{"id": "msg_none"}]}, 404, "input[0].id"),
        ({"input": 5}, 400, "input"),
    ],
)
def test_a_bad_compaction_is_rejected(make_client, fields, status, param):
    response = make_client().post("/responses/compact", json={"model": "auto", **fields})
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
