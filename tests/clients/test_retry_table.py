"""The table in `docs/other-tools.md` of how the published clients react to faults is measured."""

from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from meetkai_mka1 import SDK

from mockserver.testing import FaultControls, Mka1, fake

PAGE = (Path(__file__).parents[2] / "docs" / "other-tools.md").read_text()
SOON = {"retry-after-ms": "1"}
CREATE, LIST, STREAM = "conversations.create", "conversations.items.list", "createResponse"

FAULTS: dict[str, Callable[[Mka1], object]] = {
    "`rate_limited` (429)": lambda mka1: mka1.faults.rate_limited(CREATE, retry_after_ms=1),
    "`add(status=408)`": lambda mka1: mka1.faults.add(CREATE, status=408, headers=SOON),
    "`add(status=409)`": lambda mka1: mka1.faults.add(CREATE, status=409, headers=SOON),
    "`server_error(status=500)`": lambda mka1: mka1.faults.server_error(CREATE, retry_after_ms=1),
    "`server_error(status=501)`": lambda mka1: mka1.faults.server_error(CREATE, status=501, retry_after_ms=1),
    "`server_error(status=502)`": lambda mka1: mka1.faults.server_error(CREATE, status=502, retry_after_ms=1),
    "`server_error(status=503)`": lambda mka1: mka1.faults.server_error(CREATE, status=503, retry_after_ms=1),
    "`server_error(status=504)`": lambda mka1: mka1.faults.server_error(CREATE, status=504, retry_after_ms=1),
    "`timed_out`": lambda mka1: mka1.faults.timed_out(CREATE),
    "`closed`": lambda mka1: mka1.faults.closed(CREATE),
    "`reset`": lambda mka1: mka1.faults.reset(CREATE),
    "`truncated`": lambda mka1: mka1.faults.truncated(CREATE),
    "`garbage`": lambda mka1: mka1.faults.garbage(CREATE),
    "`wrong_content_type`": lambda mka1: mka1.faults.wrong_content_type(CREATE),
    "`field_dropped` of `/id`": lambda mka1: mka1.faults.field_dropped(CREATE, "/id"),
    "`field_retyped` of `/created_at`": lambda mka1: mka1.faults.field_retyped(CREATE, "/created_at", "then"),
    "`unknown_item`": lambda mka1: mka1.faults.unknown_item(LIST),
    "`stream_closed`": lambda mka1: mka1.faults.stream_closed(STREAM, after_events=2),
    "`stream_reset`": lambda mka1: mka1.faults.stream_reset(STREAM, after_events=2),
    "`stream_stalled`": lambda mka1: mka1.faults.stream_stalled(STREAM, after_events=2),
    "`event_garbled`": lambda mka1: mka1.faults.event_garbled(STREAM, after_events=2),
    "`event_skipped`": lambda mka1: mka1.faults.event_skipped(STREAM, after_events=2),
    "`event_repeated`": lambda mka1: mka1.faults.event_repeated(STREAM, after_events=2),
    "`event_inserted` of an unknown type": lambda mka1: mka1.faults.event_inserted(
        {"type": "response.hologram.delta", "sequence_number": 3}, STREAM, after_events=2
    ),
}


def call_mka1(mka1: Mka1, operation: str) -> None:
    with SDK(bearer_auth=mka1.api_key, server_url=mka1.url, timeout_ms=1000) as sdk:
        if operation == CREATE:
            sdk.llm.conversations.create()
        elif operation == STREAM:
            with sdk.llm.responses.create(model="auto", input="hi", stream=True, timeout_ms=1000) as events:
                list(events)
        else:
            sdk.llm.conversations.list_items(conversation_id="conv_support")


def call_openai(mka1: Mka1, operation: str) -> None:
    with openai.OpenAI(timeout=1) as client:
        if operation == CREATE:
            client.conversations.create()
        elif operation == STREAM:
            list(client.responses.create(model="auto", input="hi", stream=True))
        else:
            client.conversations.items.list("conv_support")


def measure(call: Callable[[Mka1, str], None], plan: Callable[[Mka1], object]) -> str:
    """Plan a fault that fires once, call its operation, and say how the client reacts."""
    with fake(seed="support-thread") as mka1:
        plan(mka1)
        (fault,) = mka1.faults.planned
        try:
            call(mka1, fault["operation"])
        except Exception as error:  # noqa: BLE001 - clients raise errors of many kinds
            assert mka1.faults.planned[0]["seen"] == 1, "an error that is raised was not retried"
            return f"raises `{type(error).__name__}`"
        return {1: "accepts", 2: "retries"}[mka1.faults.planned[0]["seen"]]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_table_says_how_clients_react(fault: str) -> None:
    reactions = [measure(call, FAULTS[fault]) for call in (call_mka1, call_openai)]
    row = f"| {fault} | {' | '.join(reactions)} |"
    assert row in PAGE.splitlines()


def test_the_table_has_every_fault_that_fails() -> None:
    verbs = {name for name in dir(FaultControls) if not name.startswith("_")}
    others = {"planned", "clear", "add", "delayed", "dripping"}
    assert verbs > others
    assert {name for name in verbs - others if f"| `{name}" not in PAGE} == set()
