"""The checks of Schemathesis: their statements in a report, and those that are off."""

from typing import Any

from mockserver.verify.report.model import DisabledCheck, Weight

VALID_DATA = "ValidDataIsAccepted"
INVALID_DATA = "InvalidDataIsRejected"

STATEMENTS = {
    VALID_DATA: "A request that is valid by the document is accepted.",
    INVALID_DATA: "A request that is invalid by the document is rejected.",
    "missing_required_header": "A request without a required header is rejected.",
    "allow_header_conformance": "The header Allow of a 405 lists the methods of the path.",
    "unsupported_method": "A method that the document does not list for a path returns 405.",
    "use_after_free": "A deleted resource cannot be reached.",
    "ensure_resource_availability": "A new resource can be reached.",
    "ignored_auth": "A request without a valid key is rejected.",
    "object_level_authorization": "The resources of one end user cannot be reached by another.",
}

EXPECTATIONS = {
    VALID_DATA: "200",
    INVALID_DATA: "a 4xx",
    "missing_required_header": "a 4xx",
    "unsupported_method": "405",
    "allow_header_conformance": "a header Allow with exactly the methods of the path",
    "use_after_free": "404",
    "ensure_resource_availability": "200",
    "ignored_auth": "401",
    "object_level_authorization": "404",
}

SHARED_CHECKS = (
    "missing_required_header",
    "ignored_auth",
    "allow_header_conformance",
    "unsupported_method",
    INVALID_DATA,
)
"""The checks that fail for several operations for one cause, and so are one case."""

STATEFUL_CHECKS = ("use_after_free", "ensure_resource_availability", "object_level_authorization")
"""The checks whose expectation depends on earlier writes."""

WEIGHTS = {
    "ignored_auth": Weight.ISOLATION,
    "missing_required_header": Weight.ISOLATION,
    "object_level_authorization": Weight.ISOLATION,
    "use_after_free": Weight.DATA,
    "ensure_resource_availability": Weight.DATA,
}
"""The weights of the checks that concern more than limits and forms."""

RESPONSE_CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "not_a_server_error",
)
"""The checks that the contract layer of mockserver does for every response."""

_REASONS = {
    "positive_data_acceptance": "replaced by ValidDataIsAccepted, which knows the state of the target",
    "negative_data_rejection": "replaced by InvalidDataIsRejected, which leaves out parameters without invalid values",
    "ensure_resource_availability": "a 404 of this operation is about the items in its body",
    "use_after_free": "items outlive their conversation, and deleting some leaves the others",
}
"""Why schemathesis.toml switches a check off."""


def list_disabled_checks(config: dict[str, Any], *, has_key: bool) -> tuple[DisabledCheck, ...]:
    """Return the checks that the shipped configuration or this run disables."""
    off = [
        DisabledCheck(
            ", ".join(RESPONSE_CHECKS), (), "mockserver validates every response itself, and names the field"
        )
    ]
    if not has_key:
        off.append(DisabledCheck("ignored_auth", (), "the run has no API key"))
    scopes = [(config["checks"], ())]
    for entry in config["operations"]:
        ids = entry["include-operation-id"]
        scopes.append((entry.get("checks", {}), (ids,) if isinstance(ids, str) else tuple(ids)))
    for checks, operations in scopes:
        for name, check in checks.items():
            if check.get("enabled") is False:
                off.append(DisabledCheck(name, operations, _REASONS[name]))
    return tuple(off)
