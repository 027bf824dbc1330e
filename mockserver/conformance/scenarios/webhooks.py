"""Scenarios for webhooks. They need a server on this machine, which can reach the receiver."""

import hashlib
import hmac
import json

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require
from mockserver.conformance.names import response_path
from mockserver.conformance.responses import HELLO
from mockserver.conformance.scenario import FakeSettings, Scenarios
from mockserver.conformance.webhook_receiver import receive_webhooks

scenario = Scenarios()

_SECRET = "a secret of this scenario"  # noqa: S105 - it protects nothing

_SLOWLY = {"Content-Type": "application/json", "X-Mock-Reply": '{"text": "Hello.", "delay": 60}'}


@scenario("webhooks.announce-each-status", "webhooks.body", "webhooks.signature-is-hexadecimal", needs=FakeSettings())
def a_webhook_is_called_for_each_status(api: ApiClient) -> None:
    with receive_webhooks() as receiver:
        response = api.respond(HELLO, background=True, webhook_url=receiver.url, webhook_secret=_SECRET)
        received = receiver.wait_for(3)
    api.set_behaviour("webhooks.announce-each-status")
    bodies = [json.loads(one.content) for one in received]
    names = [f"response.{status}" for status in ("queued", "in_progress", "completed")]
    expect([body["type"] for body in bodies], names, "types of the notifications")
    api.set_behaviour("webhooks.body")
    for body in bodies:
        expect(sorted(body), ["created_at", "data", "id", "type"], "fields of the body")
        expect(body["data"], {"id": response["id"]}, "data")
        require(isinstance(body["created_at"], int), "created_at", "whole seconds", body["created_at"])
    api.set_behaviour("webhooks.signature-is-hexadecimal")
    for content, signature in received:
        expect(signature, hmac.new(_SECRET.encode(), content, hashlib.sha256).hexdigest(), "X-Webhook-Signature")


@scenario("webhooks.are-tried-three-times", needs=FakeSettings())
def a_webhook_that_fails_is_tried_again(api: ApiClient) -> None:
    with receive_webhooks(500, 503, 500) as receiver:
        api.respond(HELLO, background=True, webhook_url=receiver.url)
        received = receiver.wait_for(5)
    types = [json.loads(one.content)["type"] for one in received]
    expect(types[:4], ["response.queued"] * 3 + ["response.in_progress"], "types of the notifications")
    expect(len({one.content for one in received[:3]}), 1, "number of bodies in three tries")


@scenario("webhooks.do-not-announce-a-cancellation", needs=FakeSettings())
def a_cancellation_is_not_announced(api: ApiClient) -> None:
    with receive_webhooks() as receiver:
        body = {"model": api.model, "input": HELLO, "background": True, "webhook_url": receiver.url}
        response = api.request("POST", "/responses", json=body, headers=_SLOWLY).expect_ok()
        api.post(response_path(response["id"], "cancel"), None).expect_ok()
        api.respond(HELLO, background=True, webhook_url=receiver.url)
        bodies = [json.loads(one.content) for one in receiver.wait_for(5)]
    announced = [body["type"] for body in bodies if body["data"]["id"] == response["id"]]
    expect(announced, ["response.queued", "response.in_progress"], "types of the notifications")
