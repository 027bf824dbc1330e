"""Scenarios for tokens, which stand for an API key.

They need a server of their own: a token acts for its account until it expires, so that a run on the server of others
must not leave one behind.
"""

import base64
import json
from dataclasses import replace
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect
from mockserver.conformance.names import conversation_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.scenario import FakeSettings, Scenarios
from mockserver.settings import AUTHENTICATION_PATH

scenario = Scenarios()

_AUDIENCE = "https://apigw.mka1.com"
_PATH = "/api-keys/exchange-token"
_DEPRECATED_PATH = "/api-key/exchange-token"


def _exchange(api: ApiClient, path: str = _PATH, **fields: Any) -> ApiResponse:
    body = {"audience": _AUDIENCE, "externalUserId": api.end_user, **fields}
    return replace(api, end_user=None, prefix=AUTHENTICATION_PATH).post(path, body)


def _with_token(api: ApiClient, path: str = _PATH, **fields: Any) -> ApiClient:
    """Return a client with a token in place of the key, and without an end user of its own."""
    return api.with_key(_exchange(api, path, **fields).expect_ok()["token"]).with_end_user(None)


@scenario("tokens.are-jwts-for-one-end-user", "tokens.expire-after-an-hour-by-default", needs=FakeSettings())
def a_token_names_its_audience_and_end_user(api: ApiClient) -> None:
    for path in (_PATH, _DEPRECATED_PATH):
        api.set_behaviour("tokens.are-jwts-for-one-end-user")
        token = _exchange(api, path).expect_ok()["token"]
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expect((claims["aud"], claims["sub"]), (_AUDIENCE, api.end_user), "claims aud and sub")
        api.set_behaviour("tokens.expire-after-an-hour-by-default")
        expect(claims["exp"] - claims["iat"], 3600, "seconds between iat and exp")


@scenario("tokens.act-for-their-end-user", "tokens.other-end-users-are-403", needs=FakeSettings())
def a_token_stands_for_the_key_and_the_end_user(api: ApiClient) -> None:
    api.set_behaviour("tokens.act-for-their-end-user")
    caller = _with_token(api)
    conversation = caller.create_id()
    api.retrieve(conversation)
    api.with_end_user(None).get(conversation_path(conversation)).expect_error(404)
    api.set_behaviour("tokens.other-end-users-are-403")
    other = caller.with_end_user(f"{api.end_user}-other").get("/conversations")
    expect(other.expect_error(403).get("type"), "permission_error", "type")


@scenario("tokens.permissions-are-by-resource-and-method", needs=FakeSettings())
def a_token_permits_what_it_names(api: ApiClient) -> None:
    reader = _with_token(api, permissions=["read:conversations"])
    reader.list_conversations()
    expect(reader.post("/conversations", {}).expect_error(403).get("type"), "permission_error", "type")
    writer = _with_token(api, permissions=["write:conversations"])
    writer.create_id()
    for path in ("/conversations", "/responses"):
        writer.get(path).expect_error(403)
    _with_token(api, permissions=[]).get("/conversations").expect_error(403)


@scenario("tokens.cannot-be-exchanged", "tokens.errors-have-a-message", needs=FakeSettings())
def a_token_is_no_key(api: ApiClient) -> None:
    api.set_behaviour("tokens.cannot-be-exchanged")
    rejected = _exchange(replace(_with_token(api), end_user=api.end_user))
    rejected.expect_error(403)
    api.set_behaviour("tokens.errors-have-a-message")
    expect(list(rejected.body), ["message"], "fields of the body")
    invalid = _exchange(api, _DEPRECATED_PATH, expiresIn=1)
    invalid.expect_error(400)
    expect(sorted(invalid.body), ["details", "message"], "fields of the body")
