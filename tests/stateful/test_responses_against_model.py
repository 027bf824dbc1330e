"""The same histories with responses in them: in conversations, in chains, streamed, and cut off at random."""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

from mockserver import Fake
from mockserver.settings import API_PATH
from tests.stateful.model import Tenant
from tests.stateful.response_model import ResponseModel
from tests.stateful.test_against_model import (
    NUMBERS,
    PAIRS,
    PREFIXES,
    TENANTS,
    FakeAgainstModel,
    items,
    run_histories,
    texts,
)
from tests.support.response import Response

BAD_BODIES: list[dict[str, Any]] = [
    {},
    {"model": "auto", "temperature": 2.5},
    {"model": "auto", "conversation": "a", "previous_response_id": "resp_1"},
    {"model": "auto", "stream_events": True},
    {"model": "auto", "webhook_secret": "x"},
    {"model": "auto", "tool_choice": {"type": "function", "name": "f"}},
    {"model": "auto", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "no"}}}},
    {"model": "auto", "input": [{"role": "user"}]},
]


class ResponsesAgainstModel(FakeAgainstModel):
    model: ResponseModel

    def __init__(self, fake: Fake) -> None:
        super().__init__(fake)
        self.model = ResponseModel()
        self.fake = fake

    # Requests

    @rule(data=st.data(), streams=st.booleans())
    def respond(self, data: st.DataObject, streams: bool) -> None:
        tenant, body = self._request(data)
        if streams:
            self._agree_on_new(tenant, body, self._stream(tenant, body)[0])
        else:
            self._agree_on_new(tenant, body, self._send(tenant, "POST", body=body, resource="responses"))

    @rule(data=st.data(), count=st.integers(2, 5))
    def talk(self, data: st.DataObject, count: int) -> None:
        """Go on and on in one conversation, or in one chain."""
        tenant = self._tenant(data)
        named = {"conversation": self._conversation(data, tenant)} if data.draw(st.booleans()) else {}
        for _ in range(count):
            body = {"model": "auto", "input": data.draw(texts()), **named}
            response = self._send(tenant, "POST", body=body, resource="responses")
            self._agree_on_new(tenant, body, response)
            if response.status_code == 200 and "conversation" not in named:
                named = {"previous_response_id": response.json()["id"]}

    @rule(data=st.data(), count=st.integers(1, 12))
    def cut_a_stream(self, data: st.DataObject, count: int) -> None:
        """Go away after so many events: the response is cancelled, or had ended before."""
        tenant, body = self._request(data)
        if not body.get("store", True):
            return
        response, is_cut = self._stream(tenant, body, cut_after=count)
        self._agree_on_new(tenant, body, response, is_cut=is_cut)

    @rule(data=st.data(), is_cancelled=st.booleans())
    def respond_in_the_background(self, data: st.DataObject, is_cancelled: bool) -> None:
        """Create a response in the background, then read it, which ends it, or cancel it."""
        tenant, body = self._request(data)
        body = {name: value for name, value in body.items() if name != "store"} | {"background": True}
        response = self._send(tenant, "POST", body=body, resource="responses")
        if response.status_code == 200:
            queued = response.json()
            assert (queued["status"], queued["output"], queued["background"]) == ("queued", [], True)
            method, path = ("POST", (queued["id"], "cancel")) if is_cancelled else ("GET", (queued["id"],))
            response = self._send(tenant, method, *path, resource="responses")
            again = self._send(tenant, "POST", queued["id"], "cancel", resource="responses")
            assert again.status_code == 400, again
        self._agree_on_new(tenant, body, response, is_cut=is_cancelled)

    @rule(data=st.data())
    def retrieve_response(self, data: st.DataObject) -> None:
        tenant, response_id = self._response(data)
        response = self._send(tenant, "GET", response_id, resource="responses")
        self._agree(response, lambda: self.model.retrieve_response(tenant, response_id))

    @rule(data=st.data(), metadata=PAIRS)
    def update_response(self, data: st.DataObject, metadata: dict[str, str]) -> None:
        tenant, response_id = self._response(data)
        response = self._send(tenant, "POST", response_id, body={"metadata": metadata}, resource="responses")
        self._agree(response, lambda: self.model.update_response(tenant, response_id, metadata))

    @rule(data=st.data())
    def delete_response(self, data: st.DataObject) -> None:
        tenant, response_id = self._response(data)
        response = self._send(tenant, "DELETE", response_id, resource="responses")
        self._agree(response, lambda: self.model.delete_response(tenant, response_id))

    @rule(data=st.data())
    def list_responses(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        cursors = {name: st.just(self._response(data, tenant)[1]) for name in ("after", "before")}
        limits, orders = st.integers(1, 4) | st.just(100), st.sampled_from(["asc", "desc"])
        query = data.draw(st.fixed_dictionaries({}, optional={**cursors, "limit": limits, "order": orders}))
        response = self._send(tenant, "GET", query=_as_query(query), resource="responses")
        self._agree(response, lambda: self.model.list_responses(tenant, **query))

    @rule(data=st.data())
    def list_input_items(self, data: st.DataObject) -> None:
        tenant, response_id = self._response(data)
        stored = [each for each in self.model.own_responses(tenant) if each.id == response_id]
        ids = [item["id"] for each in stored for item in each.input]
        optional = {
            "after": st.sampled_from([*ids, "msg_none"]),
            "limit": st.integers(1, 3) | st.just(100),
            "order": st.sampled_from(["asc", "desc"]),
        }
        query = data.draw(st.fixed_dictionaries({}, optional=optional))
        response = self._send(tenant, "GET", response_id, "input_items", query=_as_query(query), resource="responses")
        self._agree(response, lambda: self.model.list_input_items(tenant, response_id, **query))

    @rule(data=st.data(), body=st.sampled_from(BAD_BODIES))
    def send_a_bad_request_for_a_response(self, data: st.DataObject, body: dict[str, Any]) -> None:
        tenant = self._tenant(data)
        response = self._send(tenant, "POST", body=body, resource="responses")
        assert response.status_code == 400, response
        assert response.json()["error"]["findings"]

    @invariant()
    def every_response_is_listed_once(self) -> None:
        self._agree_on_responses(self.touched[0])

    def _agree_on_everything(self) -> None:
        super()._agree_on_everything()
        for tenant in TENANTS:
            self._agree_on_responses(tenant)
            for each in self.model.own_responses(tenant):
                if each.is_live:
                    query = [("limit", "100")]
                    response = self._send(tenant, "GET", each.id, "input_items", query=query, resource="responses")
                    self._agree(response, partial(self.model.list_input_items, tenant, each.id, limit=100))

    def _agree_on_responses(self, tenant: Tenant) -> None:
        response = self._send(tenant, "GET", query=[("limit", "100")], resource="responses")
        self._agree(response, lambda: self.model.list_responses(tenant, limit=100))

    # Creating responses

    def _request(self, data: st.DataObject) -> tuple[Tenant, dict[str, Any]]:
        """Generate a request for a response."""
        tenant = self._tenant(data)
        ids = [*self._ids_to_choose(tenant), *self._output_ids(tenant)]
        body: dict[str, Any] = {
            "model": data.draw(st.sampled_from(["auto", "meetkai:functionary-medium"])),
            "input": data.draw(texts() | st.lists(items(ids[::-1]), max_size=3) | st.lists(items(ids), max_size=3)),
        }
        kind = data.draw(st.sampled_from(["conversation", "conversation object", "chain", "chain", ""]))
        if kind == "conversation":
            body["conversation"] = self._conversation(data, tenant)
        elif kind == "conversation object":
            body["conversation"] = {"id": self._conversation(data, tenant)}
        elif kind == "chain":
            body["previous_response_id"] = self._response(data, tenant)[1]
        optional = {"metadata": PAIRS, "store": st.booleans(), "instructions": texts(), "x_top": st.none()}
        return tenant, body | data.draw(st.fixed_dictionaries({}, optional=optional))

    def _agree_on_new(
        self, tenant: Tenant, body: Mapping[str, Any], response: Response, *, is_cut: bool = False
    ) -> None:
        input_ids: list[str] = []
        response_id = output_id = ""
        if response.status_code == 200:
            created = response.json()
            response_id = created["id"]
            self._check_new_id(response_id, "resp")
            if created["output"]:
                output_id = created["output"][0]["id"]
                self._check_new_id(output_id, "msg")
            input_ids = self._generated_input_ids(tenant, body, created)
        now = int(self.clock.now(tenant.account))
        self._agree(
            response,
            lambda: self.model.respond(tenant, now, body, response_id, input_ids, output_id, is_cut=is_cut),
        )
        conversation = body.get("conversation", "")
        self.touched = tenant, conversation["id"] if isinstance(conversation, dict) else conversation

    def _generated_input_ids(self, tenant: Tenant, body: Mapping[str, Any], created: Mapping[str, Any]) -> list[str]:
        """Return the ids of the items that were sent without one, as far as they can be known."""
        sent = body["input"] if isinstance(body["input"], list) else [{"role": "user"}]
        without = [item for item in sent if "id" not in item]
        if created["store"]:
            query = [("limit", "100"), ("order", "asc")]
            listed = self._send(tenant, "GET", created["id"], "input_items", query=query, resource="responses")
            stored = listed.json()["data"]
            assert len(stored) == len(sent)
            pairs = [(before, after) for before, after in zip(sent, stored, strict=True) if "id" not in before]
        elif "conversation" in created:
            stored = self._send(
                tenant, "GET", created["conversation"]["id"], "items", query=[("order", "desc"), ("limit", "9")]
            )
            added = [item for item in stored.json()["data"][::-1] if item.get("response_id") == created["id"]]
            chosen = [item["id"] for item in [*sent, *created["output"]] if "id" in item]
            new = [item for item in added if item["id"] not in chosen]
            assert len(new) == len(without)
            pairs = list(zip(without, new, strict=True))
        else:
            return [f"unknown_{number}" for number in range(len(without))]
        for before, after in pairs:
            self._check_new_id(after["id"], PREFIXES[before.get("type", "message")])
        return [after["id"] for _, after in pairs]

    # Choosing

    def _response(self, data: st.DataObject, tenant: Tenant | None = None) -> tuple[Tenant, str]:
        """Choose a response id, mostly of a live one, sometimes of a deleted or foreign one, or unknown."""
        tenant = tenant or self._tenant(data)
        own = self.model.own_responses(tenant)
        live = [each.id for each in own if each.is_live]
        foreign = [each.id for other in TENANTS if other != tenant for each in self.model.own_responses(other)]
        choice = [*live[-4:] * 4, *live[:4], *[each.id for each in own[:6]], *foreign[:1], "resp_none"]
        return tenant, data.draw(st.sampled_from(choice), label="response")

    def _output_ids(self, tenant: Tenant) -> list[str]:
        own = self.model.own_responses(tenant)
        return [item["id"] for each in own[-6:] for item in [*each.json["output"], *each.input]]

    # Streams

    def _stream(self, tenant: Tenant, body: Mapping[str, Any], cut_after: int | None = None) -> tuple[Response, bool]:
        """Send a request for a stream; go away after some events.

        Return the response object with which the stream ended, or an error, and whether the response was cancelled.
        """
        headers = {"content-type": "application/json", **self._headers(tenant)}
        content = json.dumps({**body, "stream": True}).encode()
        sent = self.client.runner.run(_send_and_leave(self.fake, headers, content, cut_after))
        start, parts = sent[0], [part for message in sent[1:] if (part := message.get("body"))]
        if start["status"] != 200:
            return Response(start["status"], Headers(raw=start["headers"]), b"".join(parts)), False
        events = [json.loads(part.partition(b"data: ")[2]) for part in parts]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[0]["type"] == "response.created"
        final = events[-1].get("response", {})
        if cut_after is None:
            assert events[-1]["type"] == "response.completed"
        else:
            stored = self._send(tenant, "GET", events[0]["response"]["id"], resource="responses")
            final = stored.json()
            assert final["status"] == ("completed" if events[-1]["type"] == "response.completed" else "cancelled")
        content = json.dumps(final).encode()
        return Response(200, Headers(raw=start["headers"]), content), final["status"] == "cancelled"


async def _send_and_leave(
    app: ASGIApp, headers: Mapping[str, str], content: bytes, cut_after: int | None
) -> list[Message]:
    """Send a request for a response; disconnect after so many parts of the stream, or after its end."""
    body = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[Message] = []
    has_left = asyncio.Event()

    async def receive() -> Message:
        if body:
            return body.pop()
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) - 1 == cut_after or not message.get("more_body", True):
            has_left.set()

    path = f"{API_PATH}/responses"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return sent


def _as_query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in query.items()]


@pytest.mark.parametrize("number", NUMBERS[: max(1, len(NUMBERS) // 2)])
def test_fake_and_model_agree_on_responses(number: int) -> None:
    run_histories(ResponsesAgainstModel, number)
