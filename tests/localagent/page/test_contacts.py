"""Contact data: whose it is where a page speaks of several, and the address where none is labelled."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.localagent.page.read import read_page
from tests.localagent.page.pages import NULL, look, records, schema

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


@pytest.mark.parametrize(
    "mail",
    [
        "info [at] kessel.example",
        "info(at)kessel.example",
        "info (at) kessel (dot) example",
        "info [ät] kessel [punkt] example",
        "info{at}kessel.example",
        "info at kessel dot example",
        '<a href="mailto:info@kessel.example">Write to us</a>',
    ],
)
@pytest.mark.parametrize(
    "line", ["<p>E-mail: {}</p>", "<p>{}</p>", "<p>Bergstraße 4<br>72999 Oberbach<br>{}</p>"]
)
def test_mail_in_disguise_is_read(line: str, mail: str) -> None:
    assert contact(line.format(mail), ("email",)) == {"email": "info@kessel.example"}


def test_words_are_no_mail_in_disguise() -> None:
    assert contact("<p>Meet us at noon (at the door) by the pond.</p>", ("email",)) is None


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("USt-IdNr.: DE 299 999 999", "DE 299 999 999"),
        ("Umsatzsteuer-Identifikationsnummer gemäß § 27a UStG:<br>DE299999999", "DE299999999"),
        ("UID: ATU99999999", "ATU99999999"),
        ("N° TVA : FR 32 999 999 999", "FR 32 999 999 999"),
        ("BTW NL999999999B01", "NL999999999B01"),
        ("CHE-999.999.999 MWST", "CHE-999.999.999 MWST"),
        ("P. IVA IT99999999999", "IT99999999999"),
        ("IBAN DE12 5001 0517 5407 3249 31", None),
        ("Model DE299999", None),
    ],
)
def test_a_number_for_the_tax_is_known_by_its_form(line: str, number: str | None) -> None:
    found = contact(f"<p>Bergstraße 4<br>72999 Oberbach</p><p>{line}</p>", ("city", "vat_id"))

    assert found == {"city": "Oberbach", "vat_id": number}


def test_a_value_may_stand_in_the_line_below_its_label() -> None:
    body = "<p><strong>Managing director:</strong><br>Dr. Ina Holm</p>"

    assert contact(body, ("managing_director",)) == {"managing_director": "Dr. Ina Holm"}


def test_the_line_above_an_address_that_the_site_is_named_after_is_its_organisation() -> None:
    page = (
        "<p>Larkfield Dental Practice<br>18 Tollgate Street<br>Wexcombe<br>WX4 7QD</p>" + "<p>More.</p>" * 9
    )
    reading = read_page(page, url="https://www.larkfielddental.example/c", schema=schema(company=TEXT))

    assert reading.result == {"company": "Larkfield Dental Practice"}


STORES = [
    "<li><h3>{0}</h3><p>{1}<br>{2}<br>{3}</p></li>",
    "<li><h3>{0}</h3><p>{1}</p><p>{2}</p><p>{3}</p></li>",
    "<li><h3>{0}</h3><div>{1}, {2}, {3}</div></li>",
    "<tr><td>{0}</td><td>{1}, {2}, {3}</td></tr>",
    "<tr><td>{0}</td><td>{1}<br>{2}<br>{3}</td></tr>",
]


@pytest.mark.parametrize("store", STORES)
def test_the_addresses_of_a_list_give_their_parts_for_each_record(store: str) -> None:
    rows = [
        ("North", "Bergstraße 4a", "72999 Oberbach", "Deutschland"),
        ("South", "Am Hohen Rain 7", "72998 Unterbach", "Deutschland"),
        ("West", "12 rue du Four", "67999 Rosheim", "France"),
    ]
    body = "".join(store.format(*row) for row in rows)
    if store.startswith("<tr>"):
        body = f"<table><tr><th>Store</th><th>Address</th></tr>{body}</table>"
    else:
        body = f"<ul>{body}</ul>"

    found = records(
        body, store="string", street="string", postal_code="string", city="string", country="string"
    )

    assert [list(row.values()) for row in found] == [
        [name, street, *place.split(" "), country] for name, street, place, country in rows
    ]


def test_what_may_be_hours_holds_a_time_of_day() -> None:
    people = "<h3>Ina Holm</h3><p>Owner</p><h3>Per Lind</h3><p>Repairs</p>"
    hours = {"type": "array", "items": schema(season="string", hours="string"), **NULL}

    found = look(people, name=TEXT, opening_hours=hours).result

    assert found == {"name": "Page", "opening_hours": None}


def test_the_end_of_a_telephone_number_counts_nothing_of_the_line_below() -> None:
    found = contact("<p>Tel. 99 11 22 33<br>Guests welcome</p>", ("phone", "guests"))

    assert found == {"phone": "99 11 22 33", "guests": None}


@pytest.mark.parametrize(
    ("line", "phone", "fax"),
    [
        ("Tel. 02 9900 1122 – Fax 02 9900 1123", "02 9900 1122", "02 9900 1123"),
        ("Telefon: 07999 / 44-0, Telefax: 07999 / 44-99", "07999 / 44-0", "07999 / 44-99"),
        ("T 020 999 1122<br>F 020 999 1123", "020 999 1122", "020 999 1123"),
        ("T: +43 1 999 11 22 | F: +43 1 999 11 23", "+43 1 999 11 22", "+43 1 999 11 23"),
        ("Fax (503) 555-0143<br>Phone (503) 555-0142", "(503) 555-0142", "(503) 555-0143"),
        ("Model T 020 999<br>Class F 12", None, None),
    ],
)
def test_several_numbers_of_one_line_are_told_apart(line: str, phone: str | None, fax: str | None) -> None:
    found = contact(f"<p>Bergstraße 4<br>72999 Ort</p><p>{line}</p>", ("city", "phone", "fax"))

    assert found == {"city": "Ort", "phone": phone, "fax": fax}


def test_the_element_for_contact_data_gives_an_address_without_telephone_and_mail() -> None:
    body = "<address>Bergstr. 1<br>72991 Rain<br>Tel. 07999 441<br>Fax: 07999 442<br>x@a.example</address>"

    assert contact(body, ("address", "phone")) == {"address": "Bergstr. 1, 72991 Rain", "phone": "07999 441"}
