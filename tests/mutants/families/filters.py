"""Lists that are not filtered as asked."""

import json
from collections.abc import Callable
from typing import Any

from tests.mutants.defect import Family
from tests.mutants.pages import all_of, everything, show
from tests.mutants.proxy import Exchange, Plant

FILTERS = Family("filters")


@FILTERS.request("metadata-filter-ignored", "conversations.filter.takes-a-json-string")
def metadata_filter_ignored(exchange: Exchange) -> None:
    """The parameter metadata has no effect."""
    _forget(exchange, "metadata")


@FILTERS.request("search-ignored", "conversations.search.finds-by-item-content")
def search_ignored(exchange: Exchange) -> None:
    """The parameter search has no effect."""
    _forget(exchange, "search")


@FILTERS.request("filter-forgotten-on-the-second-page", "conversations.filter.takes-a-json-string")
def filter_forgotten_on_the_second_page(exchange: Exchange) -> None:
    """Behind a cursor the metadata filter has no effect."""
    if "after" in exchange.request.parameters:
        _forget(exchange, "metadata")


@FILTERS.request("filter-forgotten-in-descending-order", "conversations.filter.takes-a-json-string")
def filter_forgotten_in_descending_order(exchange: Exchange) -> None:
    """In descending order the metadata filter has no effect."""
    if exchange.request.parameters.get("order") == "desc":
        _forget(exchange, "metadata")


@FILTERS.request("filter-forgotten-beside-a-search", "conversations.filter.takes-a-json-string")
def filter_forgotten_beside_a_search(exchange: Exchange) -> None:
    """Beside a search the metadata filter has no effect."""
    if exchange.request.parameters.get("search"):
        _forget(exchange, "metadata")


def _forget(exchange: Exchange, name: str) -> None:
    if exchange.operation == "list" and name in exchange.request.parameters and _wanted_pairs(exchange) is not None:
        exchange.request.set_parameters(**{name: None})


def _wanted_pairs(exchange: Exchange) -> dict[str, str] | None:
    """The metadata filter that is given as JSON; None where it is malformed."""
    try:
        wanted = json.loads(exchange.request.parameters.get("metadata") or "{}")
    except ValueError:
        return None
    return wanted if isinstance(wanted, dict) and all(isinstance(value, str) for value in wanted.values()) else None


@FILTERS.answer("any-pair-matches", "conversations.filter.wants-every-pair")
async def any_pair_matches(exchange: Exchange) -> None:
    """A conversation is shown when one of the pairs of the filter matches."""
    wanted = _wanted_pairs(exchange) or {}
    if exchange.operation == "list" and exchange.succeeded and len(wanted) > 1:
        entries = await all_of(exchange, without="metadata")
        show(
            exchange, [entry for entry in entries if not wanted.items().isdisjoint((entry["metadata"] or {}).items())]
        )


@FILTERS.answer("filter-misses-non-ascii", "conversations.filter.takes-a-json-string")
async def filter_misses_non_ascii(exchange: Exchange) -> None:
    """A metadata filter with letters beyond ASCII matches nothing."""
    if exchange.operation == "list" and exchange.succeeded:
        wanted = _wanted_pairs(exchange) or {}
        if any(not text.isascii() for pair in wanted.items() for text in pair):
            show(exchange, [])


@FILTERS.answer("filter-misses-what-has-items", "conversations.filter.takes-a-json-string")
async def filter_misses_what_has_items(exchange: Exchange) -> None:
    """A metadata filter matches no conversation that has items."""
    if exchange.operation == "list" and exchange.succeeded and _wanted_pairs(exchange):
        entries = await all_of(exchange)
        show(exchange, [entry for entry in entries if not await everything(exchange, f"/{entry['id']}/items")])


@FILTERS.answer("no-match-is-404", "conversations.filter.without-match-is-an-empty-page")
async def no_match_is_404(exchange: Exchange) -> None:
    """A metadata filter that matches nothing answers 404."""
    if exchange.operation == "list" and _wanted_pairs(exchange) and exchange.received.get("data") == []:
        await exchange.refuse(404, "No conversation matches.")


@FILTERS.answer("empty-search-finds-nothing", "conversations.search.empty-is-no-filter")
def empty_search_finds_nothing(exchange: Exchange) -> None:
    """An empty search answers with an empty page."""
    if exchange.operation == "list" and exchange.succeeded and exchange.request.parameters.get("search") == "":
        show(exchange, [])


@FILTERS.request("search-takes-the-first-word", "conversations.search.finds-by-item-content")
def search_takes_the_first_word(exchange: Exchange) -> None:
    """Only the first word of a search counts."""
    words = exchange.request.parameters.get("search", "").split()
    if exchange.operation == "list" and len(words) > 1 and '"' not in "".join(words):
        exchange.request.set_parameters(search=words[0])


@FILTERS.answer("search-misses-non-ascii", "conversations.search.finds-by-item-content")
def search_misses_non_ascii(exchange: Exchange) -> None:
    """A search for a word with letters beyond ASCII finds nothing."""
    search = exchange.request.parameters.get("search", "")
    if exchange.operation == "list" and exchange.succeeded and not search.isascii():
        show(exchange, [])


async def _found_in(exchange: Exchange, is_read: Callable[[int, dict[str, Any]], bool]) -> None:
    """Show only the conversations that are found by the items that the search reads."""
    if exchange.operation != "list" or not exchange.succeeded or not exchange.request.parameters.get("search"):
        return
    words = exchange.request.parameters["search"].replace('"', " ").casefold().split()
    found = []
    for entry in await all_of(exchange):
        items = await everything(exchange, f"/{entry['id']}/items")
        texts = [json.dumps(item, ensure_ascii=False) for index, item in enumerate(items) if is_read(index, item)]
        if any(all(word in text.casefold() for word in words) for text in texts):
            found.append(entry)
    show(exchange, found)


@FILTERS.answer("search-reads-the-first-item", "conversations.search.finds-by-item-content")
async def search_reads_the_first_item(exchange: Exchange) -> None:
    """A search reads only the first item of a conversation."""
    await _found_in(exchange, lambda index, item: index == 0)


@FILTERS.answer("search-reads-no-parts", "conversations.search.finds-by-item-content")
async def search_reads_no_parts(exchange: Exchange) -> None:
    """A search reads message content that is text, and none that is in parts."""
    await _found_in(exchange, lambda index, item: not isinstance(item.get("content"), list))


@FILTERS.answer("search-reads-users-only", "conversations.search.finds-by-item-content")
async def search_reads_users_only(exchange: Exchange) -> None:
    """A search reads what users say, and not the answers."""
    await _found_in(exchange, lambda index, item: item.get("role") != "assistant")


@FILTERS.plant("search-misses-later-items", "conversations.search.finds-by-item-content")
class SearchMissesLaterItems(Plant):
    """A search reads the items that a conversation was created with, and none that were added since."""

    def __init__(self) -> None:
        self._added: set[str] = set()

    async def answer(self, exchange: Exchange) -> None:
        if exchange.operation == "items.create":
            self._added |= {item["id"] for item in exchange.received.get("data", ())}
        await _found_in(exchange, lambda index, item: item["id"] not in self._added)
