"""Full-text search over the items of one tenant: which text counts, what a word is, and the index.

* Text is every text part of an item, tool arguments and outputs included; `_TEXT` is the whole list. Ids, enums,
  names, URLs, file data and encrypted content are no text, and a reference has none.
* A word is a run of letters, marks and digits; everything else parts words, `_` and `'` included, except that
  invisible characters such as the soft hyphen count as not there. Words are compared after NFKC and case
  folding. NFKC rather than NFC because people type full-width and half-width forms of one letter without seeing
  a difference; accents stay significant in both.
* Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) match by substring: a run of them in the
  search matches anywhere inside a run of them in the text.
* An item matches when it has all words of the search. `"in quotes"` they must stand next to one another, in that
  order and in one text part; a quote that is never closed just parts words.
* A search without any word, such as one of punctuation only, matches nothing.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from sys import intern
from typing import Any, Generic, TypeVar
from unicodedata import category, normalize

import orjson

from mockserver.store.records import Item

# Where each kind of item holds text; a step through a list goes to all its elements.
_TEXT: Mapping[str, tuple[str, ...]] = {
    "message": ("content", "content.text", "content.refusal"),
    "function_call": ("arguments",),
    "function_call_output": ("output", "output.text"),
    "custom_tool_call": ("input",),
    "custom_tool_call_output": ("output", "output.text"),
    "computer_call": ("action.text", "pending_safety_checks.message"),
    "computer_call_output": ("acknowledged_safety_checks.message",),
    "file_search_call": ("queries", "results.text"),
    "web_search_call": ("action.query", "action.pattern"),
    "reasoning": ("summary.text", "content.text"),
    "image_generation_call": ("revised_prompt",),
    "code_interpreter_call": ("code", "outputs.logs"),
    "local_shell_call": ("action.command",),
    "local_shell_call_output": ("output",),
    "shell_call": ("action.command",),
    "shell_call_output": ("output.stdout", "output.stderr"),
    "mcp_list_tools": ("tools.description", "error"),
    "mcp_approval_request": ("arguments",),
    "mcp_approval_response": ("reason",),
    "mcp_call": ("arguments", "output", "error"),
    "output_audio": ("transcript",),
    "compaction": ("content",),
}
_PATHS = {kind: [tuple(path.split(".")) for path in paths] for kind, paths in _TEXT.items()}

# By code block; what in them is neither letter, mark nor digit has become a blank before this is asked.
_WITHOUT_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3021-\u302d\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Hiragana, Katakana
)
_ASCII_WORD = re.compile("[a-z0-9]+")

# A segment is closed at this many bits: some thousand short messages, so that anding two of its bitmaps takes
# about a microsecond and indexing a quarter of it anew a few milliseconds.
_SEGMENT = 1 << 14
# A word that takes up one bit in this many gets a bitmap; for others a list of places is a lot smaller.
_RARE = 512

# The byte in which an item's last bit is set, and no other can be.
_LAST_BIT = 0x80

Owner = TypeVar("Owner")

# Words to be found next to one another: each with its distance from the first.
_Sequence = tuple[tuple[int, str], ...]


def _texts(data: bytes) -> Iterator[str]:
    """The text parts of an item."""
    item = orjson.loads(data)
    for path in _PATHS.get(item.get("type", "message"), ()):
        for text in _at(item, path):
            yield _unescaped(text) if path[-1] in ("arguments", "output") else text


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _at(element, path)
    elif not path:
        if isinstance(value, str):
            yield value
    elif isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])


def _unescaped(text: str) -> str:
    """What a tool's JSON says: many encoders write Zürich as Z\\u00fcrich, and all of them a line end as \\n."""
    if "\\" not in text:
        return text
    try:
        pending = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return text
    leaves: list[str] = []
    while pending:
        match pending.pop():
            case dict() as members:
                pending += reversed(list(chain.from_iterable(members.items())))
            case list() as elements:
                pending += reversed(elements)
            case str() as leaf:
                leaves.append(leaf)
            case other:
                leaves.append(orjson.dumps(other).decode())
    return " ".join(leaves)


class _Characters(dict[int, str | int | None]):
    """A table for `str.translate`, filled as characters turn up, that leaves only words and blanks."""

    def __missing__(self, code: int) -> str | int | None:
        kind = category(chr(code))
        kept: str | int | None = " "
        if kind == "Cf" or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
            # Nobody sees these, and the zero width space may stand anywhere in Thai or Khmer.
            kept = None
        elif kind[0] in "LMN":
            kept = code
        self[code] = kept
        return kept


class _Words:
    """Takes text apart."""

    def __init__(self) -> None:
        self._characters = _Characters()
        # Not compiled before there is something to search: it takes some milliseconds.
        self._run = re.compile(f"[{_WITHOUT_SPACES}]+|[^ {_WITHOUT_SPACES}]+")
        self._is_without_spaces = re.compile(f"[{_WITHOUT_SPACES}]").match

    def of(self, text: str) -> list[str]:
        """Words, each a string; a run of a script without spaces counts as one."""
        if text.isascii():
            return _ASCII_WORD.findall(text.lower())
        # Case folding can undo the normal form, hence twice.
        folded = normalize("NFKC", normalize("NFKC", text).casefold())
        return self._run.findall(folded.translate(self._characters))

    def tokens(self, words: Iterable[str]) -> list[str]:
        """What is indexed, by position: a word, or one character of a script without spaces.

        The end of such a run takes up a position too (""): without it, the last character of one run and the
        first of the next would pass for a substring.
        """
        tokens: list[str] = []
        for word in words:
            if self._is_without_spaces(word):
                tokens += word
                tokens.append("")
            else:
                tokens.append(word)
        return tokens

    def of_item(self, data: bytes) -> list[str]:
        """The tokens of all text parts, with a position left free after each, which no phrase gets across."""
        tokens: list[str] = []
        for text in _texts(data):
            words = self.of(text)
            tokens += words if text.isascii() else self.tokens(words)
            tokens.append("")
        return tokens if any(tokens) else []

    def of_search(self, search: str) -> list[_Sequence]:
        parts = search.split('"')
        if len(parts) % 2 == 0:
            unclosed = parts.pop()
            parts[-1] += " " + unclosed
        runs = [[word] for part in parts[0::2] for word in self.of(part)]
        runs += [self.of(part) for part in parts[1::2]]
        sequences = (tuple((offset, token) for offset, token in enumerate(self.tokens(run)) if token) for run in runs)
        return list(dict.fromkeys(filter(None, sequences)))


class _Segment(Generic[Owner]):
    """Some items in a row, with a bit for each token.

    An item's bits begin and end with a byte, and its last bit stands for the item. A word is then a bitmap of
    the places where it occurs, words next to one another are shifted bitmaps anded, and "somewhere in the item"
    is an addition: the carry out of an item's bits lands in its last one. So a search is a few operations on
    long integers, however frequent its words.
    """

    __slots__ = ("_body", "_lists", "_packed", "added", "items", "live", "owners", "sealed", "size")

    def __init__(self) -> None:
        self.size = 0
        self._lists: dict[str, list[int]] = {}
        self._packed: dict[str, bytes | int] = {}
        self._body = 0  # every bit but the items' last ones
        self.live = 0  # the last bits of the items that have not been removed
        self.added = 0
        self.sealed = False
        # One for each byte: at an item's last byte its owner and itself, None at the others.
        self.owners: list[Owner | None] = []
        self.items: list[Item | None] = []

    def add(self, owner: Owner, item: Item, tokens: list[str]) -> int:
        """Index an item; the answer is the bit that stands for it."""
        start = self.size
        lists = self._lists
        for position, token in enumerate(tokens, start):
            if token:
                if token in lists:
                    lists[token].append(position)
                else:
                    lists[intern(token)] = [position]  # one string for all segments that have the word
        end = (start + len(tokens)) | 7
        self.size = end + 1
        self._body |= ((1 << (end - start)) - 1) << start
        self.live |= 1 << end
        self.added += 1
        filler = [None] * ((end - start) // 8)
        self.owners += filler
        self.owners.append(owner)
        self.items += filler
        self.items.append(item)
        return end

    def seal(self) -> None:
        """Nothing more will be added."""
        for word, positions in self._lists.items():
            if len(positions) * _RARE < self.size:
                self._packed[word] = array("I", positions).tobytes()
            else:
                self._packed[word] = self._bitmap(positions)
        self._lists = {}
        self.sealed = True

    def remove(self, bit: int) -> None:
        self.live ^= 1 << bit
        self.owners[bit >> 3] = self.items[bit >> 3] = None

    def find(self, sequences: list[_Sequence]) -> int:
        """The bits of the items that have them all."""
        postings: Mapping[str, list[int] | bytes | int] = self._packed if self.sealed else self._lists
        if not all(token in postings for sequence in sequences for _, token in sequence):
            return 0
        found = self.live
        for sequence in sequences:
            hits = -1
            for offset, token in sequence:
                hits &= self._bits(postings[token]) >> offset
            found &= hits + self._body
            if not found:
                break
        return found

    def _bits(self, posting: list[int] | bytes | int) -> int:
        if isinstance(posting, int):
            return posting
        if isinstance(posting, bytes):
            posting = memoryview(posting).cast("I").tolist()
        return 1 << posting[0] if len(posting) == 1 else self._bitmap(posting)

    def _bitmap(self, positions: list[int]) -> int:
        bits = bytearray(self.size >> 3)
        for position in positions:
            bits[position >> 3] |= 1 << (position & 7)
        return int.from_bytes(bits, "little")


class Matches(Generic[Owner]):
    """The items that match a search, by their ids; good until the index changes."""

    def __init__(self, found: dict[int, tuple[_Segment[Owner], int]], places: Mapping[str, int]) -> None:
        self._found = found
        self._places = places

    def __len__(self) -> int:
        return sum(bits.bit_count() for _, bits in self._found.values())

    def __contains__(self, item_id: str) -> bool:
        place = self._places.get(item_id, -1)
        segment_and_bits = self._found.get(place >> 32)
        return segment_and_bits is not None and bool(segment_and_bits[1] >> (place & 0xFFFFFFFF) & 1)

    def owners(self) -> set[Owner]:
        """The owners of all of them."""
        owners: set[Owner | None] = set()
        for segment, bits in self._found.values():
            flags = bits.to_bytes(len(segment.owners), "little")
            if bits.bit_count() * 8 > len(flags):
                owners.update(compress(segment.owners, flags))
                continue
            at = flags.find(_LAST_BIT)
            while at >= 0:
                owners.add(segment.owners[at])
                at = flags.find(_LAST_BIT, at + 1)
        return owners  # type: ignore[return-value]  # a bit is only ever found where there is an owner


class SearchIndex(Generic[Owner]):
    """Finds items by their words, and says who owns them.

    Adding an item only notes it down; the next search pays for indexing it.
    """

    def __init__(self, segment_bits: int = _SEGMENT) -> None:
        self._segment_bits = segment_bits
        self._words = _Words()
        self._waiting: dict[str, tuple[Owner, Item]] = {}
        self._segments: dict[int, _Segment[Owner]] = {}
        self._newest = 0
        self._thin: set[int] = set()  # segments that have lost three in four of their items
        self._places: dict[str, int] = {}  # item id -> number of the segment << 32 | bit in it

    def add(self, owner: Owner, item: Item) -> None:
        """The item's id must not be in the index."""
        self._waiting[item.id] = (owner, item)

    def remove(self, item_id: str) -> None:
        """Forget an item, if it is in the index."""
        if self._waiting.pop(item_id, None) is not None:
            return
        place = self._places.pop(item_id, None)
        if place is None:
            return
        number = place >> 32
        segment = self._segments[number]
        segment.remove(place & 0xFFFFFFFF)
        if not segment.live:
            del self._segments[number]
            self._thin.discard(number)
        elif segment.sealed and segment.live.bit_count() * 4 < segment.added:
            self._thin.add(number)

    def search(self, search: str) -> Matches[Owner]:
        """All items that match `search`; none when it has no word."""
        self._catch_up()
        found: dict[int, tuple[_Segment[Owner], int]] = {}
        sequences = self._words.of_search(search)
        if sequences:
            for number, segment in self._segments.items():
                bits = segment.find(sequences)
                if bits:
                    found[number] = segment, bits
        return Matches(found, self._places)

    def _catch_up(self) -> None:
        if self._thin:
            # One at a time, so that no search waits long after many items have been removed.
            segment = self._segments.pop(self._thin.pop())
            for owner, item in zip(segment.owners, segment.items, strict=True):
                if owner is not None and item is not None:
                    self._waiting[item.id] = owner, item
        for item_id, (owner, item) in self._waiting.items():
            tokens = self._words.of_item(item.data)
            if tokens:
                number, segment = self._open()
                self._places[item_id] = number << 32 | segment.add(owner, item, tokens)
                if segment.size >= self._segment_bits:
                    segment.seal()
        self._waiting = {}

    def _open(self) -> tuple[int, _Segment[Owner]]:
        """The segment that takes the next item."""
        segment = self._segments.get(self._newest)
        if segment is None or segment.sealed:
            self._newest += 1
            segment = self._segments[self._newest] = _Segment()
        return self._newest, segment
