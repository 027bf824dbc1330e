"""All scenarios of all themes."""

from mockserver.conformance.scenario import Scenario
from mockserver.conformance.scenarios import (
    conversation_lists,
    conversations,
    errors,
    gateway,
    item_kinds,
    item_lists,
    items,
    metadata,
    search,
    tenancy,
)


def all_scenarios() -> list[Scenario]:
    """Return the scenarios in the order of the report."""
    return [
        *conversations.scenario,
        *metadata.scenario,
        *conversation_lists.scenario,
        *search.scenario,
        *items.scenario,
        *item_kinds.scenario,
        *item_lists.scenario,
        *tenancy.scenario,
        *gateway.scenario,
        *errors.scenario,
    ]
