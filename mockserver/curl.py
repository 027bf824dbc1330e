"""Requests as `curl` commands."""

import re
import shlex
from collections.abc import Iterable, Mapping

KEY_PLACEHOLDER = "$MKA1_API_KEY"
"""Stands for the API key wherever a request is shown; the shell fills it in."""
SECOND_KEY_PLACEHOLDER = "$MKA1_SECOND_API_KEY"

_ADDED_BY_CURL = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-length", "transfer-encoding", "user-agent"}
)
_GLOB = re.compile(r"[][{}]")


def curl_command(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    options: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return a shell command that sends a request.

    The key placeholders stay variables of the shell. `variables` maps further texts to the shell variables that
    replace them; `options` are passed to curl first, such as `-i`.
    """
    variables = variables or {}
    words = ["curl", *options]
    words += ["--globoff"] if _GLOB.search(url) else []
    words += ["--path-as-is"] if "/." in url else []
    words += ["-I"] if method == "HEAD" else ["-X", method]  # With `-X HEAD`, curl waits for a body.
    words.append(_quote(url, variables))
    for name, value in headers:
        if name.lower() not in _ADDED_BY_CURL:
            words += ["-H", _quote(f"{name}: {value}" if value else f"{name};", variables)]
    if body:  # Raw, for a body that starts with `@` is no file name.
        words += ["--data-raw", _quote(body.decode("utf-8", "backslashreplace"), variables)]
    return " ".join(words)


def _quote(text: str, variables: Mapping[str, str]) -> str:
    used = {value: name for value, name in variables.items() if value in text}
    keys = [key for key in (KEY_PLACEHOLDER, SECOND_KEY_PLACEHOLDER) if key in text]
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
