"""Cleanup: the conversations and responses that a run created, and their deletion. Nothing else is ever deleted."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from mockserver.conformance.client import ApiClient, NoResponse, Withheld
from mockserver.conformance.names import unknown_id_like
from mockserver.conformance.response import ApiResponse
from mockserver.contract.json_text import JsonError, parse_response
from mockserver.verify.report.model import Leftover, Reason
from mockserver.verify.report.text import reason_text
from mockserver.verify.transport import Stopped, WireExchange, WireRequest, WireResponse

MARK = "mockserver_verify_run"
"""The metadata key of what a run creates where metadata are not under test; its value is the run."""

_PAGE_SIZE = 50
_MAX_PAGES = 20
_READING_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
_PATH_SEGMENTS = ("", ".", "..")  # As an id, they name another resource.
_LISTS = {"conversations.list": "conversations", "listResponses": "responses"}
CREATES = {"conversations.create": "conversations", "createResponse": "responses"}
"""The operations that create resources, with the names of the collections."""
_DELETES = {
    "conversations.delete": ("conversations", "conversation_id"),
    "deleteResponse": ("responses", "response_id"),
}
_WITHOUT_ID = ("compact",)
"""Names below a collection that are no ids, of requests that change nothing."""


class Resource(NamedTuple):
    """A conversation or a response: the name of its collection, and its id."""

    collection: str
    id: str

    @property
    def path(self) -> str:
        return f"/{self.collection}/{quote(self.id, safe='')}"


class Owner(NamedTuple):
    """The caller that created a resource."""

    authorization: str | None
    end_user: str | None

    def headers(self) -> list[tuple[str, str]]:
        pairs = (("Authorization", self.authorization), ("X-On-Behalf-Of", self.end_user))
        return [(name, value) for name, value in pairs if value is not None]


class CreatedResources:
    """The conversations and responses that the exchanges of a run created and did not delete.

    A resource counts as created if the response of a create request names it, and no list showed it before. `run`
    identifies the run: it is part of every id that the run makes up, and the value of `MARK`.
    """

    def __init__(self, run: str, prefix: str) -> None:
        self.run = run
        self._prefix = prefix
        self.remaining: dict[Resource, Owner] = {}
        self.seen: set[Resource] = set()
        """All resources, the deleted ones included."""
        self.owners: dict[tuple[str, Owner], None] = {}
        """The owners of each collection."""
        self.unanswered: Counter[tuple[str, Owner]] = Counter()
        """The number of create requests without a response that names the resource, by collection and owner."""
        self.reused_ids: list[WireExchange] = []
        """The exchanges that created a conversation with the id of another one."""
        self._made_up: set[Resource] = set()
        self._foreign: set[Resource] = set()

    def reserved_requests(self) -> int:
        """Return the number of requests that the cleanup needs: one a resource, and one an owner of a collection."""
        return len(self.remaining) + len(self.owners)

    def may_send(self, request: WireRequest) -> bool:
        """Return whether a request cannot change data of other callers, even if the target ignores end users.

        It reads, creates, or names a resource of the run or an id that the run made up.
        """
        if request.method in _READING_METHODS:
            return True
        collection, _, rest = request.path.removeprefix(f"{self._prefix}/").partition("/")
        if not request.path.startswith(f"{self._prefix}/") or collection not in CREATES.values():
            return False
        if not rest:
            conversation = _conversation_to_change(request) if collection == "responses" else None
            is_own = conversation is None or self._is_own(Resource("conversations", conversation))
            return request.method != "DELETE" and is_own
        if request.method == "POST" and rest in _WITHOUT_ID:
            return True
        return self._is_own(Resource(collection, unquote(rest.partition("/")[0])))

    def _is_own(self, resource: Resource) -> bool:
        return resource in self.seen or resource in self._made_up or self.run in resource.id

    def track(self, exchange: WireExchange) -> None:
        """Note what an exchange created or deleted."""
        if exchange.match is None:
            return
        operation, response = exchange.match.operation.id, exchange.response
        if operation in CREATES and (response is None or response.is_success):
            self._track_creation(CREATES[operation], exchange)
        elif response is None or not response.is_success:
            return
        elif operation in _LISTS:
            listed = {Resource(_LISTS[operation], entry["id"]) for entry in _entries_of(response.json)}
            self._foreign |= listed - self.seen
        elif operation in _DELETES:
            collection, parameter = _DELETES[operation]
            self.remaining.pop(Resource(collection, unquote(exchange.match.parameters[parameter])), None)

    def _track_creation(self, collection: str, exchange: WireExchange) -> None:
        response = exchange.response
        if response is not None and collection == "responses" and not is_stored(response):
            return
        owner = Owner(exchange.request.header("authorization"), exchange.end_user)
        self.owners[collection, owner] = None  # Also without a response: the target may have created one.
        new_id = response.created_id if response is not None else None
        resource = Resource(collection, new_id or "")
        if resource in self._foreign or resource.id in _PATH_SEGMENTS:
            self.unanswered[collection, owner] += 1
            return
        if resource in self.seen and collection == "conversations":
            self.reused_ids.append(exchange)
        self.seen.add(resource)
        self._made_up.add(Resource(collection, unknown_id_like(resource.id)))
        self.remaining[resource] = owner

    def claim(self, resource: Resource, owner: Owner) -> None:
        """Note a resource whose create request had no response; its mark shows that it is of this run."""
        self.seen.add(resource)
        self.remaining[resource] = owner
        self.unanswered[resource.collection, owner] -= 1


class CleanupResult(NamedTuple):
    """The resources that could not be deleted, and remarks about what could not be verified."""

    leftovers: tuple[Leftover, ...]
    notes: tuple[str, ...]


class Cleanup:
    """The deletion of what a run created."""

    def __init__(self, client: ApiClient, created: CreatedResources) -> None:
        self._client = client.with_key(None).with_end_user(None)
        self._authorization = f"Bearer {client.api_key}" if client.api_key else None
        self._created = created
        self._leftovers: dict[Resource, Leftover] = {}
        self._foreign: set[Resource] = set()
        self._notes: list[str] = []

    def run(self) -> CleanupResult:
        """Delete the remaining resources, then list those of every owner to verify it.

        Also delete listed resources that have the mark of the run. Everything else on a list is left alone.
        """
        without_list: set[str] = set()
        try:
            for resource, owner in list(self._created.remaining.items()):
                self._delete(resource, owner)
            for collection, owner in list(self._created.owners):
                if collection not in without_list and not self._check_list(collection, owner):
                    without_list.add(collection)
                    self._notes.append(f"the target has no list of {collection}, so the cleanup could not be verified")
        except KeyboardInterrupt:
            self._give_up("the cleanup was interrupted")
        except Stopped as stopped:
            self._give_up(reason_text(Reason(stopped.reason)))
        if self._foreign:
            self._notes.append(
                f"the lists of this run's end users show {len(self._foreign)} resources that the run did not "
                "create; these were left alone"
            )
        if lost := sum(self._created.unanswered.values()):
            self._notes.append(
                f"{lost} create requests got no response that names a new resource; what they created may be left "
                "on the target"
            )
        return CleanupResult(tuple(self._leftovers.values()), tuple(self._notes))

    def _give_up(self, reason: str) -> None:
        self._notes.append(f"the cleanup did not finish: {reason}")
        for resource, owner in self._created.remaining.items():
            self._leftovers.setdefault(resource, Leftover(*resource, owner.end_user, reason))

    def _check_list(self, collection: str, owner: Owner) -> bool:
        """Compare the list of an owner with what the run created; return whether there is a list."""
        unknown = []
        for entry in self._list(collection, owner):
            if entry is None:
                return False
            resource, metadata = Resource(collection, entry["id"]), entry.get("metadata")
            if resource in self._created.remaining:
                continue  # Its deletion failed, which is reported already.
            if resource in self._created.seen:
                reason = "is still listed after its deletion"
                self._leftovers[resource] = Leftover(*resource, owner.end_user, reason)
            elif isinstance(metadata, dict) and metadata.get(MARK) == self._created.run:
                self._created.claim(resource, owner)
                self._delete(resource, owner)
            else:
                unknown.append(resource)
        if 0 < len(unknown) <= self._created.unanswered[collection, owner]:
            for resource in unknown:
                reason = "is listed, but the run did not see that it created it"
                self._leftovers[resource] = Leftover(*resource, owner.end_user, reason)
            self._created.unanswered[collection, owner] -= len(unknown)
        else:
            self._foreign.update(unknown)
        return True

    def _delete(self, resource: Resource, owner: Owner) -> None:
        """Delete as the owner, else with the key of the run: the target may have accepted a mutated key."""
        problem = ""
        for caller in dict.fromkeys((owner, owner._replace(authorization=self._authorization))):
            try:
                response = self._request("DELETE", resource.path, caller)
            except (NoResponse, Withheld) as error:
                problem = problem or str(error)
                continue
            if response.status < 300 or response.status == 404:
                self._created.remaining.pop(resource, None)
                return
            problem = problem or f"DELETE returned {response.summary}"
        self._leftovers[resource] = Leftover(*resource, owner.end_user, problem)

    def _list(self, collection: str, owner: Owner) -> Iterator[dict[str, Any] | None]:
        """Yield the entries that an owner can list, as far as the pages are readable; None if there is no list.

        A list that shows many resources of others is not read to its end.
        """
        own = {resource.id for resource in self._created.seen if resource.collection == collection}
        listed: set[str] = set()
        parameters: dict[str, str | int] = {"limit": _PAGE_SIZE, "order": "desc"}
        for _ in range(_MAX_PAGES):
            try:
                page = self._request("GET", f"/{collection}", owner, parameters)
            except NoResponse:
                page = None
            if page is None or page.status != 200:
                yield None
                return
            new = [entry for entry in _entries_of(page.body) if entry["id"] not in listed]
            yield from new
            listed.update(entry["id"] for entry in new)
            is_shared = not listed & own and not self._created.unanswered[collection, owner]
            if not new or is_shared or not page.body.get("has_more"):
                return
            parameters["after"] = new[-1]["id"]

    def _request(
        self, method: str, path: str, caller: Owner, parameters: dict[str, str | int] | None = None
    ) -> ApiResponse:
        return self._client.request(method, path, headers=caller.headers(), params=parameters or {})


def _conversation_to_change(request: WireRequest) -> str | None:
    """Return the conversation to which a new response would be added, or an empty text for one that is not known."""
    try:
        body = parse_response(request.body)
    except JsonError:  # A target that reads more than JSON might find a conversation in it.
        return "" if b"conversation" in request.body else None
    conversation = body.get("conversation") if isinstance(body, dict) else None
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    return conversation if isinstance(conversation, str) else None


def is_stored(response: WireResponse) -> bool:
    """Return whether a response of the model is kept by the target, as it says itself."""
    created = response.created
    return not isinstance(created, dict) or created.get("store") is not False


def _entries_of(page: Any) -> list[dict[str, Any]]:
    """Return the entries of a page that have an id."""
    data = page.get("data") if isinstance(page, dict) else None
    entries = data if isinstance(data, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
