import hashlib

import pytest


def test_every_key_is_accepted_by_default(make_client):
    client = make_client()
    for key in ("a", "mka1-test-key", "ey.J0.x", "!"):
        assert client.get("/conversations", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_only_listed_keys_are_accepted(make_client):
    client = make_client(api_keys=("first", "second=acme"))
    statuses = [
        client.get("/conversations", headers={"Authorization": f"Bearer {key}"}).status_code
        for key in ("first", "second", "acme", "second=acme", "First")
    ]
    assert statuses == [200, 200, 401, 401, 401]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "No API key was sent."),
        ([("Authorization", "")], "The Authorization header must be"),
        ([("Authorization", "Bearer")], "The Authorization header must be"),
        ([("Authorization", "Basic a2V5")], "The Authorization header must be"),
        ([("Authorization", "key")], "The Authorization header must be"),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer a")], "was sent more than once"),
    ],
)
def test_other_authorization_headers_are_rejected(make_client, headers, message):
    client = make_client()
    del client.headers["Authorization"]
    response = client.get("/conversations", headers=headers)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json()["error"]["type"] == "authentication_error"
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_case_insensitive(make_client, scheme):
    assert make_client().get("/conversations", headers={"Authorization": f"{scheme} key"}).status_code == 200


def test_only_the_keys_of_an_account_share_it(make_client):
    client = make_client(api_keys=("one=acme", "two=acme", "three"))
    created = client.post("/conversations", json={}, headers={"Authorization": "Bearer one"}).json()
    statuses = [
        client.get(f"/conversations/{created['id']}", headers={"Authorization": f"Bearer {key}"}).status_code
        for key in ("one", "two", "three")
    ]
    assert statuses == [200, 200, 404]


@pytest.mark.parametrize(
    ("end_user", "owner"),
    [({}, "acme:"), ({"X-On-Behalf-Of": ""}, "acme:"), ({"X-On-Behalf-Of": "ada"}, "acme:ada")],
)
def test_the_identity_is_the_owner_or_its_hash(make_client, end_user, owner):
    for mode, expected in (("raw", owner), ("sha256", hashlib.sha256(owner.encode()).hexdigest())):
        client = make_client(api_keys=("mka1-test-key=acme",), identity_mode=mode)
        assert client.post("/conversations", json={}, headers=end_user).json()["identity"] == expected


def test_an_identity_does_not_contain_the_key(make_client):
    client = make_client(identity_mode="raw")
    assert "mka1-test-key" not in client.post("/conversations", json={}).text
