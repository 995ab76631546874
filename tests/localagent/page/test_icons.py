"""Icons say what the text beside them is, and so do words for those who cannot see."""

from __future__ import annotations

from tests.localagent.page.pages import look, records


def test_an_icon_names_the_text_beside_it() -> None:
    body = (
        '<ul><li><span><i class="fas fa-fax"></i></span><span>01632 960 449</span></li>'
        '<li><i class="icon-phone"></i> 01632 960 447</li>'
        '<li><i class="fa fa-leaf"></i> Green since 1999</li></ul>'
    )
    assert look(body, fax="string", phone="string").result == {
        "fax": "01632 960 449",
        "phone": "01632 960 447",
    }


def test_what_is_read_out_names_the_text_after_it_and_is_no_value() -> None:
    row = '<li><h3>{0}</h3><span class="visually-hidden">Vendor:</span><div>{1}</div></li>'
    body = f"<ul>{row.format('Lamp', 'Olmo')}{row.format('Shade', 'Benwick')}</ul>"
    assert records(body, title="string", vendor="string") == [
        {"title": "Lamp", "vendor": "Olmo"},
        {"title": "Shade", "vendor": "Benwick"},
    ]
