"""Requests as curl commands. (That such commands reproduce an exchange is tested in verify/test_reproduction.py.)"""

import shlex

import pytest

from mockserver.curl import KEY_PLACEHOLDER, curl_command

URL = "http://127.0.0.1:8080/conversations"


@pytest.mark.parametrize(
    ("method", "url", "flags"),
    [
        ("GET", URL, ["-X", "GET"]),
        ("HEAD", URL, ["-I"]),
        ("GET", f"{URL}?metadata[a]=1", ["--globoff", "-X", "GET"]),
        ("GET", f"{URL}/../x", ["--path-as-is", "-X", "GET"]),
    ],
)
def test_curl_sends_the_method_and_the_url_as_written(method, url, flags) -> None:
    assert shlex.split(curl_command(method, url)) == ["curl", *flags, url]


def test_headers_that_curl_adds_are_left_out_and_empty_ones_kept() -> None:
    command = curl_command("GET", URL, [("Host", "gateway"), ("X-Empty", ""), ("X-On-Behalf-Of", "it's me")])
    assert shlex.split(command)[4:] == ["-H", "X-Empty;", "-H", "X-On-Behalf-Of: it's me"]


def test_the_shell_expands_keys_and_variables_but_nothing_else() -> None:
    headers = [("Authorization", f"Bearer {KEY_PLACEHOLDER}")]
    command = curl_command("POST", f"{URL}/conv_1", headers, b'"conv_1 $HOME"', variables={"conv_1": "id1"})
    assert '"Authorization: Bearer $MKA1_API_KEY"' in command
    assert f'"{URL}/${{id1}}"' in command
    assert command.endswith(r'--data-raw "\"${id1} \$HOME\""')
