"""The ini setting `mka1_autouse`."""

import os

import pytest

from mockserver import Settings, create_app, run_server

GUARDED = """
import unittest

def address():
    return os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]

while_collecting = address()
module_client = httpx.Client(base_url=os.environ["OPENAI_BASE_URL"])

@pytest.fixture(scope="session")
def of_the_session():
    return address()

def test_without_a_fixture(of_the_session):
    url, key = address()
    assert url.startswith("http://127.0.0.1:") and key.startswith("test-")
    response = httpx.post(url + "/conversations", headers={"Authorization": "Bearer " + key}, json={})
    assert response.status_code == 200
    assert (url, key) != while_collecting == of_the_session
    assert "of-the-user" not in str(while_collecting)

def test_a_client_of_the_module():
    with pytest.raises(httpx.ConnectError):
        module_client.get("/conversations")

def test_with_the_fixture(mka1):
    assert address() == (mka1.api_url, mka1.api_key)
    assert len(mka1.requests) == 0

def test_with_a_wider_fixture(mka1_module):
    assert address() == (mka1_module.api_url, mka1_module.api_key)

class TestCase(unittest.TestCase):
    def test_it(self):
        assert address()[1].startswith("test-")

def test_violation():
    url, key = address()
    httpx.post(url + "/conversations", headers={"Authorization": "Bearer " + key}, json={"colour": "blue"})
"""


@pytest.fixture
def _environment_of_the_user(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-user")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway-of-the-user.example")


@pytest.mark.usefixtures("_environment_of_the_user")
def test_every_test_is_guarded(run, pytester):
    pytester.makeini("[pytest]\nmka1_autouse = true\nmka1_strict = true")
    result = run(GUARDED)
    assert result.outcomes.pop("test_violation") == "failed"
    assert set(result.outcomes.values()) == {"passed"}, result.texts
    assert len(result.outcomes) == 5


@pytest.mark.usefixtures("_environment_of_the_user")
@pytest.mark.parametrize(
    ("ini", "within", "after"),
    [
        ("mka1_autouse = true", "mka1-is-available-only-within-a-test", "key-of-the-user"),
        ("", "key-of-the-user", "key-of-the-user"),
    ],
)
def test_the_environment_outside_tests(run, pytester, ini, within, after):
    pytester.makeini(f"[pytest]\n{ini}")
    text = 'print("collected:", os.environ["OPENAI_API_KEY"])\ndef test_it(): ...'
    result = run(text, "-s")
    assert f"collected: {within}" in result.output
    assert os.environ["OPENAI_API_KEY"] == after


@pytest.mark.usefixtures("_environment_of_the_user")
def test_another_server_gets_the_key_of_the_user(run, pytester):
    pytester.makeini("[pytest]\nmka1_autouse = true")
    text = 'def test_it():\n    assert os.environ["OPENAI_API_KEY"] == "key-of-the-user"\n'
    with run_server(create_app(Settings(control=False, api_keys=("key-of-the-user",)))) as server:
        arguments = ("--mka1-url", server.url, "--mka1-api-key-env", "OPENAI_API_KEY")
        assert run(text, *arguments).outcomes == {"test_it": "passed"}
