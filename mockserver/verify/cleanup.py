"""What the run has made on the target, and how it is taken away again."""

from typing import Any, NamedTuple
from urllib.parse import unquote

from mockserver.conformance.client import ApiClient, NoResponse
from mockserver.conformance.names import unique_name
from mockserver.conformance.paths import conversation_path
from mockserver.conformance.response import ApiResponse
from mockserver.verify.report.model import LeftOver
from mockserver.verify.transport import WireExchange

_PAGE = 50
_MOST_PAGES = 20


class Owner(NamedTuple):
    """On whose behalf something was made."""

    authorization: str | None
    end_user: str | None

    def headers(self) -> list[tuple[str, str]]:
        named = (("Authorization", self.authorization), ("X-On-Behalf-Of", self.end_user))
        return [(name, value) for name, value in named if value is not None]


class Cleanup:
    """Keeps track of the conversations that exchanges made and deleted, and deletes what is left."""

    def __init__(self) -> None:
        self._there: dict[str, Owner] = {}
        self._ever: set[str] = set()
        self._owners: dict[Owner, None] = {}
        self.reused_ids: list[WireExchange] = []
        """The exchanges that made a conversation with the id of another."""

    @property
    def pending(self) -> int:
        """How many requests the clean-up will need: one for each conversation and each owner, and one more."""
        return len(self._there) + len(self._owners) + 1

    def observe(self, exchange: WireExchange) -> None:
        if exchange.match is None:
            return
        response = exchange.response
        operation = exchange.match.operation.id
        if operation == "conversations.create" and (response is None or response.status < 300):
            owner = _owner(exchange)
            self._owners[owner] = None  # Without an answer, too: it may have been made all the same.
            if response is not None and (conversation := response.id) is not None:
                if conversation in self._ever:
                    self.reused_ids.append(exchange)
                self._ever.add(conversation)
                self._there[conversation] = owner
        elif operation == "conversations.delete" and response is not None and response.status < 300:
            self._there.pop(unquote(exchange.match.parameters["conversation_id"]), None)

    def delete_all(self, api: ApiClient) -> tuple[list[LeftOver], list[str]]:
        """Delete what is still there, and look into every owner's list for the proof.

        What an owner's list shows that the run has not seen being made is deleted as well, for it can only be what was
        made without an answer; but not where lists show what is not the caller's, it would be somebody else's.

        Returns what could not be deleted, and remarks on what could not be proven.
        """
        left: dict[str, LeftOver] = {}
        notes: list[str] = []
        try:
            for conversation, owner in list(self._there.items()):
                self._delete(api, conversation, owner, left)
            shows_strangers = _listed(api, Owner(_own_key(api), unique_name("mockserver-verify")))
            if shows_strangers is None:
                notes.append("the target has no list of conversations, so that nothing proves that all was deleted")
                return list(left.values()), notes
            strangers: set[str] = set()
            for owner in self._owners:
                for conversation in _listed(api, owner) or ():
                    if conversation in self._ever and conversation not in self._there:
                        left[conversation] = LeftOver(conversation, owner.end_user, "is listed though it was deleted")
                    elif conversation not in self._ever and shows_strangers:
                        strangers.add(conversation)
                    elif conversation not in left:
                        self._delete(api, conversation, owner, left)
            if strangers:
                seen = f"the run's end users see {len(strangers)} conversations that it did not make"
                notes.append(f"{seen}; they were left alone")
        except KeyboardInterrupt:
            notes.append("the clean-up was interrupted")
            for conversation, owner in self._there.items():
                left.setdefault(conversation, LeftOver(conversation, owner.end_user, "the clean-up was interrupted"))
        return list(left.values()), notes

    def _delete(self, api: ApiClient, conversation: str, owner: Owner, left: dict[str, LeftOver]) -> None:
        """As its owner; else, where strange credentials were accepted that cannot be sent again, as the run itself."""
        problem = ""
        for one in (owner, owner._replace(authorization=_own_key(api))):
            try:
                answer = _as(one, api, "DELETE", conversation_path(conversation))
            except NoResponse as error:
                problem = problem or str(error)
                continue
            if answer.status < 300 or answer.status == 404:
                self._there.pop(conversation, None)
                return
            problem = problem or f"DELETE answered {answer.summary}"
        left[conversation] = LeftOver(conversation, owner.end_user, problem)


def _own_key(api: ApiClient) -> str | None:
    return f"Bearer {api.api_key}" if api.api_key else None


def _listed(api: ApiClient, owner: Owner) -> list[str] | None:
    """The ids in an owner's list of conversations, as far as it can be read; None where there is no list."""
    ids: list[str] = []
    parameters: dict[str, str | int] = {"limit": _PAGE}
    for _ in range(_MOST_PAGES):
        try:
            page = _as(owner, api, "GET", "/conversations", parameters)
        except NoResponse:
            return None
        if page.status != 200:
            return None
        new = [one["id"] for one in _data(page.body) if isinstance(one, dict) and isinstance(one.get("id"), str)]
        if not set(new) - set(ids):
            break
        ids += new
        if not page.body.get("has_more"):
            break
        parameters["after"] = new[-1]
    return ids


def _data(body: Any) -> list[Any]:
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, list) else []


def _as(
    owner: Owner, api: ApiClient, method: str, path: str, parameters: dict[str, str | int] | None = None
) -> ApiResponse:
    nobody = api.with_key(None).with_end_user(None)
    return nobody.request(method, path, headers=owner.headers(), params=parameters or {})


def _owner(exchange: WireExchange) -> Owner:
    return Owner(exchange.request.header("authorization"), exchange.request.header("x-on-behalf-of"))
