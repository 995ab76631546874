"""What stands where: in opinions of others, around the page's title, beside it."""

from __future__ import annotations

import pytest

from tests.localagent.page.pages import look


@pytest.mark.parametrize("said_in", ["reviews", "comment-list comments", "testimonial"])
def test_what_others_say_stands_behind_what_the_page_says(said_in: str) -> None:
    body = f'<h1>Kettle</h1><p>Author: Ann</p><div class="{said_in}"><div><p>Author: Ben</p></div></div>'
    assert look(body, author="string").result == {"author": "Ann"}


def test_what_holds_the_title_goes_before_what_stands_outside() -> None:
    inside = "<article><h1>Kettle</h1><p>Colour: red</p></article>"
    assert look(f"{inside}<div><p>Colour: blue</p></div>", colour="string").result == {"colour": "red"}
    assert look(f"<div><p>Colour: blue</p></div>{inside}", colour="string").result == {"colour": "red"}
    without = "<div><h1>Kettle</h1><p>Colour: red</p></div><div><p>Colour: blue</p></div>"
    assert look(without, colour="string").code == "LOCAL_NOT_FOUND"


def test_what_is_said_outside_alone_is_read() -> None:
    body = '<div role="main"><h1>Kettle</h1></div><div><p>Colour: blue</p></div>'
    assert look(body, colour="string").result == {"colour": "blue"}
