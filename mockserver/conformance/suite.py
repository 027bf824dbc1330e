"""All scenarios of all themes."""

from mockserver.conformance.scenario import Scenario
from mockserver.conformance.scenarios import (
    conversation_lists,
    conversations,
    errors,
    gateway,
    isolation,
    item_kinds,
    item_lists,
    items,
    metadata,
    search,
    tenancy,
)


def all_scenarios() -> list[Scenario]:
    """Return the scenarios in the order of the report."""
    conversation_themes = (conversations, metadata, conversation_lists, search)
    themes = (*conversation_themes, items, item_kinds, item_lists, isolation, tenancy, gateway, errors)
    return [scenario for theme in themes for scenario in theme.scenario]
