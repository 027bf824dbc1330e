"""The checks of Schemathesis: their statements in a report, and those that are off."""

from typing import Any

from mockserver.verify.report.model import DisabledCheck

STATEMENTS = {
    "ValidDataIsAccepted": "A request that is valid by the document is accepted.",
    "InvalidDataIsRejected": "A request that is invalid by the document is rejected.",
    "missing_required_header": "A request without a required header is rejected.",
    "unsupported_method": "A method that the document does not list for a path returns 405.",
    "use_after_free": "A deleted resource cannot be reached.",
    "ensure_resource_availability": "A new resource can be reached.",
    "ignored_auth": "A request without a valid key is rejected.",
    "object_level_authorization": "The resources of one end user cannot be reached by another.",
}

SHARED_CHECKS = ("missing_required_header", "ignored_auth", "allow_header_conformance", "unsupported_method")
"""The checks about keys and methods, which fail for all operations at once and so are one case."""

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
        scopes.append((entry["checks"], (ids,) if isinstance(ids, str) else tuple(ids)))
    for checks, operations in scopes:
        for name, check in checks.items():
            if check.get("enabled") is False:
                off.append(DisabledCheck(name, operations, _REASONS[name]))
    return tuple(off)
