"""The search index and a few plain loops answer every search alike.

The loops know only the rules as they are written down, and take scripts from the names of characters.
"""

import unicodedata

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from mockserver.store.records import Item
from mockserver.store.search import SearchIndex

UNSPACED = (
    "CJK ",
    "IDEOGRAPHIC ",
    "VERTICAL IDEOGRAPHIC ",
    "HANGZHOU ",
    "HIRAGANA",
    "KATAKANA",
    "COMBINING KATAKANA",
    "HENTAIGANA ",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
)


def is_unspaced(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(UNSPACED) and not name.startswith("IDEOGRAPHIC TALLY")


def words_of(text: str) -> list[str]:
    words = [""]
    for character in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()):
        category = unicodedata.category(character)
        if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR-"):
            continue
        if category[0] not in "LMN":
            words.append("")
        elif words[-1] and is_unspaced(words[-1][-1]) != is_unspaced(character):
            words.append(character)
        else:
            words[-1] += character
    return [word for word in words if word]


def word_matches(wanted: str, word: str, first: bool, last: bool) -> bool:
    if not is_unspaced(wanted[0]):
        return wanted == word
    if first and last:
        return wanted in word
    if first:
        return word.endswith(wanted)
    if last:
        return word.startswith(wanted)
    return wanted == word


def phrase_matches(phrase: list[str], words: list[str]) -> bool:
    for start in range(len(words) - len(phrase) + 1):
        for place, wanted in enumerate(phrase):
            if not word_matches(wanted, words[start + place], place == 0, place == len(phrase) - 1):
                break
        else:
            return True
    return False


def phrases_of(search: str) -> list[list[str]]:
    phrases, rest = [], search
    while rest.count('"') >= 2:
        before, phrase, rest = rest.split('"', 2)
        phrases += [[word] for word in words_of(before)]
        if words_of(phrase):
            phrases.append(words_of(phrase))
    return phrases + [[word] for word in words_of(rest)]


def item_matches(search: str, parts: list[str]) -> bool:
    phrases = phrases_of(search)
    for phrase in phrases:
        if not any(phrase_matches(phrase, words_of(part)) for part in parts):
            return False
    return bool(phrases)


def item(item_id: str, parts: list[str]) -> Item:
    content = [{"type": "input_text", "text": part} for part in parts]
    return Item(item_id, orjson.dumps({"type": "message", "role": "user", "id": item_id, "content": content}))


SCRAPS = ["a", "b", "A", "é", "e\u0301", "ß", "東", "京", "都", "タ", "ﾀ", "ก", "ำ", "ह", "ि", "7", "①"]
SEPARATORS = [" ", " ", "", "", "-", "、", "\u200b", "\ufe0f", "\\", "_", "¨"]
PART = st.lists(st.sampled_from(SCRAPS) | st.sampled_from(SEPARATORS), max_size=14).map("".join)
SEARCH = st.lists(st.sampled_from([*SCRAPS, *SEPARATORS, '"', '"']), max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(PART, min_size=1, max_size=3), searches=st.lists(SEARCH, min_size=1, max_size=8))
def test_made_up_text(parts, searches):
    index: SearchIndex[str] = SearchIndex()
    index.add("somebody", item("1", parts))
    for search in searches:
        assert index.search(search).has_owner("somebody") == item_matches(search, parts), (search, parts)


@settings(max_examples=300, deadline=None)
@given(text=st.text(min_size=1, max_size=8), before=st.text(max_size=4), after=st.text(max_size=4))
def test_any_text(text, before, after):
    index: SearchIndex[str] = SearchIndex()
    index.add("somebody", item("1", [before + text + after]))
    for search in text, text[:1], f'"{text}"':
        assert index.search(search).has_owner("somebody") == item_matches(search, [before + text + after])


@settings(max_examples=1000, deadline=None)
@given(character=st.characters(categories=["L", "M", "N"]))
def test_which_scripts_match_by_substring(character):
    index: SearchIndex[str] = SearchIndex()
    index.add("somebody", item("1", [character * 2]))
    assert index.search(character).has_owner("somebody") == item_matches(character, [character * 2])


class IndexAgainstLoops(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.index: SearchIndex[str] = SearchIndex()
        self.items: dict[str, tuple[str, list[str]]] = {}
        self.count = 0

    @rule(target=ids, owner=st.sampled_from("xyz"), parts=st.lists(PART, max_size=2), copies=st.integers(1, 30))
    def add(self, owner, parts, copies):
        added = []
        for _ in range(copies):
            self.count += 1
            item_id = str(self.count)
            self.index.add(owner, item(item_id, parts))
            self.items[item_id] = owner, parts
            added.append(item_id)
        return multiple(*added)

    @rule(item_id=consumes(ids))
    def remove(self, item_id):
        self.remove_if_there(item_id)

    def remove_if_there(self, item_id):
        if item_id in self.items:
            self.index.remove(self.items.pop(item_id)[0], item_id)

    @rule(target=ids, item_id=consumes(ids), owner=st.sampled_from("xyz"), parts=st.lists(PART))
    def remove_and_use_again(self, item_id, owner, parts):
        self.remove_if_there(item_id)
        self.index.add(owner, item(item_id, parts))
        self.items[item_id] = owner, parts
        return item_id

    @rule(share=st.integers(2, 12), past=st.integers(0, 100))
    def remove_most(self, share, past):
        for item_id in list(self.items):
            if int(item_id) > past and int(item_id) % share:
                self.remove_if_there(item_id)

    @rule(search=SEARCH)
    def search(self, search):
        matches = self.index.search(search)
        expected = {owner for owner, parts in self.items.values() if item_matches(search, parts)}
        assert set(matches.owners()) == expected
        assert {owner for owner in "xyz" if matches.has_owner(owner)} == expected


IndexAgainstLoops.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestIndexAgainstLoops = IndexAgainstLoops.TestCase
