"""Search: which conversations the words find."""

from mockserver.conformance.client import Api, fresh_name, ids, item_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect, expect_soon
from mockserver.conformance.scenarios.reading import texts

scenario = Scenarios()


_FINDS = "conversations.search.finds-by-item-content"
_FILTERS = "conversations.filter.takes-a-json-string"
_CURSOR = "conversations.list.last-id-is-the-cursor-of-the-next-page"


def _expect_found(api: Api, conversation: str, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [conversation], f"what {query!r} finds")


def _expect_nothing(api: Api, *queries: str) -> None:
    for query in queries:
        expect(ids(api.conversations(search=query)), [], f"what {query!r} finds")


def _expect_soon(api: Api, expected: list[str], query: str) -> None:
    """Nobody promises that an index is up to date at once."""
    expect_soon(api, lambda: ids(api.conversations(search=query)), expected, f"what {query!r} finds")


def _finds_by(api: Api, conversation: str, words: str) -> None:
    """What any other rule about a search needs: that there is one, and that it leaves others out."""
    api.create(says("nothing of the kind"))
    api.checks(_FINDS)
    _expect_soon(api, [conversation], words)


@scenario(_FINDS, _CURSOR)
def search_finds_by_item_content(api: Api) -> None:
    weather = api.create_id(
        says("Summarize the latest support ticket."),
        says("Will you tell me the weather forecast for tomorrow?"),
        says("The weather forecast promises sunshine.", role="assistant"),
        {"role": "user", "content": [{"type": "input_text", "text": "The umbrella may stay in Z\u00fcrich then."}]},
    )
    ticket = api.create_id(says("Summarize the latest support ticket."), topic="weather forecast")
    api.checks(_FINDS)
    for query in ("weather forecast", "sunshine", "umbrella", "Z\u00fcrich"):
        _expect_soon(api, [weather], query)
    api.add(ticket, says("Whoever read the weather forecast closes it."))
    _expect_soon(api, [weather, ticket], "weather forecast")
    _expect_soon(api, [ticket], "closes")
    api.checks(_CURSOR)
    first = ids(api.conversations(search="weather forecast", limit=1))
    second = ids(api.conversations(search="weather forecast", limit=1, after=first[-1]))
    expect(sorted(first + second), sorted([weather, ticket]), "what 'weather forecast' finds on two pages of one")


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
    _finds_by(api, conversation, "MÜNCHEN")
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
    second_alone = api.create_id(says("sunny weather"))
    first_alone = api.create_id(says("a good forecast"))  # Last: when it is in the index, the other one is.
    _finds_by(api, together, "Lisbon")
    found = ids(api.conversations(search="forecast weather"))
    if first_alone in found:  # It may be that any word is enough, but not that only the first one counts.
        assert second_alone in found, (
            f"what 'forecast weather' finds: expected either both or none of {first_alone!r}, which has the first"
            f" word, and {second_alone!r}, which has the second, received {found!r}"
        )
    api.checks("conversations.search.wants-all-words-in-one-item")
    expect(found, [together], "what 'forecast weather' finds")
    _expect_found(api, together, "weather   forecast")


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


@scenario(_FINDS, "conversations.search.empty-is-no-filter", "conversations.search.without-match-is-an-empty-page")
def an_empty_search_filters_nothing(api: Api) -> None:
    conversation = api.create_id(says("hello"))
    api.checks("conversations.search.empty-is-no-filter")
    _expect_found(api, conversation, "")
    answer = api.get("/conversations", search=fresh_name("word"))
    if answer.status == 200:
        api.checks(_FINDS)
        found = ids(answer.body)
        assert conversation not in found, f"what a word finds that is nowhere: expected nothing, received {found!r}"
    api.checks("conversations.search.without-match-is-an-empty-page")
    expect(ids(answer.ok()), [], "what a word finds that is nowhere")


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


@scenario(_FINDS, _FILTERS, "conversations.search.adds-to-the-metadata-filter")
def search_adds_to_the_metadata_filter(api: Api) -> None:
    wanted = api.create_id(says("alpha bravo"), tag="x")
    other = api.create_id(says("alpha"), tag="y")
    api.create(says("charlie"), tag="x")
    _finds_by(api, wanted, "bravo")
    _expect_soon(api, [wanted, other], "alpha")
    found = ids(api.conversations(search="alpha", metadata='{"tag": "x"}'))
    api.checks(_FILTERS)
    assert other not in found, f"what is found and has the tag 'x': expected it without {other!r}, received {found!r}"
    api.checks("conversations.search.adds-to-the-metadata-filter")
    expect(found, [wanted], "what both find")
