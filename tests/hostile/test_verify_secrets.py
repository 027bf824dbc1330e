"""`verify` shows no key and no password, in whatever form a target echoes them."""

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote

import jwt
import pytest
from click.testing import CliRunner
from starlette.types import Message, Scope

from mockserver.cli import main
from mockserver.conformance.scenarios import conversations
from mockserver.secrets import KeyMasker, mask_tokens
from tests.support.middleware import ApiMiddleware
from tests.verify.conftest import KEYS

KEY = 'sk-Live/9+aZ"x\\Q7=vN&2'
MASKER = KeyMasker({"$KEY": KEY}, "the word live/9+a is public")

FORMS = {
    "plain": KEY,
    "upper case": KEY.upper(),
    "lower case": KEY.lower(),
    "JSON": json.dumps(KEY)[1:-1],
    "JSON with slashes": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "JSON in escapes": "".join(f"\\u{ord(one):04X}" for one in KEY),
    "URL": quote(KEY, safe=""),
    "URL in lower case": quote(KEY, safe="").lower(),
    "URL in full": "".join(f"%{ord(one):02X}" for one in KEY),
    "hexadecimal": KEY.encode().hex(),
    "base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "base64 for URLs": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "base64 with the scheme": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 as a user": base64.b64encode(f"u:{KEY}".encode()).decode(),
    "UTF-16": KEY.encode("utf-16-le").decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_key_is_masked(form: str) -> None:
    masked = MASKER.mask(f"é\u0130 before {FORMS[form]} after {FORMS[form]}")
    assert masked.count("$KEY") == 2
    assert "before " in masked
    assert " after " in masked
    assert len(masked) < 60, masked


@pytest.mark.parametrize("form", ["plain", "upper case", "JSON", "URL", "hexadecimal", "base64"])
@pytest.mark.parametrize("side", ["start", "end"])
def test_a_part_of_a_key_is_masked(form: str, side: str) -> None:
    text = FORMS[form]
    for length in range(len(text) * 3 // 4, len(text)):
        part = text[-length:] if side == "end" else text[:length]
        masked = MASKER.mask(f"({part})")
        assert "$KEY" in masked
        assert len(masked) < 12, masked


def test_eight_characters_are_masked_and_ordinary_words_are_not() -> None:
    assert MASKER.mask(f"..{KEY[5:13]}..") == "..$KEY.."
    for text in ("", "Live", "sk-Live", "The word live/9+a", "\\u0073k", "x" * 50):
        assert MASKER.mask(text) is text


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    started = time.perf_counter()
    MASKER.mask(KEY[:7] * 100_000)
    assert time.perf_counter() - started < 3


# -- In a run --------------------------------------------------------------------------------------------------


class EchoesEverything(ApiMiddleware):
    """Sends the key back in every form, at places where the report cuts, with the length of the body unchanged."""

    requests = 0

    def change_message(self, scope: Scope, message: Message) -> Message:
        forms = [form for name, form in FORMS_OF_KEY.items() if name != "UTF-16"]
        if message["type"] == "http.response.start":
            type(self).requests += 1
            form = forms[self.requests % len(forms)]
            kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            return message | {"status": 500, "headers": [*kept, (b"x-you-sent", form.encode())]}
        form = forms[self.requests % len(forms)]
        text = "." * (310 - self.requests % 25 - len(form)) + form
        return message | {"body": text.encode() if self.requests % 2 else json.dumps({"id": text}).encode()}


FORMS_OF_KEY = {
    "plain": KEYS[0],
    "upper case": KEYS[0].upper(),
    "JSON in escapes": "".join(f"\\u{ord(one):04X}" for one in KEYS[0]),
    "URL in full": "".join(f"%{ord(one):02X}" for one in KEYS[0]),
    "hexadecimal": KEYS[0].encode().hex(),
    "base64": base64.b64encode(KEYS[0].encode()).decode(),
    "base64 with the scheme": base64.b64encode(f"Bearer {KEYS[0]}".encode()).decode(),
}


def assert_no_key(text: str) -> None:
    for name, form in FORMS_OF_KEY.items():
        for start in range(len(form) * 2 // 5):
            part = form[start : start + len(form) * 3 // 5].strip("=")
            assert part.lower() not in text.lower(), name


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["verify", *arguments], env={"MKA1_SECOND_API_KEY": None, **environment})
    return result.exit_code, result.output


def test_an_echoed_key_is_in_no_form_of_the_report(start_fake, select_scenarios, tmp_path: Path) -> None:
    select_scenarios(conversations)
    url = start_fake(EchoesEverything).url
    phases = ("--phases", "behaviours,examples", "--max-requests", "90")
    code, output = run(url, *phases, "--report-dir", str(tmp_path), "--verbose", MKA1_API_KEY=KEYS[0])
    assert code == 1
    assert EchoesEverything.requests > 50
    assert_no_key(output)
    for name in ("report.html", "report.json", "junit.xml"):
        assert_no_key((tmp_path / name).read_text())
    assert "$MKA1_API_KEY" in output


@pytest.mark.parametrize(
    "key",
    ["line-end-in-the-key\r", "two\r\nX-lines: of-a-key", "caf\xe9-is-not-ascii", "a space-in-key", "tab\tin-the-key"],
)
@pytest.mark.parametrize("variable", ["MKA1_API_KEY", "MKA1_SECOND_API_KEY"])
def test_a_key_that_no_header_can_carry_is_rejected_unseen(key: str, variable: str) -> None:
    code, output = run("http://127.0.0.1:1", **{"MKA1_API_KEY": "good-key-1", variable: key})
    assert code == 2
    assert f"{variable}: the API key cannot be sent in a header" in output
    assert output.count("\n") == 1
    for part in ("line-end", "lines", "of-a-key", "caf", "space-in", "in-the-key"):
        assert part not in output


@pytest.mark.parametrize(
    "url",
    [
        "http://user:passw0rd-1@127.0.0.1:1",
        "https://passw0rd-1@host",
        "ftp://user:passw0rd-1@host/x",
        "http:///user:passw0rd-1@host",
        "http://host/?key=passw0rd-1",
        "http://host/#passw0rd-1",
    ],
)
def test_a_password_in_the_url_is_rejected_unseen(url: str) -> None:
    code, output = run(url, MKA1_API_KEY="good-key-1")
    assert code == 2
    assert "BASE_URL must have no user name, no password" in output
    assert "passw0rd" not in output
    assert output.count("\n") == 1


def test_a_key_in_place_of_the_name_of_its_variable_is_not_shown() -> None:
    code, output = run("http://127.0.0.1:1", "--api-key-env", KEY, MKA1_API_KEY="good-key-1")
    assert (code, KEY in output) == (2, False)


def test_a_token_is_masked_whatever_surrounds_it() -> None:
    token = jwt.encode({"sub": "ada"}, "x" * 32, "HS256")
    for text in ("{}", 'Bearer {}"', "?token={}&", '{{"token":"{}"}}', "{0},{0}"):
        assert token.rpartition(".")[2] not in mask_tokens(text.format(token))
    assert mask_tokens("eyJ is no token; a.b.c neither") == "eyJ is no token; a.b.c neither"
