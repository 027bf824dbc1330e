"""The plan: which faults fire for which requests."""

import random
from typing import Any

from mockserver.gateway.faults.model import Fault


class PlannedFault:
    """A fault in the plan. `seen` counts the requests that it matched, `fired` those that it affected."""

    def __init__(self, fault_id: int, fault: Fault) -> None:
        self.id = fault_id
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - not for secrets

    def matches(self, operation: str, key: str) -> bool:
        """Return whether the fault applies to the operation and the key."""
        return self.fault.operation in (None, operation) and self.fault.key in (None, key)

    def try_fire(self) -> bool:
        """Count a matching request, and return whether the fault fires for it."""
        fault = self.fault
        self.seen += 1
        turn = self.seen - fault.after
        if turn < 1 or turn % fault.every != 0 or (fault.times is not None and self.fired >= fault.times):
            return False
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        self.fired += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return the planned fault in the form of the control API."""
        return {"id": self.id, **self.fault.as_dict(), "seen": self.seen, "fired": self.fired}


class FaultPlan:
    """The planned faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._planned: list[PlannedFault] = []
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._planned)

    def add(self, fault: Fault) -> PlannedFault:
        """Plan a fault."""
        self._last_id += 1
        planned = PlannedFault(self._last_id, fault)
        self._planned.append(planned)
        return planned

    def list_faults(self, key: str | None = None) -> list[PlannedFault]:
        """Return all planned faults, or those for one key."""
        return [planned for planned in self._planned if key is None or planned.fault.key == key]

    def remove(self, fault_id: int, key: str | None = None) -> bool:
        """Remove the fault with this id, and this key if given; return whether there was one."""
        removed = [planned for planned in self.list_faults(key) if planned.id == fault_id]
        self._planned = [planned for planned in self._planned if planned not in removed]
        return bool(removed)

    def clear(self, key: str | None = None) -> None:
        """Remove all planned faults, or those for one key."""
        self._planned = [] if key is None else [planned for planned in self._planned if planned.fault.key != key]
        if key is None:
            self._last_id = 0

    def fire(self, operation: str, key: str) -> list[Fault]:
        """Return the faults that fire for a request: all delays, and the first fault that alters the response."""
        fired: list[Fault] = []
        is_altered = False
        for planned in self._planned:
            alters_response = planned.fault.alters_response
            if planned.matches(operation, key) and not (alters_response and is_altered) and planned.try_fire():
                fired.append(planned.fault)
                is_altered = is_altered or alters_response
        return fired
