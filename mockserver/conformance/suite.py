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
    response_context,
    response_errors,
    response_lists,
    response_streams,
    responses,
    search,
    tenancy,
)

_CONVERSATION_THEMES = (
    conversations,
    metadata,
    conversation_lists,
    search,
    items,
    item_kinds,
    item_lists,
    isolation,
    tenancy,
    gateway,
    errors,
)
_RESPONSE_THEMES = (responses, response_lists, response_context, response_streams, response_errors)


def all_scenarios(*, with_responses: bool = True) -> list[Scenario]:
    """Return the scenarios in the order of the report; those of responses make a real service call its models."""
    themes = (*_CONVERSATION_THEMES, *(_RESPONSE_THEMES if with_responses else ()))
    return [scenario for theme in themes for scenario in theme.scenario]
