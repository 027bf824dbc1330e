"""Each test has an API key of its own, and no request reaches the fake of another test."""

import pytest

ROTATION = """
import threading
from mockserver.testing import Mka1

kept = {}
late = threading.Event()
responses = []

@pytest.fixture(scope="module")
def pool():
    with httpx.Client() as client:
        yield client

def test_a1_leaves_a_client_and_a_thread(mka1, pool):
    kept["key"], url, headers = mka1.api_key, mka1.api_url, mka1.headers
    def send():
        late.wait(10)
        responses.append(httpx.post(url + "/conversations", headers=headers, json={"metadata": {"of": "a1"}}))
        responses.append(httpx.get(mka1.url + "/_mock/health", headers=headers))
    kept["thread"] = threading.Thread(target=send)
    kept["thread"].start()
    assert pool.post(url + "/conversations", headers=headers, json={}).status_code == 200

TOKEN = {"audience": "https://a", "externalUserId": "ada"}

def test_a1_leaves_a_token(mka1, pool):
    made = pool.post(mka1.url + "/api/v1/authentication/api-keys/exchange-token", headers=mka1.headers, json=TOKEN)
    kept["token"] = {"Authorization": f"Bearer {made.json()['token']}"}
    assert pool.get(mka1.api_url + "/conversations", headers=kept["token"]).status_code == 200

def test_a2_does_not_see_the_token(mka1, pool):
    response = pool.get(mka1.api_url + "/conversations", headers=kept["token"])
    assert response.status_code == 401 and "test_a1_leaves_a_token" in response.json()["error"]["message"]
    assert len(mka1.requests) == 0
    for key in ("eyJ", "eyJ.eyJ", "eyJ.W10.x", "\u00e9"):
        headers = {"Authorization": f"Bearer {key}".encode("latin-1")}
        assert pool.get(mka1.api_url + "/conversations", headers=headers).status_code == 401

def test_a2_does_not_see_them(mka1, pool):
    late.set()
    kept["thread"].join()
    old = pool.post(mka1.api_url + "/conversations", headers={"Authorization": f"Bearer {kept['key']}"}, json={})
    for response in (*responses, old):
        assert response.status_code == 401
        message = response.json()["error"]["message"]
        assert "test_inner.py::test_a1_leaves_a_client_and_a_thread" in message
        assert "mka1_session" in message and "mka1_api_key" in message
    assert len(mka1.requests) == 0 and mka1.state.snapshot() == {"conversations": [], "responses": []}
    assert mka1.api_key != kept["key"]
    assert pool.post(mka1.api_url + "/conversations", headers=mka1.headers, json={}).status_code == 200

def test_a3_rejects_other_keys(mka1):
    for key in ("mka1-test-key", "sk-real"):
        response = httpx.get(mka1.api_url + "/conversations", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 401 and "`mka1.api_key`" in response.json()["error"]["message"]
    assert [one.status for one in mka1.requests] == [401, 401]

@pytest.mark.mka1(api_keys="*")
def test_a4_accepts_other_keys_but_no_old_one(mka1):
    for key, status in {"sk-real": 200, mka1.api_key: 200, kept["key"]: 401}.items():
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(mka1.api_url + "/conversations", headers=headers).status_code == status
    assert [one.status for one in mka1.requests] == [200, 200]

def test_b1_has_one_account_in_every_run(mka1):
    made = call(mka1, json={}).json()
    assert made["identity"] == "333294d0eca4a572d02de9e7ebca26ae8b8690c4e1ffce5bff1f2a29b06d0476"
    kept["identity"], kept["snapshot"] = made["identity"], mka1.state.snapshot()

def test_b2_has_one_account_in_every_run(mka1):
    mka1.state.restore(kept["snapshot"])
    (found,) = call(mka1, "GET").json()["data"]
    assert found["identity"] == kept["identity"]

@pytest.mark.mka1(api_keys=["one", "two"])
def test_c1_lists_keys(mka1):
    assert mka1.api_key == "one"
    two = {"Authorization": "Bearer two"}
    assert httpx.get(mka1.api_url + "/conversations", headers=two).status_code == 200

@pytest.mark.mka1(api_keys="one")
def test_c2_lists_one_of_them_again(mka1):
    assert call(mka1, "GET").status_code == 200
    two = httpx.get(mka1.api_url + "/conversations", headers={"Authorization": "Bearer two"})
    assert two.status_code == 401 and "test_c1" in two.json()["error"]["message"]
    assert len(mka1.requests) == 1
"""


def test_a_key_belongs_to_one_test(run):
    result = run(ROTATION)
    assert result.texts == {}
    assert set(result.outcomes.values()) == {"passed"}


CACHED_CLIENT = """
import functools
import openai

@functools.cache
def client():
    return openai.OpenAI(max_retries=0)

@pytest.fixture(scope="module", autouse=True)
def _close_client():
    yield
    client().close()

@pytest.mark.parametrize("number", range(2))
def test_it(mka1, number):
    client().conversations.create()
    mka1.requests.assert_called("conversations.create", times=1)
"""


def test_a_client_that_outlives_its_test_is_told_what_to_do(run):
    result = run(CACHED_CLIENT)
    assert result.outcomes == {"test_it[0]": "passed", "test_it[1]": "failed"}
    assert "AuthenticationError" in result.texts["test_it[1]"]
    assert "belongs to a test that has ended, test_inner.py::test_it[0]" in result.texts["test_it[1]"]


def test_one_key_for_all_tests(run, pytester):
    pytester.makeini("[pytest]\nmka1_api_key = key-of-all")
    text = '    assert mka1.api_key == os.environ["OPENAI_API_KEY"] == "key-of-all"\n'
    result = run(CACHED_CLIENT + text)
    assert set(result.outcomes.values()) == {"passed"}, result.texts


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("two words", "an API key must be KEY or KEY=ACCOUNT, where KEY is ASCII without spaces"),
        ("é", "an API key must be KEY or KEY=ACCOUNT, where KEY is ASCII without spaces"),
        ("a=b", "mka1_api_key must not contain '='"),
    ],
)
def test_a_wrong_key_in_the_ini_file_fails_in_one_line(run, pytester, key, text):
    pytester.makeini(f"[pytest]\nmka1_api_key = {key}")
    (failure,) = run("def test_it(mka1): ...").texts.values()
    assert failure.startswith(f"mka1: {text}")
