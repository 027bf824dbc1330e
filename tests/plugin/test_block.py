"""`mockserver.fake()`, without the fixture and without pytest."""

import os
import subprocess
import sys
import threading

import httpx
import pytest

import mockserver
from mockserver.testing import fake

NAMES = ("MKA1_BASE_URL", "MKA1_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY", "NO_PROXY")


def call(mka1, method="POST", path="/conversations", **options):
    return httpx.request(method, mka1.api_url + path, headers=mka1.headers, **options)


def test_a_block_has_a_fake_with_the_options_of_the_marker(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-user")
    monkeypatch.delenv("MKA1_API_KEY", raising=False)
    before, threads = {name: os.environ.get(name) for name in NAMES}, set(threading.enumerate())
    options = {"seed": "support-thread", "ids": "sequential", "now": 1704067200, "identity_mode": "raw"}
    with fake(**options, api_keys=["one=acme"]) as mka1:
        assert {name: os.environ[name] for name in NAMES}.items() <= mka1.environment().items()
        assert mka1.api_key == "one"
        made = call(mka1, json={}).json()
        assert (made["id"], made["created_at"], made["identity"]) == ("conv_" + "1".zfill(32), 1704067200, "acme:")
        assert len(call(mka1, "GET").json()["data"]) == 2
        mka1.requests.assert_called("conversations.create", times=1)
    assert {name: os.environ.get(name) for name in NAMES} == before
    assert set(threading.enumerate()) <= threads


def test_a_seed_file_is_relative_to_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "thread.yaml").write_text("conversations: [{id: conv_yaml}]")
    monkeypatch.chdir(tmp_path)
    with fake(seed="thread.yaml") as mka1:
        assert [one["id"] for one in call(mka1, "GET").json()["data"]] == ["conv_yaml"]


def test_fakes_within_one_another():
    with fake() as outer, fake() as inner:
        assert os.environ["OPENAI_BASE_URL"] == inner.api_url != outer.api_url
        call(inner, json={})
        assert len(inner.requests) == 1
        assert len(outer.requests) == 0


@pytest.mark.parametrize(
    ("options", "body", "text"),
    [
        ({}, {}, "A planned fault never fired: conversations.list: garbage"),
        ({"strict": True}, {"colour": "blue"}, "body /colour: is not a known field"),
    ],
)
def test_the_end_of_a_block_complains(options, body, text):
    def use_fake():
        with fake(**options) as mka1:
            call(mka1, json=body)
            if not options:
                mka1.faults.garbage("conversations.list")

    with pytest.raises(AssertionError, match=text):
        use_fake()


def test_a_failure_within_a_block_comes_first_and_lists_the_requests():
    def use_fake():
        with fake(strict=True) as mka1:
            mka1.faults.garbage("conversations.list")
            call(mka1, json={"colour": "blue"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        use_fake()
    (note,) = caught.value.__notes__
    assert note.startswith("Requests to the fake:\nconversations.create: POST /api/v1/llm/conversations -> 200\n")
    assert 'request: {"colour": "blue"}' in note
    with pytest.raises(ZeroDivisionError) as caught, fake():
        raise ZeroDivisionError
    assert not hasattr(caught.value, "__notes__")


def test_the_journal_can_be_read_after_the_block():
    with fake() as mka1:
        call(mka1, json={})
    mka1.requests.assert_called("conversations.create", times=1)
    assert len(mka1.state.snapshot()["conversations"]) == 1
    assert repr(mka1).endswith(": 1 request, 0 planned faults, 0 planned replies>")


def test_a_wrong_option_is_a_usage_error():
    text = r"mockserver\.fake\(\) has no keyword 'sed'; did you mean 'seed'"
    with pytest.raises(mockserver.UsageError, match=text), fake(sed="support-thread"):
        pass


UNITTEST = """
import unittest
import openai
import mockserver

class TestTickets(unittest.TestCase):
    def setUp(self):
        self.mka1 = self.enterContext(mockserver.fake())

    def test_passes(self):
        with openai.OpenAI() as client:
            client.conversations.create()
        self.mka1.requests.assert_called("conversations.create", times=1)

    def test_fails(self):
        self.mka1.faults.garbage("conversations.list")
"""
WITHOUT_PYTEST = "import sys; sys.modules['pytest'] = None\n"


def test_unittest_without_pytest(tmp_path):
    (tmp_path / "test_tickets.py").write_text(WITHOUT_PYTEST + UNITTEST)
    result = subprocess.run(
        [sys.executable, "-m", "unittest", "-v", "test_tickets"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "test_passes (test_tickets.TestTickets.test_passes) ... ok" in result.stderr
    assert "test_fails (test_tickets.TestTickets.test_fails) ... FAIL" in result.stderr
    assert "A planned fault never fired: conversations.list: garbage" in result.stderr
    assert "FAILED (failures=1)" in result.stderr


def test_unittest_with_pytest(run):
    result = run(UNITTEST)
    assert result.outcomes == {"TestTickets::test_passes": "passed", "TestTickets::test_fails": "failed"}
    assert "A planned fault never fired" in result.texts["TestTickets::test_fails"]
