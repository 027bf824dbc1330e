"""Rebuilt pages, for mutants that change the entries of a list or their order."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.mutants.proxy import Json, ProxyExchange


async def fetch_all_entries(
    exchange: ProxyExchange,
    path: str = "",
    *,
    query: Mapping[str, Any] | None = None,
    caller: tuple[str | None, str | None] | None = None,
) -> list[Json]:
    """Fetch all entries of a list from the original application; stop at the first error."""
    entries: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        response = await exchange.fetch("GET", path, query={"limit": 50, **(query or {}), **cursor}, caller=caller)
        page = response.json
        if response.status != 200:
            return entries
        entries += page["data"]
        if not page["has_more"]:
            return entries
        cursor = {"after": page["last_id"]}


async def fetch_whole_list(exchange: ProxyExchange, *, without: str | None = None) -> list[Json]:
    """Fetch all entries of the requested list, optionally without one of its filters."""
    query = [(name, value) for name, value in exchange.request.pairs if name not in ("after", "limit", without)]
    return await fetch_all_entries(exchange, exchange.subpath, query=dict(query))


def respond_with_page(exchange: ProxyExchange, entries: Sequence[Json], *, default_limit: int = 20) -> None:
    """Respond with the page of these entries that `after` and `limit` select."""
    parameters = exchange.request.parameters
    ids = [entry["id"] for entry in entries]
    after = parameters.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    limit = int(parameters.get("limit", default_limit))
    respond_with_entries(exchange, entries[start : start + limit], has_more=start + limit < len(entries))


def respond_with_entries(exchange: ProxyExchange, entries: Sequence[Json], *, has_more: bool) -> None:
    """Respond with these entries as one page."""
    body: dict[str, Json] = {"object": "list", "data": list(entries), "has_more": has_more}
    if entries:
        body["last_id"] = entries[-1]["id"]
    elif exchange.operation == "items.list":
        body["last_id"] = ""
    exchange.response.json = body
