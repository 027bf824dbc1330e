import pytest

from mockserver import Settings, UsageError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api_keys": ("",)}, "an API key must be KEY or KEY=ACCOUNT"),
        ({"api_keys": ("=acme",)}, "an API key must be KEY or KEY=ACCOUNT"),
        ({"api_keys": ("hush=",)}, "an API key must be KEY or KEY=ACCOUNT"),
        ({"api_keys": ("hush hush",)}, "an API key must be KEY or KEY=ACCOUNT"),
        ({"api_keys": ("h\u00fcsh",)}, "an API key must be KEY or KEY=ACCOUNT"),
        ({"api_keys": ("hush", "hush=acme")}, "an API key is listed twice"),
        ({"rate_limits": ("10",)}, "a rate limit must be such as 10/s, 60/m, 1000/h or 5000/d, not '10'"),
        ({"rate_limits": ("0/s",)}, "a rate limit must be such as"),
        ({"rate_limits": ("5/week",)}, "a rate limit must be such as"),
        ({"identity_mode": "md5"}, "identity_mode must be sha256 or raw, not 'md5'"),
        ({"ids": "uuid"}, "ids must be random or sequential, not 'uuid'"),
        ({"unknown_fields": "keep"}, "unknown_fields must be note or reject, not 'keep'"),
        ({"max_body": 0}, "max_body must be at least 1 byte, not 0"),
    ],
)
def test_an_invalid_setting_is_named_and_no_key_is_shown(settings, message):
    with pytest.raises(UsageError) as caught:
        Settings(**settings)
    assert str(caught.value).startswith(message)
    assert "hush" not in str(caught.value)


def test_settings_do_not_show_their_keys():
    assert "hush" not in repr(Settings(api_keys=("hush=acme",)))
