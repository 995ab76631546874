"""The checks of the API key and of the base URL that it is sent to."""

from __future__ import annotations

import pytest

from batchfish.errors import WrongInput
from batchfish.webagent.credentials import check_api_key, check_base_url, digest_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://agent.tinyfish.ai", "https://agent.tinyfish.ai"),
        (" https://agent.tinyfish.ai/ ", "https://agent.tinyfish.ai"),
        ("https://proxy.example/tinyfish/", "https://proxy.example/tinyfish"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://127.9.9.9:1/", "http://127.9.9.9:1"),
        ("http://localhost:8787", "http://localhost:8787"),
        ("http://[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_accepted(text: str, expected: str) -> None:
    assert check_base_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent.tinyfish.ai",
        "http://agent.tinyfish.ai",
        "http://10.0.0.1",
        "http://0.0.0.0:80",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@agent.tinyfish.ai",
        "https://agent.tinyfish.ai?x=1",
        "https://agent.tinyfish.ai#x",
        "https://agent.tinyfish.ai:port",
        "https://[::1",
    ],
)
def test_every_other_base_url_is_refused_without_quoting_a_password(text: str) -> None:
    with pytest.raises(WrongInput) as caught:
        check_base_url(text)
    assert "secret" not in str(caught.value)


def test_a_key_is_stripped() -> None:
    assert check_api_key(" sk-tinyfish-1\n") == "sk-tinyfish-1"


@pytest.mark.parametrize(
    "key", ["", " \n", "sk-canary 2", "sk-canary\n2", "sk-canary\r\nX: y", "sk-canary\x00", "sk-canaryé"]
)
def test_a_key_that_cannot_be_a_header_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(WrongInput) as caught:
        check_api_key(key)
    assert "canary" not in str(caught.value)


def test_a_key_id_differs_by_key_and_journal_and_reveals_neither() -> None:
    ids = {digest_key(key, salt) for key in ("sk-1", "sk-2") for salt in (b"a", b"b")}
    assert len(ids) == 4
    assert all(len(key_id) == 16 for key_id in ids)
    assert digest_key("sk-1", b"a") == digest_key("sk-1", b"a")
