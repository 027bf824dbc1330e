"""The legal order of the events in a stream: a state machine for the response and for each kind of item and part.

`spec/streams.yaml` has the order, and describes its form.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Self

from mockserver.contract.document import read_shipped_yaml

ITEM_ADDED = "response.output_item.added"
ITEM_DONE = "response.output_item.done"
ERROR = "error"


class _Step(NamedTuple):
    events: tuple[str, ...]
    is_required: bool
    is_repeatable: bool


_Order = Sequence[_Step]


class State:
    """A state of a state machine: the next state by event, and whether nothing more has to come."""

    __slots__ = ("is_final", "next")

    def __init__(self) -> None:
        self.next: dict[str, State] = {}
        self.is_final = False


class AnyState(State):
    """The state of an item or part whose beginning was not seen: any event may come, and none has to."""

    class _Transitions(dict[str, State]):
        def __init__(self, state: State) -> None:
            super().__init__()
            self._state = state

        def get(self, _event: str, _default: Any = None) -> Any:
            return self._state

    def __init__(self) -> None:
        super().__init__()
        self.next = self._Transitions(self)
        self.is_final = True


class PartRules(NamedTuple):
    """What holds for the parts in one list of an item."""

    done: str
    index_name: str
    list_name: str
    states: Mapping[str, State]


class EventOrder:
    """The order of the events in a stream, compiled."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        """Compile rules in the form of `spec/streams.yaml`."""
        response, hosted = rules["response"], {name: _read_order(order) for name, order in rules["hosted"].items()}
        self.resuming_parameter: str = rules["resumed_by"]
        self.response_state = _compile([_read_order(response["order"])])
        self.statuses: Mapping[str, Sequence[str]] = response["status"]
        self.terminal_events = frozenset(_read_order(response["order"])[-1].events)
        self.interrupting_events = frozenset(response["interrupts"])
        self.events_after_error = frozenset(response["after_error"])
        self.unfinished_statuses = frozenset(rules["unfinished"])
        self.item_states = {
            kind: _compile([order, *([*order, *hosted[name]] for name in item.get("hosted", ()))])
            for kind, item in rules["items"].items()
            for order in [_read_order(item["order"])]
        }
        self.parts = {
            parts["added"]: PartRules(
                parts["done"],
                parts["index"],
                parts["list"],
                {kind: _compile([_read_order(order)]) for kind, order in parts["types"].items()},
            )
            for parts in rules["parts"]
        }
        self.parts_done = {parts.done: parts for parts in self.parts.values()}
        self.list_of_index = {parts.index_name: parts.list_name for parts in self.parts.values()}
        self.index_of_part_event = {
            event: parts["index"]
            for parts in rules["parts"]
            for order in parts["types"].values()
            for step in _read_order(order)
            for event in step.events
        }
        self.item_events = {
            event
            for order in (*hosted.values(), *(_read_order(item["order"]) for item in rules["items"].values()))
            for step in order
            for event in step.events
        } - self.parts.keys()
        self.counts: Mapping[str, str] = rules["counts"]
        self.deltas = frozenset(text["delta"] for text in rules["texts"].values())
        self.texts = {event: text["field"] for event, text in rules["texts"].items()}

    @classmethod
    def load(cls) -> Self:
        """Read and compile `spec/streams.yaml`."""
        return cls(read_shipped_yaml("spec/streams.yaml"))

    @property
    def event_types(self) -> frozenset[str]:
        """The types of all events that the order knows."""
        return frozenset(
            {ERROR, ITEM_DONE, ITEM_ADDED, *self.statuses, *self.parts, *self.parts_done}
            | self.index_of_part_event.keys()
            | self.item_events
        )


@cache
def event_order() -> EventOrder:
    """Return the order of the shipped file, which all fakes of a process share."""
    return EventOrder.load()


def _read_order(order: Iterable[Mapping[str, str | Sequence[str]]]) -> _Order:
    steps = []
    for step in order:
        ((quantity, events),) = step.items()
        names = (events,) if isinstance(events, str) else tuple(events)
        steps.append(_Step(names, quantity == "one", quantity == "any"))
    return steps


def _compile(orders: Sequence[_Order]) -> State:
    """Return the first state of the machine that accepts each of these orders."""
    states: dict[frozenset[tuple[int, int]], State] = {}

    def build(positions: Iterable[tuple[int, int]]) -> State:
        """Return the state for these positions; each is an order, and the step of it that comes next."""
        reached = frozenset(_skip_optional(orders, positions))
        if reached not in states:
            state = states[reached] = State()
            state.is_final = any(step == len(orders[order]) for order, step in reached)
            targets: dict[str, set[tuple[int, int]]] = {}
            for order, step in reached:
                if step < len(orders[order]):
                    for event in orders[order][step].events:
                        is_repeatable = orders[order][step].is_repeatable
                        targets.setdefault(event, set()).add((order, step if is_repeatable else step + 1))
            state.next = {event: build(target) for event, target in sorted(targets.items())}
        return states[reached]

    return build((order, 0) for order in range(len(orders)))


def _skip_optional(orders: Sequence[_Order], positions: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for order, step in positions:
        yield order, step
        while step < len(orders[order]) and not orders[order][step].is_required:
            step += 1
            yield order, step
