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
    tokens,
    webhooks,
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
    tokens,
    errors,
)
_RESPONSE_THEMES = (responses, response_lists, response_context, response_streams, webhooks, response_errors)


def all_scenarios() -> list[Scenario]:
    """Return the scenarios in the order of the report."""
    of_conversations = [scenario for theme in _CONVERSATION_THEMES for scenario in theme.scenario]
    return of_conversations + response_scenarios()


def response_scenarios() -> list[Scenario]:
    """Return the scenarios of responses, which make a real service call its models."""
    return [scenario for theme in _RESPONSE_THEMES for scenario in theme.scenario]
