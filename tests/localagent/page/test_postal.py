"""Postal addresses without a label: their parts, in the forms of many countries, and what is none."""

from __future__ import annotations

import re

import pytest

from batchfish.localagent.page.postal import find_addresses

ADDRESSES = """
Ofenbau Kessel GmbH & Co. KG | Metzgerstraße 18 | 72999 Oberbach
  -> Metzgerstraße 18 | 72999 | Oberbach | - | - | Ofenbau Kessel GmbH & Co. KG
Am Hohen Rain 4a | 78999 Villberg | Deutschland
  -> Am Hohen Rain 4a | 78999 | Villberg | - | Deutschland | -
Bismarckstr. 47, D-72700 Reutbach
  -> Bismarckstr. 47 | 72700 | Reutbach | - | - | -
Postfach 12 34 | 06999 Halle (Saale)
  -> Postfach 12 34 | 06999 | Halle (Saale) | - | - | -
Seidl KG | Mariahilfer Gasse 12/3/7 | A-1069 Wien
  -> Mariahilfer Gasse 12/3/7 | 1069 | Wien | - | - | Seidl KG
Huber & Cie AG · Bahnhofweg 7 · CH – 8099 Zürich
  -> Bahnhofweg 7 | 8099 | Zürich | - | - | Huber & Cie AG
Atelier Morel SARL | 24, rue de la petite gare | 69099 Lyon Cedex 08 | France
  -> 24, rue de la petite gare | 69099 | Lyon Cedex 08 | - | France | Atelier Morel SARL
12 bis avenue du Général Roux, 33999 Bordeaux
  -> 12 bis avenue du Général Roux | 33999 | Bordeaux | - | - | -
Óptica Luz, S.L. | Calle Mayor, 12, 2º A | 28099 Madrid
  -> Calle Mayor, 12, 2º A | 28099 | Madrid | - | - | Óptica Luz, S.L.
C/ Olmo 3, 46099 Valencia, España
  -> C/ Olmo 3 | 46099 | Valencia | - | España | -
Forni Riuniti S.r.l. | Via Garibaldi, 15 | 20199 Milano (MI) | Italia
  -> Via Garibaldi, 15 | 20199 | Milano | MI | Italia | Forni Riuniti S.r.l.
Piazza San Carlo n. 3 – 10199 Torino TO
  -> Piazza San Carlo n. 3 | 10199 | Torino | TO | - | -
Azulejos Lda. | Rua do Sol, 42 | 1200-199 Lisboa | Portugal
  -> Rua do Sol, 42 | 1200-199 | Lisboa | - | Portugal | Azulejos Lda.
Molen B.V. | Prinsenkade 8-2 | 1099 XZ Amsterdam
  -> Prinsenkade 8-2 | 1099 XZ | Amsterdam | - | - | Molen B.V.
Postbus 990, 3500AZ Utrecht
  -> Postbus 990 | 3500AZ | Utrecht | - | - | -
Brouwerij Noord NV | Kerkstraat 9 bus 4 | 9099 Gent | België
  -> Kerkstraat 9 bus 4 | 9099 | Gent | - | België | Brouwerij Noord NV
Młyn sp. z o.o. | ul. Długa 5/12 | 00-999 Warszawa
  -> ul. Długa 5/12 | 00-999 | Warszawa | - | - | Młyn sp. z o.o.
Fjäll AB | Storgatan 12 | 114 99 Stockholm | Sverige
  -> Storgatan 12 | 114 99 | Stockholm | - | Sverige | Fjäll AB
Mølle ApS | Vestergade 3, 2. tv | 8099 Aarhus C | Danmark
  -> Vestergade 3, 2. tv | 8099 | Aarhus C | - | Danmark | Mølle ApS
Fisk AS | Strandveien 4 | 0199 Oslo | Norge
  -> Strandveien 4 | 0199 | Oslo | - | Norge | Fisk AS
Saha Oy | Mannerkatu 5 A 12 | 00199 Helsinki
  -> Mannerkatu 5 A 12 | 00199 | Helsinki | - | - | Saha Oy
Heron Boats Ltd | Unit 4, Mill House | 18 Tollgate Street | Wexcombe | WX4 7QD
  -> 18 Tollgate Street | WX4 7QD | Wexcombe | - | - | Heron Boats Ltd
3 Station Parade, Millbrook ML2 9HT
  -> 3 Station Parade | ML2 9HT | Millbrook | - | - | -
7 Quay Lane, Salcombe, Devon TQ9 9ZZ, United Kingdom
  -> 7 Quay Lane | TQ9 9ZZ | Salcombe | Devon | United Kingdom | -
14 Pier Road, Dunmarra, Co. Galway, H91 X0X0, Ireland
  -> 14 Pier Road | H91 X0X0 | Dunmarra | Co. Galway | Ireland | -
Elk Fork Supply, LLC | 1200 NW 5th Avenue, Suite 200 | Portland, OR 97299-1234
  -> 1200 NW 5th Avenue, Suite 200 | 97299-1234 | Portland | OR | - | Elk Fork Supply, LLC
PO Box 441, Juniper Falls, Montana 59999, USA
  -> PO Box 441 | 59999 | Juniper Falls | Montana | USA | -
455 Rue Saint-Paul | Montréal (Québec) H2X 9Y9 | Canada
  -> 455 Rue Saint-Paul | H2X 9Y9 | Montréal | Québec | Canada | -
88 King Street W, Toronto, ON M5V 9T9
  -> 88 King Street W | M5V 9T9 | Toronto | ON | - | -
Wattle Pty Ltd | 12 Smith Street | Fitzroy VIC 3999 | Australia
  -> 12 Smith Street | 3999 | Fitzroy | VIC | Australia | Wattle Pty Ltd
Adresse : 5 place du Marché, 1299 Nyon
  -> 5 place du Marché | 1299 | Nyon | - | - | -
"""
"""Lines, and below them street, code, city, region, country, organisation."""

NONE = [
    "Projekte 250|12000 Kunden|40 Länder",
    "Eintritt 12 €|Ermäßigt 8000 Ft",
    "Seit 1974|2019 Renovierung",
    "Gegründet 1998 | 2024 Umzug nach Bonn",
    "Telefon 07123 555 12|72555 Aufrufe",
    "1200 Euro|45000 Kilometer",
    "Halle 4 Raum 12|10:30 Uhr",
    "Artikelnummer 12345|10000 Stück",
    "Preis ab 1500 Euro, 2000 Watt Leistung",
    "12. März 2024|2025 Jahresbericht",
    "You find us at Mill Street 5, where we have 12000 Visitors a year",
    "Room 101, 4500 Guests",
    "Model AB12 3CD is in stock",
    "IBAN DE12 5001 0517 5407 3249 31",
    "HRB 720555 Amtsgericht Stuttgart",
    "Order no. 4711 20095 Hamburg",
]


ROWS = re.findall(r"(.+)\n  -> (.+)", ADDRESSES)


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_an_address_gives_its_parts(text: str, expected: str) -> None:
    (found,) = find_addresses(text.split(" | "))

    said = (found.street, found.postcode, found.city, found.region, found.country, found.organisation)
    assert [part or "-" for part in said] == expected.split(" | ")


@pytest.mark.parametrize("text", NONE)
def test_what_is_not_complete_is_no_address(text: str) -> None:
    assert list(find_addresses(text.split("|"))) == []
