"""Search: which conversations the words find."""

import time

from mockserver.conformance.api import Api, fresh_name, ids, item_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect
from mockserver.conformance.scenarios.reading import texts

scenario = Scenarios()


_FINDS = "conversations.search.finds-by-item-content"


def _expect_found(api: Api, conversation: str, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [conversation], f"what {query!r} finds")


def _expect_nothing(api: Api, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [], f"what {query!r} finds")


def _expect_soon(api: Api, expected: list[str], query: str) -> None:
    """Nobody promises that an index is up to date at once."""
    for patience in (0.5, 1, 2, 0):
        found = ids(api.conversations(search=query))
        if found == expected:
            return
        time.sleep(patience)
    expect(found, expected, f"what {query!r} finds")


def _finds_by(api: Api, conversation: str, words: str) -> None:
    """What any other rule about a search needs."""
    api.checks(_FINDS)
    _expect_soon(api, [conversation], words)


@scenario(_FINDS)
def search_finds_by_item_content(api: Api) -> None:
    weather = api.create_id(says("Will you tell me the weather forecast for tomorrow?"))
    api.create(says("Summarize the latest support ticket."), topic="weather forecast")
    _finds_by(api, weather, "weather forecast")


@scenario(_FINDS, "conversations.search.matches-whole-words")
def a_word_matches_as_a_whole(api: Api) -> None:
    conversation = api.create_id(says("The forecasts (three of them) were re-read, weren't they?"))
    _finds_by(api, conversation, "forecasts")
    api.checks("conversations.search.matches-whole-words")
    _expect_found(api, conversation, "three", "read")
    _expect_nothing(api, "forecast", "fore", "casts", "hree")


@scenario(_FINDS, "conversations.search.folds-case")
def case_does_not_matter(api: Api) -> None:
    conversation = api.create_id(says("Weather in MÜNCHEN, Straße 5, ΟΔΟΣ"))
    _finds_by(api, conversation, "Weather")
    api.checks("conversations.search.folds-case")
    _expect_found(api, conversation, "weather", "WEATHER", "münchen", "STRASSE", "οδος")


@scenario(_FINDS, "conversations.search.minds-accents")
def accents_matter(api: Api) -> None:
    conversation = api.create_id(says("a café"))
    _finds_by(api, conversation, "café")
    api.checks("conversations.search.minds-accents")
    _expect_nothing(api, "cafe")


@scenario(_FINDS, "conversations.search.wants-all-words-in-one-item")
def all_words_stand_in_one_item(api: Api) -> None:
    together = api.create_id(says("sunny weather and a good forecast for Lisbon"))
    api.create(says("sunny weather"), says("a good forecast"))
    _finds_by(api, together, "Lisbon")
    api.checks("conversations.search.wants-all-words-in-one-item")
    _expect_found(api, together, "forecast weather", "weather   forecast")


@scenario(_FINDS, "conversations.search.takes-quoted-phrases")
def a_quoted_phrase_stands_as_it_is(api: Api) -> None:
    phrase = api.create_id(says("the weather forecast, of today, for Lisbon"))
    api.create(says("a forecast of the weather today"))
    _finds_by(api, phrase, "Lisbon")
    api.checks("conversations.search.takes-quoted-phrases")
    _expect_found(api, phrase, '"weather forecast"', '"weather forecast" today', '"Forecast of today"')
    _expect_nothing(api, '"forecast weather"', '"today weather"')


@scenario(_FINDS, "conversations.search.takes-an-unclosed-quote-as-typed")
def an_unclosed_quote_makes_no_phrase(api: Api) -> None:
    conversation = api.create_id(says("a screen of 27 inches"))
    _finds_by(api, conversation, "screen")
    api.checks("conversations.search.takes-an-unclosed-quote-as-typed")
    _expect_found(api, conversation, '27" screen', '"inches screen')


@scenario(_FINDS, "conversations.search.reads-every-text-part", "conversations.search.reads-tool-calls")
def every_text_is_searched(api: Api) -> None:
    parts = [{"type": "input_text", "text": "alpha"}, {"type": "input_text", "text": "bravo"}]
    call = {"type": "function_call", "call_id": "call_1", "name": "lookup", "arguments": '{"city":"Reykjavik"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "cloudy"}
    conversation = api.create_id({"role": "user", "content": parts}, call, output)
    api.create(says("nothing of the kind"))
    _finds_by(api, conversation, "alpha")
    api.checks("conversations.search.reads-every-text-part")
    _expect_found(api, conversation, "bravo")
    api.checks("conversations.search.reads-tool-calls")
    _expect_found(api, conversation, "reykjavik", "cloudy")


@scenario(_FINDS, "conversations.search.finds-parts-where-words-have-no-spaces")
def scripts_without_spaces_match_by_part(api: Api) -> None:
    conversation = api.create_id(says("明日の東京の天気を教えてください"), says("tomorrow"))
    _finds_by(api, conversation, "tomorrow")
    api.checks("conversations.search.finds-parts-where-words-have-no-spaces")
    _expect_found(api, conversation, "東京", "天気", "東京の天気")
    _expect_nothing(api, "大阪")


@scenario("conversations.search.empty-is-no-filter", "conversations.search.without-match-is-an-empty-page")
def an_empty_search_filters_nothing(api: Api) -> None:
    conversation = api.create_id(says("hello"))
    api.checks("conversations.search.empty-is-no-filter")
    _expect_found(api, conversation, "")
    api.checks("conversations.search.without-match-is-an-empty-page")
    _expect_nothing(api, fresh_name("word"))


@scenario(_FINDS, "conversations.search.forgets-removed-items")
def a_removed_item_is_not_found(api: Api) -> None:
    conversation = api.create_id(says("alpha"), says("bravo"))
    page = api.items(conversation)
    alpha = ids(page)[texts(page).index("alpha")]
    _finds_by(api, conversation, "alpha")
    api.delete(item_path(conversation, alpha)).ok()
    api.checks("conversations.search.forgets-removed-items")
    _expect_soon(api, [], "alpha")
    _expect_found(api, conversation, "bravo")


@scenario(_FINDS, "conversations.search.adds-to-the-metadata-filter")
def search_adds_to_the_metadata_filter(api: Api) -> None:
    wanted = api.create_id(says("alpha bravo"), tag="x")
    api.create(says("alpha"), tag="y")
    api.create(says("charlie"), tag="x")
    _finds_by(api, wanted, "bravo")
    api.checks("conversations.search.adds-to-the-metadata-filter")
    expect(ids(api.conversations(search="alpha", metadata='{"tag": "x"}')), [wanted], "what both find")
