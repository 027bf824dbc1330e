"""Reproduction: the commands of a report, run in a shell with curl and jq, reproduce the exchange."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from mockserver.conformance.client import ApiClient, http_client
from mockserver.conformance.names import items_path
from mockserver.conformance.samples import message
from mockserver.contract.contract import Contract
from mockserver.curl import KEY_PLACEHOLDER
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.transport import HttpxTransport, Limits, Transport, WireExchange

from .conftest import KEYS, VerifiedFake

needs_shell = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq"))), reason="the commands need bash, curl and jq"
)


class Recording(NamedTuple):
    client: ApiClient
    log: ExchangeLog
    exchanges: list[WireExchange]
    target: VerifiedFake


@pytest.fixture
def recording(start_fake) -> Iterator[Recording]:
    """A client of a fake, with the log of its exchanges."""
    target = start_fake()
    log = ExchangeLog(target.url)
    keys = {KEY_PLACEHOLDER: KEYS[0]}
    transport = Transport(Contract.load().operations, keys, Limits(), observers=[log.add])
    client = ApiClient(target.url, KEY_PLACEHOLDER, "an end-user's name", http=http_client(HttpxTransport(transport)))
    with log.capture() as exchanges:
        yield Recording(client, log, exchanges, target)
    client.close()


def run(commands: Sequence[str]) -> str:
    environment = {**os.environ, "MKA1_API_KEY": KEYS[0]}
    script = "\n".join(commands)
    return subprocess.run(["bash", "-ec", script], env=environment, text=True, capture_output=True).stdout


@needs_shell
def test_the_commands_work_after_everything_was_deleted(recording: Recording) -> None:
    client, log, exchanges, target = recording
    metadata = {"topic": 'it\'s "quoted", $HOME and `this`'}
    conversation = client.create_id(**metadata)
    first, _ = (item["id"] for item in client.add_items(conversation, message("one"), message("two")))
    client.get(f"{items_path(conversation)}/{first}").expect_ok()
    client.delete_created()
    commands = log.render_commands(exchanges[:3])
    assert not [secret for secret in (conversation, first, *KEYS) if secret in "\n".join(commands)]
    output = run(commands)
    assert output.startswith("HTTP/1.1 200")
    assert '"content":"one"' in output
    (again,) = target.remaining_conversations()
    assert again != conversation
    assert client.get(f"/conversations/{again}").expect_ok()["metadata"] == metadata


def test_the_steps_to_an_exchange_are_the_writes_to_its_conversation(recording: Recording) -> None:
    client, log, exchanges, _ = recording
    conversation, other = client.create_id(), client.create_id()
    client.add_items(conversation, message("one"))
    client.add_items(other, message("two"))
    client.list_items(conversation)
    client.post(items_path(conversation), {"items": []}).expect_error()
    client.list_items(conversation)
    assert [exchange.number for exchange in log.select_steps(exchanges[-1])] == [1, 3, 7]


def test_the_steps_to_a_list_are_the_writes_of_its_end_user(recording: Recording) -> None:
    client, log, exchanges, _ = recording
    client.with_new_end_user().create()
    client.create()
    client.list_conversations()
    assert [exchange.number for exchange in log.select_steps(exchanges[-1])] == [2, 3]


@needs_shell
def test_malformed_requests_are_reproduced_as_they_were(recording: Recording) -> None:
    client, log, exchanges, _ = recording
    headers = [("Content-Type", "application/json"), ("X-Empty", "")]
    client.request("POST", "/conversations", content=b"{", headers=headers)
    (command,) = log.render_commands(exchanges)
    assert "-H 'X-Empty;'" in command
    assert run([command]).startswith("HTTP/1.1 400")
