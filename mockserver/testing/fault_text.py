"""Planned faults in messages."""

from collections.abc import Mapping
from typing import Any

from mockserver.testing.exchanges import count


def describe_fault(fault: Mapping[str, Any]) -> str:
    """Return a planned fault with its counts, in one line."""
    fired = f"fired {fault['fired']}"
    if fault["times"] is not None:
        fired += f" of {count(fault['times'], 'time')}"
    operation = fault.get("operation", "any operation")
    return f"{operation}: {_summarise_effect(fault)}, {fired}, {count(fault['seen'], 'request')} seen"


def explain_unchanged(fault: Mapping[str, Any]) -> str:
    """Return a sentence about the responses in which a fault found nothing to change, if there are any."""
    if "unchanged" not in fault:
        return ""
    changes = "; ".join(f"{one['op']} {one['path']}" for one in fault.get("patch", ()))
    return (
        f"There was nothing to change in {count(fault['unchanged'], 'response')}{': ' + changes if changes else ''}."
    )


def _summarise_effect(fault: Mapping[str, Any]) -> str:
    place = f" after {count(fault['after_events'], 'event')}" if "after_events" in fault else ""
    if "action" in fault:
        return f"{fault['action']}{place}"
    if "status" in fault:
        return f"status {fault['status']}"
    return next((name for name in ("body", "event", "patch", "headers", "delay") if name in fault), "nothing") + place
