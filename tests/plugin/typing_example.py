"""Types of the fixture: mypy checks this file, and reports a `type: ignore` that is not needed."""

from datetime import UTC, datetime
from typing import Any, assert_type

from mockserver import fake
from mockserver.testing import Exchange, Mka1, Mka1Server, Requests


def test_reading(mka1: Mka1, mka1_server: Mka1Server) -> None:
    assert_type(mka1.url, str)
    assert_type(mka1.api_url, str)
    assert_type(mka1.end_user, str | None)
    assert_type(mka1.headers, dict[str, str])
    assert_type(mka1.requests, Requests)
    assert_type(mka1.requests.last, Exchange)
    assert_type(mka1.requests[0], Exchange)
    assert_type([exchange.status for exchange in mka1.requests[1:]], list[int])
    assert_type(mka1.requests.filter("conversations.create", status=200).one(), Exchange)
    assert_type(mka1.state.snapshot(), dict[str, Any])
    assert_type(mka1.clock.now(), float)
    assert_type(mka1_server.url, str)


def test_controls(mka1: Mka1) -> None:
    mka1.seed({"conversations": []})
    mka1.clock.freeze(datetime(2024, 1, 1, tzinfo=UTC))
    mka1.clock.freeze("2024-01-01T00:00:00Z")
    mka1.faults.add("conversations.create", status=503, times=2, headers={"retry-after-ms": "1"})
    mka1.faults.rate_limited("conversations.create", retry_after_ms=1, times=None)
    mka1.faults.delayed(seconds=0.1, after=1, every=2)
    mka1.replies.add(input="weather", text=["It ", "rains."], times=None)
    mka1.replies.function_call("get_weather", {"city": "Oslo"}, text="Let me see.")
    mka1.replies.incomplete("It", "content_filter", usage={"output_tokens": 5})
    assert_type(mka1.replies.planned, list[dict[str, Any]])
    assert_type(mka1.replies.unmatched, list[Exchange])
    mka1.requests.assert_called("conversations.create", times=1, body={"metadata": {}}, query={"limit": 1})
    mka1.requests.assert_order(["conversations.create"])
    assert_type(mka1.requests.wait_for("conversations.create", timeout=1, end_user="ada"), Exchange)
    assert_type(mka1.requests.last.query_params, dict[str, str | list[str]])


def test_a_block() -> None:
    with fake(seed=["support-thread", {"conversations": []}], now=1, ids="sequential", strict=True) as mka1:
        assert_type(mka1, Mka1)


def test_mistakes(mka1: Mka1) -> None:
    fake(sed="support-thread")  # type: ignore[call-arg]
    fake(ids="serial")  # type: ignore[arg-type]
    mka1.requests.assert_called("conversations.create", header={})  # type: ignore[call-arg]
    mka1.faults.add("conversations.create", statis=503)  # type: ignore[call-arg]
    mka1.faults.add("conversations.create", action="explode")  # type: ignore[arg-type]
    mka1.faults.garbage("conversations.create", time=2)  # type: ignore[call-arg]
    mka1.faults.field_dropped(pointer="/id")  # type: ignore[call-arg]
    mka1.replies.add(txt="It rains.")  # type: ignore[call-arg]
    mka1.replies.incomplete(reason="tired")  # type: ignore[arg-type]
    mka1.clock.freeze([])  # type: ignore[arg-type]
    mka1.requests.last.statis  # type: ignore[attr-defined]  # noqa: B018
