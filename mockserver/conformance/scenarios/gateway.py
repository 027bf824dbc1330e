"""The gateway: keys, rate limit, paths, methods, bodies, and which refusal comes first."""

from mockserver.conformance.api import Answer, Api, Headers, conversation_path, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import FakeSettings, Scenarios, expect

scenario = Scenarios()

JSON = {"Content-Type": "application/json"}


def _without_key(api: Api, *credentials: str) -> Answer:
    return api.with_key(None).request(
        "GET", "/conversations", headers=[("Authorization", credential) for credential in credentials]
    )


def _create(api: Api, content: bytes, headers: Headers = JSON) -> Answer:
    return api.request("POST", "/conversations", content=content, headers=headers)


# -- Authentication ----------------------------------------------------------------------------------------


@scenario("auth.missing-key-is-refused")
def a_missing_key_is_refused(api: Api) -> None:
    answer = _without_key(api)
    assert answer.status in (401, 403), f"status: expected 401 or 403, received {answer.status}"


@scenario("auth.unknown-key-is-refused")
def an_unknown_key_is_refused(api: Api) -> None:
    answer = api.with_key(fresh_name("no-such-key")).get("/conversations")
    assert answer.status in (401, 403), f"status: expected 401 or 403, received {answer.status}"


@scenario("auth.refusal-is-401")
def a_refused_key_answers_401(api: Api) -> None:
    answers = [_without_key(api)]
    answers += [_without_key(api, text) for text in ("", "Bearer", f"Bearer {fresh_name('no')}")]
    answers += [_without_key(api, f"Basic {api.api_key}"), _without_key(api, f"{api.api_key}")]
    for answer in answers:
        answer.refused(401)
        scheme = answer.headers.get("WWW-Authenticate", "").partition(" ")[0]
        expect(scheme, "Bearer", "scheme of WWW-Authenticate")


@scenario("auth.scheme-has-no-case")
def the_scheme_may_be_in_lower_case(api: Api) -> None:
    for scheme in ("bearer", "BEARER"):
        _without_key(api, f"{scheme} {api.api_key}").ok()


# -- Rate limit --------------------------------------------------------------------------------------------


@scenario("rate-limit.answers-429-in-its-own-words", needs=FakeSettings(rate_limits=("2/h",)))
def over_the_limit_is_429(api: Api) -> None:
    for _ in range(2):
        api.conversations()
    answer = api.get("/conversations")
    answer.refused(429)
    expect(answer.body, {"error": "Rate limit exceeded"}, "the body")
    expect(answer.headers.get("Content-Type", "").partition(";")[0], "application/json", "Content-Type")


@scenario("rate-limit.counts-per-key", needs=FakeSettings(rate_limits=("2/h",)))
def the_limit_counts_per_key(api: Api) -> None:
    api.conversations()
    api.other_end_user().conversations()
    api.as_end_user(None).get("/conversations").refused(429)
    api.with_second_key().conversations()


@scenario("rate-limit.limits-add-up", needs=FakeSettings(rate_limits=("100/s", "2/d")))
def limits_add_up(api: Api) -> None:
    for _ in range(2):
        api.conversations()
    api.get("/conversations").refused(429)


# -- Paths and methods -------------------------------------------------------------------------------------


@scenario("gateway.success-is-200-json", "gateway.json-type-without-body-is-fine")
def every_success_is_200_json(api: Api) -> None:
    api.checks("gateway.success-is-200-json")
    answers = [api.post("/conversations", {"items": [says("one"), says("two")]})]
    conversation = answers[0].ok()["id"]
    whole, items = conversation_path(conversation), items_path(conversation)
    answers += [api.get("/conversations"), api.get(whole), api.post(whole, {"metadata": {}})]
    answers += [api.post(items, {"items": [says("three")]}), api.get(items)]
    one, two, three = ids(answers[-1].ok())
    answers += [api.get(item_path(conversation, one)), api.delete(item_path(conversation, one))]
    answers += [api.delete(items, {"item_ids": [two]})]
    says_json = api.request("DELETE", item_path(conversation, three), headers=JSON)
    answers += [api.delete(whole)]
    api.checks("gateway.success-is-200-json")
    for answer in answers:
        answer.ok()
        expect(answer.headers.get("Content-Type", "").partition(";")[0], "application/json", "Content-Type")
    api.checks("gateway.json-type-without-body-is-fine")
    says_json.ok()


@scenario("gateway.unknown-path-is-404")
def an_unknown_path_answers_404(api: Api) -> None:
    conversation = api.create_id()
    for path in ("/conversation", f"/conversations/{conversation}/item", f"/conversations/{conversation}/items/a/b"):
        answer = api.get(path)
        assert answer.refused(404), f"the body: expected an error in its envelope, received {answer.body!r}"


@scenario("gateway.wrong-method-is-405")
def a_wrong_method_answers_405(api: Api) -> None:
    whole = conversation_path(fresh_name("conv"))
    for path, allowed in (
        ("/conversations", {"GET", "POST"}),
        (whole, {"DELETE", "GET", "POST"}),
        (f"{whole}/items", {"DELETE", "GET", "POST"}),
        (f"{whole}/items/msg", {"DELETE", "GET"}),
    ):
        answer = api.request("PUT", path, json={})
        answer.refused(405)
        received = {name.strip() for name in answer.headers.get("Allow", "").split(",")}
        expect(received - {"HEAD", "OPTIONS"}, allowed, f"Allow of {path}")


@scenario("gateway.encoded-slash-is-part-of-the-id")
def an_encoded_slash_is_part_of_the_id(api: Api) -> None:
    conversation = api.create_id()
    api.get(f"{conversation_path(conversation)}%2Fitems").refused()
    chosen = f"{fresh_name('msg')}/../a b"
    answer = api.post(items_path(conversation), {"items": [says("one", id=chosen)]})
    if answer.status == 200 and ids(answer.body) == [chosen]:  # Whether a client may choose an id is another rule.
        expect(api.get(item_path(conversation, chosen)).ok()["id"], chosen, "the id")


@scenario("gateway.repeated-parameter-is-400")
def a_repeated_parameter_answers_400(api: Api) -> None:
    items = items_path(api.create_id())
    for path, name, value in (
        ("/conversations", "limit", "1"),
        ("/conversations", "metadata", "{}"),
        ("/conversations", "search", "a"),
        (items, "order", "asc"),
    ):
        error = api.get(path, [(name, value), (name, value)]).refused(400)
        expect(error.get("param"), name, "param")


@scenario("gateway.unknown-parameters-are-ignored")
def unknown_parameters_are_ignored(api: Api) -> None:
    conversation = api.create_id(says("one"))
    items = items_path(conversation)
    expect(api.get(items, [("include[]", "a"), ("colour", "red")]).ok(), api.items(conversation), "the page")
    api.request("POST", items, json={"items": [says("two")]}, params=[("include[]", "a")]).ok()
    api.get(conversation_path(conversation), colour="red").ok()


# -- Bodies ------------------------------------------------------------------------------------------------


@scenario("gateway.body-must-be-json")
def a_body_that_is_not_json_answers_400(api: Api) -> None:
    for content in (b"", b"  ", b"items", b'{"metadata": {}', b"{'metadata': {}}"):
        _create(api, content).refused(400)
    expect(ids(api.conversations()), [], "conversations afterwards")


@scenario("gateway.body-must-be-unambiguous")
def an_ambiguous_body_answers_400(api: Api) -> None:
    for content in (
        b'{"metadata": {"a": "1", "a": "2"}}',
        b'{"metadata": {}, "metadata": {"a": "1"}}',
        b'{"metadata": {"a": "\\ud800"}}',
        b'{"metadata": {"a": "\xff"}}',
        b'{"metadata": {}, "colour": NaN}',
    ):
        _create(api, content).refused(400)
    expect(ids(api.conversations()), [], "conversations afterwards")


@scenario("gateway.body-type-must-be-json")
def a_body_of_another_type_answers_415(api: Api) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        _create(api, b'{"metadata": {}}', headers).refused(415)
    expect(ids(api.conversations()), [], "conversations afterwards")
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        _create(api, b"{}", {"Content-Type": kind}).ok()


@scenario("gateway.body-has-a-limit", needs=FakeSettings(max_body=1000))
def a_body_over_the_limit_answers_413(api: Api) -> None:
    for size, status in ((1000, 200), (1001, 413)):
        answer = _create(api, b"{}".ljust(size))
        assert answer.status == status, f"{size} bytes: expected {status}, received {answer.status}"


# -- Order of refusal --------------------------------------------------------------------------------------


@scenario("refusal.unknown-operation-comes-first")
def an_unknown_operation_is_refused_before_the_key(api: Api) -> None:
    nobody = api.with_key(None)
    nobody.get("/conversation").refused(404)
    nobody.request("PUT", "/conversations", json={}).refused(405)


@scenario("refusal.authentication-comes-before-the-rate-limit", needs=FakeSettings(rate_limits=("2/h",)))
def the_key_is_checked_before_the_rate_limit(api: Api) -> None:
    for _ in range(4):
        api.with_key(None).get("/conversations").refused(401)
    api.conversations()


@scenario("refusal.rate-limit-comes-before-the-body", needs=FakeSettings(rate_limits=("1/h",)))
def the_rate_limit_is_checked_before_the_body(api: Api) -> None:
    api.conversations()
    _create(api, b"{", {"Content-Type": "text/plain"}).refused(429)
    _create(api, b"{").refused(429)


@scenario("refusal.media-type-comes-before-the-content", needs=FakeSettings(max_body=1000))
def the_media_type_is_checked_before_the_content(api: Api) -> None:
    _create(api, b"{", {"Content-Type": "text/plain"}).refused(415)
    _create(api, b"{".ljust(1001)).refused(413)
    api.request("GET", "/conversations", params={"limit": 0}).refused(400)
    api.request(
        "POST", "/conversations", content=b"{}", headers=[("Content-Type", "text/plain"), ("X-On-Behalf-Of", "a"),
                                                         ("X-On-Behalf-Of", "b")]
    ).refused(415)  # fmt: skip


@scenario("refusal.validity-comes-before-existence")
def validity_is_checked_before_existence(api: Api) -> None:
    unknown = fresh_name("conv")
    api.get(items_path(unknown), limit=0).refused(400)
    api.post(conversation_path(unknown), {"metadata": "text"}).refused(400)
    api.post(items_path(unknown), {"items": "text"}).refused(400)
