"""Serve a fake with a filled store, all of which belongs to the caller of the benchmark."""

import argparse

from load import WORDS
from subjects import HEADERS

from mockserver.app import create_app
from mockserver.context import Tenant
from mockserver.gateway.auth import default_account
from mockserver.resources.items import ItemFactory
from mockserver.server import listen, serve
from mockserver.settings import Settings
from mockserver.store.memory import MemoryStore
from mockserver.store.records import Conversation, Item

LONG = "conv_long"
TENANT = Tenant(default_account(HEADERS["Authorization"].split()[1]), HEADERS["X-On-Behalf-Of"])


def conversation_id(number: int) -> str:
    return f"conv_{number:032x}"


def item_id(number: int) -> str:
    return f"msg_{number:032x}"


def message(item_factory: ItemFactory, number: int, text: str) -> Item:
    (item,) = item_factory.create_items(
        TENANT, [{"id": item_id(number), "type": "message", "role": "user", "content": text}]
    )
    return item


def fill(store: MemoryStore, item_factory: ItemFactory, conversations: int, messages: int) -> None:
    """Fill the store; in a thousand conversations one has `rare` metadata and another says `zebra`."""
    for number in range(conversations):
        metadata = {"topic": WORDS[number % 10]} | ({"rare": "yes"} if number % 1000 == 0 else {})
        words = f"{WORDS[number % 10]} {'zebra' if number % 1000 == 1 else WORDS[number % 7]}"
        items = [
            message(item_factory, number * messages + part, f"Message {part} of {number} is about the {words}")
            for part in range(messages)
        ]
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, metadata), items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--conversations", type=int, default=0)
    parser.add_argument("--messages", type=int, default=1, help="messages in each conversation")
    parser.add_argument("--long", type=int, default=0, help="messages in one more conversation")
    given = parser.parse_args()
    store = MemoryStore()
    fake = create_app(Settings(), store=store)
    fill(store, fake.state.item_factory, given.conversations, given.messages)
    if given.long:
        items = [message(fake.state.item_factory, number, f"Number {number}") for number in range(given.long)]
        store.create_conversation(TENANT, Conversation(LONG, 1, {}), items)
    serve(fake, listen("127.0.0.1", given.port), lambda: None)


if __name__ == "__main__":
    main()
