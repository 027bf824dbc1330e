"""What Schemathesis cannot know about this API: which ids exist, and which refusals only the state can explain.

Loaded by `schemathesis.toml`, which also says why. This file stands alone: it needs nothing but Schemathesis.
"""

import json
import os
from collections import Counter
from itertools import count
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from schemathesis.checks import CheckContext, negative_data_rejection, positive_data_acceptance
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.generation.meta import CaseMetadata, TestPhase, negated_parameters
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData

KEYS = ["MKA1_API_KEY", "MKA1_SECOND_API_KEY"]
"""The environment variables whose values take the place of `$NAME` in users.yaml."""

_LEFT_ALONE = 8  # One case in so many keeps the ids that were made up, or found in an earlier answer.
_TENANT = ("Authorization", "X-On-Behalf-Of")


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Fill in the key, and put ids that exist in the place of those that do not, so that a request gets past a 404.

    What the case is about, or wants to be wrong, stays as it is; so does in a story what is still there.
    """
    if "Authorization" in case.headers:
        case.headers["Authorization"] = _with_keys(case.headers["Authorization"])
    meta = case.meta
    if meta is None or meta.is_negative_at(ParameterLocation.HEADER):
        return
    _seen[case.operation.label] += 1
    if _seen[case.operation.label] % _LEFT_ALONE:
        _put_real_ids(case, meta, _tenant(case))
    _put_free_ids(case, meta, _tenant(case))


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was made, and what was deleted."""
    if response.status_code == 200:
        _tenant(case).take(case.method, dict(case.path_parameters), _object(response.content))


def _put_real_ids(case: Case[Any], meta: CaseMetadata, tenant: "_Tenant") -> None:
    about = getattr(meta.phase.data, "parameter", None)
    is_story = meta.phase.name is TestPhase.STATEFUL
    has_valid_query = not meta.is_negative_at(ParameterLocation.QUERY)
    conversation = case.path_parameters.get("conversation_id")
    if conversation is not None and about != "conversation_id" and not meta.is_negative_at(ParameterLocation.PATH):
        if not (is_story and conversation in tenant.conversations):
            conversation = case.path_parameters["conversation_id"] = tenant.conversation(new=case.method == "DELETE")
        items = tenant.items(conversation) if "item_id" in case.path_parameters or case.query.get("after") else []
        if "item_id" in case.path_parameters and about != "item_id" and case.path_parameters["item_id"] not in items:
            case.path_parameters["item_id"] = items[0]
    if "after" in case.query and about != "after" and has_valid_query and not is_story:
        case.query["after"] = tenant.items(conversation)[0] if conversation else tenant.conversation()
    body: Any = case.body
    if isinstance(body, dict) and "item_ids" in body and not meta.is_negative_at(ParameterLocation.BODY):
        items = tenant.items(conversation)
        if not (is_story and set(body["item_ids"]) <= set(items)):
            body["item_ids"] = [items[place % len(items)] for place, _ in enumerate(body["item_ids"])]


def _put_free_ids(case: Case[Any], meta: CaseMetadata, tenant: "_Tenant") -> None:
    """Give items that have an id a free one, and references the id of an item in another conversation."""
    body: Any = case.body
    if not isinstance(body, dict) or "items" not in body or meta.is_negative_at(ParameterLocation.BODY):
        return
    for item in body["items"]:
        if "role" not in item and item.get("type", "item_reference") == "item_reference":
            item["id"] = tenant.items(tenant.conversation(new=True))[0]  # One can be referred to once only.
        elif "id" in item:
            item["id"] = f"fuzz_{_run}_{next(_numbers)}"


def _with_keys(text: str) -> str:
    for name in KEYS:
        key = os.environ.get(name) or os.environ.get(KEYS[0], "")
        text = text.replace(f"${name}", key)
    return text


class _Tenant:
    """Whoever sends a certain key for a certain end user, and what there is of his."""

    def __init__(self, case: Case[Any]) -> None:
        self._headers = {name: case.headers[name] for name in _TENANT if name in case.headers}
        self._url = f"{case.operation.base_url}{case.operation.path.partition('/conversations')[0]}/conversations"
        self.conversations: dict[str, list[str]] = {}
        """The items of each conversation, as far as they are known."""

    def conversation(self, *, new: bool = False) -> str:
        """A conversation that exists; without a valid key none can be made, and the case will get its 401."""
        if new or not self.conversations:
            self.take("POST", {}, self._post(self._url, {}))
        return next(reversed(self.conversations), "conv_none")

    def items(self, conversation: str | None) -> list[str]:
        """The items of a conversation, at least one."""
        known = self.conversations.get(conversation or "")
        if known == []:
            messages = [{"type": "message", "role": "user", "content": "Hello"}] * 3
            page = self._post(f"{self._url}/{conversation}/items", {"items": messages})
            self.take("POST", {"conversation_id": conversation}, page)
        return known or ["item_none"]

    def take(self, method: str, path: dict[str, Any], answer: dict[str, Any]) -> None:
        """Learn from a successful answer to a request with these path parameters."""
        conversation: Any = path.get("conversation_id")
        item: Any = path.get("item_id")
        made = [one["id"] for one in answer.get("data", ()) if isinstance(one, dict) and "id" in one]
        if method == "POST" and conversation is None and "id" in answer:
            self.conversations[answer["id"]] = []
        elif method == "POST" and made and conversation in self.conversations:
            self.conversations[conversation] += made
        elif method == "DELETE" and item in self.conversations.get(conversation, ()):
            self.conversations[conversation].remove(item)
        elif method == "DELETE" and item is None:
            self.conversations.pop(conversation, None)

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        response = _session.post(url, json=body, headers=self._headers, timeout=30)
        return _object(response.content) if response.status_code == 200 else {}


def _tenant(case: Case[Any]) -> _Tenant:
    return _tenants.setdefault(tuple(case.headers.get(name, "") for name in _TENANT), _Tenant(case))


def _object(content: bytes | None) -> dict[str, Any]:
    try:
        answer = json.loads(content or b"")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


_run = uuid4().hex[:8]
_session = requests.Session()
_tenants: dict[tuple[str, ...], _Tenant] = {}
_numbers = count(1)
_seen: Counter[str] = Counter()


@schemathesis.check
class ValidDataIsAccepted:
    """`positive_data_acceptance`, except for a 400 to what is valid by JSON Schema, but maybe not by state or meaning.

    That is an id or a cursor that the client made up, a metadata filter that is no JSON object of strings, and an
    integer of more than 64 bits.
    """

    def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> Any:
        try:
            return positive_data_acceptance(ctx, response, case)
        except RejectedPositiveData:
            if response.status_code == 400 and _may_be_refused(case):
                return None
            raise


def _may_be_refused(case: Case[Any]) -> bool:
    after, metadata, body = case.query.get("after"), case.query.get("metadata"), case.body
    tenant = _tenant(case)
    conversation, item = case.path_parameters.get("conversation_id"), case.path_parameters.get("item_id")
    known = tenant.conversations if conversation is None else tenant.conversations.get(conversation, ())
    return (
        (conversation is not None and conversation not in tenant.conversations)
        or (item is not None and item not in known)
        or (after is not None and after not in known)
        or (metadata is not None and not _is_filter(metadata))
        or _has_huge_integer(body)
    )


def _is_filter(metadata: Any) -> bool:
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return False
    return isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())


def _has_huge_integer(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_huge_integer, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**64


@schemathesis.check
class InvalidDataIsRefused:
    """`negative_data_rejection`, unless only the parameters `unless_about` were to be invalid."""

    def __init__(self, unless_about: list[str]) -> None:
        self._unless_about = unless_about

    def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> Any:
        try:
            return negative_data_rejection(ctx, response, case)
        except AcceptedNegativeData:
            names = {name for name, _ in negated_parameters(case.meta)}
            if names and names <= set(self._unless_about):
                return None
            raise
