"""The search index and the naive search find the same items."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from mockserver.store.records import Item
from mockserver.store.search import SearchIndex
from tests.stateful.naive_search import texts_match


def build_item(item_id: str, texts: list[str]) -> Item:
    content = [{"type": "input_text", "text": text} for text in texts]
    return Item(item_id, orjson.dumps({"type": "message", "role": "user", "id": item_id, "content": content}))


def index_matches(search: str, texts: list[str]) -> bool:
    index: SearchIndex[str] = SearchIndex()
    index.add("owner", build_item("1", texts))
    matches = index.search(search)
    assert list(matches.owners()) == ["owner"] * matches.has_owner("owner")
    return matches.has_owner("owner")


SCRAPS = ["a", "b", "A", "é", "e\u0301", "ß", "東", "京", "都", "タ", "ﾀ", "ก", "ำ", "ह", "ि", "7", "①"]
SEPARATORS = [" ", " ", "", "", "-", "、", "\u200b", "\ufe0f", "\\", "_", "¨"]
TEXT = st.lists(st.sampled_from(SCRAPS) | st.sampled_from(SEPARATORS), max_size=14).map("".join)
SEARCH = st.lists(st.sampled_from([*SCRAPS, *SEPARATORS, '"', '"']), max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=3), searches=st.lists(SEARCH, min_size=1, max_size=8))
def test_searches_for_likely_combinations(texts, searches):
    for search in searches:
        assert index_matches(search, texts) == texts_match(search, texts), (search, texts)


@settings(max_examples=300, deadline=None)
@given(text=st.text(min_size=1, max_size=8), before=st.text(max_size=4), after=st.text(max_size=4))
def test_searches_for_any_text(text, before, after):
    for search in text, text[:1], f'"{text}"':
        assert index_matches(search, [before + text + after]) == texts_match(search, [before + text + after])


@settings(max_examples=1000, deadline=None)
@given(character=st.characters(categories=["L", "M", "N"]))
def test_scripts_that_match_by_substring(character):
    assert index_matches(character, [character * 2]) == texts_match(character, [character * 2])


class IndexAgainstNaiveSearch(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.index: SearchIndex[str] = SearchIndex()
        self.items: dict[str, tuple[str, list[str]]] = {}
        self.count = 0

    def add_item(self, owner: str, item_id: str, texts: list[str]) -> None:
        self.index.add(owner, build_item(item_id, texts))
        self.items[item_id] = owner, texts

    def remove_item(self, item_id: str) -> None:
        owner, _ = self.items.pop(item_id)
        self.index.remove(owner, item_id)

    @rule(target=ids, owner=st.sampled_from("xyz"), texts=st.lists(TEXT, max_size=2), copies=st.integers(1, 10))
    def add(self, owner, texts, copies):
        new_ids = [str(self.count + number) for number in range(copies)]
        self.count += copies
        for item_id in new_ids:
            self.add_item(owner, item_id, texts)
        return multiple(*new_ids)

    @rule(item_id=consumes(ids))
    def remove(self, item_id):
        self.remove_item(item_id)

    @rule(target=ids, item_id=consumes(ids), owner=st.sampled_from("xyz"), texts=st.lists(TEXT))
    def remove_and_use_again(self, item_id, owner, texts):
        self.remove_item(item_id)
        self.add_item(owner, item_id, texts)
        return item_id

    @rule(search=SEARCH)
    def search(self, search):
        matches = self.index.search(search)
        expected = {owner for owner, texts in self.items.values() if texts_match(search, texts)}
        assert set(matches.owners()) == expected
        assert {owner for owner in "xyz" if matches.has_owner(owner)} == expected


IndexAgainstNaiveSearch.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestIndexAgainstNaiveSearch = IndexAgainstNaiveSearch.TestCase
