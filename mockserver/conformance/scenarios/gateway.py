"""The gateway: keys, rate limit, paths, methods, bodies, and which refusal comes first."""

from mockserver.conformance.client import ApiClient, Headers
from mockserver.conformance.expectations import ScenarioFailure, expect, require
from mockserver.conformance.names import unique_name, unknown_id_like
from mockserver.conformance.pages import ids
from mockserver.conformance.paths import conversation_path, item_path, items_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import FakeSettings, OwnKey, Scenarios

scenario = Scenarios()

JSON = {"Content-Type": "application/json"}


def _with_credentials(api: ApiClient, path: str, *credentials: str) -> ApiResponse:
    return api.with_key(None).request("GET", path, headers=[("Authorization", one) for one in credentials])


def _not_let_in(answer: ApiResponse, credentials: str) -> None:
    if answer.status not in (401, 403):
        raise ScenarioFailure(f"{answer.method} {answer.path} with {credentials}", "401 or 403", answer.summary)


def _create(api: ApiClient, content: bytes, headers: Headers = JSON) -> ApiResponse:
    return api.request("POST", "/conversations", content=content, headers=headers)


# -- Authentication ----------------------------------------------------------------------------------------


@scenario("auth.missing-key-is-refused", "auth.unknown-key-is-refused", "auth.refusal-is-401", needs=OwnKey())
def a_missing_or_unknown_key_is_refused(api: ApiClient) -> None:
    path = conversation_path(api.create_id())
    api.set_behaviour("auth.missing-key-is-refused")
    answers = [_with_credentials(api, path)]
    _not_let_in(answers[-1], "no credentials")
    for credentials in ("", "Bearer"):
        answers.append(_with_credentials(api, path, credentials))
        _not_let_in(answers[-1], f"the credentials {credentials!r}")
    api.set_behaviour("auth.unknown-key-is-refused")
    for key, what in (
        (unique_name("no"), "a key that nobody has"),
        (f"{api.api_key}0", "a key with one more character"),
    ):
        answers.append(_with_credentials(api, path, f"Bearer {key}"))
        _not_let_in(answers[-1], what)
    api.set_behaviour("auth.refusal-is-401")
    answers += [_with_credentials(api, path, f"Basic {api.api_key}"), _with_credentials(api, path, f"{api.api_key}")]
    for answer in answers:
        answer.expect_error(401)
        scheme = answer.headers.get("WWW-Authenticate", "").partition(" ")[0]
        expect(scheme, "Bearer", "scheme of WWW-Authenticate")


@scenario("auth.missing-key-is-refused", needs=OwnKey())
def every_operation_needs_a_key(api: ApiClient) -> None:
    conversation = api.create_id()
    one, two = (item["id"] for item in api.add_items(conversation, message("one"), message("two")))
    nobody, whole, items = api.with_key(None), conversation_path(conversation), items_path(conversation)
    api.set_behaviour("auth.missing-key-is-refused")
    for method, path, body in (
        ("GET", "/conversations", None),
        ("POST", "/conversations", {}),
        ("GET", whole, None),
        ("POST", whole, {"metadata": {}}),
        ("GET", items, None),
        ("POST", items, {"items": [message("three")]}),
        ("GET", item_path(conversation, one), None),
        ("DELETE", item_path(conversation, one), None),
        ("DELETE", items, {"item_ids": [two]}),
        ("DELETE", whole, None),
    ):
        _not_let_in(nobody.request(method, path, json=body), "no credentials")


@scenario("auth.missing-key-is-refused", "auth.scheme-has-no-case", needs=OwnKey())
def the_scheme_may_be_in_lower_case(api: ApiClient) -> None:
    path = conversation_path(api.create_id())
    api.set_behaviour("auth.missing-key-is-refused")
    _not_let_in(_with_credentials(api, path), "no credentials")
    api.set_behaviour("auth.scheme-has-no-case")
    for scheme in ("bearer", "BEARER"):
        _with_credentials(api, path, f"{scheme} {api.api_key}").expect_ok()


# -- Rate limit --------------------------------------------------------------------------------------------


@scenario("rate-limit.answers-429-in-its-own-words", needs=FakeSettings(rate_limits=("2/h",)))
def over_the_limit_is_429(api: ApiClient) -> None:
    for _ in range(2):
        api.list_conversations()
    answer = api.get("/conversations")
    answer.expect_error(429)
    expect(answer.body, {"error": "Rate limit exceeded"}, "the body")
    expect(answer.media_type, "application/json", "Content-Type")


@scenario("rate-limit.counts-per-key", needs=FakeSettings(rate_limits=("2/h",)))
def the_limit_counts_per_key(api: ApiClient) -> None:
    api.list_conversations()
    api.with_new_end_user().list_conversations()
    api.with_end_user(None).get("/conversations").expect_error(429)
    api.with_second_key().list_conversations()


@scenario("rate-limit.limits-add-up", needs=FakeSettings(rate_limits=("100/s", "2/d")))
def limits_add_up(api: ApiClient) -> None:
    for _ in range(2):
        api.list_conversations()
    api.get("/conversations").expect_error(429)


# -- Paths and methods -------------------------------------------------------------------------------------


def _are_200_json(answers: list[ApiResponse]) -> None:
    for answer in answers:
        answer.expect_ok()
        expect(answer.media_type, "application/json", f"Content-Type of {answer.method} {answer.path}")
        if not isinstance(answer.body, dict | list):
            raise ScenarioFailure(f"{answer.method} {answer.path}", "JSON", answer.summary)


@scenario("gateway.success-is-200-json", "gateway.json-type-without-body-is-fine")
def every_success_is_200_json(api: ApiClient) -> None:
    body = {
        "items": [message("Öl"), message("två")],
        "metadata": {"place": "Düsseldorf"},
    }  # Not ASCII, yet in Latin-1.
    answers = [api.post("/conversations", body)]
    conversation = answers[0].expect_ok()["id"]
    whole, items = conversation_path(conversation), items_path(conversation)
    answers += [api.get(whole), api.post(whole, {"metadata": {"place": "Málaga"}})]
    answers += [api.post(items, {"items": [message("três")]}), api.get(items)]
    one, two, _ = ids(answers[-1].expect_ok())
    answers += [api.get(item_path(conversation, one)), api.delete(item_path(conversation, one))]
    says_json = api.request("DELETE", item_path(conversation, two), headers=JSON)
    answers += [api.delete(whole)]
    api.set_behaviour("gateway.success-is-200-json")
    _are_200_json(answers)
    api.set_behaviour("gateway.json-type-without-body-is-fine")
    says_json.expect_ok()


@scenario("gateway.success-is-200-json")
def the_list_is_200_json(api: ApiClient) -> None:
    api.create_id(place="Düsseldorf")
    _are_200_json([api.get("/conversations")])


@scenario("gateway.success-is-200-json")
def removing_several_items_is_200_json(api: ApiClient) -> None:
    conversation = api.create_id(place="Düsseldorf")
    added = api.add_items(conversation, message("one"), message("two"))
    _are_200_json([api.delete(items_path(conversation), {"item_ids": [item["id"] for item in added]})])


@scenario("errors.have-one-envelope", "gateway.unknown-path-is-404")
def an_unknown_path_answers_404(api: ApiClient) -> None:
    conversation = api.create_id()
    unknown = api.get(conversation_path(unknown_id_like(conversation)))
    api.set_behaviour("errors.have-one-envelope")
    require(unknown.expect_error(), "the body", "an error in its envelope", unknown.body)
    api.set_behaviour("gateway.unknown-path-is-404")
    for path in ("/conversation", f"/conversations/{conversation}/item", f"/conversations/{conversation}/items/a/b"):
        answer = api.get(path)
        require(answer.expect_error(404), "the body", "an error in its envelope", answer.body)


@scenario("gateway.wrong-method-is-405")
def a_wrong_method_answers_405(api: ApiClient) -> None:
    whole = conversation_path(unknown_id_like(api.create_id()))
    for path, taken in (
        (whole, {"DELETE", "GET", "POST"}),
        ("/conversations", {"GET", "POST"}),
        (f"{whole}/items", {"DELETE", "GET", "POST"}),
        (f"{whole}/items/msg", {"DELETE", "GET"}),
    ):
        answer = api.request("PUT", path, json={})
        answer.expect_error(405)
        named = {name.strip() for name in answer.headers.get("Allow", "").split(",")} - {"HEAD", "OPTIONS"}
        # That an operation is not there at all is no fault of the header's.
        absent = {method for method in taken - named if api.request(method, path).status == 405}
        expect(sorted(named), sorted(taken - absent), f"Allow of {path}")


@scenario("gateway.encoded-slash-is-part-of-the-id")
def an_encoded_slash_is_part_of_the_id(api: ApiClient) -> None:
    conversation = api.create_id()
    api.get(f"{conversation_path(conversation)}%2Fitems").expect_error()
    chosen = f"{unique_name('msg')}/../a b"
    answer = api.post(items_path(conversation), {"items": [message("one", id=chosen)]})
    if answer.status == 200 and ids(answer.body) == [chosen]:  # Whether a client may choose an id is another rule.
        expect(api.get(item_path(conversation, chosen)).expect_ok()["id"], chosen, "the id")


@scenario("gateway.repeated-parameter-is-400")
def a_repeated_parameter_answers_400(api: ApiClient) -> None:
    items = items_path(api.create_id())
    for path, name, value in (
        (items, "order", "asc"),
        (items, "limit", "1"),
        ("/conversations", "metadata", "{}"),
        ("/conversations", "search", "a"),
    ):
        error = api.get(path, [(name, value), (name, value)]).expect_error(400)
        expect(error.get("param"), name, "param")


@scenario("gateway.unknown-parameters-are-ignored")
def unknown_parameters_are_ignored(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    items = items_path(conversation)
    expect(
        api.get(items, [("include[]", "a"), ("colour", "red")]).expect_ok(), api.list_items(conversation), "the page"
    )
    api.request("POST", items, json={"items": [message("two")]}, params=[("include[]", "a")]).expect_ok()
    api.get(conversation_path(conversation), colour="red").expect_ok()


# -- Bodies ------------------------------------------------------------------------------------------------


@scenario("gateway.body-must-be-json")
def a_body_that_is_not_json_answers_400(api: ApiClient) -> None:
    for content in (b"", b"  ", b"items", b'{"metadata": {}', b"{'metadata': {}}"):
        _create(api, content).expect_error(400)


@scenario("gateway.body-must-be-unambiguous")
def an_ambiguous_body_answers_400(api: ApiClient) -> None:
    for content in (
        b'{"metadata": {"a": "1", "a": "2"}}',
        b'{"metadata": {}, "metadata": {"a": "1"}}',
        b'{"metadata": {"a": "\\ud800"}}',
        b'{"metadata": {"a": "\xff"}}',
        b'{"metadata": {}, "colour": NaN}',
    ):
        _create(api, content).expect_error(400)


@scenario("gateway.body-type-must-be-json")
def a_body_of_another_type_answers_415(api: ApiClient) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        _create(api, b'{"metadata": {}}', headers).expect_error(415)
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        _create(api, b"{}", {"Content-Type": kind}).expect_ok()


@scenario("gateway.body-has-a-limit", needs=FakeSettings(max_body=1000))
def a_body_over_the_limit_answers_413(api: ApiClient) -> None:
    for size, status in ((1000, 200), (1001, 413)):
        answer = _create(api, b"{}".ljust(size))
        expect(answer.status, status, f"status for {size} bytes")


# -- Order of refusal --------------------------------------------------------------------------------------


@scenario("auth.missing-key-is-refused", "refusal.unknown-operation-comes-first", needs=OwnKey())
def an_unknown_operation_is_refused_before_the_key(api: ApiClient) -> None:
    nobody = api.with_key(None)
    api.set_behaviour("auth.missing-key-is-refused")
    _not_let_in(_with_credentials(api, conversation_path(api.create_id())), "no credentials")
    api.set_behaviour("refusal.unknown-operation-comes-first")
    nobody.get("/conversation").expect_error(404)
    nobody.request("PUT", "/conversations", json={}).expect_error(405)


@scenario("refusal.authentication-comes-before-the-rate-limit", needs=FakeSettings(rate_limits=("2/h",)))
def the_key_is_checked_before_the_rate_limit(api: ApiClient) -> None:
    for _ in range(4):
        api.with_key(None).get("/conversations").expect_error(401)
    api.list_conversations()


@scenario("refusal.rate-limit-comes-before-the-body", needs=FakeSettings(rate_limits=("1/h",)))
def the_rate_limit_is_checked_before_the_body(api: ApiClient) -> None:
    api.list_conversations()
    _create(api, b"{", {"Content-Type": "text/plain"}).expect_error(429)
    _create(api, b"{").expect_error(429)


@scenario("refusal.media-type-comes-before-the-content", needs=FakeSettings(max_body=1000))
def the_media_type_is_checked_before_the_content(api: ApiClient) -> None:
    _create(api, b"{", {"Content-Type": "text/plain"}).expect_error(415)
    _create(api, b"{".ljust(1001)).expect_error(413)
    api.request("GET", "/conversations", params={"limit": 0}).expect_error(400)
    api.request(
        "POST", "/conversations", content=b"{}", headers=[("Content-Type", "text/plain"), ("X-On-Behalf-Of", "a"),
                                                         ("X-On-Behalf-Of", "b")]
    ).expect_error(415)  # fmt: skip


@scenario("refusal.validity-comes-before-existence")
def validity_is_checked_before_existence(api: ApiClient) -> None:
    known = api.create_id()
    for method, path_of, body, query in (
        ("GET", items_path, None, {"limit": 0}),
        ("POST", conversation_path, {"metadata": "text"}, {}),
        ("POST", items_path, {"items": "text"}, {}),
    ):
        answer = api.request(method, path_of(unknown_id_like(known)), json=body, params=query)
        if answer.status == 404 and api.request(method, path_of(known), json=body, params=query).status == 200:
            continue  # Whether it is refused at all is another rule.
        answer.expect_error(400)
