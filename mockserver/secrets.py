"""API keys, tokens and other secrets: the validation of keys, and the removal of secrets from text of any origin."""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from mockserver.errors import UsageError

_MIN_CHARACTERS = 8
"""A shorter part of a key may be an ordinary word."""
_MIN_BASE64 = -(-_MIN_CHARACTERS * 4 // 3)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
_JSON_STRING = rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_STRING_OR_FIELD = re.compile(rb"(%b)(?:(\s*:\s*)%b)?" % (_JSON_STRING, _JSON_STRING), re.DOTALL)


def validate_key(key: str, name: str) -> str:
    """Return the key that `name` holds.

    Raises:
        UsageError: a header cannot carry it. The message does not show it.
    """
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            kind = "a line end" if character in "\r\n" else "a space" if character.isspace() else "not printable ASCII"
            raise UsageError(
                f"{name}: the API key cannot be sent in a header: character {position} of {len(key)} is {kind}"
            )
    return key


def mask_tokens(text: str) -> str:
    """Replace all JSON Web Tokens in a text."""
    return _TOKEN.sub("<token>", text)


def mask_fields(content: bytes, names: Collection[str]) -> bytes:
    """Return a JSON text with `"***"` in place of the strings that are the values of these fields, at any depth.

    The text may be cut, or be invalid elsewhere.
    """

    def mask(match: re.Match[bytes]) -> bytes:
        name, colon = match.groups()
        return b'%b%b"***"' % (name, colon) if colon and _parse_name(name) in names else match[0]

    may_have_some = b"\\u" in content or any(name.encode() in content for name in names)
    return _STRING_OR_FIELD.sub(mask, content) if may_have_some else content


def _parse_name(name: bytes) -> str:
    try:
        return str(json.loads(name))
    except ValueError:
        return ""


class _Pattern(NamedTuple):
    """Fragments of one length, with their placeholders.

    Only every `step`-th position of a text is looked at: each fragment there contains one of `probes`.
    """

    length: int
    step: int
    fragments: dict[str, str]
    probes: frozenset[str]


class KeyMasker:
    """Replaces keys by their placeholders, in the forms in which a server can echo them.

    These are the key itself, in JSON, in a URL, in hexadecimal, in base64 with or without text before it, all of them
    in capitals, too, and each part of them that stands for eight characters or more. Shorter keys stay, and so do
    parts of keys that occur in `public`.
    """

    def __init__(self, keys: Mapping[str, str], public: str = "") -> None:
        by_length: dict[int, dict[str, str]] = {}
        public = _fold(public)
        for placeholder, key in keys.items():
            for fragment in _list_fragments(key, public):
                by_length.setdefault(len(fragment), {}).setdefault(fragment, placeholder)
        self._patterns = [_compile(length, fragments) for length, fragments in by_length.items()]

    def mask(self, text: str) -> str:
        spans = sorted(self._find(_fold(text)))
        parts, end = [], 0
        for start, stop, placeholder in spans:
            if start >= end:
                parts += [text[end:start], placeholder]
            end = max(end, stop)
        return "".join([*parts, text[end:]]) if spans else text

    def mask_bytes(self, content: bytes) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        masked = self.mask(text)
        return content if masked is text else masked.encode("utf-8", "surrogateescape")

    def _find(self, text: str) -> Iterator[tuple[int, int, str]]:
        for length, step, fragments, probes in self._patterns:
            size = length - step + 1
            for position in range(0, len(text) - size + 1, step):
                if text[position : position + size] not in probes:
                    continue
                for start in range(max(0, position - step + 1), position + 1):
                    placeholder = fragments.get(text[start : start + length])
                    if placeholder is not None:
                        yield start, start + length, placeholder


def _compile(length: int, fragments: dict[str, str]) -> _Pattern:
    step = length // 2
    size = length - step + 1
    probes = {fragment[start : start + size] for fragment in fragments for start in range(step)}
    return _Pattern(length, step, fragments, frozenset(probes))


def _list_fragments(key: str, public: str) -> Iterator[str]:
    if len(key) < _MIN_CHARACTERS:
        return
    for form in _list_forms(key):
        yield _fold("".join(form))
        for start in range(len(form) - _MIN_CHARACTERS + 1):
            fragment = _fold("".join(form[start : start + _MIN_CHARACTERS]))
            if fragment not in public:
                yield fragment
    for text in _list_base64(key.encode()):
        for start in range(len(text) - _MIN_BASE64 + 1):
            yield _fold(text[start : start + _MIN_BASE64])


def _list_forms(key: str) -> Iterable[list[str]]:
    """Return the ways to write a key, each with its characters one by one."""
    return [
        list(key),
        [json.dumps(one)[1:-1] for one in key],
        [json.dumps(one)[1:-1].replace("/", "\\/") for one in key],
        [quote(one, safe="") for one in key],
        [f"%{ord(one):02x}" for one in key],
        [f"\\u{ord(one):04x}" for one in key],
        [f"{ord(one):02x}" for one in key],
        [f"{one}\0" for one in key],
    ]


def _list_base64(key: bytes) -> Iterator[str]:
    """Yield the part of the base64 form that the key alone determines, for each alignment and alphabet."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + key)
        text = encoded.decode()[-(-offset * 4 // 3) : (offset + len(key)) * 4 // 3]
        yield text
        yield text.translate(str.maketrans("+/", "-_"))


def _fold(text: str) -> str:
    """Return the text in lower case, with every character at its place."""
    folded = text.lower()
    return folded if len(folded) == len(text) else "".join(one.lower() if one.isascii() else one for one in text)
