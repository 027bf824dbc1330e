"""Cleanup: the conversations that a run created, and their deletion."""

from typing import Any, NamedTuple
from urllib.parse import unquote

from mockserver.conformance.client import ApiClient, NoResponse
from mockserver.conformance.names import unique_name
from mockserver.conformance.paths import conversation_path
from mockserver.conformance.response import ApiResponse
from mockserver.verify.report.model import Leftover
from mockserver.verify.transport import WireExchange

_PAGE_SIZE = 50
_MAX_PAGES = 20


class Owner(NamedTuple):
    """The caller that created a conversation."""

    authorization: str | None
    end_user: str | None

    def headers(self) -> list[tuple[str, str]]:
        pairs = (("Authorization", self.authorization), ("X-On-Behalf-Of", self.end_user))
        return [(name, value) for name, value in pairs if value is not None]


class CreatedConversations:
    """The conversations that the exchanges of a run created and did not delete."""

    def __init__(self) -> None:
        self.remaining: dict[str, Owner] = {}
        self.seen: set[str] = set()
        """The ids of all conversations, the deleted ones included."""
        self.owners: dict[Owner, None] = {}
        self.reused_ids: list[WireExchange] = []
        """The exchanges that created a conversation with the id of another one."""

    def reserved_requests(self) -> int:
        """Return the number of requests that the cleanup needs: one a conversation, one an owner, and one more."""
        return len(self.remaining) + len(self.owners) + 1

    def track(self, exchange: WireExchange) -> None:
        """Note what an exchange created or deleted."""
        if exchange.match is None:
            return
        operation, response = exchange.match.operation.id, exchange.response
        if operation == "conversations.create" and (response is None or response.is_success):
            owner = Owner(exchange.request.header("authorization"), exchange.end_user)
            self.owners[owner] = None  # Also without a response: the target may have created one.
            if response is not None and (conversation := response.id) is not None:
                if conversation in self.seen:
                    self.reused_ids.append(exchange)
                self.seen.add(conversation)
                self.remaining[conversation] = owner
        elif operation == "conversations.delete" and response is not None and response.is_success:
            self.remaining.pop(unquote(exchange.match.parameters["conversation_id"]), None)


class CleanupResult(NamedTuple):
    """The conversations that could not be deleted, and remarks about what could not be verified."""

    leftovers: tuple[Leftover, ...]
    notes: tuple[str, ...]


class Cleanup:
    """The deletion of the conversations that a run created."""

    def __init__(self, client: ApiClient, created: CreatedConversations) -> None:
        self._client = client.with_key(None).with_end_user(None)
        self._authorization = f"Bearer {client.api_key}" if client.api_key else None
        self._created = created
        self._leftovers: dict[str, Leftover] = {}
        self._notes: list[str] = []

    def run(self) -> CleanupResult:
        """Delete the remaining conversations, then list those of every owner to verify it.

        Also delete listed conversations whose create request got no response, but not where lists show conversations
        of other callers.
        """
        try:
            for conversation, owner in list(self._created.remaining.items()):
                self._delete(conversation, owner)
            self._delete_listed()
        except KeyboardInterrupt:
            self._notes.append("the cleanup was interrupted")
            for conversation, owner in self._created.remaining.items():
                leftover = Leftover(conversation, owner.end_user, "the cleanup was interrupted")
                self._leftovers.setdefault(conversation, leftover)
        return CleanupResult(tuple(self._leftovers.values()), tuple(self._notes))

    def _delete_listed(self) -> None:
        stranger = Owner(self._authorization, unique_name("mockserver-verify"))
        listed_to_stranger = self._list_ids(stranger)
        if listed_to_stranger is None:
            self._notes.append("the target has no list of conversations, so the cleanup could not be verified")
            return
        foreign: set[str] = set()
        for owner in self._created.owners:
            for conversation in self._list_ids(owner) or ():
                is_known = conversation in self._created.seen
                if is_known and conversation not in self._created.remaining:
                    leftover = Leftover(conversation, owner.end_user, "is still listed after its deletion")
                    self._leftovers[conversation] = leftover
                elif not is_known and listed_to_stranger:
                    foreign.add(conversation)
                elif conversation not in self._leftovers:
                    self._delete(conversation, owner)
        if foreign:
            self._notes.append(
                f"the end users of this run can list {len(foreign)} conversations of other callers; "
                "these were left alone"
            )

    def _delete(self, conversation: str, owner: Owner) -> None:
        """Delete as the owner, else with the key of the run: the target may have accepted a mutated key."""
        problem = ""
        for caller in (owner, owner._replace(authorization=self._authorization)):
            try:
                response = self._request("DELETE", conversation_path(conversation), caller)
            except NoResponse as error:
                problem = problem or str(error)
                continue
            if response.status < 300 or response.status == 404:
                self._created.remaining.pop(conversation, None)
                return
            problem = problem or f"DELETE answered {response.summary}"
        self._leftovers[conversation] = Leftover(conversation, owner.end_user, problem)

    def _list_ids(self, owner: Owner) -> list[str] | None:
        """Return the ids that an owner can list, as far as the pages are readable; None if there is no list."""
        ids: list[str] = []
        parameters: dict[str, str | int] = {"limit": _PAGE_SIZE}
        for _ in range(_MAX_PAGES):
            try:
                page = self._request("GET", "/conversations", owner, parameters)
            except NoResponse:
                return None
            if page.status != 200:
                return None
            new = _ids_of(page.body)
            if not set(new) - set(ids):
                break
            ids += new
            if not page.body.get("has_more"):
                break
            parameters["after"] = new[-1]
        return ids

    def _request(
        self, method: str, path: str, caller: Owner, parameters: dict[str, str | int] | None = None
    ) -> ApiResponse:
        return self._client.request(method, path, headers=caller.headers(), params=parameters or {})


def _ids_of(page: Any) -> list[str]:
    data = page.get("data") if isinstance(page, dict) else None
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    return [entry["id"] for entry in entries if isinstance(entry.get("id"), str)]
