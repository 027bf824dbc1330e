"""Transcripts of tickets, read with the openai client."""

from openai import OpenAI


def transcript(ticket: str) -> str:
    """Return a line for each message; the client reads OPENAI_BASE_URL and OPENAI_API_KEY."""
    with OpenAI() as client:
        items = client.conversations.items.list(ticket, order="asc", limit=2)
        return "\n".join(f"{item.role}: {text_of(item)}" for item in items if item.type == "message")


def text_of(item) -> str:
    return item.content if isinstance(item.content, str) else "".join(part.text for part in item.content)
