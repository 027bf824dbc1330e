"""A naive full-text search: it applies the written rules to each item anew and keeps no index.

Scripts without spaces are recognised by the names of their characters.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from unicodedata import category, name, normalize

Words = tuple[str, ...]

_UNSPACED_SCRIPTS = (
    *("CJK ", "IDEOGRAPHIC ", "VERTICAL IDEOGRAPHIC ", "HANGZHOU ", "HIRAGANA", "KATAKANA", "COMBINING KATAKANA"),
    *("HENTAIGANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR "),
)


def item_matches(search: str, item: Mapping[str, Any]) -> bool:
    """Whether an item, as the API shows it, matches a search that is not blank."""
    return texts_match(search, list(text_parts(item)))


def texts_match(search: str, texts: Sequence[str]) -> bool:
    """Whether an item with these text parts has all words and phrases of a search that is not blank."""
    phrases = parse_search(search)
    parts = [split_words(text) for text in texts]
    return bool(phrases) and all(any(contains_phrase(part, phrase) for part in parts) for phrase in phrases)


def parse_search(search: str) -> list[Words]:
    """Return the phrases that must be found; a word outside of quotes is a phrase of its own."""
    phrases: list[Words] = []
    rest = search
    while rest.count('"') >= 2:
        before, phrase, rest = rest.split('"', 2)
        phrases += [(word,) for word in split_words(before)]
        phrases.append(split_words(phrase))
    phrases += [(word,) for word in split_words(rest)]
    return [phrase for phrase in phrases if phrase]


def text_parts(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the text parts of the kinds of items that the tests send."""
    yield from _part_texts(item)
    for field in ("arguments", "output"):
        if field in item:
            try:
                yield " ".join(_json_leaves(json.loads(item[field])))
            except ValueError:
                yield item[field]


def raw_texts(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the text parts as they stand in the item."""
    yield from _part_texts(item)
    yield from (item[field] for field in ("arguments", "output") if field in item)


def _part_texts(item: Mapping[str, Any]) -> Iterator[str]:
    for field in ("content", "summary", "queries"):
        value = item.get(field, ())
        for part in [value] if isinstance(value, str) else value:
            yield part if isinstance(part, str) else part.get("text", part.get("refusal", ""))


def _json_leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _json_leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _json_leaves(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


@cache
def split_words(text: str) -> Words:
    """Return the words of a text; a run of a script without spaces is one, also next to letters of other scripts."""
    words = [""]
    for character in normalize("NFKC", normalize("NFKC", text).casefold()):
        if category(character) == "Cf" or name(character, "").startswith("VARIATION SELECTOR-"):
            continue
        if category(character)[0] not in "LMN":
            words.append("")
        elif words[-1] and is_unspaced(words[-1][-1]) != is_unspaced(character):
            words.append(character)
        else:
            words[-1] += character
    return tuple(word for word in words if word)


def is_unspaced(character: str) -> bool:
    character_name = name(character, "")
    return character_name.startswith(_UNSPACED_SCRIPTS) and not character_name.startswith("IDEOGRAPHIC TALLY")


def contains_phrase(words: Words, phrase: Words) -> bool:
    last = len(phrase) - 1
    return any(
        all(word_matches(wanted, words[start + i], i == 0, i == last) for i, wanted in enumerate(phrase))
        for start in range(len(words) - last)
    )


def word_matches(wanted: str, word: str, is_first: bool, is_last: bool) -> bool:
    """Whether a word of a phrase matches; where there are no spaces, a phrase may begin and end within a run."""
    if not is_unspaced(wanted[0]):
        return wanted == word
    if is_first and is_last:
        return wanted in word
    if is_first:
        return word.endswith(wanted)
    if is_last:
        return word.startswith(wanted)
    return wanted == word
