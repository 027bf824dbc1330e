"""Tests that replace the functions of `time`, as freezegun does."""

import time
from functools import partial

import httpx
import pytest

import mockserver.uvicorn_server
from mockserver import Settings, create_app, run_server
from tests.support.raw_connection import RawConnection

KEY = {"Authorization": "Bearer k"}


@pytest.fixture
def app():
    return create_app(Settings())


@pytest.fixture
def frozen(monkeypatch):
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, partial(float, getattr(time, name)()))
    return monkeypatch


def test_a_delay_passes_and_is_measured(app, frozen):
    with run_server(app) as server:
        response = httpx.get(f"{server.api_url}/conversations", headers={**KEY, "X-Mock-Fault": '{"delay": 0.2}'})
    assert response.status_code == 200
    assert 0.15 < app.state.journal.entries()[0].duration < 5


def test_a_request_that_does_not_arrive_times_out(app, frozen):
    frozen.setattr(mockserver.uvicorn_server, "REQUEST_TIMEOUT", 0)
    with run_server(app) as server, RawConnection(server.url) as connection:
        assert connection.send(b"GET").read_response().status_code == 408
