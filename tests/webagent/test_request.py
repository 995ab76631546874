"""What goes out: the checks of address and key, and the body of a create."""

from __future__ import annotations

import json

import pytest

from batchfish.errors import WrongInput
from batchfish.webagent.request import build_create, check_api_key, check_base_url, is_loopback, key_digest


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
def test_https_anywhere_and_http_on_this_machine_are_taken(text: str, expected: str) -> None:
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


def test_loopback_means_this_machine() -> None:
    assert is_loopback("http://127.0.0.1:1")
    assert is_loopback("https://localhost")
    assert not is_loopback("https://agent.tinyfish.ai")


def test_a_key_is_stripped() -> None:
    assert check_api_key(" sk-tinyfish-1\n") == "sk-tinyfish-1"


@pytest.mark.parametrize(
    "key", ["", " \n", "sk-canary 2", "sk-canary\n2", "sk-canary\r\nX: y", "sk-canary\x00", "sk-canaryé"]
)
def test_a_key_that_cannot_be_a_header_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(WrongInput) as caught:
        check_api_key(key)
    assert "canary" not in str(caught.value)


def test_a_key_id_tells_keys_and_journals_apart_and_gives_nothing_away() -> None:
    ids = {key_digest(key, salt) for key in ("sk-1", "sk-2") for salt in (b"a", b"b")}
    assert len(ids) == 4
    assert all(len(key_id) == 16 for key_id in ids)
    assert key_digest("sk-1", b"a") == key_digest("sk-1", b"a")


def test_a_body_holds_what_is_set_as_utf8() -> None:
    create = build_create("https://x.example/é", "ähm", {"browser_profile": "stealth", "use_vault": None}, {})
    assert json.loads(create.body) == {
        "url": "https://x.example/é",
        "goal": "ähm",
        "browser_profile": "stealth",
        "api_integration": "batchfish",
    }
    assert "é".encode() in create.body


def test_a_request_may_name_another_integration() -> None:
    create = build_create("https://x.example", "g", {"api_integration": "mine"}, {})
    assert json.loads(create.body)["api_integration"] == "mine"


def test_the_same_request_has_the_same_digest_and_another_has_another() -> None:
    first = build_create("https://x.example", "g", {"use_vault": True, "browser_profile": "lite"}, {})
    second = build_create("https://x.example", "g", {"browser_profile": "lite", "use_vault": True}, {})
    third = build_create("https://x.example", "h", {"browser_profile": "lite", "use_vault": True}, {})
    assert first.sha256 == second.sha256 != third.sha256


def test_a_proxys_password_is_sent_and_its_variable_is_not() -> None:
    proxy = {"enabled": True, "type": "custom", "url": "http://p:1", "password_env": "PW"}
    create = build_create("https://x.example", "g", {"proxy_config": proxy}, {"PW": "canary-1"})
    assert json.loads(create.body)["proxy_config"] == {
        "enabled": True,
        "type": "custom",
        "url": "http://p:1",
        "password": "canary-1",
    }
    other = build_create("https://x.example", "g", {"proxy_config": proxy}, {"PW": "canary-2"})
    assert create.sha256 == other.sha256
    assert "canary" not in repr(create)


@pytest.mark.parametrize("secrets", [{}, {"PW": ""}, {"OTHER": "x"}])
def test_a_variable_that_is_not_set_is_named(secrets: dict[str, str]) -> None:
    with pytest.raises(WrongInput, match="PW"):
        build_create(
            "https://x.example", "g", {"proxy_config": {"enabled": True, "password_env": "PW"}}, secrets
        )


@pytest.mark.parametrize("request_", [{"gaol": "x"}, {"output_schema": {"a": object()}}])
def test_what_the_api_does_not_know_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(WrongInput):
        build_create("https://x.example", "g", request_, {})


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(WrongInput):
        build_create("https://x.example", "\ud800", {}, {})
