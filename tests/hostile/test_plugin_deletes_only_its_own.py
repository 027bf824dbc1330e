"""Gateways on which the plugin must not delete: the conversations that it sees may belong to others."""

import itertools
import json

import httpx
import pytest

from tests.plugin.test_remote import CREATE_TWO, KEY, list_conversations, run_gateway
from tests.support.middleware import ApiMiddleware


class WithoutEndUsers(ApiMiddleware):
    """Strips `X-On-Behalf-Of`, as a proxy in front of the gateway may do."""

    def change_request(self, scope):
        return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"x-on-behalf-of"]}


@pytest.mark.parametrize("test", [CREATE_TWO, "def test_it(mka1): ..."], ids=["creates", "creates nothing"])
def test_a_gateway_that_ignores_end_users_loses_nothing(run, monkeypatch, test):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with run_gateway(WithoutEndUsers) as server:
        headers = {"Authorization": f"Bearer {KEY}"}
        own = httpx.post(f"{server.api_url}/conversations", json={}, headers=headers).json()
        result = run(test, "--mka1-url", server.url)
        assert own in list_conversations(server)
    assert result.outcomes == {"test_it": "failed in teardown"}
    assert result.texts["test_it"].startswith("The gateway ignores X-On-Behalf-Of")


class EndlessList(ApiMiddleware):
    """Lists a new conversation on each page, without end."""

    _numbers = itertools.count()

    def change_message(self, scope, message):
        if scope["method"] == "GET" and message["type"] == "http.response.body":
            page = {"object": "list", "data": [{"id": f"conv_{next(self._numbers)}"}], "has_more": True}
            return {**message, "body": json.dumps(page).encode()}
        if scope["method"] == "GET" and message["type"] == "http.response.start":
            return {**message, "headers": [(b"content-type", b"application/json"), (b"connection", b"close")]}
        return message


def test_an_endless_list_does_not_hold_up_the_test(run, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", KEY)
    with run_gateway(EndlessList) as server:
        result = run("def test_it(mka1): ...", "--mka1-url", server.url)
    assert result.outcomes == {"test_it": "failed in teardown"}
