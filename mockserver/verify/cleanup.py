"""Cleanup: the conversations that a run created, and their deletion. Nothing else is ever deleted."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from mockserver.conformance.client import ApiClient, NoResponse, Withheld
from mockserver.conformance.names import conversation_path, unknown_id_like
from mockserver.conformance.response import ApiResponse
from mockserver.verify.report.model import Leftover, Reason
from mockserver.verify.report.text import reason_text
from mockserver.verify.transport import Stopped, WireExchange, WireRequest

MARK = "mockserver_verify_run"
"""The metadata key of conversations that a run creates where metadata are not under test; its value is the run."""

_PAGE_SIZE = 50
_MAX_PAGES = 20
_READING_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
_PATH_SEGMENTS = ("", ".", "..")  # As an id, they name another resource.


class Owner(NamedTuple):
    """The caller that created a conversation."""

    authorization: str | None
    end_user: str | None

    def headers(self) -> list[tuple[str, str]]:
        pairs = (("Authorization", self.authorization), ("X-On-Behalf-Of", self.end_user))
        return [(name, value) for name, value in pairs if value is not None]


class CreatedConversations:
    """The conversations that the exchanges of a run created and did not delete.

    A conversation counts as created if the response of a create request names it, and no list showed it before. `run`
    identifies the run: it is part of every id that the run makes up, and the value of `MARK`.
    """

    def __init__(self, run: str, prefix: str) -> None:
        self.run = run
        self._prefix = prefix
        self.remaining: dict[str, Owner] = {}
        self.seen: set[str] = set()
        """The ids of all conversations, the deleted ones included."""
        self.owners: dict[Owner, None] = {}
        self.unanswered: Counter[Owner] = Counter()
        """The number of create requests without a response that names the conversation."""
        self.reused_ids: list[WireExchange] = []
        """The exchanges that created a conversation with the id of another one."""
        self._made_up: set[str] = set()
        self._foreign: set[str] = set()

    def reserved_requests(self) -> int:
        """Return the number of requests that the cleanup needs: one a conversation, and one an owner."""
        return len(self.remaining) + len(self.owners)

    def may_send(self, request: WireRequest) -> bool:
        """Return whether a request cannot change data of other callers, even if the target ignores end users.

        It reads, creates, or names a conversation of the run or an id that the run made up.
        """
        if request.method in _READING_METHODS:
            return True
        collection = f"{self._prefix}/conversations"
        if request.path == collection:
            return request.method != "DELETE"
        if not request.path.startswith(f"{collection}/"):
            return False
        conversation = unquote(request.path.removeprefix(f"{collection}/").partition("/")[0])
        return conversation in self.seen or conversation in self._made_up or self.run in conversation

    def track(self, exchange: WireExchange) -> None:
        """Note what an exchange created or deleted."""
        if exchange.match is None:
            return
        operation, response = exchange.match.operation.id, exchange.response
        if operation == "conversations.list" and response is not None and response.is_success:
            self._foreign.update(entry["id"] for entry in _entries_of(response.json) if entry["id"] not in self.seen)
        elif operation == "conversations.create" and (response is None or response.is_success):
            owner = Owner(exchange.request.header("authorization"), exchange.end_user)
            self.owners[owner] = None  # Also without a response: the target may have created one.
            conversation = response.id if response is not None else None
            if conversation is None or conversation in self._foreign or conversation in _PATH_SEGMENTS:
                self.unanswered[owner] += 1
                return
            if conversation in self.seen:
                self.reused_ids.append(exchange)
            self.seen.add(conversation)
            self._made_up.add(unknown_id_like(conversation))
            self.remaining[conversation] = owner
        elif operation == "conversations.delete" and response is not None and response.is_success:
            self.remaining.pop(unquote(exchange.match.parameters["conversation_id"]), None)

    def claim(self, conversation: str, owner: Owner) -> None:
        """Note a conversation whose create request had no response; its mark shows that it is of this run."""
        self.seen.add(conversation)
        self.remaining[conversation] = owner
        self.unanswered[owner] -= 1


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
        self._foreign: set[str] = set()
        self._notes: list[str] = []

    def run(self) -> CleanupResult:
        """Delete the remaining conversations, then list those of every owner to verify it.

        Also delete listed conversations that have the mark of the run. Everything else on a list is left alone.
        """
        try:
            for conversation, owner in list(self._created.remaining.items()):
                self._delete(conversation, owner)
            for owner in list(self._created.owners):
                if not self._check_list(owner):
                    self._notes.append("the target has no list of conversations, so the cleanup could not be verified")
                    break
        except KeyboardInterrupt:
            self._give_up("the cleanup was interrupted")
        except Stopped as stopped:
            self._give_up(reason_text(Reason(stopped.reason)))
        if self._foreign:
            self._notes.append(
                f"the lists of this run's end users show {len(self._foreign)} conversations that the run did not "
                "create; these were left alone"
            )
        if lost := sum(self._created.unanswered.values()):
            self._notes.append(
                f"{lost} create requests got no response that names a new conversation; what they created may be left "
                "on the target"
            )
        return CleanupResult(tuple(self._leftovers.values()), tuple(self._notes))

    def _give_up(self, reason: str) -> None:
        self._notes.append(f"the cleanup did not finish: {reason}")
        for conversation, owner in self._created.remaining.items():
            self._leftovers.setdefault(conversation, Leftover(conversation, owner.end_user, reason))

    def _check_list(self, owner: Owner) -> bool:
        """Compare the list of an owner with what the run created; return whether there is a list."""
        unknown = []
        for entry in self._list(owner):
            if entry is None:
                return False
            conversation, metadata = entry["id"], entry.get("metadata")
            if conversation in self._created.remaining:
                continue  # Its deletion failed, which is reported already.
            if conversation in self._created.seen:
                reason = "is still listed after its deletion"
                self._leftovers[conversation] = Leftover(conversation, owner.end_user, reason)
            elif isinstance(metadata, dict) and metadata.get(MARK) == self._created.run:
                self._created.claim(conversation, owner)
                self._delete(conversation, owner)
            else:
                unknown.append(conversation)
        if 0 < len(unknown) <= self._created.unanswered[owner]:
            for conversation in unknown:
                reason = "is listed, but the run did not see that it created it"
                self._leftovers[conversation] = Leftover(conversation, owner.end_user, reason)
            self._created.unanswered[owner] -= len(unknown)
        else:
            self._foreign.update(unknown)
        return True

    def _delete(self, conversation: str, owner: Owner) -> None:
        """Delete as the owner, else with the key of the run: the target may have accepted a mutated key."""
        problem = ""
        for caller in dict.fromkeys((owner, owner._replace(authorization=self._authorization))):
            try:
                response = self._request("DELETE", conversation_path(conversation), caller)
            except (NoResponse, Withheld) as error:
                problem = problem or str(error)
                continue
            if response.status < 300 or response.status == 404:
                self._created.remaining.pop(conversation, None)
                return
            problem = problem or f"DELETE returned {response.summary}"
        self._leftovers[conversation] = Leftover(conversation, owner.end_user, problem)

    def _list(self, owner: Owner) -> Iterator[dict[str, Any] | None]:
        """Yield the entries that an owner can list, as far as the pages are readable; None if there is no list.

        A list that shows many conversations of others is not read to its end.
        """
        listed: set[str] = set()
        parameters: dict[str, str | int] = {"limit": _PAGE_SIZE, "order": "desc"}
        for _ in range(_MAX_PAGES):
            try:
                page = self._request("GET", "/conversations", owner, parameters)
            except NoResponse:
                page = None
            if page is None or page.status != 200:
                yield None
                return
            new = [entry for entry in _entries_of(page.body) if entry["id"] not in listed]
            yield from new
            listed.update(entry["id"] for entry in new)
            is_shared = not listed & self._created.seen and not self._created.unanswered[owner]
            if not new or is_shared or not page.body.get("has_more"):
                return
            parameters["after"] = new[-1]["id"]

    def _request(
        self, method: str, path: str, caller: Owner, parameters: dict[str, str | int] | None = None
    ) -> ApiResponse:
        return self._client.request(method, path, headers=caller.headers(), params=parameters or {})


def _entries_of(page: Any) -> list[dict[str, Any]]:
    """Return the entries of a page that have an id."""
    data = page.get("data") if isinstance(page, dict) else None
    entries = data if isinstance(data, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
