"""The making of one response: its events in their order, and the response object as it is after each of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.replies.output import ModelOutput

Event = dict[str, Any]


class Step(NamedTuple):
    """Either an event, or a pause in seconds before the next one is made."""

    event: Event | None
    wait: float = 0.0


class ResponseRun:
    """The making of one response, step by step; it knows no time and no connection.

    `response` is the response object after the last event that was made, without its output and usage at first.
    `new_item_id` returns an id for an item of a type. `count_usage` returns the usage for a list of output items.
    `commit` is called before the terminal event is handed out, and makes `response` final. `now` returns the time in
    Unix seconds. Without `has_deltas`, the run has all events but deltas; with `keeps_events`, `events` are those made
    so far.

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
        has_deltas: bool = True,
        keeps_events: bool = False,
    ) -> None:
        self.response = response
        self.events: list[Event] = []
        self.has_ended = False
        self._output = output
        self._new_item_id = new_item_id
        self._count_usage = count_usage
        self._commit = commit
        self._now = now
        self._has_deltas = has_deltas
        self._keeps_events = keeps_events
        self._sequence_number = 0
        self._is_cancelled = False

    def steps(self) -> Iterator[Step]:
        """Yield the steps that remain; the last of them is the terminal event. To be called once."""
        for step in self._plan():
            yield step
            if self._is_cancelled and not self.has_ended:
                yield self._end("cancelled")
                return

    def finish(self) -> dict[str, Any]:
        """Take all steps at once, and return the final response."""
        for _ in self.steps():
            pass
        return self.response

    def cancel(self) -> None:
        """End the response as cancelled: a pause under way is over, and the next step is the terminal event."""
        self._is_cancelled = True

    def _plan(self) -> Iterator[Step]:
        yield self._lifecycle_event("response.created", "in_progress")
        yield self._lifecycle_event("response.in_progress", "in_progress")
        for item in self._output.items:
            yield from self._write_message(item.body, item.deltas)
        yield self._end("completed")

    def _write_message(self, body: Mapping[str, Any], deltas: Sequence[Sequence[str]]) -> Iterator[Step]:
        output = self.response["output"]
        item = {"id": self._new_item_id(body["type"]), **body, "status": "in_progress", "content": []}
        at: dict[str, Any] = {"output_index": len(output)}
        output.append(item)
        yield self._event("response.output_item.added", **at, item=dict(item))
        at |= {"item_id": item["id"]}
        for index, part in enumerate(body["content"]):
            empty = {**part, "text": ""}
            yield self._event("response.content_part.added", **at, content_index=index, part=empty)
            for delta in deltas[index]:
                yield self._event("response.output_text.delta", **at, content_index=index, delta=delta, logprobs=[])
            yield self._event("response.output_text.done", **at, content_index=index, text=part["text"], logprobs=[])
            yield self._event("response.content_part.done", **at, content_index=index, part=part)
        output[at["output_index"]] = done = {"id": item["id"], **body}
        yield self._event("response.output_item.done", output_index=at["output_index"], item=done)

    def _end(self, status: str) -> Step:
        self.response["completed_at"] = self._now()
        self.response["usage"] = self._count_usage(self.response["output"])
        self.response["status"] = status
        self._commit(self)  # It fails the response if it cannot be stored.
        self.has_ended = True
        return self._lifecycle_event(f"response.{self.response['status']}", self.response["status"])

    def _lifecycle_event(self, event_type: str, status: str) -> Step:
        self.response["status"] = status
        return self._event(event_type, response={**self.response, "output": list(self.response["output"])})

    def _event(self, event_type: str, **fields: Any) -> Step:
        event = {"type": event_type, "sequence_number": self._sequence_number, **fields}
        self._sequence_number += 1
        if self._keeps_events:
            self.events.append(event)
        return Step(event)
