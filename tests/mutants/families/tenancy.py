"""Callers that see or change what belongs to others."""

from collections import defaultdict
from collections.abc import Awaitable

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_all_entries, fetch_whole_list, respond_with_page
from tests.mutants.proxy import Mutation, ProxyExchange, json_response

TENANCY = Family("tenancy")

_END_USER = "x-on-behalf-of"


def _act_for(exchange: ProxyExchange, end_user: str | None) -> None:
    """Change the end user of the request, unless it names more than one."""
    if [name for name, _ in exchange.request.headers].count(_END_USER.encode()) <= 1:
        exchange.request.set_header(_END_USER, end_user)


class _Unguarded(Mutation):
    """In these operations a conversation is looked up by its id alone, among all end users of the key."""

    operations: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._end_users: dict[str, str | None] = {}

    def request(self, exchange: ProxyExchange) -> Awaitable[None] | None:
        if exchange.operation in self.operations and exchange.conversation_id in self._end_users:
            _act_for(exchange, self._end_users[exchange.conversation_id])
        return None

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "create" and exchange.has_succeeded:
            self._end_users[exchange.response_body["id"]] = exchange.request.header(_END_USER)


@TENANCY.mutation("retrieve-of-others", "tenancy.end-users-are-apart")
class RetrieveOfOthers(_Unguarded):
    """An end user can retrieve another end user's conversation."""

    operations = ("retrieve",)


@TENANCY.mutation("update-of-others", "tenancy.end-users-are-apart")
class UpdateOfOthers(_Unguarded):
    """An end user can update another end user's conversation."""

    operations = ("update",)


@TENANCY.mutation("delete-of-others", "tenancy.end-users-are-apart")
class DeleteOfOthers(_Unguarded):
    """An end user can delete another end user's conversation."""

    operations = ("delete",)


@TENANCY.mutation("items-listed-for-others", "tenancy.end-users-are-apart")
class ItemsListedForOthers(_Unguarded):
    """An end user can list the items of another end user's conversation."""

    operations = ("items.list",)


@TENANCY.mutation("items-added-by-others", "tenancy.end-users-are-apart")
class ItemsAddedByOthers(_Unguarded):
    """An end user can add items to another end user's conversation."""

    operations = ("items.create",)


@TENANCY.mutation("item-retrieved-by-others", "tenancy.end-users-are-apart")
class ItemRetrievedByOthers(_Unguarded):
    """An end user can retrieve an item of another end user's conversation."""

    operations = ("items.retrieve",)


@TENANCY.mutation("items-removed-by-others", "tenancy.end-users-are-apart")
class ItemsRemovedByOthers(_Unguarded):
    """An end user can remove several items of another end user's conversation; a single one is guarded."""

    operations = ("items.deleteMany",)


@TENANCY.mutation("account-reads-end-users", "tenancy.end-user-and-account-are-apart")
class AccountReadsEndUsers(_Unguarded):
    """The key without an end user can retrieve what its end users have."""

    operations = ("retrieve",)

    def request(self, exchange: ProxyExchange) -> None:
        if not exchange.request.header(_END_USER):
            super().request(exchange)


@TENANCY.mutation("end-users-read-the-account", "tenancy.end-user-and-account-are-apart")
class EndUsersReadTheAccount(_Unguarded):
    """An end user can retrieve what the key has without an end user."""

    operations = ("retrieve",)

    def request(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "retrieve" and self._end_users.get(exchange.conversation_id, "known to be none"):
            return
        super().request(exchange)


@TENANCY.request("end-user-ignored", "tenancy.end-users-are-apart", "tenancy.lists-are-apart")
def end_user_ignored(exchange: ProxyExchange) -> None:
    """X-On-Behalf-Of is ignored."""
    _act_for(exchange, None)


@TENANCY.request("end-user-in-lower-case", "tenancy.end-users-are-apart")
def end_user_in_lower_case(exchange: ProxyExchange) -> None:
    """End users whose names differ only in case are one."""
    if end_user := exchange.request.header(_END_USER):
        _act_for(exchange, end_user.lower())


@TENANCY.request("end-user-cut-at-32", "tenancy.end-users-are-apart")
def end_user_cut_at_32(exchange: ProxyExchange) -> None:
    """End users whose names differ only behind the first 32 characters are one."""
    if end_user := exchange.request.header(_END_USER):
        _act_for(exchange, end_user[:32])


@TENANCY.mutation("key-ignored", "tenancy.keys-are-apart")
class KeyIgnored(Mutation):
    """Every valid key reaches what the first one has."""

    def __init__(self) -> None:
        self._first: str | None = None

    async def request(self, exchange: ProxyExchange) -> None:
        key = exchange.request.header("authorization")
        if key != self._first and (await exchange.fetch("GET", "", query={"limit": 1})).status == 200:
            self._first = self._first or key
            if self._concerns(exchange):
                exchange.request.set_header("authorization", self._first)

    def _concerns(self, exchange: ProxyExchange) -> bool:
        return True


@TENANCY.mutation("end-users-are-shared-by-keys", "tenancy.keys-are-apart")
class EndUsersAreSharedByKeys(KeyIgnored):
    """End users of the same name are one, whichever key names them; without an end user keys are apart."""

    def _concerns(self, exchange: ProxyExchange) -> bool:
        return bool(exchange.request.header(_END_USER))


class _Leaking(Mutation):
    """Some lists show what all end users of the key have."""

    def __init__(self) -> None:
        self._end_users: dict[str | None, set[str | None]] = defaultdict(set)

    async def response(self, exchange: ProxyExchange) -> None:
        key, end_user = exchange.caller
        if not exchange.has_succeeded:
            return
        if exchange.operation == "create":
            self._end_users[key].add(end_user)
        if exchange.operation == "list" and self._leaks(exchange):
            query = {name: value for name, value in exchange.request.pairs if name not in ("after", "limit")}
            entries = await fetch_whole_list(exchange)
            for other in sorted(self._end_users[key] - {end_user}, key=str):
                entries += await fetch_all_entries(exchange, query=query, caller=(key, other))
            respond_with_page(exchange, entries)

    def _leaks(self, exchange: ProxyExchange) -> bool:
        return False


@TENANCY.mutation("account-lists-end-users", "tenancy.lists-are-apart", "tenancy.end-user-and-account-are-apart")
class AccountListsEndUsers(_Leaking):
    """The list of the key without an end user shows what its end users have."""

    def _leaks(self, exchange: ProxyExchange) -> bool:
        return not exchange.request.header(_END_USER)


@TENANCY.mutation("search-leaks", "tenancy.lists-are-apart")
class SearchLeaks(_Leaking):
    """A search finds what other end users of the key have."""

    def _leaks(self, exchange: ProxyExchange) -> bool:
        return bool(exchange.request.parameters.get("search"))


@TENANCY.mutation("metadata-filter-leaks", "tenancy.lists-are-apart")
class MetadataFilterLeaks(_Leaking):
    """A list with a metadata filter shows what other end users of the key have."""

    def _leaks(self, exchange: ProxyExchange) -> bool:
        return "metadata" in exchange.request.parameters


@TENANCY.mutation("descending-list-leaks", "tenancy.lists-are-apart")
class DescendingListLeaks(_Leaking):
    """A list in descending order shows what other end users of the key have."""

    def _leaks(self, exchange: ProxyExchange) -> bool:
        return exchange.request.parameters.get("order") == "desc"


@TENANCY.mutation("list-is-cached-across-end-users", "tenancy.lists-are-apart")
class ListIsCachedAcrossEndUsers(Mutation):
    """Until something is written, the same list for another end user of the key is the one that was answered last."""

    def __init__(self) -> None:
        self._listed: dict[tuple, bytes] = {}

    def request(self, exchange: ProxyExchange) -> None:
        key = (exchange.caller[0], exchange.request.query)
        if exchange.operation == "list" and key in self._listed:
            exchange.response = json_response(200, {})
            exchange.response.set_body(self._listed[key])

    def response(self, exchange: ProxyExchange) -> None:
        if exchange.request.method != "GET":
            self._listed.clear()
        elif exchange.operation == "list" and exchange.has_succeeded:
            self._listed[exchange.caller[0], exchange.request.query] = exchange.response.body


@TENANCY.mutation("foreign-is-403", "#/components/responses/NotFound", "tenancy.foreign-is-like-unknown")
class ForeignIs403(_Unguarded):
    """Another end user's conversation returns 403, which the document does not know."""

    operations = ("retrieve",)

    async def request(self, exchange: ProxyExchange) -> None:
        known = exchange.operation == "retrieve" and exchange.conversation_id in self._end_users
        if known and self._end_users[exchange.conversation_id] != exchange.request.header(_END_USER):
            await exchange.reject(403, "This conversation belongs to someone else.")
