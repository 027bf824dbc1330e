"""The legal order of events, compared with what the SDKs accept."""

import random
import warnings
from collections.abc import Iterator
from copy import deepcopy

import orjson
import pytest
from meetkai_mka1.models import ResponseStreamingEvent as Mka1Event
from meetkai_mka1.models import UnknownResponseStreamingEvent
from meetkai_mka1.utils import unmarshal
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent as OpenAIEvent

from mockserver.contract.event_order import event_order
from mockserver.contract.event_tracker import EventTracker
from tests.support.runs import OUTPUTS, list_events, make_output, make_run

ORDER = event_order()
EVERYTHING = list_events(make_output(OUTPUTS["everything"]))
EXAMPLE = list_events(make_output(OUTPUTS["reasoning"] + OUTPUTS["parallel_calls"] + OUTPUTS["refusal"]))


def find_mistakes(events, *, is_resumed=False):
    tracker = EventTracker(ORDER, is_resumed=is_resumed)
    return [finding for event in events for finding in tracker.check(event)] + tracker.end()


def openai_accepts(events):
    """Whether the accumulator of `openai`, which is behind `responses.stream()`, takes all events up to the last."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # It does not know some tools of MKA1.
        try:
            for event in events:
                state.handle_event(construct_type(type_=OpenAIEvent, value=event))
        except (RuntimeError, IndexError, AssertionError, AttributeError):
            return False
    return state._completed_response is not None


def renumber(events):
    return [event | {"sequence_number": number} for number, event in enumerate(deepcopy(events))]


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_stream_of_every_kind_of_output_is_legal(name):
    events = list_events(make_output(OUTPUTS[name]), conforms=lambda _event: True)
    assert find_mistakes(events) == []
    assert openai_accepts(events)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_stream_without_deltas_is_legal(name):
    events = list_events(make_output(OUTPUTS[name]), has_deltas=False)
    assert not any(event["type"].endswith(".delta") for event in events)
    assert find_mistakes(events) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_mka1_sdk_knows_every_event(name):
    events = [unmarshal(event, Mka1Event) for event in list_events(make_output(OUTPUTS[name]))]
    assert not any(isinstance(event, UnknownResponseStreamingEvent) for event in events)


def test_the_outputs_have_every_event_that_a_completed_response_can_have():
    never = {"error", "response.queued", "response.failed", "response.incomplete", "response.cancelled"}
    assert {event["type"] for event in EVERYTHING} == ORDER.event_types - never - {"response.agent_call.failed"}


@pytest.mark.parametrize("number", range(len(EXAMPLE)))
def test_a_dropped_event_is_found(number):
    kept = EXAMPLE[:number] + EXAMPLE[number + 1 :]
    assert find_mistakes(kept)[0].code == ("sequence_number" if number < len(kept) else "stream_cut")


@pytest.mark.parametrize("number", range(len(EXAMPLE)))
def test_a_repeated_event_is_found(number):
    assert find_mistakes([*EXAMPLE[: number + 1], *EXAMPLE[number:]])[0].code == "sequence_number"


def is_needless(event):
    """Whether a stream without this event is legal: it says little, or it is the only delta of its text."""
    return event["type"] == "response.in_progress" or event.get("delta") == "{}"


@pytest.mark.parametrize("number", range(len(EXAMPLE)))
def test_a_dropped_event_is_found_even_if_the_numbers_have_no_gap(number):
    kept = renumber(EXAMPLE[:number] + EXAMPLE[number + 1 :])
    assert (find_mistakes(kept) != []) is not is_needless(EXAMPLE[number])


def mutate(events: list[dict], chance: random.Random) -> Iterator[tuple[str, list[dict]]]:
    """Yield streams with one defect each, whose numbers are in order."""
    one, other = chance.sample(range(len(events)), 2)
    yield "dropped", renumber(events[:one] + events[one + 1 :])
    yield "repeated", renumber([*events[:one], events[one], *events[one:]])
    swapped = list(events)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    yield "swapped", renumber(swapped)
    moved = events[:one] + events[one + 1 :]
    moved.insert(other, events[one])
    yield "moved", renumber(moved)
    yield "cut", events[:one]
    changed = deepcopy(events)
    for name in ("output_index", "content_index"):
        if name in changed[one]:
            changed[one][name] += 1
    yield "indexed", changed


@pytest.mark.parametrize("seed", range(10))
def test_what_the_accumulator_of_openai_rejects_is_illegal(seed):
    for defect, events in mutate(EXAMPLE, random.Random(seed)):
        if not openai_accepts(events):
            assert find_mistakes(events) != [], defect


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        (lambda events: events[0].update(sequence_number=1), "sequence_number", "/0/sequence_number"),
        (lambda events: events[-1]["response"].update(id="resp_2"), "event_mismatch", "/11/response/id"),
        (lambda events: events[-1]["response"].update(status="failed"), "event_mismatch", "/11/response/status"),
        (lambda events: events[-1]["response"].update(output=[]), "event_mismatch", "/11/response/output"),
        (lambda events: events[2]["item"].update(id="msg_2"), "event_mismatch", "/3/item_id"),
        (lambda events: events[2]["item"].pop("id"), "event_mismatch", "/2/item/id"),
        (lambda events: events[2].update(output_index=1), "event_mismatch", "/2/output_index"),
        (lambda events: events[3].update(content_index=1), "event_mismatch", "/3/content_index"),
        (lambda events: events[4].update(content_index=1), "event_order", "/4/content_index"),
        (lambda events: events[4].update(output_index=1), "event_order", "/4/output_index"),
        (lambda events: events[4].update(delta="?"), "event_mismatch", "/8/text"),
        (lambda events: events[8].update(text="?"), "event_mismatch", "/8/text"),
        (lambda events: events[3]["part"].update(text="?"), "event_mismatch", "/8/text"),
        (lambda events: events[9]["part"].update(text="?"), "event_mismatch", "/9/part/text"),
        (lambda events: events[10]["item"].update(content=[]), "event_mismatch", "/10/item/content"),
        (lambda events: events[10]["item"].update(status="in_progress"), "event_mismatch", "/10/item/status"),
        (lambda events: events[10]["item"].update(id="msg_2"), "event_mismatch", "/10/item/id"),
        (lambda events: events[4].update(type="response.refusal.delta"), "event_order", "/4"),
        (lambda events: events.append(events[1] | {"sequence_number": 12}), "event_order", "/12"),
        (lambda events: events.pop(), "stream_cut", "/11"),
    ],
)
def test_a_defect_is_found_where_it_is(change, code, pointer):
    text = {"type": "output_text", "text": "It rains in Oslo."}
    events = deepcopy(list_events(make_output([{"type": "message", "content": [text]}])))
    assert len(events) == 12
    assert find_mistakes(events) == []
    change(events)
    assert (find_mistakes(events)[0].code, find_mistakes(events)[0].pointer) == (code, pointer)


def test_the_text_of_parts_and_arguments_must_be_that_of_their_deltas():
    events = deepcopy(list_events(make_output(OUTPUTS["function_call"])))
    events[-3]["arguments"] = "{}"
    assert [finding.pointer for finding in find_mistakes(events)] == [
        f"/{len(events) - 3}/arguments",
        f"/{len(events) - 2}/item/arguments",
    ]


def test_annotations_are_counted():
    events = deepcopy(list_events(make_output(OUTPUTS["cited_text"])))
    annotations = [event for event in events if "annotation_index" in event]
    assert [event["annotation_index"] for event in annotations] == [0, 1, 2]
    annotations[1]["annotation_index"] = 2
    (finding,) = find_mistakes(events)
    assert finding.code == "event_mismatch"
    assert finding.pointer.endswith("/annotation_index")


def test_only_what_interrupts_a_response_may_leave_an_item_open():
    run = make_run(make_output(OUTPUTS["text"], delta_delay=1.0))
    events = []
    for step in run.steps():
        if step.event is None:
            run.cancel()
        else:
            events.append(step.event)
    assert events[-1]["type"] == "response.cancelled"
    assert events[-1]["response"]["output"] == []
    assert find_mistakes(events) == []
    events[-1] = {**events[-1], "type": "response.incomplete"}
    events[-1]["response"] = {**events[-1]["response"], "status": "incomplete"}
    assert {finding.code for finding in find_mistakes(events)} == {"event_order", "event_mismatch"}


def test_an_error_may_come_at_any_time_and_may_end_the_stream():
    error = {"type": "error", "sequence_number": 5, "code": "server_error", "message": "The model failed."}
    failed = {
        "type": "response.failed",
        "sequence_number": 6,
        "response": EXAMPLE[0]["response"] | {"status": "failed"},
    }
    assert find_mistakes([*EXAMPLE[:5], error]) == []
    assert find_mistakes([*EXAMPLE[:5], error, failed]) == []
    assert [finding.code for finding in find_mistakes([*EXAMPLE[:5], error, *EXAMPLE[6:7]])] == ["event_order"]


def test_a_resumed_stream_may_begin_with_any_event():
    for number in range(len(EVERYTHING)):
        assert find_mistakes(EVERYTHING[number:], is_resumed=True) == [], number


def test_a_resumed_stream_has_no_gaps():
    findings = find_mistakes([*EXAMPLE[5:9], *EXAMPLE[10:]], is_resumed=True)
    assert findings[0].code == "sequence_number"


def test_events_are_plain_json():
    assert [orjson.loads(orjson.dumps(event)) for event in EVERYTHING] == EVERYTHING
