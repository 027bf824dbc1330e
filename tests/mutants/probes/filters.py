"""How the mutants of filters show."""

import json
from collections.abc import Callable
from typing import Any

from tests.mutants.client import MutantClient, user_message
from tests.mutants.probe import Probe


def _found(*conversations: dict[str, Any], **query: Any) -> Callable[[MutantClient], list[int]]:
    """Which of these conversations a list shows; a number for `after` is the place of one of them."""

    def look(api: MutantClient) -> list[int]:
        paths = [api.create(**body) for body in conversations]
        asked = {name: json.dumps(value) if name == "metadata" else value for name, value in query.items()}
        if "after" in query:
            asked["after"] = paths[query["after"]][1:]
        return sorted(paths.index(path) for path in api.list_paths(**asked))

    return look


def _about(text: Any, **metadata: str) -> dict[str, Any]:
    return {"items": [user_message(text)], "metadata": metadata}


def _marked(**metadata: str) -> dict[str, Any]:
    return {"metadata": metadata}


def _found_after_adding(api: MutantClient) -> int:
    api.add(api.create(items=[user_message("sun")]), user_message("rain"))
    return len(api.list_paths(search="rain"))


TWO_WORDS = (_about("red rain"), _about("red sun"))
TWO_ITEMS = ({"items": [user_message("sun"), user_message("rain")]}, _about("rain"))
PARTS = (_about([{"type": "input_text", "text": "rain"}]), _about("rain"))
SPEAKERS = ({"items": [{"role": "assistant", "content": "rain"}]}, _about("rain"))
MARKED = (_marked(a="1"), _marked(a="2"), _marked(a="1"))

FILTERED = {
    "metadata-filter-ignored": Probe(_found(*MARKED, metadata={"a": "1"}), [0, 2], [0, 1, 2]),
    "search-ignored": Probe(_found(*TWO_WORDS, search="sun"), [1], [0, 1]),
    "filter-forgotten-on-the-second-page": Probe(
        lambda api: [
            _found(*MARKED, metadata={"a": "1"})(api.as_end_user("ada")),
            _found(*MARKED, metadata={"a": "1"}, after=0)(api),
        ],
        [[0, 2], [2]],
        [[0, 2], [1, 2]],
    ),
    "filter-forgotten-in-descending-order": Probe(
        lambda api: [
            _found(*MARKED, metadata={"a": "1"})(api.as_end_user("ada")),
            _found(*MARKED, metadata={"a": "1"}, order="desc")(api),
        ],
        [[0, 2], [0, 2]],
        [[0, 2], [0, 1, 2]],
    ),
    "filter-forgotten-beside-a-search": Probe(
        _found(_about("rain", a="1"), _about("rain", a="2"), metadata={"a": "1"}, search="rain"), [0], [0, 1]
    ),
    "any-pair-matches": Probe(
        _found(_marked(a="1", b="1"), _marked(a="1"), _marked(c="1"), metadata={"a": "1", "b": "1"}), [0], [0, 1]
    ),
    "filter-misses-non-ascii": Probe(
        lambda api: [
            _found(_marked(a=text), metadata={"a": text})(api.as_end_user(user))
            for text, user in (("e", "x"), ("é", "y"))
        ],
        [[0], [0]],
        [[0], []],
    ),
    "filter-misses-what-has-items": Probe(
        _found(_about("x", a="1"), _marked(a="1"), metadata={"a": "1"}), [0, 1], [1]
    ),
    "no-match-is-404": Probe(lambda api: api.get(metadata='{"a":"1"}').status, 200, 404),
    "empty-search-finds-nothing": Probe(_found(_about("x"), search=""), [0], []),
    "search-takes-the-first-word": Probe(_found(*TWO_WORDS, search="red sun"), [1], [0, 1]),
    "search-misses-non-ascii": Probe(_found(_about("Größe"), search="größe"), [0], []),
    "search-reads-the-first-item": Probe(_found(*TWO_ITEMS, search="rain"), [0, 1], [1]),
    "search-reads-no-parts": Probe(_found(*PARTS, search="rain"), [0, 1], [1]),
    "search-reads-users-only": Probe(_found(*SPEAKERS, search="rain"), [0, 1], [1]),
    "search-misses-later-items": Probe(_found_after_adding, 1, 0),
}
