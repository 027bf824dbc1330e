"""Members of `mka1`, and isolation of tests from one another."""

import pytest

from mockserver.testing.environment import bypass_proxies

MEMBERS = '''
NAMES = ("MKA1_BASE_URL", "MKA1_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY", "NO_PROXY", "no_proxy")
before = {name: os.environ.get(name) for name in NAMES}

def test_addresses(mka1):
    assert isinstance(mka1, Mka1)
    assert mka1.url.startswith("http://127.0.0.1:")
    assert mka1.api_url == mka1.url + "/api/v1/llm"
    assert mka1.api_key.startswith("test-")
    assert mka1.end_user is None
    assert mka1.headers == {"Authorization": f"Bearer {mka1.api_key}"}
    assert mka1.is_fake
    assert repr(mka1).endswith(f" {mka1.url}: 0 requests, 0 planned faults, 0 planned replies>")

def test_representations(mka1, mka1_server):
    assert repr(mka1.faults) == "<FaultControls: none planned>"
    assert repr(mka1.state) == "<StateControls: 0 conversations, 0 responses, 0 items>"
    mka1.seed("support-thread")
    mka1.faults.server_error("conversations.create", status=503, times=2)
    mka1.faults.delayed("conversations.create", seconds=0.01, times=None, after=5)
    mka1.faults.add(event={"type": "a"}, after_events=1, times=None)
    mka1.faults.stream_closed(after_events=2, times=None)
    mka1.replies.add(text="Hi.", times=None)
    mka1.clock.freeze("2024-01-01T01:00:00+01:00")
    call(mka1, json={})
    assert repr(mka1).endswith(f" {mka1.url}: 1 request, 4 planned faults, 1 planned reply>")
    assert repr(mka1.faults) == (
        "<FaultControls: conversations.create: status 503, fired 1 of 2 times, 1 request seen; "
        "conversations.create: delay, fired 0, 1 request seen; "
        "any operation: event after 1 event, fired 0, 0 requests seen; "
        "any operation: close after 2 events, fired 0, 0 requests seen>"
    )
    assert repr(mka1.clock) == "<ClockControls: 2024-01-01T00:00:00+00:00, frozen>"
    mka1.clock.resume()
    assert repr(mka1.clock).endswith(", running>")
    assert repr(mka1.state) == "<StateControls: 1 conversations, 0 responses, 1 replies, 5 items>"
    assert repr(mka1_server) == f"<LocalFake {mka1.url}>"
    mka1.faults.clear()

@pytest.mark.mka1(now="2024-01-01T00:00:00Z")
def test_now_as_text(mka1):
    assert mka1.clock.now() == 1704067200

def test_server(mka1_server, mka1):
    assert mka1_server.url == mka1.url

def test_environment(mka1):
    assert {name: os.environ[name] for name in NAMES} == mka1.environment() == {
        "MKA1_BASE_URL": mka1.url,
        "MKA1_API_KEY": mka1.api_key,
        "OPENAI_BASE_URL": mka1.api_url,
        "OPENAI_API_KEY": mka1.api_key,
        "NO_PROXY": "intranet,localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
    }

def test_environment_after_monkeypatch(mka1, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", "other")
    monkeypatch.undo()
    assert os.environ["MKA1_API_KEY"] == mka1.api_key

def test_environment_is_restored():
    assert {name: os.environ.get(name) for name in NAMES} == before
    assert before["MKA1_API_KEY"] == "of-the-user"

def test_subprocess(mka1):
    script = """if True:
        import os, urllib.request
        headers = {"Authorization": "Bearer " + os.environ["MKA1_API_KEY"], "Content-Type": "application/json"}
        url = os.environ["MKA1_BASE_URL"] + "/api/v1/llm/conversations"
        print(urllib.request.urlopen(urllib.request.Request(url, b"{}", headers)).status)
    """
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "200\\n"
    assert mka1.requests.one().operation == "conversations.create"

def test_asyncio(mka1):
    async def calls():
        async with httpx.AsyncClient(base_url=mka1.api_url, headers=mka1.headers) as client:
            responses = await asyncio.gather(*(client.post("/conversations", json={}) for _ in range(5)))
        mka1.requests.assert_called("conversations.create", times=5)
        return [response.status_code for response in responses]
    assert asyncio.run(calls()) == [200] * 5

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(mka1):
    async with httpx.AsyncClient(base_url=mka1.api_url, headers=mka1.headers) as client:
        assert (await client.post("/conversations", json={})).status_code == 200
    mka1.requests.assert_called("conversations.create", times=1)

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception)
async def test_anyio_with_a_fault_that_never_fires(mka1):
    mka1.faults.garbage()

class TestUnittest(__import__("unittest").TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, mka1):
        self.mka1 = mka1

    def test_unittest(self):
        self.assertEqual(call(self.mka1, json={}).status_code, 200)
        self.mka1.requests.assert_called("conversations.create", times=1)

@pytest.mark.mka1(api_keys="*")
def test_requests(mka1):
    other = {"Authorization": "Bearer other", "X-On-Behalf-Of": "ada"}
    call(mka1, json={"metadata": {"a": "b"}})
    call(mka1, "GET", "/conversations/conv_1")
    httpx.get(mka1.api_url + "/conversations?limit=1", headers=other, verify=False)
    requests = mka1.requests
    assert len(requests) == 3 and [one.status for one in requests] == [200, 404, 200]
    assert requests[0].request == {"metadata": {"a": "b"}} and requests[0].response["object"] == "conversation"
    assert requests[-1].query == "limit=1" and requests[-1].end_user == "ada"
    assert [one.status for one in requests[:2]] == [200, 404]
    assert requests.last == requests[2] and requests.last in requests
    assert requests.filter("conversations.create").one() == requests[0]
    assert requests.filter(status=404).one() == requests[1]
    assert requests.filter(key="other").one() == requests.filter(key=requests[2].key).one() == requests[2]
    assert requests.filter(end_user="ada").one() == requests[2]
    assert repr(requests.filter(status=404)) == "<Requests: GET /api/v1/llm/conversations/conv_1 -> 404>"
    requests.assert_called("conversations.create", body={"metadata": {"a": "b"}})
    requests.assert_called("conversations.delete", times=0)
    requests.clear()
    assert not mka1.requests and repr(mka1.requests) == "<Requests: none>"

def test_webhooks(mka1):
    mka1.clock.freeze()
    body = {"model": "m", "input": "hi", "background": True, "webhook_url": "https://app.example.com/hook"}
    httpx.post(mka1.api_url + "/responses", json=body, headers=mka1.headers)
    mka1.clock.advance(1)
    assert [one["event"].split(".")[1] for one in mka1.webhooks] == ["queued", "in_progress", "completed"]
    assert {one["error"] for one in mka1.webhooks} == {"host_not_allowed"}

def test_headers_and_queries(mka1):
    headers = mka1.headers | {"X-On-Behalf-Of": "ada", "X-Trace": "7", "Cookie": "hush"}
    call(mka1, "GET", "/conversations?limit=5&tag=a&tag=b&search=&order=asc", headers=headers)
    exchange = mka1.requests.one()
    assert exchange.query_params == {"limit": "5", "tag": ["a", "b"], "search": "", "order": "asc"}
    assert exchange.headers["X-Trace"] == exchange.headers["x-trace"] == exchange.headers.get("x-TRACE") == "7"
    assert "X-Trace" in exchange.headers and "X-Other" not in exchange.headers and 1 not in exchange.headers
    assert exchange.headers.get("X-Other", "none") == "none"
    assert exchange.headers["authorization"] == "Bearer ***" and exchange.headers["Cookie"] == "***"
    assert_called = mka1.requests.assert_called
    assert_called("conversations.list", headers={"x-trace": 7}, query={"limit": 5, "tag": ["a", "b"]}, times=1)
    assert_called("conversations.list", query={"order": ["asc"]}, end_user="ada", key=mka1.api_key)
    assert_called("conversations.list", query={"limit": "6"}, times=0)
    assert_called("conversations.list", end_user="grace", times=0)
    assert_called("conversations.list", key="other", times=0)

def test_order(mka1):
    for method in ("POST", "GET", "POST", "GET"):
        call(mka1, method, json={} if method == "POST" else None)
    create, list_ = "conversations.create", "conversations.list"
    for order in ([], [create], [list_, create], [create, create, list_], [create, list_, create, list_]):
        mka1.requests.assert_order(order)
    for order in ([list_, list_, create], [create, create, create]):
        with pytest.raises(AssertionError, match="in this order"):
            mka1.requests.assert_order(order)

def test_waiting(mka1, monkeypatch):
    import threading, time
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(time, "monotonic", lambda: 0)
    def work():
        for number in range(4):
            threading.Event().wait(0.1)
            call(mka1, json={"metadata": {"number": str(number)}})
    worker = threading.Thread(target=work)
    worker.start()
    third = mka1.requests.wait_for("conversations.create", times=3)
    assert third.request == {"metadata": {"number": "2"}}
    last = mka1.requests.wait_for("conversations.create", body={"metadata": {"number": "3"}}, timeout=3)
    assert last.request == {"metadata": {"number": "3"}}
    worker.join()

def test_coverage(mka1):
    call(mka1, json={"items": [{"type": "message", "role": "user", "content": "hi"}]})
    coverage = mka1.coverage()
    assert coverage["operations"] == {"conversations.create": {"200": 1}}
    assert coverage["items"] == {"message": 1}

def test_seeds(mka1):
    mka1.seed("support-thread")
    mka1.seed("threads.yaml")
    mka1.seed(os.path.abspath("threads.json"))
    mka1.seed({"conversations": [{"id": "conv_mapping"}]})
    found = call(mka1, "GET").json()["data"]
    assert {one["id"] for one in found} == {"conv_support", "conv_yaml", "conv_json", "conv_mapping"}

def test_state(mka1):
    mka1.seed("two-end-users")
    snapshot = mka1.state.snapshot()
    assert len(snapshot["conversations"]) == 3
    call(mka1, "DELETE", "/conversations/conv_account")
    mka1.state.restore(snapshot)
    assert mka1.state.snapshot() == snapshot
    mka1.reset()
    assert mka1.state.snapshot() == {"conversations": [], "responses": []}

def test_clock(mka1):
    import datetime
    mka1.clock.freeze(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
    assert call(mka1, json={}).json()["created_at"] == 1704067200
    mka1.clock.advance(60)
    assert mka1.clock.now() == 1704067260
    mka1.clock.freeze(5)
    assert mka1.clock.now() == 5
    mka1.clock.resume()
    assert mka1.clock.now() > 1704067200
    mka1.clock.freeze()
    assert mka1.clock.now() == mka1.clock.now()

VERBS = {
    "rate_limited": ({"retry_after_ms": 5}, lambda response: response.json() == {"error": "Rate limit exceeded"}),
    "server_error": ({"status": 503, "retry_after_ms": 5}, lambda response: response.headers["retry-after-ms"] == "5"),
    "delayed": ({"seconds": 0.01}, lambda response: response.status_code == 200),
    "truncated": ({}, lambda response: response.text[-1:] != "}"),
    "garbage": ({}, lambda response: b"\\xff" in response.content),
    "wrong_content_type": ({"content_type": "a/b"}, lambda response: response.headers["content-type"] == "a/b"),
    "dripping": ({"seconds": 0.01}, lambda response: response.json()["has_more"] is False),
    "field_dropped": ({"pointer": "/has_more"}, lambda response: "has_more" not in response.json()),
    "field_retyped": ({"pointer": "/has_more", "value": "no"}, lambda response: response.json()["has_more"] == "no"),
    "unknown_item": ({}, lambda response: response.json()["data"][-1]["type"] == "hologram_call"),
    "timed_out": ({}, httpx.ReadTimeout),
    "closed": ({}, httpx.HTTPError),
    "reset": ({}, httpx.HTTPError),
}

@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.mka1(seed="support-thread")
def test_fault(mka1, verb):
    options, expected = VERBS[verb]
    getattr(mka1.faults, verb)("conversations.items.list", **options, after=1, times=1)
    items = mka1.api_url + "/conversations/conv_support/items"
    assert len(httpx.get(items, headers=mka1.headers, verify=False).json()["data"]) == 5
    if isinstance(expected, type):
        with pytest.raises(expected):
            httpx.get(items, headers=mka1.headers, timeout=0.2)
    else:
        assert expected(httpx.get(items, headers=mka1.headers, verify=False))
    assert [one["fired"] for one in mka1.faults.planned] == [1]

def test_a_committed_failure(mka1):
    mka1.faults.server_error("conversations.create", commit=True)
    assert call(mka1, json={}).status_code == 500
    assert len(mka1.state.snapshot()["conversations"]) == 1

@pytest.mark.mka1(api_keys="*")
def test_a_fault_for_one_key(mka1):
    mka1.faults.add("conversations.create", status=500, api_key="other")
    assert call(mka1, json={}).status_code == 200
    headers = {"Authorization": "Bearer other"}
    assert httpx.post(mka1.api_url + "/conversations", json={}, headers=headers, verify=False).status_code == 500
'''


def test_members_of_the_fixture(run, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", "of-the-user")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    files = {
        "threads__yaml": "conversations: [{id: conv_yaml}]",
        "threads__json": '{"conversations": [{"id": "conv_json"}]}',
    }
    result = run(MEMBERS, **files)
    assert result.texts.keys() == {"test_anyio_with_a_fault_that_never_fires[asyncio]"}, result.texts
    assert result.outcomes.keys() >= {"test_anyio[asyncio]", "TestUnittest::test_unittest", "test_fault[reset]"}


ISOLATION = """
import threading
from mockserver import Settings, create_app, run_server

def assert_clean(mka1):
    assert mka1.state.snapshot() == {"conversations": [], "responses": []}
    assert mka1.faults.planned == []
    assert len(mka1.requests) == 0
    assert abs(mka1.clock.now() - __import__("time").time()) < 5
    made = call(mka1, json={}).json()
    assert int(made["id"].removeprefix("conv_"), 16) > 2**64, "ids are random again"
    assert call(mka1, json={"colour": "blue"}).status_code == 200, "unknown fields are accepted again"
    assert len(made["identity"]) == 64, "the identity is a hash again"
    assert mka1.api_key.startswith("test-")

def test_a1_changes_everything(mka1):
    mka1.seed("support-thread")
    mka1.faults.garbage("conversations.list", times=None)
    mka1.clock.freeze(1)
    call(mka1, json={})

def test_a2_assert_clean(mka1):
    assert_clean(mka1)

@pytest.mark.mka1(ids="sequential", identity_mode="raw", api_keys=["one=acme", "two"], rate_limit="2/m",
                  unknown_fields="reject", now=1704067200, seed="support-thread")
def test_b1_has_settings(mka1):
    assert mka1.api_key == "one" and os.environ["OPENAI_API_KEY"] == "one"
    found = call(mka1, "GET").json()["data"]
    assert [one["id"] for one in found] == ["conv_support"] and found[0]["identity"] == "acme:"
    made = call(mka1, json={}).json()
    assert made["id"] == "conv_" + "1".zfill(32) and made["created_at"] == 1704067200
    assert call(mka1, "GET").status_code == 429
    mka1.clock.advance(60)
    assert call(mka1, json={"colour": "blue"}).status_code == 400
    assert httpx.get(mka1.api_url + "/conversations", headers={"Authorization": "Bearer three"}).status_code == 401

def test_b2_assert_clean(mka1):
    assert_clean(mka1)

@pytest.mark.mka1(seed="support-thread", ids="sequential")
class TestMarked:
    def test_of_the_class(self, mka1):
        assert [one["id"] for one in call(mka1, "GET").json()["data"]] == ["conv_support"]
        assert call(mka1, json={}).json()["id"] == "conv_" + "1".zfill(32)

    @pytest.mark.mka1(seed=["two-end-users", {"conversations": [{"id": "conv_2"}]}], identity_mode="raw")
    def test_of_the_function(self, mka1):
        found = call(mka1, "GET").json()["data"]
        assert {one["id"] for one in found} == {"conv_account", "conv_2"}
        assert found[0]["identity"].startswith("account-")
        assert call(mka1, json={}).json()["id"] == "conv_" + "1".zfill(32)

    @pytest.mark.mka1(seed=None, ids="random")
    def test_without(self, mka1):
        assert_clean(mka1)

late = threading.Event()

def test_c1_leaves_a_request_open(mka1):
    mka1.faults.delayed("conversations.create", seconds=0.5)
    def send():
        httpx.post(mka1.url + "/api/v1/llm/conversations", headers=headers, json={"metadata": {"of": "c1"}})
        late.set()
    headers = mka1.headers
    threading.Thread(target=send).start()
    while mka1.faults.planned[0]["fired"] == 0:
        pass

def test_c2_is_not_affected(mka1):
    assert late.wait(5)
    assert mka1.state.snapshot() == {"conversations": [], "responses": []} and len(mka1.requests) == 0

def test_another_server(mka1):
    with run_server(create_app(Settings(seeds=("support-thread",)))) as own:
        headers = {"Authorization": "Bearer mka1-test-key"}
        mka1.faults.garbage("conversations.list", times=None)
        assert len(httpx.get(own.api_url + "/conversations", headers=headers, verify=False).json()["data"]) == 1
        mka1.clock.freeze(5)
        assert httpx.get(own.url + "/_mock/clock").json()["now"] > 5
        assert len(httpx.get(own.url + "/_mock/requests").json()["data"]) == 1
    assert len(mka1.requests) == 0 and mka1.state.snapshot() == {"conversations": [], "responses": []}

def test_two_servers_of_the_plugin(mka1, tmp_path):
    from mockserver.testing import open_server
    from mockserver.testing.marker import MarkerOptions
    with open_server() as other:
        theirs = other.start_test(MarkerOptions.parse({"seed": "support-thread"}), tmp_path)
        assert theirs.url != mka1.url
        assert len(theirs.state.snapshot()["conversations"]) == 1
        assert mka1.state.snapshot() == {"conversations": [], "responses": []}
"""


def test_tests_do_not_affect_one_another(run):
    result = run(ISOLATION)
    assert result.texts == {}
    assert len(result.outcomes) == 11


def test_the_nearest_marker_wins(run):
    text = """
pytestmark = pytest.mark.mka1(ids="sequential", now=7)

@pytest.mark.mka1(now=8)
def test_it(mka1):
    made = call(mka1, json={}).json()
    assert made["id"].endswith("01") and made["created_at"] == 8
"""
    assert run(text).outcomes == {"test_it": "passed"}


@pytest.mark.parametrize("fixture", ["mka1", "mka1_server", "mka1_class", "mka1_module", "mka1_session"])
def test_a_fixture_has_a_description(pytester, fixture):
    pytester.makepyfile("")
    shown = pytester.runpytest_inprocess("--fixtures", "-p", "no:cacheprovider").stdout.str()
    assert f"\n{fixture}" in shown


@pytest.mark.parametrize(
    ("before", "within"),
    [("", "localhost,127.0.0.1,::1"), (" a, ::1 ", "a,::1,localhost,127.0.0.1"), ("*", "*"), ("a,*", "a,*")],
)
def test_requests_to_this_machine_bypass_proxies(monkeypatch, before, within):
    monkeypatch.setenv("NO_PROXY", before)
    monkeypatch.delenv("no_proxy", raising=False)
    assert bypass_proxies() == {"NO_PROXY": within, "no_proxy": "localhost,127.0.0.1,::1"}
