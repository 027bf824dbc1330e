"""The response guard on event streams, in front of applications that send whatever they like."""

import asyncio
import json
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from mockserver.asgi import Disconnected
from mockserver.context import CONTEXT
from mockserver.contract.contract import Contract
from mockserver.contract.engine import CompiledEngine
from mockserver.contract.event_order import event_order
from mockserver.contract.event_streams import CompiledEventValidator, FrameReader, is_valid_event, serialise_event
from mockserver.contract.guard import ResponseGuard
from mockserver.contract.responses import event_schema
from tests.support.asgi_client import call_app
from tests.support.runs import OUTPUTS, list_events, make_output

CONTRACT = Contract.load()
SCHEMA = event_schema(CONTRACT.operations["createResponse"], 200)
CONFORMS = partial(is_valid_event, SCHEMA)
EVERYTHING = list_events(make_output(OUTPUTS["everything"]), conforms=CONFORMS)
TEXT = list_events(make_output(OUTPUTS["text"]))
STREAM = [(b"content-type", b"text/event-stream")]


def frames_of(events):
    return [serialise_event(event) for event in events]


class StreamingApp:
    """Sends these chunks as an event stream; `stopped` says after how many the guard has stopped it."""

    def __init__(self, chunks, *, status=200, headers=STREAM, error=None, has_end=True):
        self.chunks = list(chunks)
        self.head = {"type": "http.response.start", "status": status, "headers": headers}
        self.error = error
        self.has_end = has_end
        self.sent = 0
        self.is_stopped = False
        self.context = None

    async def __call__(self, scope, receive, send):
        self.context = scope[CONTEXT]
        try:
            await send(self.head)
            for chunk in self.chunks:
                self.sent += 1
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if self.error:
                raise self.error
            if self.has_end:
                await send({"type": "http.response.body", "body": b""})
        except Disconnected:
            self.is_stopped = True
            raise

    def call(self, method="POST", path="/api/v1/llm/responses", engine=None):
        guard = ResponseGuard(self, CONTRACT.operations, engine=engine, load_order=event_order)
        scope = {"method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
        return asyncio.run(call_app(guard, scope))

    @property
    def codes(self):
        return [finding.code for finding in self.context.findings]


def read_events(response):
    return [json.loads(line[6:]) for line in response.content.decode().split("\n") if line.startswith("data: ")]


def test_a_legal_stream_passes_as_it_is():
    app = StreamingApp(frames_of(TEXT))
    response = app.call()
    assert response.content == b"".join(app.chunks)
    assert (app.context.findings, app.context.stream.end) == ((), "finished")
    assert app.context.stream.count == len(TEXT)
    assert json.loads(app.context.response_content) == TEXT[-1]["response"]


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: f"{event['sequence_number']}-{event['type']}")
def test_every_event_conforms_by_an_independent_validator(event):
    registry = Registry().with_resource("urn:document", Resource(CONTRACT.document, DRAFT202012))
    validator = Draft202012Validator({"$ref": f"urn:document#{SCHEMA.pointer}"}, registry=registry)
    assert list(validator.iter_errors(event)) == []
    assert SCHEMA.find_unknown_fields(event, "response", "body") == []


def test_details_are_left_out_of_events_that_they_would_make_invalid():
    def arguments(name):
        events = list_events(make_output(OUTPUTS[name]), conforms=CONFORMS)
        return next(event.get("args") for event in events if event["type"].endswith("_call.in_progress"))

    assert arguments("history") == {"query": "weather"}
    assert arguments("history_without_query") is None
    assert arguments("web_search_call") == {"query": "weather in Oslo"}
    assert arguments("open_page") is None


@pytest.mark.parametrize("number", range(len(TEXT)))
@pytest.mark.parametrize("name", ["sequence_number", "type"])
def test_an_event_that_lacks_a_field_is_never_sent(number, name):
    broken = {key: value for key, value in TEXT[number].items() if key != name}
    frame = b"data: %b\n\n" % orjson.dumps(broken)
    app = StreamingApp([*frames_of(TEXT[:number]), frame, *frames_of(TEXT[number + 1 :])])
    events = read_events(app.call())
    assert events[:-1] == TEXT[:number]
    assert (events[-1]["type"], events[-1]["sequence_number"]) == ("error", number)
    assert f"/{number}/{name}" in events[-1]["message"]
    assert CONFORMS(events[-1])
    assert app.codes
    assert set(app.codes) <= {"required", "const"}
    assert (app.is_stopped, app.sent) == (True, number + 1)
    assert (app.context.stream.end, app.context.stream.count) == ("violation", number)


@pytest.mark.parametrize("number", range(1, len(TEXT)))
def test_an_event_out_of_order_is_never_sent(number):
    app = StreamingApp(frames_of(TEXT[:number] + TEXT[number + 1 :]))
    events = read_events(app.call())
    assert events[:-1] == TEXT[:number]
    assert events[-1]["type"] == "error"
    assert app.codes[0] in ("sequence_number", "stream_cut")


@pytest.mark.parametrize(
    ("frame", "code", "phrase"),
    [
        (b"data: {\n\n", "invalid_json", "not valid JSON"),
        (b"data: [DONE]\n\n", "invalid_json", "not valid JSON"),
        (b'data: {"type": "response.hologram"}\n\n', "enum", "response.hologram"),
        (b"data: 5\n\n", "type", "must be an object"),
        (b"event: response.created\n\n", "invalid_event", "has no data"),
        (b"event: other\n" + frames_of(TEXT)[0].split(b"\n", 1)[1], "invalid_event", "is named 'other'"),
    ],
)
def test_a_frame_that_is_no_event_is_never_sent(frame, code, phrase):
    app = StreamingApp([frame, *frames_of(TEXT)])
    (event,) = read_events(app.call())
    assert event["type"] == "error"
    assert phrase in event["message"]
    assert app.codes[0] == code


def test_a_stream_without_an_end_is_a_violation():
    app = StreamingApp(frames_of(TEXT[:5]))
    assert read_events(app.call())[-1]["type"] == "error"
    assert app.codes == ["stream_cut"]


def test_half_a_frame_is_never_sent():
    app = StreamingApp([*frames_of(TEXT), b"data: {"])
    assert read_events(app.call())[-1]["type"] == "error"
    assert app.codes == ["invalid_event"]


def test_an_exception_ends_the_stream_with_an_error():
    app = StreamingApp(frames_of(TEXT[:3]), error=ValueError("of this test"))
    events = read_events(app.call())
    assert events[:-1] == TEXT[:3]
    assert events[-1] | {"message": ""} == {
        "type": "error",
        "sequence_number": 3,
        "code": "server_error",
        "message": "",
    }
    assert (app.codes, app.context.stream.end) == (["application_error"], "failure")


def test_an_application_that_stops_has_lost_its_client():
    app = StreamingApp(frames_of(TEXT[:3]), has_end=False)
    app.call()
    assert (app.codes, app.context.stream.end) == ([], "client_gone")


def test_comments_pass():
    app = StreamingApp([b": keepalive\n\n", *frames_of(TEXT[:2]), b":\n\n", *frames_of(TEXT[2:])])
    assert app.call().content == b"".join(app.chunks)
    assert app.context.stream.count == len(TEXT)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": 201}, "undeclared_status"),
        ({"status": 404}, "unexpected_content_type"),
        ({"headers": [(b"content-type", b"text/event-stream; charset=utf-8")]}, None),
    ],
)
def test_the_head_of_a_stream_is_validated(changes, code):
    app = StreamingApp(frames_of(TEXT), **changes)
    response = app.call()
    assert app.codes == ([] if code is None else [code])
    assert response.status_code == (200 if code is None else 500)
    assert app.is_stopped is (code is not None)


def test_an_operation_without_streams_must_send_none():
    app = StreamingApp(frames_of(TEXT))
    assert app.call("GET", "/api/v1/llm/conversations").status_code == 500
    assert app.codes == ["unexpected_content_type"]


@pytest.mark.parametrize("start", [0, 5, len(TEXT) - 1])
def test_a_stream_that_can_be_resumed_may_begin_anywhere(start):
    app = StreamingApp(frames_of(TEXT[start:]))
    assert read_events(app.call("GET", "/api/v1/llm/responses/resp_1")) == TEXT[start:]
    assert app.codes == []


def test_no_event_waits_for_the_next():
    """The guard must have passed on each event before the application makes the next one."""
    passed = []

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        for number, frame in enumerate(frames_of(TEXT)):
            assert len(passed) == 1 + number
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        passed.append(message)

    path = "/api/v1/llm/responses"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
    asyncio.run(ResponseGuard(app, CONTRACT.operations, load_order=event_order)(scope, None, send))
    assert len(passed) == len(TEXT) + 2


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_engines_agree(engine):
    validate = CONTRACT.engine(engine).event_validator(CONTRACT.operations["createResponse"], 200).validate
    for event in TEXT[::3]:
        assert validate(orjson.dumps(event)) == (event, [])
        assert [finding.pointer for finding in validate(orjson.dumps(event | {"sequence_number": "x"}))[1]]
        assert validate(b"{")[1]
        assert validate(b'{"type": "response.hologram"}')[1]


@given(st.data(), st.sampled_from(["\n", "\r\n"]))
def test_frames_are_found_however_the_body_arrives(data, line_end):
    frames = [
        "event: a\ndata: {}\n\n",
        ": comment\n\n",
        "data: 1\ndata: 2\n\n",
        "data:tight\nid: 5\nretry: 3\n\n",
    ]
    text = "".join(frames).replace("\n", line_end).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    reader = FrameReader()
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = [frame for chunk in chunks for frame in reader.read(chunk)]
    assert b"".join(frame.content for frame in found) == text
    assert [(frame.name, frame.data) for frame in found if frame.data is not None or frame.name is not None] == [
        (b"a", b"{}"),
        (None, b"1\n2"),
        (None, b"tight"),
    ]
    assert reader.rest == b""


def test_the_order_knows_every_event_of_the_document():
    assert event_order().event_types == SCHEMA.variants.keys()


def test_every_item_of_the_document_has_an_order():
    assert event_order().item_states.keys() == set(CONTRACT.item_types) - {"item_reference"}


def test_the_validator_of_events_is_compiled_once():
    engine = CONTRACT.engine("compiled")
    operation = CONTRACT.operations["createResponse"]
    assert engine.event_validator(operation, 200) is engine.event_validator(operation, 200)
    assert CompiledEventValidator(SCHEMA).validate(orjson.dumps(TEXT[0])) == (TEXT[0], [])


class RecordingValidator(CompiledEventValidator):
    """Records the numbers of the events that it validates."""

    def __init__(self):
        super().__init__(SCHEMA)
        self.numbers = []

    def validate(self, content):
        self.numbers.append(json.loads(content)["sequence_number"])
        return super().validate(content)


@pytest.fixture
def recording_engine():
    engine = CompiledEngine()
    validator = RecordingValidator()
    engine.event_validator = lambda _operation, _status: validator
    engine.numbers = validator.numbers
    return engine


@pytest.mark.parametrize("name", ["text", "refusal", "reasoning", "function_call", "custom_tool_call", "mcp_call"])
def test_deltas_of_one_text_are_validated_once(recording_engine, name):
    events = list_events(make_output(OUTPUTS[name]))
    app = StreamingApp(frames_of(events))
    assert read_events(app.call(engine=recording_engine)) == events
    skipped = [event for event in events if event["sequence_number"] not in recording_engine.numbers]
    texts = [
        event for event in events if event["type"].endswith(".done") and "part" not in event and "item" not in event
    ]
    deltas = [event for event in events if event["type"].endswith(".delta")]
    assert all(event in deltas for event in skipped)
    assert len(skipped) == len(deltas) - len(texts)
    assert app.context.stream.count == len(events)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda event: event.update(sequence_number=event["sequence_number"] + 1), "sequence_number"),
        (lambda event: event.update(sequence_number=event["sequence_number"] - 1), "sequence_number"),
        (lambda event: event.update(delta=5), "type"),
        (lambda event: event.update(item_id="msg_other"), "event_mismatch"),
        (lambda event: event.update(content_index=1), "event_order"),
        (lambda event: event.update(delta="other"), "event_mismatch"),
        (lambda event: event.update(type="response.refusal.delta"), "event_order"),
    ],
)
def test_a_defect_of_a_later_delta_is_found(change, code):
    events = json.loads(json.dumps(TEXT))
    assert [event["type"] for event in events[4:8]] == ["response.output_text.delta"] * 4
    change(events[6])
    app = StreamingApp(frames_of(events))
    assert read_events(app.call())[-1]["type"] == "error"
    assert app.codes[0] == code


@pytest.mark.parametrize(
    "tail",
    [
        b'"a"}\n\n',
        b'"a" }\n\n',
        b' "a"}\n\n',
        b'"a","delta":"b"}\n\n',
        b'"a\\n}\n\n',
        b'"a\n"}\n\n',
        b"null}\n\n",
        b'"a"}\n\n: x\n\n',
    ],
)
def test_whatever_follows_the_head_of_a_delta_is_parsed(tail):
    """A chunk that begins like the next delta passes only if all of it is an event by the rules for any event."""
    frames = frames_of(TEXT)
    head = frames[5].rpartition(b',"delta":')[0] + b',"delta":'
    reader = FrameReader()
    is_legal = True
    for frame in reader.read(head + tail):
        if frame.data is not None:
            is_legal = is_legal and not CompiledEventValidator(SCHEMA).validate(frame.data)[1]
    app = StreamingApp([*frames[:5], head + tail], has_end=False)
    app.call()
    assert (app.codes == []) is (is_legal or bool(reader.rest))


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_any_text_may_be_a_delta(deltas):
    try:
        "".join(deltas).encode()
    except UnicodeEncodeError:
        return
    body = {"type": "message", "content": [{"type": "output_text", "text": "".join(deltas)}]}
    output = make_output([body])
    output = output._replace(items=[output.items[0]._replace(deltas=[deltas])])
    events = list_events(output)
    app = StreamingApp(frames_of(events))
    assert read_events(app.call()) == events
    assert app.codes == []
