"""The events of one stream, compared with their legal order."""

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.contract.event_order import ERROR, ITEM_ADDED, ITEM_DONE, AnyState, EventOrder, State
from mockserver.contract.operations import Operation
from mockserver.findings import Code, Finding, describe, json_pointer

Event = Mapping[str, Any]

_MAX_NAMES = 5


def track_events(operation: Operation, order: EventOrder) -> "EventTracker":
    """Return the tracker of a stream of an operation."""
    is_resumed = any(parameter.name == order.resuming_parameter for parameter in operation.parameters)
    return EventTracker(order, is_resumed=is_resumed)


class _Part:
    """An item or a part while it is streamed."""

    __slots__ = ("counts", "deltas", "start", "state", "text")

    def __init__(self, state: State, start: Mapping[str, Any]) -> None:
        self.state = state
        self.start = start
        self.deltas: list[str] = []
        self.text: tuple[str, str] | None = None
        """The name and value of the text in the event that completed it."""
        self.counts: dict[str, int] = {}


class _Item(_Part):
    """An output item while it is streamed; `done` is the finished one."""

    __slots__ = ("done", "first_parts", "parts")

    def __init__(self, state: State, start: Mapping[str, Any]) -> None:
        super().__init__(state, start)
        self.parts: dict[str, dict[int, tuple[_Part, Mapping[str, Any] | None]]] = {}
        """By the name of their list and their index; each with the finished part."""
        self.first_parts: dict[str, int] = {}
        """In a resumed stream, the indexes below which all parts have ended before, by the name of their list."""
        self.done: Mapping[str, Any] | None = None


class EventTracker:
    """Follows one stream, and finds each event that must not come where it does.

    Events must conform to their schemas; pass others to `skip`. Pointers of findings start with the position of the
    event in the stream. `has_ended` says that the terminal event has come.
    """

    def __init__(self, order: EventOrder, *, is_resumed: bool = False) -> None:
        """Begin with the first event; a resumed stream may begin with any event and number."""
        self._order = order
        self._is_resumed = is_resumed
        self._state = AnyState() if is_resumed else order.response_state
        self._items: dict[int, _Item] = {}
        self._item_ids: set[str] = set()
        self._response_id: str | None = None
        self._position = -1
        self._findings: list[Finding] = []
        self._repeated: _Part | None = None
        self._has_error = False
        self._next_number: int | None = None if is_resumed else 0
        self.has_ended = False

    def check(self, event: Event) -> list[Finding]:
        """Take the next event of the stream, and return a finding for each mistake of its place or its content."""
        self._findings = []
        self._repeated = None
        self._position += 1
        number = event["sequence_number"]
        if self._next_number not in (None, number):
            self._find("sequence_number", f"must be {self._next_number}, not {number}", "sequence_number")
        self._next_number = number + 1
        event_type = event["type"]
        order = self._order
        if self.has_ended:
            self._find("event_order", f"{event_type} must not come after the terminal event")
        elif self._has_error and event_type not in order.events_after_error:
            self._find("event_order", f"{event_type} must not come after an error")
        elif (index_name := order.index_of_part_event.get(event_type)) is not None:
            item = self._item_of(event)
            part = item and self._part_of(event, item, index_name)
            if part:
                self._advance(event, event_type, part)
        elif event_type in order.item_events:
            if item := self._item_of(event):
                self._advance(event, event_type, item)
        elif event_type in order.statuses:
            self._check_response(event, event_type)
        elif event_type == ITEM_ADDED:
            self._add_item(event)
        elif event_type == ITEM_DONE:
            self._end_item(event)
        elif event_type in order.parts:
            self._add_part(event, event_type)
        elif event_type in order.parts_done:
            self._end_part(event, event_type)
        elif event_type == ERROR:
            self._has_error = True
        return self._findings

    @property
    def can_repeat(self) -> bool:
        """Whether the last event was a legal delta, so that another one of the same text may follow."""
        return self._repeated is not None

    def repeat(self, deltas: Sequence[str]) -> None:
        """Take deltas that differ from the event before only in their text, and have the next numbers."""
        if self._repeated is None or self._next_number is None:
            raise RuntimeError("no delta can be repeated")
        self._repeated.deltas += deltas
        self._next_number += len(deltas)
        self._position += len(deltas)

    def skip(self) -> None:
        """Take an event that does not conform to its schema."""
        self._repeated = None
        self._position += 1
        self._next_number = None if self._next_number is None else self._next_number + 1

    def end(self) -> list[Finding]:
        """Return a finding if the stream must not end here."""
        if self.has_ended or self._has_error:
            return []
        message = f"ends without a terminal event ({', '.join(sorted(self._order.terminal_events))})"
        return [Finding("response", "body", f"/{self._position + 1}", "stream_cut", message)]

    def _find(self, code: Code, message: str, *path: str | int) -> None:
        self._findings.append(Finding("response", "body", json_pointer([self._position, *path]), code, message))

    def _check_response(self, event: Event, event_type: str) -> None:
        order, response = self._order, event["response"]
        if (state := self._state.next.get(event_type)) is None:
            self._find("event_order", _describe_misplaced(event_type, self._state))
        else:
            self._state = state
        self._response_id = self._response_id or response["id"]
        if response["id"] != self._response_id:
            message = f"must be {describe(self._response_id)}, as in the events before"
            self._find("event_mismatch", message, "response", "id")
        if response["status"] not in order.statuses[event_type]:
            message = f"must be {' or '.join(order.statuses[event_type])} in {event_type}"
            self._find("event_mismatch", message, "response", "status")
        if event_type in order.terminal_events:
            self.has_ended = True
            if event_type not in order.interrupting_events:
                self._check_output(event_type, response["output"])

    def _check_output(self, event_type: str, output: Sequence[Mapping[str, Any]]) -> None:
        """Check that all items are finished, and that the final response has them."""
        for index, item in self._items.items():
            if item.done is None and not self._is_resumed:
                self._find("event_order", f"{event_type} must not come before {ITEM_DONE} of item {index}")
        if self._is_resumed:
            return
        if len(output) != len(self._items):
            message = f"must have the {len(self._items)} items of the stream, not {len(output)}"
            self._find("event_mismatch", message, "response", "output")
            return
        for index, item in self._items.items():
            for name in ("id", "type", "call_id"):
                if item.done is not None and output[index].get(name) != item.done.get(name):
                    message = f"must be {describe(item.done.get(name))}, as in {ITEM_DONE}"
                    self._find("event_mismatch", message, "response", "output", index, name)

    def _add_item(self, event: Event) -> None:
        if (state := self._state.next.get(ITEM_ADDED)) is None:
            self._find("event_order", _describe_misplaced(ITEM_ADDED, self._state))
        else:
            self._state = state
        index, item = event["output_index"], event["item"]
        if index != len(self._items) and not (self._is_resumed and index not in self._items):
            self._find("event_mismatch", f"must be {len(self._items)}, the number of items before", "output_index")
        item_id = item.get("id")
        if item_id is None:
            self._find("event_mismatch", "is required, for the events of the item name it", "item", "id")
        elif item_id in self._item_ids:
            self._find("event_mismatch", f"{describe(item_id)} is the id of another item", "item", "id")
        self._item_ids.add(item_id)
        self._items[index] = _Item(self._order.item_states.get(item.get("type")) or AnyState(), item)

    def _item_of(self, event: Event) -> _Item | None:
        """Return the open item that an event is about."""
        index = event["output_index"]
        item = self._items.get(index)
        if item is None and self._is_resumed:
            start = {"id": event["item_id"]} if "item_id" in event else {}
            item = self._items[index] = _Item(AnyState(), start)
        if item is None:
            self._find(
                "event_order", f"{event['type']} must not come before {ITEM_ADDED} of item {index}", "output_index"
            )
        elif item.done is not None:
            self._find(
                "event_order", f"{event['type']} must not come after {ITEM_DONE} of item {index}", "output_index"
            )
        elif "item_id" in event and event["item_id"] != item.start.get("id"):
            message = f"must be {describe(item.start.get('id'))}, the id of item {index}"
            self._find("event_mismatch", message, "item_id")
        else:
            return item
        return None

    def _end_item(self, event: Event) -> None:
        item, done = self._item_of(event), event["item"]
        if item is None:
            return
        item.done = done
        if not item.state.is_final:
            self._find("event_order", _describe_misplaced(ITEM_DONE, item.state))
        if done.get("status") in self._order.unfinished_statuses:
            self._find("event_mismatch", f"must not be {describe(done['status'])} any more", "item", "status")
        for name in ("id", "type", "call_id"):
            if name in item.start and item.start[name] != done.get(name):
                message = f"must be {describe(item.start[name])}, as in {ITEM_ADDED}"
                self._find("event_mismatch", message, "item", name)
        self._check_text(item, done, "item")
        if isinstance(item.state, AnyState):
            return
        for list_name, parts in item.parts.items():
            finished = done.get(list_name) or []
            if len(finished) != len(parts):
                message = f"must have the {len(parts)} parts of the stream"
                self._find("event_mismatch", message, "item", list_name)
                continue
            for index, (part, finished_part) in parts.items():
                if finished_part is None:
                    self._find("event_order", f"{ITEM_DONE} must not come before the end of part {index}")
                else:
                    self._check_text(part, finished[index], "item", list_name, index)

    def _add_part(self, event: Event, event_type: str) -> None:
        item, rules = self._item_of(event), self._order.parts[event_type]
        if item is None:
            return
        self._advance(event, event_type, item)
        part, index, parts = event["part"], event[rules.index_name], item.parts.setdefault(rules.list_name, {})
        if isinstance(item.state, AnyState):
            item.first_parts[rules.list_name] = max(item.first_parts.get(rules.list_name, 0), index)
        elif index != len(parts):
            self._find("event_mismatch", f"must be {len(parts)}, the number of parts before", rules.index_name)
            index = len(parts)
        state = rules.states.get(part["type"])
        if state is None:
            self._find("event_order", f"must be {' or '.join(rules.states)}", "part", "type")
        parts.setdefault(index, (_Part(state or AnyState(), part), None))

    def _part_of(self, event: Event, item: _Item, index_name: str) -> _Part | None:
        """Return the open part of an item that an event is about."""
        list_name, index = self._order.list_of_index[index_name], event[index_name]
        parts, first = item.parts.setdefault(list_name, {}), item.first_parts.get(list_name, 0)
        if isinstance(item.state, AnyState) and index >= first and index not in parts:
            parts[index] = (_Part(AnyState(), {}), None)
        part, done = parts.get(index, (None, None))
        if done is not None or (part is None and 0 <= index < first):
            self._find("event_order", f"{event['type']} must not come after the end of part {index}", index_name)
        elif part is None:
            self._find("event_order", f"{event['type']} must not come before part {index} is added", index_name)
        else:
            return part
        return None

    def _end_part(self, event: Event, event_type: str) -> None:
        rules = self._order.parts_done[event_type]
        item = self._item_of(event)
        part = item and self._part_of(event, item, rules.index_name)
        if item is None or part is None:
            return
        done = event["part"]
        item.parts[rules.list_name][event[rules.index_name]] = (part, done)
        if not part.state.is_final:
            self._find("event_order", _describe_misplaced(event_type, part.state))
        if "type" in part.start and part.start["type"] != done["type"]:
            self._find("event_mismatch", f"must be {part.start['type']}, as when it was added", "part", "type")
        self._check_text(part, done, "part")

    def _advance(self, event: Event, event_type: str, part: _Part) -> None:
        """Take an event within an item or part."""
        order = self._order
        if (state := part.state.next.get(event_type)) is None:
            self._find("event_order", _describe_misplaced(event_type, part.state))
        else:
            if part.state is state and event_type in order.deltas:
                self._repeated = part
            part.state = state
        if event_type in order.deltas:
            part.deltas.append(event["delta"])
        elif (name := order.texts.get(event_type)) is not None:
            text = event[name]
            part.text = name, text
            if part.deltas and name in part.start:
                self._compare_deltas(part, name, text)
        elif (index_name := order.counts.get(event_type)) is not None:
            count = part.counts.get(event_type, 0)
            if event[index_name] != count and not isinstance(part.state, AnyState):
                self._find("event_mismatch", f"must be {count}", index_name)
            part.counts[event_type] = count + 1

    def _compare_deltas(self, part: _Part, name: str, text: str) -> None:
        streamed = (part.start[name] or "") + "".join(part.deltas)
        if streamed != text:
            message = f"must be the text of the deltas, {describe(streamed)}, not {describe(text)}"
            self._find("event_mismatch", message, name)

    def _check_text(self, part: _Part, done: Mapping[str, Any], *path: str | int) -> None:
        """Check that a finished item or part has the text of the event that completed it."""
        if part.text is not None and done.get(part.text[0]) != part.text[1]:
            message = f"must be {describe(part.text[1])}, as in the event that completed it"
            self._find("event_mismatch", message, *path, part.text[0])


def _describe_misplaced(event_type: str, state: State) -> str:
    names = list(state.next)
    expected = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    return f"{event_type} must not come here; expected {expected or 'the end of the item or part'}"
