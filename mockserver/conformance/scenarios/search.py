"""Search: which conversations the words find."""

import time

from mockserver.conformance.api import Api, fresh_name, ids, item_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect

scenario = Scenarios()


def _expect_found(api: Api, conversation: str, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [conversation], f"what {query!r} finds")


def _expect_nothing(api: Api, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [], f"what {query!r} finds")


@scenario("conversations.search.finds-by-item-content")
def search_finds_by_item_content(api: Api) -> None:
    weather = api.create_id(says("Will you tell me the weather forecast for tomorrow?"))
    api.create(says("Summarize the latest support ticket."), topic="weather forecast")
    for patience in (0.5, 1, 2, 0):
        found = ids(api.conversations(search="weather forecast"))
        if found == [weather]:
            return
        time.sleep(patience)  # Nobody promises that an index is up to date at once.
    expect(found, [weather], "what 'weather forecast' finds")


@scenario("conversations.search.matches-whole-words")
def a_word_matches_as_a_whole(api: Api) -> None:
    conversation = api.create_id(says("The forecasts (three of them) were re-read, weren't they?"))
    _expect_found(api, conversation, "forecasts", "three", "read")
    _expect_nothing(api, "forecast", "fore", "casts", "hree")


@scenario("conversations.search.folds-case")
def case_does_not_matter(api: Api) -> None:
    conversation = api.create_id(says("Weather in MÜNCHEN, Straße 5, ΟΔΟΣ"))
    _expect_found(api, conversation, "weather", "WEATHER", "münchen", "STRASSE", "οδος")


@scenario("conversations.search.minds-accents")
def accents_matter(api: Api) -> None:
    conversation = api.create_id(says("a café"))
    _expect_found(api, conversation, "café")
    _expect_nothing(api, "cafe")


@scenario("conversations.search.wants-all-words-in-one-item")
def all_words_stand_in_one_item(api: Api) -> None:
    together = api.create_id(says("sunny weather and a good forecast"))
    api.create(says("sunny weather"), says("a good forecast"))
    _expect_found(api, together, "forecast weather", "weather   forecast")


@scenario("conversations.search.takes-quoted-phrases")
def a_quoted_phrase_stands_as_it_is(api: Api) -> None:
    phrase = api.create_id(says("the weather forecast, of today"))
    api.create(says("a forecast of the weather today"))
    _expect_found(api, phrase, '"weather forecast"', '"weather forecast" today', '"Forecast of today"')
    _expect_nothing(api, '"forecast weather"', '"today weather"')


@scenario("conversations.search.takes-an-unclosed-quote-as-typed")
def an_unclosed_quote_makes_no_phrase(api: Api) -> None:
    conversation = api.create_id(says("a screen of 27 inches"))
    _expect_found(api, conversation, '27" screen', '"inches screen')


@scenario("conversations.search.reads-every-text-part", "conversations.search.reads-tool-calls")
def every_text_is_searched(api: Api) -> None:
    parts = [{"type": "input_text", "text": "alpha"}, {"type": "input_text", "text": "bravo"}]
    call = {"type": "function_call", "call_id": "call_1", "name": "lookup", "arguments": '{"city":"Reykjavik"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "cloudy"}
    conversation = api.create_id({"role": "user", "content": parts}, call, output)
    api.create(says("nothing of the kind"))
    _expect_found(api, conversation, "alpha", "bravo", "reykjavik", "cloudy")


@scenario("conversations.search.finds-parts-where-words-have-no-spaces")
def scripts_without_spaces_match_by_part(api: Api) -> None:
    conversation = api.create_id(says("明日の東京の天気を教えてください"))
    _expect_found(api, conversation, "東京", "天気", "東京の天気")
    _expect_nothing(api, "大阪")


@scenario("conversations.search.empty-is-no-filter", "conversations.search.without-match-is-an-empty-page")
def an_empty_search_filters_nothing(api: Api) -> None:
    conversation = api.create_id(says("hello"))
    _expect_found(api, conversation, "")
    _expect_nothing(api, fresh_name("word"))


@scenario("conversations.search.forgets-removed-items")
def a_removed_item_is_not_found(api: Api) -> None:
    conversation = api.create_id(says("alpha"), says("bravo"))
    api.delete(item_path(conversation, ids(api.items(conversation))[0])).ok()
    _expect_nothing(api, "alpha")
    _expect_found(api, conversation, "bravo")


@scenario("conversations.search.adds-to-the-metadata-filter")
def search_adds_to_the_metadata_filter(api: Api) -> None:
    wanted = api.create_id(says("alpha"), tag="x")
    api.create(says("alpha"), tag="y")
    api.create(says("bravo"), tag="x")
    expect(ids(api.conversations(search="alpha", metadata='{"tag": "x"}')), [wanted], "what both find")
