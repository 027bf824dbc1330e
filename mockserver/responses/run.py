"""The making of one response: its events in their order, and the response object as it is after each of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any, NamedTuple

import orjson

from mockserver.replies.output import ModelOutput, OutputItem
from mockserver.responses.events import Event, ItemEvent, Surroundings, list_item_events, start_item
from mockserver.responses.response_object import output_text


class Step(NamedTuple):
    """Either an event, or a pause in seconds before the next one is made."""

    event: Event | None
    wait: float = 0.0


class ResponseRun:
    """The making of one response, step by step; it knows no time and no connection.

    `response` is the response object after the last event that was made; the caller creates it without output, and
    with a usage of zero. `new_item_id` returns an id for an item of a type. `count_usage` returns the usage for a list
    of output items. `commit` is called before the terminal event is handed out, and makes `response` final. `now`
    returns the time in Unix seconds. `conforms` says whether an event conforms to the document. Without `has_deltas`,
    the run has all events but deltas; with `keeps_events`, `events` are those made so far.

    A pause comes before its event is made: until it is over, `response` is what a client may see.
    """

    def __init__(
        self,
        response: dict[str, Any],
        output: ModelOutput,
        *,
        new_item_id: Callable[[str], str],
        count_usage: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]],
        commit: Callable[["ResponseRun"], None],
        now: Callable[[], int],
        conforms: Callable[[Event], bool] = lambda _event: False,
        has_deltas: bool = True,
        keeps_events: bool = False,
    ) -> None:
        self.response = response
        self.events: list[Event] = []
        self.has_ended = False
        self.is_sleeping = False
        self._output = output
        self._new_item_id = new_item_id
        self._count_usage = count_usage
        self._commit = commit
        self._now = now
        self._conforms = conforms
        self._has_deltas = has_deltas
        self._keeps_events = keeps_events
        self._numbers = count()
        self._finished_items = 0
        self._is_cancelled = False
        self._wake_text: str | None = None
        self._steps = self._take_steps()

    def steps(self) -> Iterator[Step]:
        """Return the steps that remain; the last of them is the terminal event."""
        return self._steps

    def finish(self) -> dict[str, Any]:
        """Take all remaining steps at once, and return the final response."""
        for _ in self._steps:
            pass
        return self.response

    def cancel(self) -> None:
        """End the response as cancelled: a pause under way is over, and the next step is the terminal event."""
        self._is_cancelled = True

    def wake(self, text: str) -> None:
        """End the sleep with a text: the pause under way is over."""
        self._wake_text = text

    def _take_steps(self) -> Iterator[Step]:
        for step in self._plan():
            yield step
            if self._is_cancelled and not self.has_ended:
                yield self._end("cancelled")
                return

    def _plan(self) -> Iterator[Step]:
        output = self._output
        if self.response["background"]:
            yield self._lifecycle_event("response.created", "queued")
            yield self._lifecycle_event("response.queued", "queued")
            yield from _pause(output.queued)
        else:
            yield self._lifecycle_event("response.created", "in_progress")
        yield self._lifecycle_event("response.in_progress", "in_progress")
        yield from _pause(output.delay)
        if output.sleep is not None and self.response["background"]:
            yield from self._sleep(output.sleep)
        for number, item in enumerate(output.items):
            yield from self._write_item(item, _hosted_output(output.items[number : number + 2]))
        yield self._end("failed" if output.error else "incomplete" if output.incomplete else "completed")

    def _write_item(self, item: OutputItem, hosted_output: str | None) -> Iterator[Step]:
        body = self._add_id(item.body)
        surroundings = Surroundings(self.response["tools"], hosted_output, self._conforms)
        index = len(self.response["output"])
        yield self._start_item(body)
        is_in_pieces = self._has_deltas or self._output.delta_delay
        for event in list_item_events(body, item.deltas if is_in_pieces else (), surroundings):
            yield from self._item_event(event, body["id"], index)
        yield self._end_item(body, index)

    def _sleep(self, seconds: float) -> Iterator[Step]:
        """Run the sleep tool: a call and its output, which is the text of the request that wakes it, if one does."""
        arguments = orjson.dumps({"duration_seconds": ceil(seconds)}).decode()
        call = self._add_id({"type": "function_call", "name": "sleep", "arguments": arguments, "status": "completed"})
        call["call_id"] = "call_" + call["id"].rpartition("_")[2]
        index = len(self.response["output"])
        yield self._start_item(call)
        for event in list_item_events(call, [[arguments]], Surroundings(output="", conforms=self._conforms)):
            if event.type == "response.sleep_call.completed":
                break
            yield from self._item_event(event, call["id"], index)
        self.is_sleeping = True
        yield Step(None, seconds)
        self.is_sleeping = False
        text = self._wake_text
        completed = {"status": "woke" if text is None else "interrupted"}
        text = f"Slept for {seconds:g} seconds." if text is None else text
        completed["function_call_output"] = text
        yield from self._item_event(ItemEvent("response.sleep_call.completed", completed), call["id"], index)
        yield self._end_item(call, index)
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": text, "status": "completed"}
        yield from self._write_item(OutputItem(output), None)

    def _start_item(self, body: Mapping[str, Any]) -> Step:
        output, started = self.response["output"], start_item(body)
        output.append(started)
        return self._event("response.output_item.added", output_index=len(output) - 1, item=started)

    def _item_event(self, event: ItemEvent, item_id: str, index: int) -> Iterator[Step]:
        if event.is_delta:
            yield from _pause(self._output.delta_delay)
            if not self._has_deltas:
                return
        yield self._event(event.type, item_id=item_id, output_index=index, **event.fields)

    def _end_item(self, body: dict[str, Any], index: int) -> Step:
        self.response["output"][index] = body
        self._finished_items = index + 1
        return self._event("response.output_item.done", output_index=index, item=body)

    def _add_id(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": self._new_item_id(body["type"]), **body} if "id" not in body else dict(body)

    def _end(self, status: str) -> Step:
        response = self.response
        if status == "cancelled":
            del response["output"][self._finished_items :]
        else:
            response["usage"] = self._count_usage(response["output"])
        response["output_text"] = output_text(response["output"])
        if status == "completed":
            response["completed_at"] = self._now()
        elif status == "incomplete":
            response["incomplete_details"] = {"reason": self._output.incomplete}
        elif status == "failed":
            response["error"] = dict(self._output.error or {})
        response["status"] = status
        self._commit(self)  # It fails the response if it cannot be stored.
        self.has_ended = True
        return self._lifecycle_event(f"response.{response['status']}", response["status"])

    def _lifecycle_event(self, event_type: str, status: str) -> Step:
        self.response["status"] = status
        return self._event(event_type, response={**self.response, "output": list(self.response["output"])})

    def _event(self, event_type: str, **fields: Any) -> Step:
        event = {"type": event_type, "sequence_number": next(self._numbers), **fields}
        if self._keeps_events:
            self.events.append(event)
        return Step(event)


def _pause(seconds: float) -> Iterator[Step]:
    if seconds:
        yield Step(None, seconds)


def _hosted_output(items: Sequence[OutputItem]) -> str | None:
    """Return the output of the first item, if it is a call whose output comes next: the service has run it itself."""
    if len(items) < 2 or items[0].body["type"] != "function_call":
        return None
    call, output = items[0].body, items[1].body
    is_output = output["type"] == "function_call_output" and output["call_id"] == call["call_id"]
    return str(output["output"]) if is_output else None
