"""Attacks on the control API: web pages, DNS rebinding, missing tokens, and faults that a stranger asks for."""

import json

import httpx
import pytest
from starlette.testclient import TestClient

from mockserver import Settings, UsageError, create_app, run_server
from tests.support.asgi_client import AsgiClient
from tests.support.raw_connection import RawConnection
from tests.test_cli import run, serving

TOKEN = "a-control-token"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
API_KEY = {"Authorization": "Bearer mka1-test-key"}
FAULT = {"X-Mock-Fault": '{"status": 503}'}
ROUTES = [
    ("POST", "/_mock/reset"),
    ("GET", "/_mock/requests"),
    ("GET", "/_mock/state"),
    ("DELETE", "/_mock/faults"),
]


@pytest.fixture(scope="module")
def fake():
    with run_server(create_app(Settings())) as server:
        yield server.url


@pytest.fixture
def run_fake():
    """Return a function that starts a fake with the given settings and returns its URL."""
    stack = []

    def start(**settings):
        server = run_server(create_app(Settings(**settings)))
        stack.append(server)
        return server.__enter__().url

    yield start
    for server in stack:
        server.__exit__(None, None, None)


def assert_is_refused(response):
    assert response.status_code == 403
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("permission_error", 403)
    return error["message"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:3000"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://127.0.0.1.evil.example:8080"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": ""},
    ],
)
def test_a_page_of_another_site_is_refused(fake, method, path, headers):
    assert "--cors" in assert_is_refused(httpx.request(method, fake + path, headers=headers))


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example.localhost:80",
        "localhost@evil.example",
        "localhost:8080@evil.example",
        "192.0.2.1",
        "[::2]:80",
        "[::1",
        "",
    ],
)
def test_a_name_that_somebody_else_rebinds_to_loopback_is_refused(fake, method, path, host):
    message = assert_is_refused(httpx.request(method, fake + path, headers={"Host": host}))
    assert "--allowed-host" in message


def test_a_second_host_or_origin_does_not_hide_behind_the_first(fake):
    for second in ("Host: evil.example", "Origin: https://evil.example"):
        request = f"POST /_mock/reset HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n{second}\r\n\r\n"
        with RawConnection(fake) as connection:
            assert connection.send(request.encode()).read_response().status_code in (400, 403)


def test_a_refused_request_changes_nothing(fake):
    httpx.post(fake + "/api/v1/llm/conversations", json={}, headers=API_KEY)
    before = httpx.get(fake + "/_mock/state").json()
    assert before["conversations"]
    assert_is_refused(httpx.post(fake + "/_mock/reset", headers={"Origin": "https://evil.example"}))
    assert_is_refused(httpx.post(fake + "/_mock/reset", headers={"Host": "evil.example"}))
    assert httpx.get(fake + "/_mock/state").json() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:9999"},
        {"Host": "localhost."},
        {"Host": "127.0.0.2:8080"},
        {"Host": "[::1]:8080"},
        {"Sec-Fetch-Mode": "cors"},  # Node's fetch
        {"Origin": "http://localhost"},  # jsdom
        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://[::1]:3000"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_other_clients_are_served(fake, headers):
    assert httpx.post(fake + "/_mock/reset", headers=headers).status_code == 200


def test_a_client_without_a_host_is_served(fake):
    with RawConnection(fake) as connection:
        response = connection.send(b"POST /_mock/reset HTTP/1.0\r\n\r\n").read_response()
    assert response.status_code == 200


def test_an_allowed_host_is_served(run_fake):
    url = run_fake(allowed_hosts=("fake.test", "2001:db8::1"))
    for host in ("fake.test", "FAKE.test:8080", "[2001:db8::1]:80", "localhost"):
        assert httpx.post(url + "/_mock/reset", headers={"Host": host}).status_code == 200
    assert httpx.post(url + "/_mock/reset", headers={"Origin": "http://fake.test"}).status_code == 200
    assert_is_refused(httpx.post(url + "/_mock/reset", headers={"Host": "other.fake.test"}))


def test_pages_of_an_origin_of_cors_are_served(run_fake):
    url = run_fake(cors_origins=("https://app.example",))
    page = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    assert httpx.post(url + "/_mock/reset", headers=page).status_code == 200
    assert_is_refused(httpx.post(url + "/_mock/reset", headers={**page, "Origin": "https://evil.example"}))
    assert_is_refused(httpx.post(url + "/_mock/reset", headers={**page, "Host": "evil.example"}))


def test_cors_for_every_origin_does_not_open_the_control_api(run_fake):
    url = run_fake(cors_origins=("*",))
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert_is_refused(httpx.post(url + "/_mock/reset", headers=page))
    assert httpx.get(url + "/api/v1/llm/conversations", headers=page | API_KEY).status_code == 200


def test_a_token_replaces_the_check_of_the_host_but_not_that_of_the_site(run_fake):
    url = run_fake(control_token=TOKEN)
    assert httpx.post(url + "/_mock/reset", headers={"Host": "mockserver:8080", **WITH_TOKEN}).status_code == 200
    assert httpx.post(url + "/_mock/reset", headers={"Host": "mockserver:8080"}).status_code == 401
    assert_is_refused(httpx.post(url + "/_mock/reset", headers={"Origin": "https://evil.example", **WITH_TOKEN}))


def test_applications_in_this_process_are_served_by_any_name_of_theirs():
    app = create_app(Settings())
    with TestClient(app) as client, TestClient(app, base_url="http://fake.test") as named:
        assert client.post("/_mock/reset").status_code == 200
        assert named.post("/_mock/reset").status_code == 200
        assert_is_refused(client.post("/_mock/reset", headers={"Host": "evil.example"}))
        assert_is_refused(client.post("/_mock/reset", headers={"Origin": "https://evil.example"}))
    with AsgiClient.connect(app, base_path="/_mock") as client:
        assert client.post("/reset").status_code == 200


def test_the_api_itself_is_open_to_every_host_and_site(fake):
    headers = {**API_KEY, "Host": "evil.example", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert httpx.get(fake + "/api/v1/llm/conversations", headers=headers).status_code == 200


def test_health_needs_no_token_and_no_host(run_fake):
    url = run_fake(control_token=TOKEN)
    health = httpx.get(url + "/_mock/health", headers={"Host": "10.1.2.3:8080"})
    assert health.status_code == 200
    assert set(health.json()) == {"status", "version", "accepts_any_key"}
    for path in ("/_mock/clock", "/_mock/state", "/_mock/requests"):
        assert httpx.get(url + path).status_code == 401
    assert httpx.post(url + "/_mock/health").status_code == 405


# Faults by header


def test_a_fault_by_header_needs_the_control_token(run_fake):
    url = run_fake(control_token=TOKEN) + "/api/v1/llm/conversations"
    for headers in ({}, {"X-Mock-Token": "wrong"}, {"X-Mock-Token": ""}):
        response = httpx.get(url, headers={**API_KEY, **FAULT, **headers})
        assert response.status_code == 401
        assert "X-Mock-Token" in response.json()["error"]["message"]
        assert TOKEN not in response.text
    twice = [*API_KEY.items(), *FAULT.items(), ("X-Mock-Token", "wrong"), ("X-Mock-Token", TOKEN)]
    assert httpx.get(url, headers=twice).status_code == 401
    assert httpx.get(url, headers={**API_KEY, **FAULT, "X-Mock-Token": TOKEN}).status_code == 503
    assert httpx.get(url, headers=API_KEY).status_code == 200


@pytest.mark.parametrize("settings", [{"fault_header": False}, {"control": False}])
def test_a_fault_by_header_is_ignored_where_it_is_off(make_client, settings):
    client = make_client(**settings)
    assert client.get("/conversations", headers=FAULT).status_code == 200
    assert client.get("/conversations", headers={"X-Mock-Fault": "nonsense"}).status_code == 200


# The command line


@pytest.mark.parametrize("token", ["", " ", "two words", "line\n", "line\r", "bell\a", "h\u00fcsh"])
def test_a_token_that_protects_nothing_is_a_usage_error(token):
    with pytest.raises(UsageError, match="control_token") as caught:
        Settings(control_token=token)
    assert token.strip() == "" or token.strip() not in str(caught.value)


def test_an_empty_token_does_not_open_the_control_api_off_loopback():
    for result in (
        run("serve", "--host", "0.0.0.0", "--port", "0", "--control-token", ""),
        run("serve", "--host", "0.0.0.0", "--port", "0", MOCKSERVER_CONTROL_TOKEN=""),
    ):
        assert (result.returncode, result.stdout) == (2, "")
        assert "control_token" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_flags_and_variables_of_the_command():
    variables = {"MOCKSERVER_ALLOWED_HOST": "one.test, two.test", "MOCKSERVER_NO_FAULT_HEADER": "1"}
    with serving(**variables) as (_, url):
        for host, status in (("one.test", 200), ("two.test", 200), ("three.test", 403)):
            assert httpx.post(url + "/_mock/reset", headers={"Host": host}).status_code == status
        assert httpx.get(url + "/api/v1/llm/conversations", headers=API_KEY | FAULT).status_code == 200
    with serving("--allowed-host", "one.test", "--allowed-host", "two.test") as (_, url):
        for host, status in (("one.test", 200), ("two.test", 200), ("three.test", 403)):
            assert httpx.post(url + "/_mock/reset", headers={"Host": host}).status_code == status
        assert httpx.get(url + "/api/v1/llm/conversations", headers=API_KEY | FAULT).status_code == 503
    with serving("--no-fault-header") as (_, url):
        assert httpx.get(url + "/api/v1/llm/conversations", headers=API_KEY | FAULT).status_code == 200


@pytest.mark.parametrize("host", ["", "http://fake.test", "fake.test:80", "fake.test/", "two words", "*"])
def test_an_allowed_host_is_a_bare_name(host):
    with pytest.raises(UsageError, match="allowed_hosts"):
        Settings(allowed_hosts=(host,))


def test_no_refusal_repeats_what_a_page_sent(fake):
    response = httpx.get(fake + "/_mock/state", headers={"Origin": "https://evil.example/<script>" + "x" * 5000})
    assert len(json.dumps(response.json())) < 600


# Large bodies

FIELDS = {f"field-{number}": number for number in range(21_000)}


def test_a_fault_of_too_many_values_is_rejected(fake):
    response = httpx.post(f"{fake}/_mock/faults", json={"status": 503, "body": FIELDS})
    assert response.status_code == 400
    assert [finding["code"] for finding in response.json()["error"]["findings"]] == ["too_many_values"]


def test_a_fault_is_limited_like_any_body(run_fake):
    url = run_fake(max_body=1000)
    assert httpx.post(f"{url}/_mock/faults", json={"status": 503, "body": "x" * 1000}).status_code == 413
    assert httpx.get(f"{url}/_mock/faults").json()["data"] == []


def test_a_state_may_be_large(run_fake):
    url = run_fake(max_body=1000)
    state = {"conversations": [{"id": f"conv_{number}", "metadata": {"a": "b"}} for number in range(7000)]}
    assert httpx.put(f"{url}/_mock/state", json=state, timeout=60).status_code == 200
