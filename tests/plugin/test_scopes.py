"""The fixtures that several tests share: `mka1_class`, `mka1_module` and `mka1_session`."""

import httpx
import pytest

from mockserver import Settings, create_app, run_server

SHARED = """
pytestmark = pytest.mark.mka1(ids="sequential")
NAMES = ("MKA1_BASE_URL", "MKA1_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY")

def variables():
    return [os.environ.get(name) for name in NAMES]

before = variables()
addresses = set()

@pytest.fixture(scope="module")
def conversation(mka1_module):
    mka1_module.faults.server_error("conversations.list", status=503)
    return call(mka1_module, json={}).json()["id"]

def test_a_module(mka1_module, conversation):
    assert conversation == "conv_" + "1".zfill(32)
    assert os.environ["OPENAI_API_KEY"] == mka1_module.api_key
    assert os.environ["OPENAI_BASE_URL"] == mka1_module.api_url
    assert call(mka1_module, "GET").status_code == 503

def test_the_same_module(mka1_module, conversation):
    assert [one["id"] for one in call(mka1_module, "GET").json()["data"]] == [conversation]
    assert len(mka1_module.requests) == 3

def test_a_test_within_it(mka1, mka1_module):
    assert os.environ["OPENAI_BASE_URL"] == mka1.api_url != mka1_module.api_url
    assert call(mka1, "GET").json()["data"] == []
    assert len(mka1_module.requests) == 3
    assert httpx.get(mka1.api_url + "/conversations", headers=mka1_module.headers).status_code == 401

def test_the_module_is_back(mka1_module):
    assert os.environ["OPENAI_BASE_URL"] == mka1_module.api_url

@pytest.mark.mka1(seed="support-thread")
class TestClass:
    def test_first(self, mka1_class):
        assert [one["id"] for one in call(mka1_class, "GET").json()["data"]] == ["conv_support"]
        assert call(mka1_class, json={}).json()["id"] == "conv_" + "1".zfill(32)
        addresses.add(mka1_class.api_url)

    def test_second(self, mka1_class):
        assert len(call(mka1_class, "GET").json()["data"]) == 2
        assert mka1_class.api_url in addresses

class TestOther:
    def test_it(self, mka1_class):
        assert call(mka1_class, "GET").json()["data"] == []

def test_without_a_class(mka1_class):
    assert call(mka1_class, "GET").json()["data"] == []

def test_requested_late(mka1, request):
    session = request.getfixturevalue("mka1_session")
    assert os.environ["OPENAI_BASE_URL"] == session.api_url
    assert call(session, json={}).status_code == 200

def test_session(mka1_session):
    assert os.environ["OPENAI_BASE_URL"] == mka1_session.api_url
    assert len(mka1_session.requests) == 1
    mka1_session.reset()
"""
CONFTEST = """
import os
before = dict(os.environ)
def pytest_unconfigure():
    changed = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    print("changed:", changed - {"PYTEST_CURRENT_TEST"})
"""


def test_wider_fixtures(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-user")
    monkeypatch.delenv("MKA1_API_KEY", raising=False)
    result = run(SHARED, "-s", conftest__py=CONFTEST)
    assert set(result.outcomes.values()) == {"passed"}, result.texts
    assert len(result.outcomes) == 10
    assert "changed: set()" in result.output


FAILURES = """
def test_a_wrong_request(mka1_module):
    call(mka1_module, json={"colour": "blue"})

def test_right(mka1_module):
    call(mka1_module, json={})

def test_a_failure(mka1_module, mka1):
    call(mka1, json={"metadata": {"channel": "mail"}})
    raise ZeroDivisionError

def test_last(mka1_module):
    mka1_module.faults.garbage("conversations.list")
"""


def test_violations_of_a_wider_fixture(run, pytester):
    pytester.makeini("[pytest]\nmka1_strict = true")
    result = run(FAILURES)
    assert result.outcomes == {
        "test_a_wrong_request": "failed",
        "test_right": "passed",
        "test_a_failure": "failed",
        "test_last": "failed in teardown",
    }
    assert "body /colour: is not a known field" in result.texts["test_a_wrong_request"]
    assert "A planned fault never fired: conversations.list: garbage" in result.texts["test_last"]
    shown = result.output.partition("ZeroDivisionError")[2].partition("test_last")[0]
    assert "-- requests to mka1_module --" in shown
    assert "-- requests to mka1 --" in shown
    assert 'request: {"metadata": {"channel": "mail"}}' in shown


@pytest.mark.parametrize("has_one_key", [False, True])
def test_wider_fixtures_on_a_fake_elsewhere(run, monkeypatch, has_one_key):
    monkeypatch.setenv("MKA1_API_KEY", "the-key")
    text = """
def test_module(mka1_module):
    call(mka1_module, json={})

def test_both(mka1, mka1_module):
    assert call(mka1, "GET").json()["data"] == [] and len(mka1_module.requests) == 1
"""
    with run_server(create_app(Settings(api_keys=("the-key",) if has_one_key else ()))) as server:
        result = run(text, "--mka1-url", server.url)
        assert result.outcomes == {
            "test_module": "passed",
            "test_both": "skipped in setup" if has_one_key else "passed",
        }, result.texts
        assert httpx.get(f"{server.url}/_mock/state").json() == {"conversations": [], "responses": []}
    if has_one_key:
        assert "accepts only one, which a wider fixture uses" in result.texts["test_both"]


def test_a_wider_fixture_reads_seeds_beside_the_test(run):
    text = """
pytestmark = pytest.mark.mka1(seed="thread.yaml")
def test_it(mka1_module):
    assert [one["id"] for one in call(mka1_module, "GET").json()["data"]] == ["conv_yaml"]
"""
    assert run(text, thread__yaml="conversations: [{id: conv_yaml}]").outcomes == {"test_it": "passed"}
