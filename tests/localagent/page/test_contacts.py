"""Contact data: whose it is where a page speaks of several, and the address where none is labelled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localagent.page.pages import NULL, look

TEXT = {"type": "string", **NULL}
FIELDS = ("company", "street", "postal_code", "city", "phone", "email")

IMPRINT = """
<h1>Impressum</h1><h2>Angaben gemäß § 5 DDG</h2>
<p>Kessel Ofenbau GmbH<br>Am Hohen Rain 4a<br>72999 Oberbach</p>
<p>Telefon: 07999 / 44 0<br>E-Mail: info@a.example</p><p>Handelsregister: HRB 700999</p>
<h2>Aufsichtsbehörde</h2><p>Landratsamt Rain, Bergstr. 47, 72998 Rain<br>Telefon: 07998 / 555</p>
<h2>Webdesign</h2><p>Farbtopf OHG, Lange Gasse 2, 72070 Nebel<br>E-Mail: hallo@farbtopf.example</p>
"""


def contact(body: str, fields: tuple[str, ...] = FIELDS) -> Any:  # noqa: ANN401 - a result or None
    wanted: dict[str, Any] = dict.fromkeys(fields, TEXT)
    return look(body, **wanted).result


def test_the_party_with_the_most_contact_data_is_meant() -> None:
    assert contact(IMPRINT) == {
        "company": "Kessel Ofenbau GmbH",
        "street": "Am Hohen Rain 4a",
        "postal_code": "72999",
        "city": "Oberbach",
        "phone": "07999 / 44 0",
        "email": "info@a.example",
    }


def test_of_branches_side_by_side_none_is_meant() -> None:
    branch = '<div class="b"><h3>{0}</h3><p>{0}straße 3<br>7299{1} {0}</p><p>Telefon: 07999 44{1}</p></div>'
    body = "<h2>Filialen</h2>" + branch.format("Rain", 1) + branch.format("Berg", 2)

    assert contact(body, ("street", "city", "phone")) is None


def test_a_branch_with_a_mail_more_than_the_other_is_not_the_one_that_is_meant() -> None:
    body = (
        "<h3>Rain</h3><p>Rainstraße 3<br>72991 Rain</p><p>Telefon: 07999 441<br>E-Mail: rain@a.example</p>"
        "<h3>Berg</h3><p>Bergstraße 3<br>72992 Berg</p><p>Telefon: 07999 442</p>"
    )

    assert contact(body, ("street", "city", "phone")) is None


def test_the_telephone_in_the_section_with_the_most_contact_data_is_taken() -> None:
    body = (
        "<h2>Kontakt</h2><p>Am Rain 4<br>72999 Oberbach</p><p>Telefon: 07999 440<br>E-Mail: a@b.example</p>"
        "<h2>Datenschutzbeauftragte</h2><p>Ina Holm<br>Telefon: 07999 777</p>"
    )

    assert contact(body, ("street", "phone")) == {"street": "Am Rain 4", "phone": "07999 440"}


BLOCKS = [
    "<p>{0}<br>{1}<br>{2}</p>",
    "<address>{0}<br>{1}<br>{2}</address>",
    "<div><div>{0}</div><div>{1}</div><div>{2}</div></div>",
    "<p><span>{0}</span><br><span>{1}</span><br><span>{2}</span></p>",
    "<p><strong>{0}</strong></p><p>{1}</p><p>{2}</p>",
    "<h3>{0}</h3><p>{1}, {2}</p>",
    "<ul><li>{0}</li><li>{1}</li><li>{2}</li></ul>",
    "<p>{0}, {1}, {2}</p>",
    "<p>{0} · {1} · {2}</p>",
    "<p>Adresse: {0}, {1}, {2}</p>",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_an_address_is_found_however_its_lines_are_set(block: str) -> None:
    body = block.format("Kessel Ofenbau GmbH", "Bergstraße 4a", "72999 Oberbach")

    assert contact(body, ("company", "street", "postal_code", "city")) == {
        "company": "Kessel Ofenbau GmbH",
        "street": "Bergstraße 4a",
        "postal_code": "72999",
        "city": "Oberbach",
    }
