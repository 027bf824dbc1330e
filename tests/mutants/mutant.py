"""Mutants, and the decorators that declare a family of them."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.mutants.proxy import Mutation, ProxyExchange

Hook = Callable[[ProxyExchange], Awaitable[None] | None]
MutationClass = TypeVar("MutationClass", bound=type[Mutation])


@dataclass(frozen=True)
class Mutant:
    """A defect planted on purpose.

    `breaks` holds ids of spec/behaviours.yaml, and JSON pointers into the OpenAPI document that begin with `#`.
    `mutation` makes the hooks for one server.
    """

    name: str
    family: str
    breaks: tuple[str, ...]
    description: str
    mutation: Callable[[], Mutation]


class Family:
    """The mutants of one kind, in the order of their declarations; docstrings become descriptions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mutants: list[Mutant] = []

    def request(self, name: str, *breaks: str) -> Callable[[Hook], Hook]:
        """Declare a mutant by its hook for requests."""
        return lambda hook: self._add(
            name, breaks, hook, type("_Mutation", (Mutation,), {"request": staticmethod(hook)})
        )

    def response(self, name: str, *breaks: str) -> Callable[[Hook], Hook]:
        """Declare a mutant by its hook for responses."""
        return lambda hook: self._add(
            name, breaks, hook, type("_Mutation", (Mutation,), {"response": staticmethod(hook)})
        )

    def mutation(self, name: str, *breaks: str) -> Callable[[MutationClass], MutationClass]:
        """Declare a mutant by a class with both hooks, or with state."""
        return lambda mutation: self._add(name, breaks, mutation, mutation)

    def _add(self, name: str, breaks: tuple[str, ...], described: object, mutation: Callable[[], Mutation]) -> Any:
        description = inspect.getdoc(described) or ""
        self.mutants.append(Mutant(name, self.name, breaks, description, mutation))
        return described
