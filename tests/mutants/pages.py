"""Pages made anew, for defects that change which entries a list has or how it is ordered."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.mutants.proxy import Exchange, Json


async def everything(
    exchange: Exchange,
    path: str = "",
    *,
    query: Mapping[str, Any] | None = None,
    caller: tuple[str | None, str | None] | None = None,
) -> list[Json]:
    """All entries of a list of the application behind; nothing where it refuses."""
    entries: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await exchange.ask("GET", path, query={"limit": 50, **(query or {}), **cursor}, caller=caller)
        page = answer.json
        if answer.status != 200:
            return entries
        entries += page["data"]
        if not page["has_more"]:
            return entries
        cursor = {"after": page["last_id"]}


async def all_of(exchange: Exchange, *, without: str | None = None) -> list[Json]:
    """All entries of the very list that the request wants a page of, one of its filters left out if so wished."""
    query = [(name, value) for name, value in exchange.request.pairs if name not in ("after", "limit", without)]
    return await everything(exchange, exchange.below, query=dict(query))


def show(exchange: Exchange, entries: Sequence[Json], *, default_limit: int = 20) -> None:
    """Answer with the page of these entries that the request asks for by `after` and `limit`."""
    parameters = exchange.request.parameters
    ids = [entry["id"] for entry in entries]
    after = parameters.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    limit = int(parameters.get("limit", default_limit))
    show_exactly(exchange, entries[start : start + limit], has_more=start + limit < len(entries))


def show_exactly(exchange: Exchange, entries: Sequence[Json], *, has_more: bool) -> None:
    """Answer with this page."""
    body: dict[str, Json] = {"object": "list", "data": list(entries), "has_more": has_more}
    if entries:
        body["last_id"] = entries[-1]["id"]
    elif exchange.operation == "items.list":
        body["last_id"] = ""
    exchange.answer.json = body
