"""Hooks and checks that teach Schemathesis about state: which ids exist, and which rejections only state explains."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import requests
import schemathesis
from schemathesis.checks import CheckContext, negative_data_rejection, positive_data_acceptance
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.generation.meta import CaseMetadata, TestPhase, negated_parameters
from schemathesis.hooks import HookContext, unregister
from schemathesis.openapi.checks import RejectedPositiveData

from mockserver.conformance.client import Withheld
from mockserver.contract.json_text import JsonError, parse_response
from mockserver.verify.document import RESPONSES_TAG
from mockserver.verify.fuzzing.checks import INVALID_DATA, VALID_DATA

_UNCHANGED_INTERVAL = 8  # One case in so many keeps its generated ids, or those from an earlier response.
_READING_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
_OWN_CALLS = ("webhook_url", "webhook_secret")
"""Fields of a request that make the target call another server."""
_TENANT_HEADERS = ("Authorization", "X-On-Behalf-Of")
_TIMEOUT = 30


class KnownIds:
    """The ids that exist on the target, by tenant, and their use in generated requests.

    `keys` maps key placeholders to the keys that replace them. `run` is part of every id that is made up, and `mark`
    is the metadata of new conversations without any. `model` is the model of all responses.
    """

    def __init__(self, keys: Mapping[str, str], run: str, mark: Mapping[str, str], model: str = "auto") -> None:
        self._keys = keys
        self._run = run
        self._mark = dict(mark)
        self._model = model
        self._created: set[str] = set()
        self._session = requests.Session()
        self._session.trust_env = False
        self._tenants: dict[tuple[str, ...], _Tenant] = {}
        self._cases: Counter[str] = Counter()
        self._free_ids = (f"fuzz_{uuid4().hex[:8]}_{number}" for number in count(1))

    def close(self) -> None:
        self._session.close()

    def prepare(self, case: Case[Any]) -> None:
        """Insert the key, and replace unknown ids by existing ones, so that the request gets past a 404.

        The value under test stays, and so does a value that is wrong on purpose. In a stateful scenario, ids that
        still exist stay, too.
        """
        if "Authorization" in case.headers:
            for placeholder, key in self._keys.items():
                case.headers["Authorization"] = case.headers["Authorization"].replace(placeholder, key)
        meta = case.meta
        if meta is not None and not meta.is_negative_at(ParameterLocation.HEADER):
            self._cases[case.operation.label] += 1
            if self._cases[case.operation.label] % _UNCHANGED_INTERVAL:
                _insert_existing_ids(case, meta, self.tenant_of(case))
            self._insert_free_ids(case, meta)
        if case.method.upper() not in _READING_METHODS:
            self._replace_foreign_ids(case)

    def _replace_foreign_ids(self, case: Case[Any]) -> None:
        """Make up the ids that a write names and nobody created for this run: they may belong to somebody else.

        Keep requests for a response from calling other servers, and from other models than that of the run.
        """
        made_up = f"id_{self._run}"
        body: Any = case.body
        for name in ("conversation_id", "item_id", "response_id"):
            if name in case.path_parameters and case.path_parameters[name] not in self._created:
                # Ids of responses have a form.
                case.path_parameters[name] = f"resp_{self._run}" if name == "response_id" else made_up
        if isinstance(body, dict) and isinstance(body.get("item_ids"), list):
            body["item_ids"] = [
                f"{made_up}_{index}" if isinstance(one, str) and one not in self._created else one
                for index, one in enumerate(body["item_ids"])
            ]
        if isinstance(body, dict) and self._mark and not case.path_parameters:
            body.setdefault("metadata", dict(self._mark))
        if isinstance(body, dict) and _is_of_responses(case):
            for name in _OWN_CALLS:
                body.pop(name, None)
            if "model" in body and not (case.meta and case.meta.is_negative_at(ParameterLocation.BODY)):
                body["model"] = self._model
            conversation = body.get("conversation")
            if isinstance(conversation, dict) or (isinstance(conversation, str) and conversation not in self._created):
                body["conversation"] = made_up

    def learn(self, case: Case[Any], response: Response) -> None:
        """Note what a successful request created or deleted."""
        if response.status_code != 200:
            return
        tenant, body = self.tenant_of(case), _parse_object(response.content)
        if _is_of_responses(case):
            tenant.learn_response(case.method, dict(case.path_parameters), body)
        else:
            tenant.learn(case.method, dict(case.path_parameters), body)

    def may_reject(self, case: Case[Any]) -> bool:
        """Return whether a target may reject a request that the document allows.

        The reasons are an id or a cursor that does not exist, a metadata filter that is not a JSON object of strings,
        and an integer of more than 64 bits. A request for a response may be rejected for many reasons, such as a model
        that does not exist, and so may one to cancel or wake a response.
        """
        if _is_of_responses(case):
            response = case.path_parameters.get("response_id")
            is_stateful = response is None or case.operation.path.endswith(("/cancel", "/wake")) or bool(case.query)
            is_known = response in self.tenant_of(case).responses
            return is_stateful or not is_known or _has_huge_integer(case.body)
        after, metadata = case.query.get("after"), case.query.get("metadata")
        conversation, item = case.path_parameters.get("conversation_id"), case.path_parameters.get("item_id")
        tenant = self.tenant_of(case)
        known = tenant.conversations if conversation is None else tenant.conversations.get(conversation, ())
        return (
            (conversation is not None and conversation not in tenant.conversations)
            or (item is not None and item not in known)
            or (after is not None and after not in known)
            or (metadata is not None and not _is_metadata_filter(metadata))
            or _has_huge_integer(case.body)
        )

    def tenant_of(self, case: Case[Any]) -> "_Tenant":
        key = tuple(case.headers.get(name, "") for name in _TENANT_HEADERS)
        if key not in self._tenants:
            self._tenants[key] = _Tenant(self._session, case, self._created, {"metadata": self._mark}, self._model)
        return self._tenants[key]

    def _insert_free_ids(self, case: Case[Any], meta: CaseMetadata) -> None:
        """Give new items an unused id, and references the id of an item in another conversation."""
        body: Any = case.body
        if not isinstance(body, dict) or "items" not in body or meta.is_negative_at(ParameterLocation.BODY):
            return
        tenant = self.tenant_of(case)
        for item in body["items"]:
            if "role" not in item and item.get("type", "item_reference") == "item_reference":
                item["id"] = tenant.items(tenant.conversation(new=True))[0]  # An item can be referenced only once.
            elif "id" in item:
                item["id"] = next(self._free_ids)


def _insert_existing_ids(case: Case[Any], meta: CaseMetadata, tenant: "_Tenant") -> None:
    under_test = getattr(meta.phase.data, "parameter", None)
    is_stateful = meta.phase.name is TestPhase.STATEFUL
    has_valid_query = not meta.is_negative_at(ParameterLocation.QUERY)
    if "response_id" in case.path_parameters and not meta.is_negative_at(ParameterLocation.PATH):
        response = case.path_parameters["response_id"]
        if under_test != "response_id" and not (is_stateful and response in tenant.responses):
            runs = case.operation.path.endswith("/cancel")
            case.path_parameters["response_id"] = tenant.response(new=runs or case.method == "DELETE", runs=runs)
    if _is_of_responses(case):
        _insert_existing_responses(case, meta, tenant)
        return
    conversation = case.path_parameters.get("conversation_id")
    if (
        conversation is not None
        and under_test != "conversation_id"
        and not meta.is_negative_at(ParameterLocation.PATH)
    ):
        if not (is_stateful and conversation in tenant.conversations):
            conversation = case.path_parameters["conversation_id"] = tenant.conversation(new=case.method == "DELETE")
        items = tenant.items(conversation) if "item_id" in case.path_parameters or case.query.get("after") else []
        if (
            "item_id" in case.path_parameters
            and under_test != "item_id"
            and case.path_parameters["item_id"] not in items
        ):
            case.path_parameters["item_id"] = items[0]
    if "after" in case.query and under_test != "after" and has_valid_query and not is_stateful:
        case.query["after"] = tenant.items(conversation)[0] if conversation else tenant.conversation()
    body: Any = case.body
    if isinstance(body, dict) and "item_ids" in body and not meta.is_negative_at(ParameterLocation.BODY):
        items = tenant.items(conversation)
        if not (is_stateful and set(body["item_ids"]) <= set(items)):
            body["item_ids"] = [items[index % len(items)] for index, _ in enumerate(body["item_ids"])]


def _insert_existing_responses(case: Case[Any], meta: CaseMetadata, tenant: "_Tenant") -> None:
    """Name responses that exist, and no tool that the request does not have."""
    if not meta.is_negative_at(ParameterLocation.QUERY):
        for cursor in {"after", "before"} & case.query.keys() - {getattr(meta.phase.data, "parameter", None)}:
            if "response_id" in case.path_parameters:
                del case.query[cursor]  # The ids of its input items are not known.
            else:
                case.query[cursor] = tenant.response()
    body: Any = case.body
    if not isinstance(body, dict) or meta.is_negative_at(ParameterLocation.BODY):
        return
    if isinstance(body.get("previous_response_id"), str):
        body["previous_response_id"] = tenant.response()
        body.pop("conversation", None)
    if isinstance(body.get("tool_choice"), dict):
        del body["tool_choice"]


class _Tenant:
    """A key with an end user, and the conversations and responses that exist there.

    `created` collects the ids of all conversations, items and responses; `body` creates a conversation, and `model`
    answers.
    """

    def __init__(
        self, session: requests.Session, case: Case[Any], created: set[str], body: dict[str, Any], model: str
    ) -> None:
        self._model = model
        self._session = session
        self._created = created
        self._body = body
        self._headers = {name: case.headers[name] for name in _TENANT_HEADERS if name in case.headers}
        paths = case.operation.schema.raw_schema["paths"]
        collection = next((path for path in paths if path.endswith("/conversations")), "/conversations")
        self._root = f"{case.operation.base_url}{collection.removesuffix('/conversations')}"
        self._url = f"{self._root}/conversations"
        self.conversations: dict[str, list[str]] = {}
        """The known items of each conversation."""
        self.responses: list[str] = []

    def conversation(self, *, new: bool = False) -> str:
        """Return a conversation that exists. With an invalid key there is none, and the case gets its 401."""
        if new or not self.conversations:
            self.learn("POST", {}, self._post(self._url, self._body))
        return next(reversed(self.conversations), "conv_none")

    def items(self, conversation: str | None) -> list[str]:
        """Return the items of a conversation, at least one."""
        known = self.conversations.get(conversation or "")
        if known == []:
            messages = [{"type": "message", "role": "user", "content": "Hello"}] * 3
            url = f"{self._url}/{quote(conversation or '', safe='')}/items"
            page = self._post(url, {"items": messages})
            self.learn("POST", {"conversation_id": conversation}, page)
        return known or ["item_none"]

    def response(self, *, new: bool = False, runs: bool = False) -> str:
        """Return a response of the model that exists; a new one can run in the background."""
        if new or not self.responses:
            body = {"model": self._model, "input": "Say hello.", "background": runs, **self._body}
            self.learn_response("POST", {}, self._post(f"{self._root}/responses", body))
        return self.responses[-1] if self.responses else "resp_none"

    def learn_response(self, method: str, path_parameters: dict[str, Any], response: dict[str, Any]) -> None:
        """Note that a response of the model was created or deleted."""
        response_id: Any = path_parameters.get("response_id")
        new = response.get("id")
        if method == "DELETE" and response_id in self.responses:
            self.responses.remove(response_id)
        is_new = method == "POST" and response_id is None and response.get("object") == "response"
        if is_new and isinstance(new, str) and response.get("store") is not False:
            self.responses.append(new)
            self._created.add(new)

    def learn(self, method: str, path_parameters: dict[str, Any], response: dict[str, Any]) -> None:
        """Note the effect of a successful request."""
        conversation: Any = path_parameters.get("conversation_id")
        item: Any = path_parameters.get("item_id")
        data = response.get("data")
        entries = data if isinstance(data, list) else []
        added = [one["id"] for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)]
        new = response.get("id")
        if method == "POST" and conversation is None and isinstance(new, str) and new.strip("."):
            self.conversations[new] = []
            self._created.add(new)
        elif method == "POST" and added and conversation in self.conversations:
            self.conversations[conversation] += added
            self._created.update(added)
        elif method == "DELETE" and item in self.conversations.get(conversation, ()):
            self.conversations[conversation].remove(item)
        elif method == "DELETE" and item is None:
            self.conversations.pop(conversation, None)

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._session.post(
                url, json=body, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except (requests.RequestException, Withheld):  # The requests of the phase meet it, too.
            return {}
        return _parse_object(response.content) if response.status_code == 200 else {}


def _parse_object(content: bytes | None) -> dict[str, Any]:
    try:
        value = parse_response(content or b"")
    except JsonError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_of_responses(case: Case[Any]) -> bool:
    return RESPONSES_TAG in (case.operation.tags or ())


def _is_metadata_filter(metadata: Any) -> bool:
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


# -- Registration ----------------------------------------------------------------------------------------------


OnFailure = Callable[[str, Case[Any], Failure], None]
"""Takes the name of a check of this module, the case that fails it, and the failure."""


def register(
    known_ids: KnownIds, on_failure: OnFailure = lambda check, case, failure: None
) -> list[Callable[..., Any]]:
    """Register the hooks and checks in Schemathesis, whose registries are global; return the hooks."""

    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
        known_ids.prepare(case)

    def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
        known_ids.learn(case, response)

    class ValidDataIsAccepted:
        """`positive_data_acceptance`, except for a 400 that state may explain."""

        def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> Any:
            try:
                return positive_data_acceptance(ctx, response, case)
            except RejectedPositiveData as failure:
                if response.status_code == 400 and known_ids.may_reject(case):
                    return None
                on_failure(VALID_DATA, case, failure)
                raise

    class InvalidDataIsRejected:
        """`negative_data_rejection`, except where only the parameters `unless_about` were to be invalid."""

        def __init__(self, unless_about: list[str]) -> None:
            self._unless_about = unless_about

        def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> Any:
            try:
                return negative_data_rejection(ctx, response, case)
            except AcceptedNegativeData as failure:
                names = {name for name, _ in negated_parameters(case.meta)}
                if names and names <= set(self._unless_about):
                    return None
                on_failure(INVALID_DATA, case, failure)
                raise

    schemathesis.check(ValidDataIsAccepted)
    schemathesis.check(InvalidDataIsRejected)
    return [schemathesis.hook(before_call), schemathesis.hook(after_call)]


@contextmanager
def registered_extension(run: str, mark: Mapping[str, str], model: str, on_failure: OnFailure) -> Iterator[None]:
    """Register hooks and checks with a state of their own for one run, which leaves the key placeholders."""
    known_ids = KnownIds({}, run, mark, model)
    hooks = register(known_ids, on_failure)
    try:
        yield
    finally:
        for hook in hooks:
            unregister(hook)
        known_ids.close()
