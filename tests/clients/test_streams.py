"""Streams of every kind of output, read by both SDKs, synchronous and asynchronous."""

import asyncio

import httpx
import openai
import pytest
from meetkai_mka1 import SDK
from meetkai_mka1.models import UnknownResponseStreamingEvent

from tests.support.runs import OUTPUTS

CASES = [*(("sync", name) for name in OUTPUTS), *(("async", name) for name in ("text", "reasoning", "everything"))]
REQUEST = {"model": "auto", "input": "hi"}
QUIETLY = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # It does not know all items.


@pytest.fixture
def plan(server, api_key):
    """Return a function that plans an output."""

    def plan(name):
        reply = {"items": OUTPUTS[name]} if OUTPUTS[name] else {"text": ""}
        response = httpx.post(f"{server.url}/_mock/replies", params={"api_key": api_key}, json=reply)
        assert response.status_code == 200, response.text

    return plan


def read_with_mka1(server, api_key):
    with (
        SDK(bearer_auth=api_key, server_url=server.url) as sdk,
        sdk.llm.responses.create(model="auto", input="hi", stream=True) as stream,
    ):
        return [message.data for message in stream]


async def read_with_async_mka1(server, api_key):
    async with SDK(bearer_auth=api_key, server_url=server.url) as sdk:
        stream = await sdk.llm.responses.create_async(model="auto", input="hi", stream=True)
        async with stream:
            return [message.data async for message in stream]


@pytest.mark.parametrize(("form", "name"), CASES)
def test_the_mka1_sdk_reads_every_event(server, api_key, plan, form, name):
    plan(name)
    read = read_with_mka1 if form == "sync" else lambda *arguments: asyncio.run(read_with_async_mka1(*arguments))
    events = read(server, api_key)
    assert not [event for event in events if isinstance(event, UnknownResponseStreamingEvent)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def read_with_openai(server, api_key):
    with (
        openai.OpenAI(base_url=server.api_url, api_key=api_key) as client,
        client.responses.stream(**REQUEST) as stream,
    ):
        return [event.type for event in stream], stream.get_final_response()


async def read_with_async_openai(server, api_key):
    async with (
        openai.AsyncOpenAI(base_url=server.api_url, api_key=api_key) as client,
        client.responses.stream(**REQUEST) as stream,
    ):
        return [event.type async for event in stream], await stream.get_final_response()


@QUIETLY
@pytest.mark.parametrize(("form", "name"), CASES)
def test_the_openai_client_accumulates_every_stream(server, api_key, plan, form, name):
    plan(name)
    read = read_with_openai if form == "sync" else lambda *arguments: asyncio.run(read_with_async_openai(*arguments))
    types, final = read(server, api_key)
    assert (types[0], types[-1]) == ("response.created", "response.completed")
    assert len(final.output) == max(len(OUTPUTS[name]), 1)


def test_the_openai_client_can_leave_a_stream(server, api_key):
    with openai.OpenAI(base_url=server.api_url, api_key=api_key) as client:
        with client.responses.create(**REQUEST, stream=True) as stream:
            created = next(iter(stream))
        assert client.responses.create(**REQUEST).status == "completed"
    assert created.response.id.startswith("resp_")
