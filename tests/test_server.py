import asyncio
import socket
import threading
import time

import httpx
import pytest

from mockserver import Settings, UsageError, create_app, run_server


def test_a_server_stops_with_its_block():
    with run_server(create_app(Settings())) as server:
        assert httpx.get(f"{server.url}/openapi.json").status_code == 200
        assert server.api_url == f"{server.url}/api/v1/llm"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/openapi.json")


def test_a_server_stops_when_its_block_fails():
    with pytest.raises(ZeroDivisionError), run_server(create_app(Settings())) as server:
        raise ZeroDivisionError
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_a_port_in_use_is_a_usage_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"), run_server(None, port=port):
            pass


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_has_brackets():
    with run_server(create_app(Settings()), host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(f"{server.url}/openapi.json").status_code == 200


def test_a_server_does_not_disturb_the_event_loop_of_the_caller():
    async def call(url):
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{url}/openapi.json")).status_code

    with run_server(create_app(Settings())) as server:
        assert asyncio.run(call(server.url)) == 200


def test_a_delayed_response_does_not_delay_the_shutdown(caplog):
    def call(url):
        with pytest.raises(httpx.TransportError):
            httpx.get(url, headers={"Authorization": "Bearer k", "X-Mock-Fault": '{"action": "time_out"}'}, timeout=60)
        called.set()

    called = threading.Event()
    fake = create_app(Settings())
    with run_server(fake) as server:
        threading.Thread(target=call, args=[f"{server.api_url}/conversations"], daemon=True).start()
        while not fake.state.journal.entries():
            time.sleep(0.01)
        stopped_at = time.monotonic()
    assert time.monotonic() - stopped_at < 8  # uvicorn waits for ten seconds and then logs an error.
    assert called.wait(5)
    assert caplog.text == ""


def test_a_connection_is_kept_alive():
    with run_server(create_app(Settings())) as server, httpx.Client() as client:
        client.headers["Authorization"] = "Bearer k"
        first = client.get(f"{server.api_url}/conversations")
        second = client.post(f"{server.api_url}/conversations", content=b"{", headers={"Content-Type": "text/plain"})
        third = client.get(f"{server.api_url}/conversations")
        streams = {answer.extensions["network_stream"] for answer in (first, second, third)}
    assert len(streams) == 1


def test_an_idle_server_stops_at_once():
    app = create_app(Settings())
    with httpx.Client() as client:
        started = time.perf_counter()
        for _ in range(5):
            with run_server(app) as server:
                client.get(f"{server.url}/_mock/health")  # The connection stays open.
        assert time.perf_counter() - started < 0.5
