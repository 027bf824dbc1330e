"""Tests that leave something behind, or change the world around the fixture `mka1`."""

import os

import pytest

from tests.plugin.conftest import run as run

ENVIRONMENT = """
NAMES = ("MKA1_BASE_URL", "MKA1_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY")
before = {name: os.environ.get(name) for name in NAMES}

def now():
    return {name: os.environ.get(name) for name in NAMES}

@pytest.fixture
def changed(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "changed before mka1")

def test_monkeypatch_before(monkeypatch, mka1):
    monkeypatch.setenv("MKA1_API_KEY", "x")
    monkeypatch.delenv("OPENAI_API_KEY")

def test_restored_1():
    assert now() == before

def test_monkeypatch_after(mka1, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", "x")

def test_restored_2():
    assert now() == before

def test_monkeypatch_around(changed, mka1, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL")

def test_restored_3():
    assert now() == before

@pytest.fixture(scope="class")
def variable():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MKA1_API_KEY", "of the class")
        yield

class TestOfAClass:
    def test_first(self, variable, monkeypatch, mka1):
        monkeypatch.setenv("MKA1_API_KEY", "x")

    def test_second(self, variable):
        assert os.environ["MKA1_API_KEY"] == "of the class"

def test_restored_4():
    assert now() == before

def test_with_an_error_in_the_teardown(monkeypatch, mka1, failing):
    monkeypatch.setenv("MKA1_API_KEY", "x")

def test_restored_5():
    assert now() == before

@pytest.fixture
def failing():
    yield
    raise ZeroDivisionError
"""


def test_the_environment_is_restored_in_any_order(run, monkeypatch):
    monkeypatch.setenv("MKA1_API_KEY", "of-the-user")
    result = run(ENVIRONMENT)
    assert result.texts.keys() == {"test_with_an_error_in_the_teardown"}, result.texts
    assert len(result.outcomes) == 11


FORK = """
import signal, time

def wait_for(child):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"

@pytest.mark.filterwarnings("ignore")
def test_a_forked_child(mka1):
    call(mka1, json={})
    child = os.fork()
    if child == 0:
        try:
            assert [one.status for one in mka1.requests] == [200]
            call(mka1, json={})
            mka1.requests.assert_called("conversations.create", times=2)
            os._exit(0)
        finally:
            os._exit(1)
    assert wait_for(child) == 0
    assert len(mka1.requests) == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_can_use_the_fixture(run):
    assert run(FORK).texts == {}


DROPPED = """
@pytest.fixture(autouse=True)
def small_journal(monkeypatch):
    from mockserver.gateway.journal import Journal
    monkeypatch.setattr(Journal.__init__, "__defaults__", (3, 10**9))

@pytest.mark.mka1(strict=True)
def test_strict(mka1):
    call(mka1, json={"colour": "blue"})
    for _ in range(4):
        call(mka1, json={})

@pytest.mark.mka1(strict=True)
def test_strict_within_the_limit(mka1):
    for _ in range(3):
        call(mka1, json={})
    mka1.requests.clear()
    for _ in range(3):
        call(mka1, json={})

def test_assert_called(mka1):
    for _ in range(5):
        call(mka1, json={})
    mka1.requests.assert_called("conversations.create")
    with pytest.raises(AssertionError, match="not counted: 2 older requests of this test"):
        mka1.requests.assert_called("conversations.create", times=3)
    with pytest.raises(AssertionError, match="not counted: 2 older requests of this test"):
        mka1.requests.assert_called("conversations.list", times=0)
    with pytest.raises(AssertionError, match="not counted: 2 older requests of this test"):
        mka1.requests.assert_called("conversations.list")
    mka1.requests.clear()
    mka1.requests.assert_called("conversations.list", times=0)
"""


def test_a_journal_without_room_says_so(run):
    result = run(DROPPED, "--mka1-coverage")
    assert result.texts.keys() == {"test_strict"}
    assert "The journal had no room for 2 requests of this test" in result.texts["test_strict"]
    assert "not counted: 2 requests for which the journal had no room" in result.output
