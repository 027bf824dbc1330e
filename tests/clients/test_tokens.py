"""The token exchange with the MKA1 SDK, and tokens in place of keys in both SDKs."""

import warnings

import openai
import pytest
from meetkai_mka1 import SDK, errors

from tests.clients.support import enter_async

AUDIENCE = "https://apigw.mka1.com"


@pytest.fixture(params=["exchange_token", "get_jwt_from_key"])
def exchange(request, server, api_key, form, runner):
    """Return a function that exchanges a key, by the current method of the SDK or by its deprecated one."""

    def call(key=api_key, **arguments):
        sdk = SDK(bearer_auth=key, server_url=server.url, retry_config=None)
        resource = sdk.auth.api_keys if request.param == "exchange_token" else sdk.auth.api_key
        arguments = {"audience": AUDIENCE, "external_user_id": "ada", **arguments}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Speakeasy marks the old method.
            if form == "sync":
                with sdk:
                    return getattr(resource, request.param)(**arguments).token
            with enter_async(sdk, runner):
                return runner.run(getattr(resource, request.param + "_async")(**arguments)).token

    call.error = {
        "exchange_token": lambda name: getattr(errors, f"ExchangeAPIKeyToken{name}Error"),
        "get_jwt_from_key": lambda name: getattr(errors, f"GetJwtFromKey{name}Error"),
    }[request.param]
    return call


def test_both_clients_send_a_token_in_place_of_the_key(exchange, connect_mka1, connect_openai, server, api_key):
    token = exchange()
    created = connect_mka1(bearer_auth=token, server_url=server.url).create(metadata={"a": "b"})
    client = connect_openai(base_url=server.api_url, api_key=token)
    assert client.conversations.retrieve(created.id).metadata == {"a": "b"}
    owner = connect_mka1(bearer_auth=api_key, server_url=server.url)
    assert owner.get(conversation_id=created.id, x_on_behalf_of="ada").metadata == {"a": "b"}
    with pytest.raises(errors.SDKDefaultError) as caught:
        owner.get(conversation_id=created.id)
    assert caught.value.status_code == 404


def test_permissions_are_honoured(exchange, connect_openai, server):
    token = exchange(permissions=["read:conversations"])
    client = connect_openai(base_url=server.api_url, api_key=token)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.conversations.create()
    assert caught.value.type == "permission_error"
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve("conv_1")


def test_the_errors_of_the_sdk_are_typed(exchange):
    with pytest.raises(exchange.error("BadRequest")) as bad:
        exchange(external_user_id="*")
    assert "externalUserId" in bad.value.data.message
    with pytest.raises(exchange.error("Forbidden")) as forbidden:
        exchange(key=exchange())
    assert "Only an API key" in forbidden.value.data.message
    with pytest.raises(exchange.error("Unauthorized")) as unauthorized:
        exchange(key=exchange() + "x")
    assert "signature" in unauthorized.value.data.message


def test_the_deprecated_operation_lists_details(server, api_key):
    with (
        SDK(bearer_auth=api_key, server_url=server.url, retry_config=None) as sdk,
        pytest.warns(DeprecationWarning, match="exchangeToken"),
        pytest.raises(errors.GetJwtFromKeyBadRequestError) as caught,
    ):
        sdk.auth.api_key.get_jwt_from_key(audience=AUDIENCE, external_user_id="ada", expires_in=1)
    assert [detail.path for detail in caught.value.data.details] == ["expiresIn"]
