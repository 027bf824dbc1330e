"""Full-text search over the items of one tenant: an inverted index, and the texts to check phrases in.

* An item matches when it has all words of the search. Words `"in quotes"` must be adjacent, in this order and in one
  text part. An unclosed quote only separates words.
* Scripts that are written without spaces match by substring: a run of them in the search matches anywhere within a
  run of them in the text.
* A search without any word, such as one of punctuation only, matches nothing.

`item_text` says which text counts, `words` what a word is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from mockserver.store.item_text import text_parts
from mockserver.store.records import Item
from mockserver.store.words import WordSplitter

Owner = TypeVar("Owner")


class Matches(Generic[Owner]):
    """The items that match a search. Valid until the index changes.

    These are the items that all postings have in common, as far as their text contains all phrases.
    """

    def __init__(self, index: "SearchIndex[Owner]", postings: Iterable[set[int]], phrases: Sequence[str]) -> None:
        self._index = index
        self._rarest, *self._others = sorted(postings, key=len)
        self._phrases = phrases

    def upper_bound(self) -> int:
        """Return a number of items that the matches do not exceed."""
        return len(self._rarest)

    def has_owner(self, owner: Owner) -> bool:
        """Return whether an item of this owner matches."""
        own = self._index.numbers.get(owner, {})
        return bool(self._find(own.values()))

    def owners(self) -> Iterator[Owner]:
        """Return the owner of each matching item."""
        return map(self._index.owners.__getitem__, self._find())

    def _find(self, *among: Iterable[int]) -> set[int]:
        numbers = self._rarest.intersection(*among, *self._others)
        texts = self._index.texts
        for phrase in self._phrases:
            numbers = {number for number in numbers if phrase in texts[number]}
        return numbers


class SearchIndex(Generic[Owner]):
    """Finds items by their words. A new item is indexed by the next search, so that adding one stays fast.

    Items are numbered in the order in which they are indexed. Sets of such numbers are small and, as Python keeps
    them nearly sorted, quick to go through.
    """

    def __init__(self) -> None:
        self._splitter = WordSplitter()
        self._pending: dict[str, tuple[Owner, Item]] = {}
        self._next_number = 0
        self.owners: dict[int, Owner] = {}
        # The words of an item, with a space before and after each, and a line end between text parts. So a phrase
        # occurs in the item exactly if it is a substring.
        self.texts: dict[int, str] = {}
        self.numbers: defaultdict[Owner, dict[str, int]] = defaultdict(dict)
        # The numbers of the items that have a term: a word or, of a script without spaces, a character.
        self._postings: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, owner: Owner, item: Item) -> None:
        """Add an item whose id is not in the index."""
        self._pending[item.id] = (owner, item)

    def remove(self, owner: Owner, item_id: str) -> None:
        """Remove an item, if it is in the index."""
        numbers = self.numbers.get(owner, {})
        if self._pending.pop(item_id, None) is not None or item_id not in numbers:
            return
        number = numbers.pop(item_id)
        if not numbers:
            del self.numbers[owner]
        del self.owners[number]
        for term in self._terms(self.texts.pop(number)):
            self._postings[term].remove(number)
            if not self._postings[term]:
                del self._postings[term]

    def search(self, search: str) -> Matches[Owner]:
        """Return the items that match a search."""
        self._index_pending()
        phrases = list(self._phrases(search))
        terms = {term for phrase in phrases for term in self._terms(phrase)}
        postings = [self._postings.get(term, set()) for term in terms] or [set()]
        # To have a word is to have its term: no need to look for it in the text.
        return Matches(self, postings, [phrase for phrase in phrases if phrase.strip() not in terms])

    def _index_pending(self) -> None:
        for item_id, (owner, item) in self._pending.items():
            parts = [f" {' '.join(words)} " for part in text_parts(item.data) if (words := self._splitter.split(part))]
            text = "\n".join(parts)
            if text:
                number = self._next_number = self._next_number + 1
                self.numbers[owner][item_id] = number
                self.owners[number] = owner
                self.texts[number] = text
                for term in self._terms(text):
                    self._postings[term].add(number)
        self._pending = {}

    def _terms(self, text: str) -> set[str]:
        terms = set(text.split())
        if text.isascii():
            return terms
        unspaced = {word for word in terms if self._splitter.is_unspaced(word[0])}
        return (terms - unspaced).union(*unspaced)

    def _phrases(self, search: str) -> Iterator[str]:
        """Yield the texts that must occur in a matching item, each unquoted word being one."""
        pieces = search.split('"')
        for number, piece in enumerate(pieces):
            is_quoted = number % 2 == 1 and number < len(pieces) - 1
            words = self._splitter.split(piece)
            for phrase in [" ".join(words)] if is_quoted else words:
                if phrase:
                    # Where a script has no spaces, a phrase may begin and end within a run of it.
                    before = "" if self._splitter.is_unspaced(phrase[0]) else " "
                    after = "" if self._splitter.is_unspaced(phrase[-1]) else " "
                    yield f"{before}{phrase}{after}"
