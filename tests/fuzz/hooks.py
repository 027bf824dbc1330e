"""What Schemathesis cannot know about this API: which ids exist, and which refusals only the state can explain.

Loaded by `schemathesis.toml`, which also says why.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any

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

_LEFT_ALONE = 8  # One case in so many keeps the ids that were made up, or found in an earlier answer.


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Put ids that exist in the place of those that do not, so that a request gets further than to a 404.

    What the case is about, or wants to be wrong, stays as it is. In the stateful phase the links bring the ids, and
    all requests come from one end user, so that they fit together.
    """
    meta = case.meta
    if meta is None or meta.is_negative_at(ParameterLocation.HEADER):
        return
    thread = _Thread(case)
    if meta.phase.name is TestPhase.STATEFUL:
        case.headers["X-On-Behalf-Of"] = "customer-42"
    else:
        _seen[case.operation.label] += 1
        if _seen[case.operation.label] % _LEFT_ALONE == 0:
            return
        _put_real_parameters(case, meta, thread)
    if isinstance(case.body, dict) and not meta.is_negative_at(ParameterLocation.BODY):
        if "items" in case.body:
            case.body["items"] = [{**item, **_real_id(item, thread)} for item in case.body["items"]]
        if "item_ids" in case.body and meta.phase.name is not TestPhase.STATEFUL:
            case.body["item_ids"] = [thread.item_ids[place % 3] for place, _ in enumerate(case.body["item_ids"])]


def _put_real_parameters(case: Case, meta: CaseMetadata, thread: "_Thread") -> None:
    subject = meta.phase.data.parameter
    if not meta.is_negative_at(ParameterLocation.PATH):
        for name in case.path_parameters:
            if name != subject:
                case.path_parameters[name] = thread.item_ids[0] if name == "item_id" else thread.conversation_id
    if not meta.is_negative_at(ParameterLocation.QUERY) and "after" in case.query and subject != "after":
        case.query["after"] = thread.item_ids[0] if case.path_parameters else thread.conversation_id


def _real_id(item: Mapping[str, Any], thread: "_Thread") -> dict[str, str]:
    """A free id for an item that has one; for a reference, the id of an item in another conversation."""
    if "role" not in item and item.get("type", "item_reference") == "item_reference":
        other = thread.another()
        return {"id": other.item_ids[0]} if other.conversation_id else {}
    return {"id": f"fuzz_{next(_numbers)}"} if "id" in item else {}


class _Thread:
    """A conversation with three items that belongs to the case's tenant; made when first asked for."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._conversation_id = ""
        self.item_ids = [f"fuzz_{next(_numbers)}" for _ in range(3)]

    @property
    def conversation_id(self) -> str:
        if not self._conversation_id:
            headers = {name: self._case.headers[name] for name in _TENANT if name in self._case.headers}
            items = [{"id": item_id, "role": "user", "content": "Hello"} for item_id in self.item_ids]
            url = f"{self._case.operation.base_url}/api/v1/llm/conversations"
            response = _session.post(url, json={"items": items}, headers=headers)
            # Without a valid key nothing is made, and the case will get its 401 all the same.
            self._conversation_id = response.json().get("id", "conv_none")
        return self._conversation_id

    def another(self) -> "_Thread":
        return _Thread(self._case)


_TENANT = ("Authorization", "X-On-Behalf-Of")
_session = requests.Session()
_numbers = count(1)
_seen: Counter[str] = Counter()


@schemathesis.check
class ValidDataIsAccepted:
    """`positive_data_acceptance`, except for a 400 all of whose messages contain a text of `unless`."""

    def __init__(self, unless: list[str]) -> None:
        self._unless = unless

    def after_response(self, ctx: CheckContext, response: Response, case: Case) -> bool | None:
        try:
            return positive_data_acceptance(ctx, response, case)
        except RejectedPositiveData:
            if response.status_code == 400:
                messages = [finding["message"] for finding in response.json()["error"]["findings"]]
                if all(any(text in message for text in self._unless) for message in messages):
                    return None
            raise


@schemathesis.check
class InvalidDataIsRefused:
    """`negative_data_rejection`, unless only the parameters `unless_about` were to be invalid."""

    def __init__(self, unless_about: list[str]) -> None:
        self._unless_about = unless_about

    def after_response(self, ctx: CheckContext, response: Response, case: Case) -> bool | None:
        try:
            return negative_data_rejection(ctx, response, case)
        except AcceptedNegativeData:
            names = {name for name, _ in negated_parameters(case.meta)}
            if names and names <= set(self._unless_about):
                return None
            raise
