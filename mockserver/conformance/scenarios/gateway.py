"""Scenarios for the gateway: keys, rate limits, paths, methods, bodies, and the order of its checks."""

from mockserver.conformance.client import ApiClient, Headers
from mockserver.conformance.expectations import ScenarioFailure, expect, require, show
from mockserver.conformance.names import conversation_path, item_path, items_path, unique_name, unknown_id_like
from mockserver.conformance.response import ApiResponse, ids
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import FakeSettings, ListedKeys, OwnKey, Scenarios

scenario = Scenarios()

_JSON = {"Content-Type": "application/json"}


def _get_with_credentials(api: ApiClient, path: str, *credentials: str) -> ApiResponse:
    return api.with_key(None).request("GET", path, headers=[("Authorization", one) for one in credentials])


def _expect_unauthorized(response: ApiResponse, credentials: str) -> None:
    if response.status not in (401, 403):
        raise ScenarioFailure(f"{response.method} {response.path} with {credentials}", "401 or 403", response.summary)


def _expect_bearer_challenge(response: ApiResponse) -> None:
    response.expect_error(401)
    scheme = response.headers.get("WWW-Authenticate", "").partition(" ")[0]
    expect(scheme, "Bearer", "scheme of WWW-Authenticate")


def _create(api: ApiClient, content: bytes, headers: Headers = _JSON) -> ApiResponse:
    return api.request("POST", "/conversations", content=content, headers=headers)


# -- Authentication ----------------------------------------------------------------------------------------


@scenario("auth.missing-key-is-refused", "auth.refusal-is-401", needs=OwnKey())
def a_missing_key_is_rejected(api: ApiClient) -> None:
    path = conversation_path(api.create_id())
    api.set_behaviour("auth.missing-key-is-refused")
    responses = [_get_with_credentials(api, path)]
    _expect_unauthorized(responses[-1], "no credentials")
    for credentials in ("", "Bearer"):
        responses.append(_get_with_credentials(api, path, credentials))
        _expect_unauthorized(responses[-1], f"the credentials {show(credentials)}")
    api.set_behaviour("auth.refusal-is-401")
    responses += [_get_with_credentials(api, path, f"{scheme}{api.api_key}") for scheme in ("Basic ", "")]
    for response in responses:
        _expect_bearer_challenge(response)


@scenario("auth.unknown-key-is-refused", "auth.refusal-is-401", needs=ListedKeys())
def an_unknown_key_is_rejected(api: ApiClient) -> None:
    path = conversation_path(api.create_id())
    api.set_behaviour("auth.unknown-key-is-refused")
    responses = []
    for key, description in (
        (unique_name("no"), "an unknown key"),
        (f"{api.api_key}0", "a key with an added character"),
    ):
        responses.append(_get_with_credentials(api, path, f"Bearer {key}"))
        _expect_unauthorized(responses[-1], description)
    api.set_behaviour("auth.refusal-is-401")
    for response in responses:
        _expect_bearer_challenge(response)


@scenario("auth.missing-key-is-refused", needs=OwnKey())
def every_operation_needs_a_key(api: ApiClient) -> None:
    conversation = api.create_id()
    one, two = (item["id"] for item in api.add_items(conversation, message("one"), message("two")))
    without_key, whole, items = api.with_key(None), conversation_path(conversation), items_path(conversation)
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
        _expect_unauthorized(without_key.request(method, path, json=body), "no credentials")


@scenario("auth.missing-key-is-refused", "auth.scheme-has-no-case", needs=OwnKey())
def the_scheme_is_case_insensitive(api: ApiClient) -> None:
    path = conversation_path(api.create_id())
    api.set_behaviour("auth.missing-key-is-refused")
    _expect_unauthorized(_get_with_credentials(api, path), "no credentials")
    api.set_behaviour("auth.scheme-has-no-case")
    for scheme in ("bearer", "BEARER"):
        _get_with_credentials(api, path, f"{scheme} {api.api_key}").expect_ok()


# -- Rate limit --------------------------------------------------------------------------------------------


@scenario("rate-limit.answers-429-in-its-own-words", needs=FakeSettings(rate_limits=("2/h",)))
def a_request_over_the_limit_returns_429(api: ApiClient) -> None:
    for _ in range(2):
        api.list_conversations()
    response = api.get("/conversations")
    response.expect_error(429)
    expect(response.body, {"error": "Rate limit exceeded"}, "body")
    expect(response.media_type, "application/json", "Content-Type")


@scenario("rate-limit.counts-per-key", needs=FakeSettings(rate_limits=("2/h",)))
def each_key_has_its_own_limit(api: ApiClient) -> None:
    api.list_conversations()
    api.with_new_end_user().list_conversations()
    api.with_end_user(None).get("/conversations").expect_error(429)
    api.with_second_key().list_conversations()


@scenario("rate-limit.limits-add-up", needs=FakeSettings(rate_limits=("100/s", "2/d")))
def several_limits_apply_together(api: ApiClient) -> None:
    for _ in range(2):
        api.list_conversations()
    api.get("/conversations").expect_error(429)


# -- Paths and methods -------------------------------------------------------------------------------------


def _expect_200_json(*responses: ApiResponse) -> None:
    for response in responses:
        response.expect_ok()
        place = f"{response.method} {response.path}"
        expect(response.media_type, "application/json", f"Content-Type of {place}", response=response)
        if not isinstance(response.body, dict | list):
            raise ScenarioFailure(place, "JSON", response.summary, response=response)


@scenario("gateway.success-is-200-json", "gateway.json-type-without-body-is-fine")
def every_success_is_200_json(api: ApiClient) -> None:
    # Text outside ASCII that is valid in Latin-1 shows a wrong encoding.
    body = {"items": [message("Öl"), message("två")], "metadata": {"place": "Düsseldorf"}}
    responses = [api.post("/conversations", body)]
    conversation = responses[0].expect_ok()["id"]
    whole, items = conversation_path(conversation), items_path(conversation)
    responses += [api.get(whole), api.post(whole, {"metadata": {"place": "Málaga"}})]
    responses += [api.post(items, {"items": [message("três")]}), api.get(items)]
    one, two, _ = ids(responses[-1].expect_ok())
    responses += [api.get(item_path(conversation, one)), api.delete(item_path(conversation, one))]
    with_json_type = api.request("DELETE", item_path(conversation, two), headers=_JSON)
    responses += [api.delete(whole)]
    api.set_behaviour("gateway.success-is-200-json")
    _expect_200_json(*responses)
    api.set_behaviour("gateway.json-type-without-body-is-fine")
    with_json_type.expect_ok()


@scenario("gateway.success-is-200-json")
def the_list_is_200_json(api: ApiClient) -> None:
    api.create_id(place="Düsseldorf")
    _expect_200_json(api.get("/conversations"))


@scenario("gateway.success-is-200-json")
def removing_several_items_is_200_json(api: ApiClient) -> None:
    conversation = api.create_id(place="Düsseldorf")
    added = api.add_items(conversation, message("one"), message("two"))
    _expect_200_json(api.delete(items_path(conversation), {"item_ids": [item["id"] for item in added]}))


@scenario("errors.have-one-envelope", "gateway.unknown-path-is-404")
def an_unknown_path_returns_404(api: ApiClient) -> None:
    conversation = api.create_id()
    unknown = api.get(conversation_path(unknown_id_like(conversation)))
    api.set_behaviour("errors.have-one-envelope")
    require(unknown.expect_error(), "body", "an error object", unknown.body, response=unknown)
    api.set_behaviour("gateway.unknown-path-is-404")
    for path in ("/conversation", f"/conversations/{conversation}/item", f"/conversations/{conversation}/items/a/b"):
        response = api.get(path)
        require(response.expect_error(404), "body", "an error object", response.body, response=response)


@scenario("gateway.wrong-method-is-405")
def a_wrong_method_returns_405(api: ApiClient) -> None:
    whole = conversation_path(unknown_id_like(api.create_id()))
    for path, expected in (
        (whole, {"DELETE", "GET", "POST"}),
        ("/conversations", {"GET", "POST"}),
        (f"{whole}/items", {"DELETE", "GET", "POST"}),
        (f"{whole}/items/msg", {"DELETE", "GET"}),
    ):
        response = api.request("PUT", path, json={})
        response.expect_error(405)
        named = {name.strip() for name in response.headers.get("Allow", "").split(",")} - {"HEAD", "OPTIONS"}
        # A missing operation is no fault of the header.
        absent = {method for method in expected - named if api.request(method, path).status == 405}
        expect(sorted(named), sorted(expected - absent), f"Allow of {path}", response=response)


@scenario("gateway.encoded-slash-is-part-of-the-id")
def an_encoded_slash_is_part_of_the_id(api: ApiClient) -> None:
    conversation = api.create_id()
    api.get(f"{conversation_path(conversation)}%2Fitems").expect_error()
    chosen = f"{unique_name('msg')}/../a b"
    response = api.post_items(conversation, message("one", id=chosen))
    if response.status == 200 and ids(response.body) == [chosen]:  # Chosen ids are another behaviour.
        expect(api.retrieve_item(conversation, chosen)["id"], chosen, "id")


@scenario("gateway.repeated-parameter-is-400")
def a_repeated_parameter_returns_400(api: ApiClient) -> None:
    items = items_path(api.create_id())
    for path, name, value in (
        (items, "order", "asc"),
        (items, "limit", "1"),
        ("/conversations", "metadata", "{}"),
        ("/conversations", "search", "a"),
    ):
        api.get(path, [(name, value), (name, value)]).expect_error(400, param=name)


@scenario("gateway.unknown-parameters-are-ignored")
def unknown_parameters_are_ignored(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    items = items_path(conversation)
    page = api.get(items, [("include[]", "a"), ("colour", "red")]).expect_ok()
    expect(page, api.list_items(conversation), "page")
    api.request("POST", items, json={"items": [message("two")]}, params=[("include[]", "a")]).expect_ok()
    api.get(conversation_path(conversation), colour="red").expect_ok()


# -- Bodies ------------------------------------------------------------------------------------------------


@scenario("gateway.body-must-be-json")
def a_body_that_is_not_json_returns_400(api: ApiClient) -> None:
    for content in (b"", b"  ", b"items", b'{"metadata": {}', b"{'metadata': {}}"):
        _create(api, content).expect_error(400)


@scenario("gateway.body-must-be-unambiguous")
def an_ambiguous_body_returns_400(api: ApiClient) -> None:
    for content in (
        b'{"metadata": {"a": "1", "a": "2"}}',
        b'{"metadata": {}, "metadata": {"a": "1"}}',
        b'{"metadata": {"a": "\\ud800"}}',
        b'{"metadata": {"a": "\xff"}}',
        b'{"metadata": {}, "colour": NaN}',
    ):
        _create(api, content).expect_error(400)


@scenario("gateway.body-type-must-be-json")
def a_body_of_another_type_returns_415(api: ApiClient) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        _create(api, b'{"metadata": {}}', headers).expect_error(415)
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        _create(api, b"{}", {"Content-Type": kind}).expect_ok()


@scenario("gateway.body-has-a-limit", needs=FakeSettings(max_body=1000))
def a_body_over_the_limit_returns_413(api: ApiClient) -> None:
    for size, status in ((1000, 200), (1001, 413)):
        response = _create(api, b"{}".ljust(size))
        expect(response.status, status, f"status for {size} bytes")


# -- Order of checks ---------------------------------------------------------------------------------------


@scenario("auth.missing-key-is-refused", "refusal.unknown-operation-comes-first", needs=OwnKey())
def unknown_operations_are_rejected_before_the_key_is_checked(api: ApiClient) -> None:
    api.set_behaviour("auth.missing-key-is-refused")
    _expect_unauthorized(_get_with_credentials(api, conversation_path(api.create_id())), "no credentials")
    api.set_behaviour("refusal.unknown-operation-comes-first")
    api.with_key(None).get("/conversation").expect_error(404)
    api.with_key(None).request("PUT", "/conversations", json={}).expect_error(405)


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
    api.get("/conversations", limit=0).expect_error(400)
    headers = [("Content-Type", "text/plain"), ("X-On-Behalf-Of", "a"), ("X-On-Behalf-Of", "b")]
    _create(api, b"{}", headers).expect_error(415)


@scenario("refusal.validity-comes-before-existence")
def validity_is_checked_before_existence(api: ApiClient) -> None:
    known = api.create_id()
    for method, path_of, body, query in (
        ("GET", items_path, None, {"limit": 0}),
        ("POST", conversation_path, {"metadata": "text"}, {}),
        ("POST", items_path, {"items": "text"}, {}),
    ):
        response = api.request(method, path_of(unknown_id_like(known)), json=body, params=query)
        if response.status == 404 and api.request(method, path_of(known), json=body, params=query).status == 200:
            continue  # The target accepts it: another behaviour.
        response.expect_error(400)
