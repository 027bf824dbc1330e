"""Scenarios for the search over items."""

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require, show
from mockserver.conformance.names import item_path, unique_name
from mockserver.conformance.response import ids, texts
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()


_FINDS = "conversations.search.finds-by-item-content"
_FILTERS = "conversations.filter.takes-a-json-string"
_CURSOR = "conversations.list.last-id-is-the-cursor-of-the-next-page"


def _expect_found(api: ApiClient, conversation: str, *queries: str) -> None:
    for query in queries:
        expect(api.conversation_ids(search=query), [conversation], f"conversations found by {show(query)}")


def _expect_nothing(api: ApiClient, *queries: str) -> None:
    for query in queries:
        expect(api.conversation_ids(search=query), [], f"conversations found by {show(query)}")


def _expect_soon(api: ApiClient, expected: list[str], query: str) -> None:
    """Fail unless a search finds these conversations, at once or when the index is updated."""
    api.polling.expect(lambda: api.conversation_ids(search=query), expected, f"conversations found by {show(query)}")


def _check_search(api: ApiClient, conversation: str, words: str) -> None:
    """Check that search finds the conversation and no other, which other behaviours need."""
    api.create(message("nothing of the kind"))
    api.set_behaviour(_FINDS)
    _expect_soon(api, [conversation], words)


@scenario(_FINDS, _CURSOR)
def search_finds_by_item_content(api: ApiClient) -> None:
    weather = api.create_id(
        message("Summarize the latest support ticket."),
        message("Will you tell me the weather forecast for tomorrow?"),
        message("The weather forecast promises sunshine.", role="assistant"),
        {"role": "user", "content": [{"type": "input_text", "text": "The umbrella may stay in Z\u00fcrich then."}]},
    )
    ticket = api.create_id(message("Summarize the latest support ticket."), topic="weather forecast")
    api.set_behaviour(_FINDS)
    for query in ("weather forecast", "sunshine", "umbrella", "Z\u00fcrich"):
        _expect_soon(api, [weather], query)
    api.add_items(ticket, message("Whoever read the weather forecast closes it."))
    _expect_soon(api, [weather, ticket], "weather forecast")
    _expect_soon(api, [ticket], "closes")
    api.set_behaviour(_CURSOR)
    first = api.conversation_ids(search="weather forecast", limit=1)
    second = api.conversation_ids(search="weather forecast", limit=1, after=first[-1])
    expect(sorted(first + second), sorted([weather, ticket]), "conversations on two pages with limit 1")


@scenario(_FINDS, "conversations.search.matches-whole-words")
def search_matches_whole_words(api: ApiClient) -> None:
    conversation = api.create_id(message("The forecasts (three of them) were re-read, weren't they?"))
    _check_search(api, conversation, "forecasts")
    api.set_behaviour("conversations.search.matches-whole-words")
    _expect_found(api, conversation, "three", "read")
    _expect_nothing(api, "forecast", "fore", "casts", "hree")


@scenario(_FINDS, "conversations.search.folds-case")
def search_ignores_case(api: ApiClient) -> None:
    conversation = api.create_id(message("Weather in MÜNCHEN, Straße 5, ΟΔΟΣ"))
    _check_search(api, conversation, "MÜNCHEN")
    api.set_behaviour("conversations.search.folds-case")
    _expect_found(api, conversation, "weather", "WEATHER", "münchen", "STRASSE", "οδος")


@scenario(_FINDS, "conversations.search.minds-accents")
def search_distinguishes_accents(api: ApiClient) -> None:
    conversation = api.create_id(message("a café"))
    _check_search(api, conversation, "café")
    api.set_behaviour("conversations.search.minds-accents")
    _expect_nothing(api, "cafe")


@scenario(_FINDS, "conversations.search.wants-all-words-in-one-item")
def all_words_must_occur_in_one_item(api: ApiClient) -> None:
    together = api.create_id(message("sunny weather and a good forecast for Lisbon"))
    api.create(message("sunny weather"), message("a good forecast"))
    second_alone = api.create_id(message("sunny weather"))
    first_alone = api.create_id(message("a good forecast"))  # Created last: when it is indexed, so are the others.
    _check_search(api, together, "Lisbon")
    found = api.conversation_ids(search="forecast weather")
    if first_alone in found:  # Any word may be enough, but not only the first one.
        first, second = f"{show(first_alone)}, which has the first word", f"{show(second_alone)}, the second"
        either = f"either both or none of {first}, and {second}"
        require(second_alone in found, "conversations found by 'forecast weather'", either, found)
    api.set_behaviour("conversations.search.wants-all-words-in-one-item")
    expect(found, [together], "conversations found by 'forecast weather'")
    _expect_found(api, together, "weather   forecast")


@scenario(_FINDS, "conversations.search.takes-quoted-phrases")
def a_quoted_phrase_matches_adjacent_words(api: ApiClient) -> None:
    phrase = api.create_id(message("the weather forecast, of today, for Lisbon"))
    api.create(message("a forecast of the weather today"))
    _check_search(api, phrase, "Lisbon")
    api.set_behaviour("conversations.search.takes-quoted-phrases")
    _expect_found(api, phrase, '"weather forecast"', '"weather forecast" today', '"Forecast of today"')
    _expect_nothing(api, '"forecast weather"', '"today weather"')


@scenario(_FINDS, "conversations.search.takes-an-unclosed-quote-as-typed")
def an_unclosed_quote_starts_no_phrase(api: ApiClient) -> None:
    conversation = api.create_id(message("a screen of 27 inches"))
    _check_search(api, conversation, "screen")
    api.set_behaviour("conversations.search.takes-an-unclosed-quote-as-typed")
    _expect_found(api, conversation, '27" screen', '"inches screen')


@scenario(_FINDS, "conversations.search.reads-every-text-part", "conversations.search.reads-tool-calls")
def all_text_parts_and_tool_calls_are_searched(api: ApiClient) -> None:
    parts = [{"type": "input_text", "text": "alpha"}, {"type": "input_text", "text": "bravo"}]
    call = {"type": "function_call", "call_id": "call_1", "name": "lookup", "arguments": '{"city":"Reykjavik"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "cloudy"}
    conversation = api.create_id({"role": "user", "content": parts}, call, output)
    _check_search(api, conversation, "alpha")
    api.set_behaviour("conversations.search.reads-every-text-part")
    _expect_found(api, conversation, "bravo")
    api.set_behaviour("conversations.search.reads-tool-calls")
    _expect_found(api, conversation, "reykjavik", "cloudy")


@scenario(_FINDS, "conversations.search.finds-parts-where-words-have-no-spaces")
def scripts_without_spaces_match_by_substring(api: ApiClient) -> None:
    conversation = api.create_id(message("明日の東京の天気を教えてください"), message("tomorrow"))
    _check_search(api, conversation, "tomorrow")
    api.set_behaviour("conversations.search.finds-parts-where-words-have-no-spaces")
    _expect_found(api, conversation, "東京", "天気", "東京の天気")
    _expect_nothing(api, "大阪")


@scenario(_FINDS, "conversations.search.empty-is-no-filter", "conversations.search.without-match-is-an-empty-page")
def an_empty_search_filters_nothing(api: ApiClient) -> None:
    conversation = api.create_id(message("hello"))
    api.set_behaviour("conversations.search.empty-is-no-filter")
    _expect_found(api, conversation, "")
    response = api.get("/conversations", search=unique_name("word"))
    if response.status == 200:
        api.set_behaviour(_FINDS)
        found = ids(response.body)
        require(conversation not in found, "conversations found by an unknown word", "none", found)
    api.set_behaviour("conversations.search.without-match-is-an-empty-page")
    expect(ids(response.expect_ok()), [], "conversations found by an unknown word")


@scenario(_FINDS, "conversations.search.forgets-removed-items")
def removed_items_are_not_found(api: ApiClient) -> None:
    conversation = api.create_id(message("alpha"), message("bravo"))
    page = api.list_items(conversation)
    alpha = ids(page)[texts(page).index("alpha")]
    _check_search(api, conversation, "alpha")
    api.delete(item_path(conversation, alpha)).expect_ok()
    api.set_behaviour("conversations.search.forgets-removed-items")
    _expect_soon(api, [], "alpha")
    _expect_found(api, conversation, "bravo")


@scenario(_FINDS, _FILTERS, "conversations.search.adds-to-the-metadata-filter")
def search_combines_with_the_metadata_filter(api: ApiClient) -> None:
    wanted = api.create_id(message("alpha bravo"), tag="x")
    other = api.create_id(message("alpha"), tag="y")
    api.create(message("charlie"), tag="x")
    _check_search(api, wanted, "bravo")
    _expect_soon(api, [wanted, other], "alpha")
    found = api.conversation_ids(search="alpha", metadata='{"tag": "x"}')
    api.set_behaviour(_FILTERS)
    require(other not in found, "conversations found with a metadata filter", f"no {show(other)}", found)
    api.set_behaviour("conversations.search.adds-to-the-metadata-filter")
    expect(found, [wanted], "conversations found with a metadata filter")
