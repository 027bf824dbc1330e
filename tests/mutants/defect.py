"""What a defect is, and how a family of them is written down."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.mutants.proxy import Exchange, Plant

Hook = Callable[[Exchange], Awaitable[None] | None]
PlantClass = TypeVar("PlantClass", bound=type[Plant])


@dataclass(frozen=True)
class Defect:
    """`breaks` are rules of spec/behaviours.yaml, and JSON pointers into the OpenAPI document, beginning with `#`.

    `plant` makes the defect for one server.
    """

    name: str
    family: str
    breaks: tuple[str, ...]
    description: str
    plant: Callable[[], Plant]


class Family:
    """The defects of one kind, in the order in which they are written down; docstrings are their descriptions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.defects: list[Defect] = []

    def request(self, name: str, *breaks: str) -> Callable[[Hook], Hook]:
        """A defect that lies in what becomes of a request."""
        return lambda hook: self._add(name, breaks, hook, type("_Plant", (Plant,), {"request": staticmethod(hook)}))

    def answer(self, name: str, *breaks: str) -> Callable[[Hook], Hook]:
        """A defect that lies in what becomes of an answer."""
        return lambda hook: self._add(name, breaks, hook, type("_Plant", (Plant,), {"answer": staticmethod(hook)}))

    def plant(self, name: str, *breaks: str) -> Callable[[PlantClass], PlantClass]:
        """A defect with both hooks, or a memory."""
        return lambda plant: self._add(name, breaks, plant, plant)

    def _add(self, name: str, breaks: tuple[str, ...], described: object, plant: Callable[[], Plant]):
        description = inspect.getdoc(described) or ""
        self.defects.append(Defect(name, self.name, breaks, description, plant))
        return described
