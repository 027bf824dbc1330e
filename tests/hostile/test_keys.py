"""API keys and settings with bytes, line breaks and separators that confuse what reads them."""

from urllib.parse import quote

import httpx
import pytest

from mockserver import Settings, UsageError, create_app, run_server
from mockserver.gateway.auth import key_fingerprint
from tests.test_cli import environment, run, serving

CONVERSATIONS = "/api/v1/llm/conversations"


@pytest.fixture(scope="module")
def fake():
    with run_server(create_app(Settings())) as server:
        yield server.url


def authorize(key):
    return {b"Authorization": b"Bearer " + key}


@pytest.mark.parametrize("key", [b"h\xfcsh", b"\xff\xfe", b"\xc3", b"ok\xc3\x28", b"\xed\xa0\x80", b"\xc0\xaf"])
def test_a_key_that_is_not_utf_8_is_rejected(fake, key):
    response = httpx.get(fake + CONVERSATIONS, headers=authorize(key))
    assert response.status_code == 401
    assert "UTF-8" in response.json()["error"]["message"]


@pytest.mark.parametrize("text", ["h\u00fcsh", "\u5bc6\u94a5", "\U0001f511", "a b", "k%20", "\u00a0nbsp\u00a0", "a=b"])
def test_a_key_is_the_same_in_the_header_and_in_the_control_api(fake, text):
    httpx.post(fake + "/_mock/reset")
    assert httpx.post(fake + CONVERSATIONS, json={}, headers=authorize(text.encode())).status_code == 200
    assert httpx.post(fake + CONVERSATIONS, json={}, headers=authorize(b"other")).status_code == 200
    query = "?api_key=" + quote(text, safe="")
    (entry,) = httpx.get(fake + "/_mock/requests" + query).json()["data"]
    assert entry["key"] == key_fingerprint(text)
    assert len(httpx.get(fake + "/_mock/state" + query).json()["conversations"]) == 1
    fault = httpx.post(fake + "/_mock/faults", json={"status": 503, "api_key": text}).json()
    assert fault["key"] == key_fingerprint(text)
    assert httpx.get(fake + CONVERSATIONS, headers=authorize(text.encode())).status_code == 503
    assert httpx.post(fake + "/_mock/reset" + query).status_code == 200
    assert len(httpx.get(fake + "/_mock/state").json()["conversations"]) == 1


def test_a_key_in_the_query_that_is_not_utf_8_is_rejected(fake):
    assert httpx.post(fake + "/_mock/reset?api_key=h%FCsh").status_code == 400


SECRETS = ["hush\r", "hush\n", "hush\r\nX-Evil: 1", "hush\x00", "hush\x1b[2J", "hush\u2028", "hush\udcff", "hush\x7f"]


@pytest.mark.parametrize("key", [*SECRETS, *(f"{key}=acme" for key in SECRETS), *(f"k={name}" for name in SECRETS)])
def test_a_key_with_control_characters_is_refused_without_being_shown(key):
    with pytest.raises(UsageError) as caught:
        Settings(api_keys=(key,))
    assert "hush" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_key_from_a_file_with_crlf_is_refused_without_being_shown():
    for result in (
        run("serve", "--port", "0", MOCKSERVER_API_KEY="hush-1\r"),
        run("serve", "--port", "0", MOCKSERVER_API_KEY="k1=acme,hush-1=beta\r\n,hush-2"),
        run("serve", "--port", "0", MOCKSERVER_CONTROL_TOKEN="hush-1\r"),
        run("serve", "--port", "0", "--api-key", "hush-1\n"),
    ):
        assert (result.returncode, result.stdout) == (2, "")
        assert "hush" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_list_in_a_variable_has_one_separator():
    with serving(MOCKSERVER_API_KEY="k1=my team, k2=acme,k3", MOCKSERVER_IDENTITY_MODE="raw") as (_, url):
        identities = [
            httpx.post(url + CONVERSATIONS, json={}, headers={"Authorization": f"Bearer {key}"}).json()["identity"]
            for key in ("k1", "k2", "k3")
        ]
        assert httpx.get(url + CONVERSATIONS, headers={"Authorization": "Bearer team"}).status_code == 401
    assert identities[:2] == ["my team:", "acme:"]


def test_every_list_has_the_same_separator(tmp_path):
    seeds = [tmp_path / "a seed.yaml", tmp_path / "b.yaml"]
    for seed in seeds:
        seed.write_text(f"conversations: [{{id: conv_{seed.name[0]}, api_key: k}}]")
    variables = {
        "MOCKSERVER_SEED": ",".join(map(str, seeds)),
        "MOCKSERVER_RATE_LIMIT": "100/m,2/s",
        "MOCKSERVER_CORS": "https://one.example,https://two.example",
        "MOCKSERVER_IDS": "sequential",
    }
    with serving(**variables) as (_, url):
        headers = {"Authorization": "Bearer k"}
        first = httpx.get(url + CONVERSATIONS, headers=headers | {"Origin": "https://two.example"})
        assert {one["id"] for one in first.json()["data"]} == {"conv_a", "conv_b"}
        assert first.headers["Access-Control-Allow-Origin"] == "https://two.example"
        statuses = [httpx.get(url + CONVERSATIONS, headers=headers).status_code for _ in range(2)]
    assert statuses[-1] == 429


@pytest.mark.parametrize("value", [",", "k1,", " ", "k1,,k2", "k1 k2"])
def test_a_list_of_keys_with_an_empty_entry_does_not_let_every_key_in(value):
    result = run("serve", "--port", "0", MOCKSERVER_API_KEY=value)
    assert (result.returncode, result.stdout) == (2, "")
    assert "an API key must be KEY or KEY=ACCOUNT" in result.stderr


@pytest.mark.parametrize("value", ["tcp://10.0.0.1:8080", "udp://10.0.0.1:53", "http://user:hush@host:1"])
def test_the_variable_that_kubernetes_sets_is_ignored(value):
    with serving(MOCKSERVER_PORT=value, MOCKSERVER_LOG_FORMAT="none") as (_, url):
        assert httpx.get(url + "/_mock/health").status_code == 200
    with_default_port = run("serve", "--host", "203.0.113.1", MOCKSERVER_PORT=value)
    assert "203.0.113.1:8080" in with_default_port.stderr
    notice, _ = with_default_port.stderr.splitlines()
    assert "MOCKSERVER_PORT" in notice
    assert "hush" not in notice


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ((), {"MOCKSERVER_PORT": "tcp"}),
        ((), {"MOCKSERVER_PORT": "10.0.0.1:8080"}),
        (("--port", "tcp://10.0.0.1:8080"), {}),
    ],
)
def test_other_ports_that_are_no_numbers_are_usage_errors(arguments, variables):
    result = run("serve", *arguments, **variables)
    assert result.returncode == 2
    assert "is not a valid" in result.stderr


def test_the_help_names_the_separator():
    text = " ".join(run("serve", "--help", **environment(COLUMNS="200")).stdout.split())
    assert "separated by commas" in text
