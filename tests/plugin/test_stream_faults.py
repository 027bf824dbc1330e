"""Faults in the middle of a stream, as a test plans them, with a real client."""

PASSING = """
import openai

@pytest.fixture
def client(mka1):
    with openai.OpenAI(base_url=mka1.api_url, api_key=mka1.api_key, max_retries=0, timeout=1) as client:
        yield client

def read(client):
    with client.responses.create(model="auto", input="Is it raining?", stream=True) as stream:
        return list(stream)

def numbers(events):
    return [event.sequence_number for event in events]

def test_a_whole_stream(mka1, client):
    assert read(client)[-1].type == "response.completed"
    stream = mka1.requests.last.stream
    assert (stream["end"], stream["count"]) == ("finished", len(stream["events"]))
    assert mka1.requests.last.response["status"] == "completed"

def test_a_cut_stream(mka1, client):
    mka1.faults.stream_closed("createResponse", after_events=3)
    assert numbers(read(client)) == [0, 1, 2]
    mka1.faults.stream_reset("createResponse", after_events=3)
    with pytest.raises(Exception):
        read(client)
    assert [fault["fired"] for fault in mka1.faults.planned] == [1, 1]
    assert mka1.requests.last.stream["end"] == "fault"

def test_a_silent_stream(mka1, client):
    mka1.faults.stream_stalled("createResponse", after_events=3, seconds=0.1)
    assert read(client)[-1].type == "response.completed"
    mka1.faults.stream_stalled("createResponse", after_events=3)
    with pytest.raises(Exception):
        read(client)

def test_odd_events(mka1, client):
    mka1.faults.event_skipped("createResponse", after_events=3)
    assert numbers(read(client))[:4] == [0, 1, 2, 4]
    mka1.faults.event_repeated("createResponse", after_events=3)
    assert numbers(read(client))[:4] == [0, 1, 2, 2]
    error = {"type": "error", "sequence_number": 3, "code": "server_error", "message": "The model is gone."}
    mka1.faults.event_inserted(error, "createResponse", after_events=3)
    assert read(client)[3].message == "The model is gone."
    mka1.faults.event_garbled("createResponse", after_events=3)
    with pytest.raises(Exception):
        read(client)
"""

UNFIRED = """
def test_a_request_without_a_stream(mka1):
    mka1.faults.stream_closed("createResponse", after_events=3)
    assert call(mka1, path="/responses", json={"model": "auto", "input": "hi"}).status_code == 200

def test_a_stream_that_is_too_short(mka1):
    mka1.faults.stream_closed("createResponse", after_events=300)
    assert call(mka1, path="/responses", json={"model": "auto", "input": "hi", "stream": True}).status_code == 200
"""


def test_faults_in_mid_stream(run):
    found = run(PASSING)
    assert (set(found.outcomes.values()), found.texts) == ({"passed"}, {})


def test_a_fault_in_mid_stream_that_has_not_struck_fails_the_test(run):
    found = run(UNFIRED)
    assert set(found.outcomes.values()) == {"failed"}
    assert all("planned fault" in text for text in found.texts.values())
