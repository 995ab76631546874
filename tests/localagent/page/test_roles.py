"""What elements are for by their kind: links by their words, versions in headings, contact data."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, look

TEXT = {"type": "string", **NULL}


def test_a_link_is_found_by_its_words() -> None:
    body = '<h1>Rope</h1><p><a href="/src">Source code</a> <a href="/docs/">Documentation</a></p>'
    assert look(body, source_code_url="string", documentation_url="string").result == {
        "source_code_url": "http://a.example/src",
        "documentation_url": "http://a.example/docs/",
    }


def test_wherever_it_stands() -> None:
    body = '<h1>Rope</h1><footer><a href="/docs/">Documentation</a></footer>'
    assert look(body, documentation_url="string").result == {"documentation_url": "http://a.example/docs/"}


def test_its_words_are_no_value() -> None:
    body = '<h1>Rope</h1><p><a href="/docs/">Documentation</a></p>'
    assert look(body, name="string", documentation=TEXT).result == {"name": "Rope", "documentation": None}


def test_a_heading_of_a_word_and_a_version_is_a_name_and_a_version() -> None:
    assert look("<h1>ropelib 2.31.0</h1>", name="string", version="string").result == {
        "name": "ropelib",
        "version": "2.31.0",
    }
    assert look("<h1>ropelib v2.31</h1>", name="string", version="string").result == {
        "name": "ropelib",
        "version": "2.31",
    }
    assert look("<h1>Apollo 12</h1>", name="string").result == {"name": "Apollo 12"}


def test_what_stands_small_after_a_title_is_no_part_of_it() -> None:
    assert look("<h1>Kettle <small>by Ann</small></h1>", name="string").result == {"name": "Kettle"}


def test_telephone_and_mail_are_no_part_of_an_address() -> None:
    channels = "Phone: ask at the desk<br>ann@mill.example<br>01955 602 031"
    body = f"<address>1 Mill Lane<br>Wick<br>{channels}</address>"
    assert look(body, address="string").result == {"address": "1 Mill Lane, Wick"}
