"""What the head of a page says of it."""

from __future__ import annotations

from tests.localagent.page.pages import look


def test_metas_go_by_what_stands_after_their_vocabulary() -> None:
    head = (
        '<meta property="book:isbn" content="978-1"><meta name="dcterms.publisher" content="Faro">'
        '<meta property="og:type" content="book"><meta name="citation_author" content="Ada Finch">'
    )
    asked = dict.fromkeys(("isbn", "publisher", "author"), "string")
    assert look("<h1>Salt</h1>", head=head, **asked).result == {
        "isbn": "978-1",
        "publisher": "Faro",
        "author": "Ada Finch",
    }


def test_cards_for_social_media_say_labels_and_values() -> None:
    head = (
        '<meta name="twitter:label1" content="Reading time"><meta name="twitter:data1" content="6 minutes">'
    )
    assert look("<h1>Salt</h1>", head=head, reading_minutes="integer").result == {"reading_minutes": 6}


def test_the_title_of_the_page_is_its_heading() -> None:
    reading = look(
        "<h1>How to sharpen</h1>", head="<title>How to sharpen - Skills</title>", page_title="string"
    )
    assert reading.result == {"page_title": "How to sharpen"}
