"""What is printed to repeat a deviation does repeat it: the commands are run, in a shell, by curl and jq."""

import os
import shutil
import subprocess

import pytest

from mockserver.conformance.client import ApiClient, http_client
from mockserver.conformance.paths import items_path
from mockserver.conformance.samples import message
from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.curl import KEY_PLACEHOLDER
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.transport import HttpxTransport, Limits, Transport

from .conftest import KEYS

needs_shell = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq"))), reason="the commands need bash, curl and jq"
)


@pytest.fixture
def recorded(gateway):
    """A caller of a fake, and the log of its calls."""
    target = gateway()
    log = ExchangeLog(target.url)
    transport = Transport(Operations(load_document()), {KEY_PLACEHOLDER: KEYS[0]}, Limits(), log.observe)
    transport.phase = "behaviours"
    api = ApiClient(target.url, KEY_PLACEHOLDER, "an end-user's name", http=http_client(HttpxTransport(transport)))
    yield api, log, target
    api.close()


def run(lines: list[str]) -> str:
    environment = {**os.environ, "MKA1_API_KEY": KEYS[0]}
    return subprocess.run(["bash", "-ec", "\n".join(lines)], env=environment, text=True, capture_output=True).stdout


@needs_shell
def test_the_commands_work_again_though_everything_was_deleted(recorded) -> None:
    api, log, target = recorded
    conversation = api.create_id(topic='it\'s "quoted", $HOME and `this`')
    first, _ = (item["id"] for item in api.add_items(conversation, message("one"), message("two")))
    api.get(f"{items_path(conversation)}/{first}").expect_ok()
    api.delete_created()
    script = log.script(log.since("behaviours", 0)[:3])
    assert conversation not in "\n".join(script)
    assert first not in "\n".join(script)
    assert not [key for key in KEYS if key in "\n".join(script)]
    answer = run(script)
    assert answer.startswith("HTTP/1.1 200")
    assert '"content":"one"' in answer
    (again,) = target.left()
    assert again != conversation
    metadata = api.get(f"/conversations/{again}").expect_ok()["metadata"]
    assert metadata == {"topic": 'it\'s "quoted", $HOME and `this`'}


def test_what_led_to_an_exchange_is_what_wrote_to_its_conversation(recorded) -> None:
    api, log, _ = recorded
    conversation, other = api.create_id(), api.create_id()
    api.add_items(conversation, message("one"))
    api.add_items(other, message("two"))
    api.list_items(conversation)
    api.post(items_path(conversation), {"items": []}).expect_error()
    api.list_items(conversation)
    led = log.steps_leading_to(log.since("behaviours", 0)[-1])
    assert [exchange.number for exchange in led] == [1, 3, 7]


def test_what_led_to_a_list_is_what_its_end_user_wrote(recorded) -> None:
    api, log, _ = recorded
    api.with_new_end_user().create()
    api.create()
    api.list_conversations()
    led = log.steps_leading_to(log.since("behaviours", 0)[-1])
    assert [exchange.number for exchange in led] == [2, 3]


@needs_shell
def test_what_no_text_can_say_is_sent_all_the_same(recorded) -> None:
    api, log, _ = recorded
    api.request(
        "POST", "/conversations", content=b"{", headers=[("Content-Type", "application/json"), ("X-Empty", "")]
    )
    (line,) = log.script(log.since("behaviours", 0))
    assert "-H 'X-Empty;'" in line
    assert run([line]).startswith("HTTP/1.1 400")
