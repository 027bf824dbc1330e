"""The yardstick: the same operations on plain Starlette, with the same work and no validation.

Written as one would in an afternoon: the standard library's JSON, dicts and lists, separate tenants, ids, cursors,
order, the metadata filter, a search through every text.
"""

import hashlib
import json
import time
import uuid
from collections import defaultdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Conversation = dict[str, Any]
Item = dict[str, Any]


class Tenant:
    def __init__(self, account: str, end_user: str) -> None:
        self.identity = hashlib.sha256(f"{account}:{end_user}".encode()).hexdigest()
        self.conversations: dict[str, Conversation] = {}  # In the order of their last update.
        self.items: dict[str, dict[str, Item]] = {}

    def touch(self, conversation_id: str) -> None:
        self.conversations[conversation_id] = self.conversations.pop(conversation_id)


tenants: dict[tuple[str, str], Tenant] = {}
PREFIXES: defaultdict[str, str] = defaultdict(lambda: "item", message="msg", function_call="fc", reasoning="rs")


def tenant_of(request: Request) -> Tenant | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        return None
    owner = (key, request.headers.get("x-on-behalf-of", ""))
    if owner not in tenants:
        tenants[owner] = Tenant(*owner)
    return tenants[owner]


def error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "code": status}}, status_code=status)


def store(tenant: Tenant, conversation_id: str, bodies: list[Item]) -> list[Item]:
    items = []
    for body in bodies:
        item_type = body.get("type", "message")
        item = {"id": f"{PREFIXES[item_type]}_{uuid.uuid4().hex}", "type": item_type, **body}
        tenant.items[conversation_id][item["id"]] = item
        items.append(item)
    return items


def page(entries: list[dict[str, Any]], request: Request) -> Response:
    query = request.query_params
    if query.get("order", "asc") == "desc":
        entries = entries[::-1]
    start = 0
    if "after" in query:
        start = next((index + 1 for index, entry in enumerate(entries) if entry["id"] == query["after"]), 0)
    limit = int(query.get("limit", "20"))
    data = entries[start : start + limit]
    has_more = len(entries) > start + limit
    return JSONResponse(
        {"object": "list", "data": data, "has_more": has_more, "last_id": data[-1]["id"] if data else ""}
    )


async def create_conversation(request: Request) -> Response:
    tenant = tenant_of(request)
    if tenant is None:
        return error(401, "no API key")
    body = await request.json()
    conversation = {
        "id": f"conv_{uuid.uuid4().hex}",
        "object": "conversation",
        "created_at": int(time.time()),
        "deleted_at": None,
        "metadata": body.get("metadata", {}),
        "identity": tenant.identity,
    }
    tenant.conversations[conversation["id"]] = conversation
    tenant.items[conversation["id"]] = {}
    store(tenant, conversation["id"], body.get("items", []))
    return JSONResponse(conversation)


async def list_conversations(request: Request) -> Response:
    tenant = tenant_of(request)
    if tenant is None:
        return error(401, "no API key")
    found = list(tenant.conversations.values())
    if "metadata" in request.query_params:
        wanted = json.loads(request.query_params["metadata"]).items()
        found = [one for one in found if all(one["metadata"].get(key) == value for key, value in wanted)]
    if "search" in request.query_params:
        text = request.query_params["search"].lower()
        found = [
            one
            for one in found
            if any(text in str(item.get("content", "")).lower() for item in tenant.items[one["id"]].values())
        ]
    return page(found, request)


async def retrieve_conversation(request: Request) -> Response:
    tenant = tenant_of(request)
    if tenant is None:
        return error(401, "no API key")
    conversation = tenant.conversations.get(request.path_params["conversation_id"])
    return error(404, "no such conversation") if conversation is None else JSONResponse(conversation)


async def create_items(request: Request) -> Response:
    tenant = tenant_of(request)
    if tenant is None:
        return error(401, "no API key")
    conversation_id = request.path_params["conversation_id"]
    if conversation_id not in tenant.conversations:
        return error(404, "no such conversation")
    items = store(tenant, conversation_id, (await request.json())["items"])
    tenant.touch(conversation_id)
    return JSONResponse({"object": "list", "data": items, "has_more": False, "last_id": items[-1]["id"]})


async def list_items(request: Request) -> Response:
    tenant = tenant_of(request)
    if tenant is None:
        return error(401, "no API key")
    items = tenant.items.get(request.path_params["conversation_id"])
    return error(404, "no such conversation") if items is None else page(list(items.values()), request)


PREFIX = "/api/v1/llm/conversations"
app = Starlette(
    routes=[
        Route(PREFIX, create_conversation, methods=["POST"]),
        Route(PREFIX, list_conversations, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}", retrieve_conversation, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}/items", create_items, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}/items", list_items, methods=["GET"]),
    ]
)
