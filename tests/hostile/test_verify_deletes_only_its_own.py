"""`verify` deletes only conversations that it created, whatever the target shows it."""

import json
import os
import signal
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from mockserver.conformance.names import unknown_id_like
from mockserver.conformance.scenarios import conversations, metadata, tenancy
from mockserver.settings import API_PATH
from mockserver.verify import run as run_module
from mockserver.verify.cleanup import CreatedResources, Resource
from mockserver.verify.transport import Limits, WireRequest
from tests.support.asgi_client import call_app
from tests.support.middleware import ApiMiddleware
from tests.verify.conftest import KEYS, NoProgress, VerifiedFake

COLLECTION = f"{API_PATH}/conversations"


class SharedByEndUsers(ApiMiddleware):
    """Ignores the end user: everybody sees and may delete everything of the account."""

    def change_request(self, scope: Scope) -> Scope:
        return scope | {"headers": [pair for pair in scope["headers"] if pair[0] != b"x-on-behalf-of"]}


def is_create(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) == ("POST", COLLECTION)


def create(target: VerifiedFake, **headers: str) -> str:
    response = httpx.post(
        f"{target.url}{COLLECTION}", json={}, headers={"Authorization": f"Bearer {KEYS[0]}"} | headers
    )
    return str(response.json()["id"])


def written_ids(target: VerifiedFake) -> set[str]:
    """Return the conversations that any write request named."""
    journal = httpx.get(f"{target.url}/_mock/requests?limit=10000").json()["data"]
    paths = [one["path"] for one in journal if one["method"] not in ("GET", "HEAD", "OPTIONS", "TRACE")]
    return {unquote(path.removeprefix(COLLECTION + "/").partition("/")[0]) for path in paths if path != COLLECTION}


# -- Conversations that were there before ----------------------------------------------------------------------


@pytest.mark.parametrize("middleware", [lambda app: app, SharedByEndUsers])
def test_the_conversations_of_the_account_survive_an_account_level_run(
    start_fake, select_scenarios, middleware
) -> None:
    select_scenarios(tenancy)
    target = start_fake(middleware)
    before = [create(target), create(target, **{"X-On-Behalf-Of": "somebody-else"}), create(target)]
    report = target.verify(may_act_for_account=True)
    assert sorted(target.remaining_conversations()) == sorted(before)
    assert any("these were left alone" in note for note in report.notes)


class OthersKeepCreating(SharedByEndUsers):
    """Somebody else creates a conversation whenever a conversation was deleted or listed."""

    created = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        if scope["type"] == "http" and scope["path"].startswith(COLLECTION) and scope["method"] in ("DELETE", "GET"):
            headers = [(b"authorization", f"Bearer {KEYS[0]}".encode()), (b"content-type", b"application/json")]
            other = {"method": "POST", "path": COLLECTION, "raw_path": COLLECTION.encode(), "query_string": b""}
            await call_app(self._app, {**other, "headers": headers}, [b'{"metadata": {"of": "somebody else"}}'])
            type(self).created += 1


def test_conversations_that_others_create_during_the_run_survive(start_fake, select_scenarios) -> None:
    select_scenarios(metadata)
    target = start_fake(OthersKeepCreating)
    target.verify()
    assert len(target.remaining_conversations()) == OthersKeepCreating.created > 10


class CreatesNothing(SharedByEndUsers):
    """Answers every create request with the conversation that was created first."""

    body: Any = None

    def change_message(self, scope: Scope, message: Message) -> Message:
        if scope["method"] == "GET" and scope["path"] == COLLECTION and message.get("body"):
            type(self).body = json.loads(message["body"])["data"][0]
        if is_create(scope) and message["type"] == "http.response.start":
            return message | {"headers": [pair for pair in message["headers"] if pair[0] != b"content-length"]}
        return message | {"body": json.dumps(self.body).encode()} if is_create(scope) and self.body else message


def test_a_conversation_that_was_listed_before_it_was_created_survives(start_fake, select_scenarios) -> None:
    select_scenarios(conversations)
    target = start_fake(CreatesNothing)
    stranger = create(target)
    report = target.verify()
    assert stranger in target.remaining_conversations()
    assert stranger not in written_ids(target)
    assert any("got no response that names a new resource" in note for note in report.notes)


# -- Create requests without a response ------------------------------------------------------------------------


class LosesResponses(SharedByEndUsers):
    """Sends no readable response to the create requests that have this text in the body."""

    text = b"mockserver_verify_run"
    lost = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""

        async def receive_noting() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        async def send_damaged(message: Message) -> None:
            if is_create(scope) and self.text in body and message.get("body"):
                type(self).lost += 1
                message = message | {"body": b"x" * len(message["body"])}
            await send(message)

        is_http = scope["type"] == "http"
        await super().__call__(scope, receive_noting if is_http else receive, send_damaged if is_http else send)


def test_a_marked_conversation_without_a_response_is_found_among_strangers(start_fake, select_scenarios) -> None:
    class LosesMarked(LosesResponses):
        pass

    select_scenarios(metadata)
    target = start_fake(LosesMarked)
    strangers = [create(target) for _ in range(3)]
    report = target.verify()
    assert LosesMarked.lost > 0
    assert sorted(target.remaining_conversations()) == sorted(strangers)
    assert not any("may be left" in note for note in report.notes)


def test_an_unmarked_conversation_without_a_response_is_reported_but_not_deleted(start_fake, select_scenarios) -> None:
    class LosesUnmarked(LosesResponses):
        text = b'"key 0"'  # Of the scenario about 16 pairs, which has no room for a mark.

    select_scenarios(metadata)
    target = start_fake(LosesUnmarked)
    strangers = [create(target) for _ in range(3)]
    report = target.verify()
    assert LosesUnmarked.lost > 0
    assert len(target.remaining_conversations()) == len(strangers) + 1
    assert any("may be left on the target" in note for note in report.notes)


class LosesOne(ApiMiddleware):
    """Keeps end users apart, and loses the response to one unmarked create request."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.creates = 0

    def change_message(self, scope: Scope, message: Message) -> Message:
        if is_create(scope) and message.get("body"):
            self.creates += 1
            if self.creates == 3:
                return message | {"body": b"x" * len(message["body"])}
        return message


def test_what_an_end_user_of_the_run_lists_beyond_is_reported_as_left_over(start_fake, select_scenarios) -> None:
    select_scenarios(metadata)
    target = start_fake(LosesOne)
    report = target.verify()
    assert [one.id for one in report.leftovers] == target.remaining_conversations()
    assert {one.reason for one in report.leftovers} <= {"is listed, but the run did not see that it created it"}


# -- The phases themselves -------------------------------------------------------------------------------------


def test_no_phase_writes_to_ids_that_the_run_did_not_create(start_fake) -> None:
    target = start_fake(SharedByEndUsers)
    strangers = [create(target) for _ in range(3)]
    before = httpx.get(f"{target.url}/_mock/state").json()
    report = target.verify(phases=("fuzzing", "stateful"), max_examples=4, seed=5)
    assert report.requests > 50
    assert not [note for note in report.notes if "were not sent" in note]
    assert not written_ids(target) & {*strangers, "", ".", "..", "0", "conv_abc123"}
    assert min(map(len, written_ids(target))) > 20
    after = httpx.get(f"{target.url}/_mock/state").json()
    for conversation in before["conversations"]:
        assert conversation in after["conversations"]
    paths = [
        (one["method"], one["path"]) for one in httpx.get(f"{target.url}/_mock/requests?limit=10000").json()["data"]
    ]
    assert ("DELETE", COLLECTION) not in paths


def test_only_own_and_made_up_conversations_may_be_written_to() -> None:
    created = CreatedResources("0123456789abcdef", "/v1")
    created.seen.add(Resource("conversations", "conv_mine"))
    created.seen.add(Resource("responses", "resp_mine"))

    def may_send(method: str, path: str, body: bytes = b"") -> bool:
        return created.may_send(WireRequest(method, path, (), body))

    for path in (
        "/v1/conversations/conv_mine",
        "/v1/conversations/conv_mine/items/any?x=1",
        "/v1/conversations/c%6fnv_mine",
    ):
        assert may_send("DELETE", path), path
    assert may_send("POST", "/v1/conversations")
    assert may_send("DELETE", "/v1/conversations/id_0123456789abcdef")
    for path in ("", "/", "/0", "/conv_yours", "/conv_yours/items", "/..", "/%2e%2e/x", "/conv_mine%2F", "?all=1"):
        assert may_send("GET", f"/v1/conversations{path}"), path
        assert not may_send("DELETE", f"/v1/conversations{path}"), path
    for path in ("/", "/v1", "/v1/conversationsx", "/v1/admin", "//v1/conversations"):
        assert not may_send("POST", path), path
    for path in ("", "/compact", "/resp_mine/cancel", "/resp_0123456789abcdef"):
        assert may_send("POST", f"/v1/responses{path}"), path
    for path in ("/compact/x", "/resp_yours", "/resp_yours/cancel", "/conv_mine"):
        assert not may_send("POST", f"/v1/responses{path}"), path
    for conversation in ('"conv_mine"', '{"id": "conv_mine"}', "null"):
        assert may_send("POST", "/v1/responses", b'{"conversation": %s}' % conversation.encode()), conversation
    for unreadable in (
        b'{"conversation": "conv_yours",}',
        b'{"conversation": "conv_mine" "conversation": "conv_yours"}',
    ):
        assert not may_send("POST", "/v1/responses", unreadable), unreadable
    assert may_send("POST", "/v1/responses", b"{")
    for conversation in ('"conv_yours"', '{"id": "conv_yours"}', '""'):
        assert not may_send("POST", "/v1/responses", b'{"conversation": %s}' % conversation.encode()), conversation


@pytest.mark.parametrize("known", ["7", "42", "c1", "conv_000012"])
def test_a_made_up_id_is_too_long_to_be_the_next_one_of_somebody_else(known: str) -> None:
    unknown = unknown_id_like(known)
    assert len(unknown) == 15
    assert unknown.isdecimal() == known.isdecimal()
    assert len(unknown_id_like("conv_0123456789abcdef")) == len("conv_0123456789abcdef")


# -- However it ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["find_missing_operations", "_create_checks", "_run_phases"])
def test_an_exception_in_any_step_leaves_nothing_behind(start_fake, monkeypatch, step) -> None:
    original = getattr(run_module, step)

    def crash(*arguments: object, **options: object) -> None:
        original(*arguments, **options)
        raise RuntimeError("no such luck")

    monkeypatch.setattr(run_module, step, crash)
    target = start_fake()
    with pytest.raises(RuntimeError, match="no such luck"):
        target.verify(repeat="conversations.delete.twice-is-404")
    assert target.count_requests() > 5
    assert target.remaining_conversations() == []


def test_an_exception_while_access_is_checked_leaves_nothing_behind(start_fake, monkeypatch) -> None:
    def crash(client: Any) -> None:
        client.post("/conversations", {})
        raise RuntimeError("no such luck")

    monkeypatch.setattr(run_module, "check_access", crash)
    target = start_fake()
    with pytest.raises(RuntimeError, match="no such luck"):
        target.verify()
    assert target.remaining_conversations() == []


class LosesItsTerminal(NoProgress):
    def begin(self, phase: str, total: int | None) -> None:
        if phase == "cleanup":
            raise OSError("no such device")


def test_a_lost_terminal_leaves_nothing_behind(start_fake, select_scenarios) -> None:
    select_scenarios(metadata)
    target = start_fake()
    with pytest.raises(OSError, match="no such device"):
        target.verify(LosesItsTerminal(), limits=Limits(max_requests=30))
    assert target.remaining_conversations() == []


class SignalsInCleanup(NoProgress):
    def __init__(self, number: int) -> None:
        self._number = number

    def begin(self, phase: str, total: int | None) -> None:
        if phase == "cleanup":
            os.kill(os.getpid(), self._number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_only_ctrl_c_aborts_the_cleanup(start_fake, select_scenarios, number) -> None:
    select_scenarios(metadata)
    target = start_fake()
    report = target.verify(SignalsInCleanup(number), limits=Limits(max_requests=30))
    assert (target.remaining_conversations(), report.leftovers) == ([], ())


# -- Redirects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("phase", ["behaviours", "examples"])
def test_redirects_to_another_host_are_not_followed(start_fake, select_scenarios, status, phase) -> None:
    trap = start_fake()

    class Redirects(ApiMiddleware):
        """Answers every second request with a redirect to the other server."""

        requests = 0

        def change_message(self, scope: Scope, message: Message) -> Message:
            if message["type"] != "http.response.start":
                return message
            type(self).requests += 1
            if self.requests % 2:
                return message
            location = (b"location", f"{trap.url}{scope['path']}".encode())
            return message | {"status": status, "headers": [*message["headers"], location]}

    select_scenarios(conversations)
    target = start_fake(Redirects)
    report = target.verify(phases=(phase,), limits=Limits(max_requests=60))
    assert Redirects.requests > 20
    assert trap.count_requests() == 0
    assert any(f"/{status}" in one.case for one in report.deviations)
