"""Scenarios for requests for a response that are rejected."""

from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.names import response_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.responses import HELLO, WEATHER_TOOL
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()


def _send(api: ApiClient, **fields: Any) -> ApiResponse:
    return api.post("/responses", {"model": api.model, "input": HELLO, **fields})


@scenario("responses.invalid.model-is-required")
def the_model_is_required(api: ApiClient) -> None:
    api.post("/responses", {"input": HELLO}).expect_error()


@scenario("responses.invalid.sampling-out-of-range")
def sampling_parameters_have_a_range(api: ApiClient) -> None:
    for name, value in (("temperature", -1), ("temperature", 3), ("top_p", -0.1), ("top_p", 1.5)):
        _send(api, **{name: value}).expect_error()


@scenario("responses.invalid.metadata")
def metadata_have_limits(api: ApiClient) -> None:
    for metadata in ({str(number): "x" for number in range(17)}, {"k" * 65: "x"}, {"k": "x" * 513}, {"k": 1}):
        _send(api, metadata=metadata).expect_error()


@scenario("responses.invalid.include")
def only_known_fields_can_be_included(api: ApiClient) -> None:
    _send(api, include=["everything"]).expect_error()


@scenario("responses.invalid.input-items")
def items_of_the_input_must_be_valid(api: ApiClient) -> None:
    for item in (
        {"type": "no_such_item"},
        {"type": "function_call", "name": "get_weather", "arguments": "{}"},
        {"type": "message", "content": "no role"},
    ):
        _send(api, input=[message("one"), item]).expect_error()


@scenario("responses.invalid.stream-events-in-the-foreground")
def stream_events_need_the_background(api: ApiClient) -> None:
    _send(api, stream_events=True).expect_error()


@scenario("responses.invalid.webhook-in-the-foreground", "responses.invalid.webhook-secret-alone")
def webhooks_need_the_background(api: ApiClient) -> None:
    url = "http://127.0.0.1:9/hook"
    api.set_behaviour("responses.invalid.webhook-in-the-foreground")
    _send(api, webhook_url=url).expect_error()
    api.set_behaviour("responses.invalid.webhook-secret-alone")
    _send(api, background=True, webhook_secret="secret").expect_error()  # noqa: S106 - no secret


@scenario("responses.invalid.tool-choice-names-no-tool")
def a_tool_choice_must_name_a_tool(api: ApiClient) -> None:
    _send(api, tools=[WEATHER_TOOL], tool_choice={"type": "function", "name": "get_time"}).expect_error()


@scenario("responses.invalid.tools-with-one-name")
def names_of_tools_are_unique(api: ApiClient) -> None:
    _send(api, tools=[WEATHER_TOOL, WEATHER_TOOL]).expect_error()


@scenario("responses.invalid.format-is-no-schema")
def a_format_must_be_a_schema(api: ApiClient) -> None:
    text = {"format": {"type": "json_schema", "name": "broken", "schema": {"type": "no_such_type"}}}
    _send(api, text=text).expect_error()


@scenario("responses.invalid.output-without-call")
def a_tool_output_needs_its_call(api: ApiClient) -> None:
    output = {"type": "function_call_output", "call_id": "call_never_made", "output": "rain"}
    _send(api, input=[output]).expect_error()


@scenario("responses.invalid.computer-use-preview")
def computer_use_preview_is_rejected(api: ApiClient) -> None:
    tool = {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "browser"}
    _send(api, tools=[tool]).expect_error(400)


@scenario("responses.invalid.page-limits")
def pages_have_limits(api: ApiClient) -> None:
    response = _send(api).expect_ok()["id"]
    for path in ("/responses", response_path(response, "input_items")):
        for limit in (0, 101):
            api.get(path, limit=limit).expect_error()


@scenario("responses.invalid.wake-text")
def a_wake_needs_some_text(api: ApiClient) -> None:
    path = response_path(_send(api).expect_ok()["id"], "wake")
    for body in ({}, {"input": ""}, {"input": "x" * 20001}):
        api.post(path, body).expect_error()


@scenario("responses.invalid.metadata-update")
def an_update_needs_metadata(api: ApiClient) -> None:
    path = response_path(_send(api).expect_ok()["id"])
    for body in ({}, {"metadata": None}):
        api.post(path, body).expect_error()
