"""Support tickets, stored with the MKA1 SDK."""

import os
from collections.abc import Sequence
from typing import Any

from meetkai_mka1 import SDK
from meetkai_mka1.errors import SDKError
from meetkai_mka1.utils import BackoffStrategy, RetryConfig

RETRIES = RetryConfig("backoff", BackoffStrategy(50, 200, 1.5, 2_000), retry_connection_errors=True)
"""Retry for up to two seconds."""


class SupportDesk:
    """Opens, answers and finds the tickets of one customer, or of the account itself."""

    def __init__(self, customer: str | None = None) -> None:
        sdk = SDK(bearer_auth=os.environ["MKA1_API_KEY"], server_url=os.environ["MKA1_BASE_URL"], retry_config=RETRIES)
        self._conversations = sdk.llm.conversations
        self._customer = customer

    def open_ticket(self, number: str, subject: str, *, channel: str = "web") -> str:
        """Open a ticket and return the id of its conversation.

        The request is not retried, because it may have succeeded although its response failed.
        """
        try:
            conversation = self._conversations.create(
                metadata={"number": number, "channel": channel},
                items=[message("user", subject)],
                x_on_behalf_of=self._customer,
                retries=None,
            )
        except SDKError:
            found = self.find(number=number)
            if not found:
                raise
            return found[0]
        return str(conversation.id)

    def answer(self, ticket: str, text: str) -> None:
        self._conversations.create_items(
            conversation_id=ticket, items=[message("assistant", text)], x_on_behalf_of=self._customer
        )

    def find(self, words: str | None = None, **metadata: str) -> Sequence[str]:
        """Return the tickets with these words and this metadata, newest first."""
        page = self._conversations.list(
            search=words, metadata=metadata or None, order="desc", x_on_behalf_of=self._customer
        )
        return [conversation.id for conversation in page.data]

    def is_overdue(self, ticket: str, now: float, *, days: int = 3) -> bool:
        conversation = self._conversations.get(conversation_id=ticket, x_on_behalf_of=self._customer)
        return now - float(conversation.created_at) > days * 86_400

    def close(self, ticket: str) -> None:
        self._conversations.delete(conversation_id=ticket, x_on_behalf_of=self._customer)


def message(role: str, text: str) -> Any:
    return {"type": "message", "role": role, "content": text}
