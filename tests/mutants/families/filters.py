"""Lists that are not filtered as asked."""

import json
from collections.abc import Callable
from typing import Any

from tests.mutants.mutant import Family
from tests.mutants.pages import fetch_all_entries, fetch_whole_list, respond_with_page
from tests.mutants.proxy import Mutation, ProxyExchange

FILTERS = Family("filters")


@FILTERS.request("metadata-filter-ignored", "conversations.filter.takes-a-json-string")
def metadata_filter_ignored(exchange: ProxyExchange) -> None:
    """The parameter metadata has no effect."""
    _forget(exchange, "metadata")


@FILTERS.request("search-ignored", "conversations.search.finds-by-item-content")
def search_ignored(exchange: ProxyExchange) -> None:
    """The parameter search has no effect."""
    _forget(exchange, "search")


@FILTERS.request("filter-forgotten-on-the-second-page", "conversations.filter.takes-a-json-string")
def filter_forgotten_on_the_second_page(exchange: ProxyExchange) -> None:
    """Behind a cursor the metadata filter has no effect."""
    if "after" in exchange.request.parameters:
        _forget(exchange, "metadata")


@FILTERS.request("filter-forgotten-in-descending-order", "conversations.filter.takes-a-json-string")
def filter_forgotten_in_descending_order(exchange: ProxyExchange) -> None:
    """In descending order the metadata filter has no effect."""
    if exchange.request.parameters.get("order") == "desc":
        _forget(exchange, "metadata")


@FILTERS.request("filter-forgotten-beside-a-search", "conversations.filter.takes-a-json-string")
def filter_forgotten_beside_a_search(exchange: ProxyExchange) -> None:
    """Beside a search the metadata filter has no effect."""
    if exchange.request.parameters.get("search"):
        _forget(exchange, "metadata")


def _forget(exchange: ProxyExchange, name: str) -> None:
    if exchange.operation == "list" and name in exchange.request.parameters and _wanted_pairs(exchange) is not None:
        exchange.request.set_parameters(**{name: None})


def _wanted_pairs(exchange: ProxyExchange) -> dict[str, str] | None:
    """The metadata filter that is given as JSON; None where it is malformed."""
    try:
        wanted = json.loads(exchange.request.parameters.get("metadata") or "{}")
    except ValueError:
        return None
    return wanted if isinstance(wanted, dict) and all(isinstance(value, str) for value in wanted.values()) else None


@FILTERS.response("any-pair-matches", "conversations.filter.wants-every-pair")
async def any_pair_matches(exchange: ProxyExchange) -> None:
    """A conversation is shown when one of the pairs of the filter matches."""
    wanted = _wanted_pairs(exchange) or {}
    if exchange.operation == "list" and exchange.has_succeeded and len(wanted) > 1:
        entries = await fetch_whole_list(exchange, without="metadata")
        respond_with_page(
            exchange, [entry for entry in entries if not wanted.items().isdisjoint((entry["metadata"] or {}).items())]
        )


@FILTERS.response("filter-misses-non-ascii", "conversations.filter.takes-a-json-string")
async def filter_misses_non_ascii(exchange: ProxyExchange) -> None:
    """A metadata filter with letters beyond ASCII matches nothing."""
    if exchange.operation == "list" and exchange.has_succeeded:
        wanted = _wanted_pairs(exchange) or {}
        if any(not text.isascii() for pair in wanted.items() for text in pair):
            respond_with_page(exchange, [])


@FILTERS.response("filter-misses-what-has-items", "conversations.filter.takes-a-json-string")
async def filter_misses_what_has_items(exchange: ProxyExchange) -> None:
    """A metadata filter matches no conversation that has items."""
    if exchange.operation == "list" and exchange.has_succeeded and _wanted_pairs(exchange):
        entries = await fetch_whole_list(exchange)
        respond_with_page(
            exchange, [entry for entry in entries if not await fetch_all_entries(exchange, f"/{entry['id']}/items")]
        )


@FILTERS.response("no-match-is-404", "conversations.filter.without-match-is-an-empty-page")
async def no_match_is_404(exchange: ProxyExchange) -> None:
    """A metadata filter that matches nothing returns 404."""
    if exchange.operation == "list" and _wanted_pairs(exchange) and exchange.response_body.get("data") == []:
        await exchange.reject(404, "No conversation matches.")


@FILTERS.response("empty-search-finds-nothing", "conversations.search.empty-is-no-filter")
def empty_search_finds_nothing(exchange: ProxyExchange) -> None:
    """An empty search returns an empty page."""
    if exchange.operation == "list" and exchange.has_succeeded and exchange.request.parameters.get("search") == "":
        respond_with_page(exchange, [])


@FILTERS.request("search-takes-the-first-word", "conversations.search.finds-by-item-content")
def search_takes_the_first_word(exchange: ProxyExchange) -> None:
    """Only the first word of a search counts."""
    words = exchange.request.parameters.get("search", "").split()
    if exchange.operation == "list" and len(words) > 1 and '"' not in "".join(words):
        exchange.request.set_parameters(search=words[0])


@FILTERS.response("search-misses-non-ascii", "conversations.search.finds-by-item-content")
def search_misses_non_ascii(exchange: ProxyExchange) -> None:
    """A search for a word with letters beyond ASCII finds nothing."""
    search = exchange.request.parameters.get("search", "")
    if exchange.operation == "list" and exchange.has_succeeded and not search.isascii():
        respond_with_page(exchange, [])


async def _found_in(exchange: ProxyExchange, is_read: Callable[[int, dict[str, Any]], bool]) -> None:
    """Show only the conversations that are found by the items that the search reads."""
    if exchange.operation != "list" or not exchange.has_succeeded or not exchange.request.parameters.get("search"):
        return
    words = exchange.request.parameters["search"].replace('"', " ").casefold().split()
    found = []
    for entry in await fetch_whole_list(exchange):
        items = await fetch_all_entries(exchange, f"/{entry['id']}/items")
        texts = [json.dumps(item, ensure_ascii=False) for index, item in enumerate(items) if is_read(index, item)]
        if any(all(word in text.casefold() for word in words) for text in texts):
            found.append(entry)
    respond_with_page(exchange, found)


@FILTERS.response("search-reads-the-first-item", "conversations.search.finds-by-item-content")
async def search_reads_the_first_item(exchange: ProxyExchange) -> None:
    """A search reads only the first item of a conversation."""
    await _found_in(exchange, lambda index, item: index == 0)


@FILTERS.response("search-reads-no-parts", "conversations.search.finds-by-item-content")
async def search_reads_no_parts(exchange: ProxyExchange) -> None:
    """A search reads message content that is text, and none that is in parts."""
    await _found_in(exchange, lambda index, item: not isinstance(item.get("content"), list))


@FILTERS.response("search-reads-users-only", "conversations.search.finds-by-item-content")
async def search_reads_users_only(exchange: ProxyExchange) -> None:
    """A search reads the messages of users only."""
    await _found_in(exchange, lambda index, item: item.get("role") != "assistant")


@FILTERS.mutation("search-misses-later-items", "conversations.search.finds-by-item-content")
class SearchMissesLaterItems(Mutation):
    """A search reads the items that a conversation was created with, and none that were added since."""

    def __init__(self) -> None:
        self._added: set[str] = set()

    async def response(self, exchange: ProxyExchange) -> None:
        if exchange.operation == "items.create":
            self._added |= {item["id"] for item in exchange.response_body.get("data", ())}
        await _found_in(exchange, lambda index, item: item["id"] not in self._added)
