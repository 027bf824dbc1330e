"""The package `openai-agents`, unchanged: a support desk with tools, a handoff, structured output and a session."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    handoff,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from mockserver import RunningServer

Plan = Callable[..., None]

QUIET = RunConfig(tracing_disabled=True)


class Ticket(BaseModel):
    topic: str
    is_urgent: bool


@function_tool
def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"rain in {city}"


@pytest.fixture
def plan(server: RunningServer, api_key: str) -> Plan:
    """A function that plans what the fake model says."""

    def plan(**fields: Any) -> None:
        httpx.post(f"{server.url}/_mock/replies", params={"api_key": api_key}, json=fields).raise_for_status()

    return plan


@pytest.fixture
def client(server: RunningServer, api_key: str, runner: asyncio.Runner) -> Iterator[AsyncOpenAI]:
    client = AsyncOpenAI(base_url=server.api_url, api_key=api_key, max_retries=0)
    yield client
    runner.run(client.close())


@pytest.fixture
def desk(client: AsyncOpenAI, unused_replies: None) -> Agent:
    """The desk: a first agent that asks for the weather itself, and hands over what is about a ticket."""
    model = OpenAIResponsesModel("auto", client)
    tickets = Agent(name="Tickets", instructions="File a ticket.", model=model, output_type=Ticket)
    return Agent(
        name="Desk",
        instructions="Help the customer.",
        model=model,
        tools=[get_weather],
        handoffs=[handoff(tickets)],
    )


@pytest.fixture
def unused_replies(server: RunningServer, api_key: str) -> Iterator[None]:
    """Fail the test if a planned reply was not used."""
    yield
    planned = httpx.get(f"{server.url}/_mock/replies", params={"api_key": api_key}).json()["data"]
    assert [one for one in planned if one["times"] is not None and one["fired"] < one["times"]] == []


@pytest.fixture
def run(runner: asyncio.Runner) -> Callable[..., Any]:
    """A function that runs an agent; all runs of a test share an event loop, as the connections of the client do."""

    def run(agent: Agent, text: Any, **options: Any) -> Any:
        return runner.run(Runner.run(agent, text, run_config=QUIET, **options))

    return run


def exchanges(server: RunningServer, api_key: str) -> list[Any]:
    return httpx.get(f"{server.url}/_mock/requests", params={"api_key": api_key}).json()["data"]


def test_a_tool_is_called_and_its_output_is_answered(desk, plan, server, api_key, run) -> None:
    plan(input="weather", tool_output=False, function_call={"name": "get_weather", "arguments": {"city": "Oslo"}})
    result = run(desk, "What is the weather like in Oslo?")
    assert result.final_output == "get_weather said: rain in Oslo"
    first, second = exchanges(server, api_key)
    assert [one["status"] for one in (first, second)] == [200, 200]
    sent = second["request"]["input"]
    assert [item.get("type", "message") for item in sent] == ["message", "function_call", "function_call_output"]


def test_a_handoff_ends_in_structured_output(desk, plan, run) -> None:
    plan(instructions="Help the customer", function_call={"name": "transfer_to_tickets"})
    plan(instructions="File a ticket", json={"topic": "printer", "is_urgent": True})
    result = run(desk, "My printer is on fire.")
    assert (result.last_agent.name, result.final_output) == ("Tickets", Ticket(topic="printer", is_urgent=True))


def test_structured_output_needs_no_plan(client, unused_replies, run) -> None:
    agent = Agent(name="Tickets", model=OpenAIResponsesModel("auto", client), output_type=Ticket)
    assert isinstance(run(agent, "My printer is on fire.").final_output, Ticket)


def test_a_run_is_streamed(desk, plan, runner) -> None:
    plan(tool_output=False, function_call={"name": "get_weather", "arguments": {"city": "Oslo"}})
    plan(tool_output="get_weather", reasoning="Look outside.", text=["It ", "rains", "."])

    async def collect() -> tuple[list[str], Any]:
        result = Runner.run_streamed(desk, "What is the weather like in Oslo?", run_config=QUIET)
        events = [event.data async for event in result.stream_events() if event.type == "raw_response_event"]
        return [event.delta for event in events if event.type == "response.output_text.delta"], result.final_output

    assert runner.run(collect()) == (["It ", "rains", "."], "It rains.")


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # The fake keeps content that is a string.
def test_a_session_keeps_the_conversation(client, plan, server, api_key, unused_replies, runner) -> None:
    agent = Agent(name="Desk", model=OpenAIResponsesModel("auto", client), tools=[get_weather])

    async def talk() -> tuple[list[str], list[Any]]:
        session = OpenAIConversationsSession(openai_client=client)
        said = []
        for text in ("What is the weather like in Oslo?", "And tomorrow?"):
            result = await Runner.run(agent, text, session=session, run_config=QUIET)
            said.append(result.final_output)
        return said, await session.get_items()

    plan(turn=1, function_call={"name": "get_weather", "arguments": {"city": "Oslo"}})
    said, items = runner.run(talk())
    assert said == [
        "get_weather said: rain in Oslo",
        "You said: And tomorrow? Before that: What is the weather like in Oslo?",
    ]
    kinds = [item.get("type", "message") for item in items]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message", "message"]
    assert {one["status"] for one in exchanges(server, api_key)} == {200}


def test_parallel_calls_are_all_made(desk, plan, run) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Oslo", "Bergen")]
    plan(tool_output=False, function_call=calls)
    result = run(desk, "What is the weather like in Oslo and Bergen?")
    assert result.final_output == "get_weather said: rain in Oslo\nget_weather said: rain in Bergen"


def test_the_history_can_be_sent_back(client, plan, unused_replies, run) -> None:
    settings = ModelSettings(store=False, response_include=["reasoning.encrypted_content"])
    agent = Agent(name="Desk", model=OpenAIResponsesModel("auto", client), model_settings=settings)
    plan(turn=1, reasoning="A greeting.", text="Hello.")
    first = run(agent, "Hi.")
    second = run(agent, [*first.to_input_list(), {"role": "user", "content": "Bye."}])
    assert second.final_output == "You said: Bye. Before that: Hi."


def test_a_previous_response_is_continued(desk, run) -> None:
    first = run(desk, "My name is Alexander.")
    second = run(desk, "What did I say?", previous_response_id=first.last_response_id)
    assert second.final_output == "You said: What did I say? Before that: My name is Alexander."
