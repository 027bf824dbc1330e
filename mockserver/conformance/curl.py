"""Requests as shell commands."""

import re
import shlex
from collections.abc import Iterable, Mapping

KEY = "$MKA1_API_KEY"
"""What stands for the API key wherever a request is shown; the shell fills it in."""
SECOND_KEY = "$MKA1_SECOND_API_KEY"

_ADDED_BY_CURL = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-length", "transfer-encoding", "user-agent"}
)


def curl(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    content: bytes,
    variables: Mapping[str, str] | None = None,
) -> str:
    """A shell command that sends the request. `variables` are names of shell variables by the text they stand for."""
    words = ["curl", "-i", "--path-as-is", "--globoff", "-X", method, _quoted(url, variables or {})]
    for name, value in headers:
        if name.lower() not in _ADDED_BY_CURL:
            words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};", variables or {})]
    if content:
        words += ["--data-binary", _quoted(content.decode("utf-8", "backslashreplace"), variables or {})]
    return " ".join(words)


def _quoted(text: str, variables: Mapping[str, str]) -> str:
    used = {value: name for value, name in variables.items() if value in text}
    keys = [key for key in (KEY, SECOND_KEY) if key in text]
    if not used and not keys:
        return shlex.quote(text)
    for character in '\\"`$':
        text = text.replace(character, "\\" + character)
    for key in keys:
        text = text.replace("\\" + key, key)
        text = re.sub(re.escape(key) + r"(?=\w)", "${" + key[1:] + "}", text)
    for value, name in used.items():
        text = text.replace(value, f"${{{name}}}")
    return f'"{text}"'
