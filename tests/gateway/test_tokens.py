"""The exchange of an API key for a token, and requests with tokens."""

import base64
import json

import jwt
import pytest

CURRENT = "/api/v1/authentication/api-keys/exchange-token"
DEPRECATED = "/api/v1/authentication/api-key/exchange-token"
BODY = {"audience": "https://apigw.mka1.com", "externalUserId": "ada"}


def exchange(client, path=CURRENT, *, key=None, **fields):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.root.post(path, json=BODY | fields, headers=headers)


def get_token(client, **fields):
    response = exchange(client, **fields)
    assert response.status_code == 200, response.text
    return response.json()["token"]


def bearing(token, **headers):
    return {"Authorization": f"Bearer {token}", **headers}


def read_claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def set_clock(client, **change):
    assert client.root.put("/_mock/clock", json=change).status_code == 200


@pytest.mark.parametrize("path", [CURRENT, DEPRECATED])
def test_a_token_is_a_signed_jwt_for_one_end_user(make_client, path):
    client = make_client(api_keys=("mka1-test-key=acme",))
    set_clock(client, freeze=1704067200)
    token = get_token(client, path=path)
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    claims = read_claims(token)
    assert (claims["aud"], claims["sub"]) == ("https://apigw.mka1.com", "ada")
    assert (claims["iat"], claims["exp"]) == (1704067200, 1704070800)
    assert "mka1-test-key" not in json.dumps(claims)
    assert "permissions" not in claims


def test_a_token_acts_for_its_end_user_and_account(make_client):
    client = make_client(api_keys=("mka1-test-key=acme", "other"), identity_mode="raw")
    token = get_token(client)
    created = client.post("/conversations", json={}, headers=bearing(token)).json()
    assert created["identity"] == "acme:ada"
    path = f"/conversations/{created['id']}"
    statuses = [
        client.get(path, headers=headers).status_code
        for headers in (
            bearing(token),
            bearing(token, **{"X-On-Behalf-Of": "ada"}),
            {"X-On-Behalf-Of": "ada"},
            {},
            bearing("other", **{"X-On-Behalf-Of": "ada"}),
        )
    ]
    assert statuses == [200, 200, 200, 404, 404]


def test_the_end_user_of_a_token_is_read_like_the_header(make_client):
    client = make_client(identity_mode="raw")
    token = get_token(client, externalUserId=" ada ")
    created = client.post("/conversations", json={}, headers=bearing(token)).json()
    assert created["identity"].endswith(":ada")
    blank = get_token(client, externalUserId=" ")
    created = client.post("/conversations", json={}, headers=bearing(blank)).json()
    assert created["identity"].endswith(": ")


def test_another_end_user_is_forbidden(make_client):
    client = make_client()
    response = client.get("/conversations", headers=bearing(get_token(client), **{"X-On-Behalf-Of": "eve"}))
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (403, "permission_error", "X-On-Behalf-Of")


def test_a_token_expires_by_the_clock_of_the_fake(make_client):
    client = make_client()
    set_clock(client, freeze=4_000_000_000)
    token = get_token(client, expiresIn=300)
    set_clock(client, advance=299)
    assert client.get("/conversations", headers=bearing(token)).status_code == 200
    set_clock(client, advance=1)
    response = client.get("/conversations", headers=bearing(token))
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "expired" in response.json()["error"]["message"]
    set_clock(client, advance=-1)
    assert client.get("/conversations", headers=bearing(token)).status_code == 200


@pytest.mark.parametrize(
    ("permissions", "read", "write"),
    [
        (None, 200, 200),
        ([], 403, 403),
        (["read:conversations"], 200, 403),
        (["write:conversations"], 403, 200),
        (["read:responses", "write:responses"], 403, 403),
        (["read:files", "write:conversations", "read:conversations"], 200, 200),
    ],
)
def test_a_token_permits_what_it_was_issued_for(make_client, permissions, read, write):
    client = make_client()
    token = get_token(client, **({} if permissions is None else {"permissions": permissions}))
    assert client.get("/conversations", headers=bearing(token)).status_code == read
    assert client.post("/conversations", json={}, headers=bearing(token)).status_code == write


def test_a_missing_permission_is_named(make_client):
    client = make_client()
    token = get_token(client, permissions=["read:conversations"])
    response = client.delete("/conversations/conv_1", headers=bearing(token))
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (403, "permission_error")
    assert "write:conversations" in error["message"]


def forge(token, algorithm="HS256", secret="x" * 32, **claims):
    return jwt.encode(read_claims(token) | claims, secret if algorithm != "none" else None, algorithm)


def test_a_forged_token_is_rejected(make_client):
    client, other = make_client(), make_client()
    token = get_token(client)
    head, _, signature = token.split(".")
    changed = base64.urlsafe_b64encode(json.dumps(read_claims(token) | {"sub": "eve"}).encode()).decode().rstrip("=")
    for forged in (
        f"{head}.{changed}.{signature}",
        forge(token),
        forge(token, "none"),
        get_token(other),
        token[:-1],
        token.rpartition(".")[0],
    ):
        response = client.get("/conversations", headers=bearing(forged))
        assert response.status_code == 401, forged
        assert "signature" in response.json()["error"]["message"]


def test_another_jwt_is_an_ordinary_key(make_client):
    foreign = jwt.encode({"iss": "another", "sub": "ada"}, "x" * 32, "HS256")
    for key in (foreign, "eyJ.a.b", "eyJhbGciOiJIUzI1NiJ9.W10.x"):
        assert make_client().get("/conversations", headers=bearing(key)).status_code == 200
        assert make_client(api_keys=("k",)).get("/conversations", headers=bearing(key)).status_code == 401


@pytest.mark.parametrize("path", [CURRENT, DEPRECATED])
def test_a_token_cannot_be_exchanged(make_client, path):
    client = make_client()
    response = exchange(client, path, key=get_token(client))
    assert response.status_code == 403
    assert "Only an API key" in response.json()["message"]


@pytest.mark.parametrize("path", [CURRENT, DEPRECATED])
def test_errors_of_the_exchange_have_a_message_and_no_envelope(make_client, path):
    client = make_client(api_keys=("k",), rate_limits=("1/h",), max_body=1000)
    missing = client.root.request("POST", path, headers={"Authorization": ""})
    assert (missing.status_code, missing.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert list(missing.json()) == ["message"]
    assert int(missing.headers["Content-Length"]) == len(missing.content)
    assert exchange(client, path, key="k").status_code == 200
    limited = exchange(client, path, key="k")
    assert (limited.status_code, limited.json()) == (429, {"message": "Rate limit exceeded"})
    client.root.post("/_mock/reset")
    large = exchange(client, path, key="k", externalUserId="x" * 1000)
    assert (large.status_code, list(large.json())) == (413, ["message"])
    client.root.post("/_mock/reset")
    text = client.root.post(path, content=b"{}", headers=bearing("k", **{"Content-Type": "text/plain"}))
    assert (text.status_code, list(text.json())) == (415, ["message"])
    entries = client.root.get("/_mock/requests").json()["data"]
    assert [entry["status"] for entry in entries] == [415]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"audience": None}, "audience"),
        ({"audience": ""}, "audience"),
        ({"externalUserId": ""}, "externalUserId"),
        ({"externalUserId": "*"}, "externalUserId"),
        ({"externalUserId": "\u00fc"}, "externalUserId"),
        ({"externalUserId": "x" * 151}, "externalUserId"),
        ({"expiresIn": 299}, "expiresIn"),
        ({"expiresIn": 2592001}, "expiresIn"),
        ({"permissions": ["read:responses", 1]}, "permissions.1"),
    ],
)
def test_an_invalid_exchange_names_the_field(make_client, fields, path):
    client = make_client()
    current = exchange(client, CURRENT, **fields)
    assert (current.status_code, list(current.json())) == (400, ["message"])
    deprecated = exchange(client, DEPRECATED, **fields)
    assert deprecated.status_code == 400
    assert deprecated.json()["message"] == current.json()["message"]
    assert [detail["path"] for detail in deprecated.json()["details"]] == [path]
    (entry, _) = client.root.get("/_mock/requests").json()["data"]
    assert [finding["pointer"] for finding in entry["findings"]] == ["/" + path.replace(".", "/")]


@pytest.mark.parametrize("path", [CURRENT, DEPRECATED])
def test_a_message_without_findings_states_all_mistakes(make_client, path):
    response = exchange(make_client(), path, audience=None, permissions=[1])
    expected = "audience: must be a string, not null; permissions[0]: must be a string, not 1"
    assert response.json()["message"] == expected


def test_planned_faults_have_the_form_of_the_exchange(make_client):
    client = make_client()

    def fault(**fields):
        planned = client.root.post("/_mock/faults", json={"operation": "exchangeApiKeyToken", **fields})
        assert planned.status_code == 200
        return exchange(client)

    assert fault(status=503).json() == {"message": "This is a planned fault."}
    assert fault(status=410, body={"error": {"message": "mine"}}).json() == {"error": {"message": "mine"}}
    assert fault(status=500, body="down").text == "down"


def test_an_unknown_path_of_the_service_is_explained(make_client):
    client = make_client()
    for path in (
        "/api-keys/exchange-token",
        "/v1/authentication/api-keys/exchange-token",
        "/api/v1/llm" + CURRENT,
        "/api/v1/authentication/v1/api-keys/exchange-token",
    ):
        response = client.root.post(path, json=BODY)
        assert response.status_code == 404
        assert f"did you mean {CURRENT}?" in response.json()["error"]["message"]
    response = client.root.get(CURRENT)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_the_journal_has_the_key_and_not_the_token(make_client):
    client = make_client()
    tokens = [get_token(client), get_token(client, path=DEPRECATED)]
    assert client.get("/conversations", headers=bearing(tokens[0])).status_code == 200
    listed = client.root.get("/_mock/requests", params={"api_key": "mka1-test-key"})
    assert [(entry["operation"], entry["end_user"]) for entry in listed.json()["data"]] == [
        ("exchangeApiKeyToken", None),
        ("getJwtFromKey", None),
        ("conversations.list", "ada"),
    ]
    assert listed.json()["data"][0]["response"] == {"token": "***"}
    assert listed.json()["data"][0]["request"] == BODY
    for token in tokens:
        assert token.rpartition(".")[2] not in listed.text


def test_the_key_of_a_token_controls_its_requests(make_client):
    client = make_client(rate_limits=("3/h",))
    token = get_token(client)
    fault = {"operation": "conversations.list", "status": 503, "api_key": "mka1-test-key"}
    assert client.root.post("/_mock/faults", json=fault).status_code == 200
    statuses = [client.get("/conversations", headers=bearing(token)).status_code for _ in range(3)]
    assert statuses == [503, 200, 429]
    assert client.get("/conversations").status_code == 429


def test_a_token_survives_a_reset_as_its_key_does(make_client):
    client = make_client()
    token = get_token(client)
    client.root.post("/_mock/reset")
    assert client.get("/conversations", headers=bearing(token)).status_code == 200
