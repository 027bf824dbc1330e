"""The plan: which faults fire for which requests."""

import heapq
import random
from operator import attrgetter
from typing import Any

from mockserver.gateway.faults.model import Fault


class PlannedFault:
    """A fault in the plan.

    `seen` counts the requests that it matched, `fired` those that it affected, and `unchanged` those in whose response
    there was nothing to change.
    """

    __slots__ = ("_random", "fault", "fired", "id", "seen", "unchanged")

    def __init__(self, fault_id: int, fault: Fault) -> None:
        self.id = fault_id
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self.unchanged = 0
        # A generator takes 2.5 KB, so only a fault that needs one has one.
        self._random = random.Random(fault.seed) if fault.probability < 1 else None  # noqa: S311 - not for secrets

    def try_fire(self) -> bool:
        """Count a matching request, and return whether the fault fires for it."""
        fault = self.fault
        self.seen += 1
        turn = self.seen - fault.after
        if turn < 1 or turn % fault.every != 0 or (fault.times is not None and self.fired >= fault.times):
            return False
        if self._random is not None and self._random.random() >= fault.probability:
            return False
        self.fired += 1
        return True

    def count_as_unchanged(self) -> None:
        """Count the last request for which the fault fired as one that it did not affect."""
        self.fired -= 1
        self.unchanged += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the planned fault in the form of the control API."""
        unchanged = {"unchanged": self.unchanged} if self.unchanged else {}
        return {"id": self.id, **self.fault.as_dict(), "seen": self.seen, "fired": self.fired, **unchanged}


class FaultPlan:
    """The planned faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._planned: dict[int, PlannedFault] = {}
        self._by_target: dict[tuple[str | None, str | None], dict[int, PlannedFault]] = {}
        """By operation and key, so that a request costs nothing for the faults of others."""
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._planned)

    def add(self, fault: Fault) -> PlannedFault:
        """Plan a fault."""
        self._last_id += 1
        planned = self._planned[self._last_id] = PlannedFault(self._last_id, fault)
        self._by_target.setdefault((fault.operation, fault.key), {})[planned.id] = planned
        return planned

    def list_faults(self, key: str | None = None) -> list[PlannedFault]:
        """Return all planned faults, or those for one key."""
        return [planned for planned in self._planned.values() if key is None or planned.fault.key == key]

    def remove(self, fault_id: int, key: str | None = None) -> bool:
        """Remove the fault with this id, and this key if given; return whether there was one."""
        planned = self._planned.get(fault_id)
        if planned is None or key not in (None, planned.fault.key):
            return False
        self._remove(planned)
        return True

    def clear(self, key: str | None = None) -> None:
        """Remove all planned faults, or those for one key."""
        if key is None:
            self._planned.clear()
            self._by_target.clear()
            self._last_id = 0
        else:
            for planned in self.list_faults(key):
                self._remove(planned)

    def fire(self, operation: str, key: str, *, is_stream: bool = False) -> list[PlannedFault]:
        """Return the faults that fire for a request: all delays, and the first fault that alters the response.

        Faults in mid-stream do not match unless the request asks for a stream.
        """
        targets = ((operation, key), (operation, None), (None, key), (None, None))
        matching = [self._by_target[target].values() for target in targets if target in self._by_target]
        fired: list[PlannedFault] = []
        is_altered = False
        for planned in heapq.merge(*matching, key=attrgetter("id")):
            if planned.fault.is_mid_stream and not is_stream:
                continue
            alters_response = planned.fault.alters_response
            if not (alters_response and is_altered) and planned.try_fire():
                fired.append(planned)
                is_altered = is_altered or alters_response
        return fired

    def _remove(self, planned: PlannedFault) -> None:
        target = (planned.fault.operation, planned.fault.key)
        del self._planned[planned.id], self._by_target[target][planned.id]
        if not self._by_target[target]:
            del self._by_target[target]
