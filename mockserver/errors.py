"""Every error of the API as data, and the function that creates error bodies.

ApiError
|-- InvalidRequest           400
|   |-- UnknownCursor
|   |-- ItemIdInUse
|   |-- ReferenceWithinConversation
|   `-- NotCancellable
|-- Unauthorized             401
|   `-- ControlTokenRequired
|-- Forbidden                403
|   |-- PermissionMissing
|   |-- OtherEndUser
|   |-- TokenNotExchangeable
|   |-- ForbiddenSite
|   `-- ForbiddenHost
|-- NotFound                 404
|   |-- OperationNotFound
|   |-- ConversationNotFound
|   |-- ItemNotFound
|   `-- ResponseNotFound
|-- MethodNotAllowed         405
|-- NotSleeping              409
|-- BodyTooLarge             413
|-- UnsupportedMediaType     415
|-- RateLimitExceeded        429
`-- InternalError            500

`UsageError` stands apart: it is a mistake of the person who starts the fake, and is not sent to clients.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mockserver.findings import Finding, describe, unescape_token

CONTROL_REALM = "mockserver control"
_KINDS = {401: "authentication_error", 403: "permission_error"}


class UsageError(Exception):
    """A mistake in how the fake is started or used; the message is one line that says what to do."""


class ApiError(Exception):
    """An error response; `findings` are the mistakes that caused it."""

    status: ClassVar[int]

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        findings: Sequence[Finding] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.findings = findings
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        body = envelope(self.status, self.message, self.param)
        if self.findings:
            body["error"]["findings"] = [finding.as_dict() for finding in self.findings]
        return body


class InvalidRequest(ApiError):
    """A request with mistakes; the message of the response is about the first of them."""

    status = 400

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        message = state_mistake(first.location, first.pointer, first.message)
        if len(findings) > 1:
            message += f" (and {len(findings) - 1} more, see findings)"
        super().__init__(message, param=parameter_name(first.location, first.pointer), findings=findings)


class UnknownCursor(InvalidRequest):
    """A cursor that is not an id of the list."""

    def __init__(self, cursor: str, parameter: str = "after") -> None:
        message = f"{describe(cursor)} is not an id of this list"
        super().__init__([Finding("request", "query", f"/{parameter}", "unknown_cursor", message)])


class ItemIdInUse(InvalidRequest):
    """A client-chosen id that is already in use; `index` is the item's position in a field of the request."""

    def __init__(self, item_id: str, index: int, field: str = "items") -> None:
        message = f"the id {describe(item_id)} is already in use"
        super().__init__([Finding("request", "body", f"/{field}/{index}/id", "id_in_use", message)])


class ReferenceWithinConversation(InvalidRequest):
    """A reference to an item of the same conversation."""

    def __init__(self, item_id: str, index: int) -> None:
        message = f"the item {describe(item_id)} is already in this conversation, so it cannot be referenced here"
        super().__init__([Finding("request", "body", f"/items/{index}/id", "reference_within_conversation", message)])


class Unauthorized(ApiError):
    """A request without a valid API key."""

    status = 401

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class ControlTokenRequired(Unauthorized):
    """A request that needs the control token; the realm distinguishes this 401 from that of the API."""

    def __init__(self, message: str = "Send `Authorization: Bearer <control token>`.") -> None:
        super().__init__(message)
        self.headers = {"WWW-Authenticate": f'Bearer realm="{CONTROL_REALM}"'}


class Forbidden(ApiError):
    """A request that its sender may not make."""

    status = 403


class PermissionMissing(Forbidden):
    """A request with a token that lacks the permission for it, such as `read:responses`."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"The token lacks the permission {permission}.")


class OtherEndUser(Forbidden):
    """A request with a token and an `X-On-Behalf-Of` that do not name the same end user."""

    def __init__(self) -> None:
        super().__init__("X-On-Behalf-Of must be the end user of the token, or be left out.", param="X-On-Behalf-Of")


class TokenNotExchangeable(Forbidden):
    """A request to exchange something else than an API key."""

    def __init__(self) -> None:
        super().__init__("Only an API key can be exchanged for a token, not another token.")


class ForbiddenSite(Forbidden):
    """A control request from a web page of another site."""

    def __init__(self) -> None:
        super().__init__("A web page of another site cannot use the control API, unless --cors lists its origin.")


class ForbiddenHost(Forbidden):
    """A control request to a host name that may have been rebound to this machine."""

    def __init__(self) -> None:
        super().__init__(
            "The Host of a control request must be a loopback address. Allow another name with --allowed-host, "
            "or any name with --control-token."
        )


class NotFound(ApiError):
    """A request that names something that does not exist."""

    status = 404


class OperationNotFound(NotFound):
    """A request whose path belongs to no operation; `intended` is the path of one below `base_path`."""

    def __init__(self, method: str, path: str, *, intended: str | None = None, base_path: str = "") -> None:
        message = f"No operation has the path {describe(path)} ({describe(method)})"
        if intended is not None:
            message += f"; did you mean {intended}? The base URL ends in {base_path}"
        super().__init__(message + ".")


class ConversationNotFound(NotFound):
    """A request that names an unknown conversation; `param` is the place where it does."""

    def __init__(self, conversation_id: str, *, param: str = "conversation_id") -> None:
        super().__init__(f"No conversation has the id {describe(conversation_id)}.", param=param)


class ItemNotFound(NotFound):
    """A request that names an unknown item; `param` is the place where it does."""

    def __init__(self, item_id: str, *, param: str = "item_id") -> None:
        super().__init__(f"No item has the id {describe(item_id)}.", param=param)


class ResponseNotFound(NotFound):
    """A request that names an unknown response; `param` is the place where it does."""

    def __init__(self, response_id: str, *, param: str = "response_id") -> None:
        super().__init__(f"No response has the id {describe(response_id)}.", param=param)


class NotCancellable(InvalidRequest):
    """A request to cancel a response that has ended, or that is not in the background."""

    def __init__(self, message: str) -> None:
        super().__init__([Finding("request", "path", "/response_id", "not_cancellable", message)])


class NotSleeping(ApiError):
    """A request to wake a response that does not sleep."""

    status = 409

    def __init__(self, response_id: str) -> None:
        super().__init__(f"The response {describe(response_id)} does not sleep.", param="response_id")


class MethodNotAllowed(ApiError):
    """A request for a path that has no operation of its method."""

    status = 405

    def __init__(self, method: str, path: str, allowed: Sequence[str]) -> None:
        allow = ", ".join(allowed)
        super().__init__(
            f"{describe(path)} does not take {describe(method)}; it takes {allow}.", headers={"Allow": allow}
        )


class BodyTooLarge(ApiError):
    """A request with a body of more than the allowed bytes."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit:,} bytes.")


class UnsupportedMediaType(ApiError):
    """A request with a body that is not JSON by its `Content-Type`."""

    status = 415

    def __init__(self, received: str | None, supported: Sequence[str]) -> None:
        got = f"not {describe(received)}" if received else "and the request has no Content-Type"
        super().__init__(f"The request body must be {' or '.join(supported)}, {got}.")


class RateLimitExceeded(ApiError):
    """A request above the rate limit; its body has no envelope, as documented at https://docs.mka1.com."""

    status = 429

    def __init__(self) -> None:
        super().__init__("Rate limit exceeded")

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        return {"error": self.message}


class InternalError(ApiError):
    """A defect of the fake itself."""

    status = 500


def envelope(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """Return the body of an error with this status."""
    kind = _KINDS.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def state_mistake(location: str, pointer: str, message: str) -> str:
    """Return a message about a mistake with its place before it."""
    return f"{parameter_name(location, pointer) or location}: {message}"


def parameter_name(location: str, pointer: str) -> str | None:
    """Return the `param` of an error: the name of a parameter, or a path such as `items[0].call_id` in JSON."""
    name = ""
    for token in pointer.split("/")[1:]:
        token = unescape_token(token)
        if (name or location == "body") and token.isascii() and token.isdigit():
            name += f"[{token}]"
        else:
            name += f".{token}" if name else token
    return name or None
