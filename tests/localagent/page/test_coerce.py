"""Numbers, units and encodings as pages write them."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.assignment import assign
from batchfish.localagent.page.coerce import coerce
from batchfish.localagent.page.decode import decode
from batchfish.localagent.page.model import Fact, Source
from batchfish.localagent.page.numbers import Locale, parse_number
from batchfish.localagent.page.plan import plan
from batchfish.localagent.page.tree import parse, text_of
from batchfish.localagent.page.units import split_unit


def value(name: str, text: str, kind: str = "number", language: str = "en") -> object:
    (wanted,) = plan({"type": "object", "properties": {name: {"type": kind}}})
    return coerce(
        Fact(label=name, text=text, source=Source.PAIR, node=(1, 0), where=""),
        wanted,
        Locale(language=language),
    )


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("1,234", "en", 1234),
        ("1.234", "de", 1234),
        ("1.234", "en", 1.234),
        ("1,5", "de", 1.5),
        ("1,234.5", "en", 1234.5),
        ("1.234,5", "en", 1234.5),
        ("1\u202f234\u202f567", "fr", 1234567),
        ("1’234.50", "de", 1234.5),
        ("0.498", "de", 0.498),
        ("1.2.3", "en", None),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(text: str, language: str, number: float | None) -> None:
    assert parse_number(text, Locale(language=language)) == number


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("melting_point_c", "−38.83 °C (−37.89 °F; 234.32 K)", -38.83),
        ("melting_point_c", "234.32 K", -38.83),
        ("elevation_m", "920 m (3,018 ft)", 920),
        ("elevation_m", "3,018 ft / 920 m", 920),
        ("population", "approx. 3.2 million", 3_200_000),
        ("population", "8,443,675 (2011 census)", 8_443_675),
        ("mass", "5.97 × 10^24 kg", 5.97e24),
        ("area_km2", "405 km²", 405),
        ("width", "12 × 8 cm", None),
        ("delivery_days", "3–5 days", None),
        ("price", "£1,250.00", 1250.0),
        ("price", "4,90 €", 4.9),
        ("price", "CHF 1’250.50", 1250.5),
        ("price", "3 for £10, or £4 each", None),
        ("price", "free", 0),
    ],
)
def test_an_amount_is_read_in_the_unit_that_the_name_asks_for(
    name: str, text: str, number: float | None
) -> None:
    read = value(name, text)
    assert read == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("name", "text", "year"),
    [("founded_year", "3 May 1537", 1537), ("founded_year", "between 1200 and 1300", None)],
)
def test_a_year_is_taken_from_a_date_when_there_is_one(name: str, text: str, year: int | None) -> None:
    assert value(name, text, "integer") == year


def test_a_whole_number_is_not_made_of_a_broken_one() -> None:
    assert value("count", "2.5", "integer") is None


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ("Köln".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        (b'<meta charset="iso-8859-1">K\xf6ln', "text/html"),
        (b"K\xf6ln", ""),
        ("\ufeffKöln".encode("utf-16-le"), "text/html; charset=utf-8"),
        ("Köln".encode(), "text/html; charset=no-such"),
    ],
)
def test_a_page_is_decoded_as_browsers_do(body: bytes, header: str) -> None:
    assert decode(body, header).endswith("Köln")


def test_pairs_are_chosen_all_at_once() -> None:
    """The best pair first would give row 0 its 0.9 and leave row 1 with nothing."""
    assert assign([[0.9, 0.8], [0.85, 0.0]]) == [1, 0]
    assert assign([[0.0, 0.0]]) == [None]
    assert assign([]) == []


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("FULL_TIME", "full-time"),
        ("Contract: part time, two years", "part-time"),
        ("full-time or part-time", None),
        ("shift work", None),
    ],
)
def test_a_choice_is_taken_where_a_text_names_it_and_no_other(text: str, choice: str | None) -> None:
    asked = {"type": "string", "enum": ["full-time", "part-time"]}
    (wanted,) = plan({"type": "object", "properties": {"work": asked}})
    fact = Fact(label="work", text=text, source=Source.PAIR, node=(1, 0), where="")
    assert coerce(fact, wanted, Locale()) == choice


def test_what_can_be_had_again_only_later_cannot_be_had() -> None:
    assert value("in_stock", "Nicht auf Lager – wieder lieferbar ab Mai", "boolean", "de") is False
    assert value("sold_out", "Nicht auf Lager", "boolean", "de") is True


@pytest.mark.parametrize(
    ("text", "price"),
    [("Leeks – £2.60 (kg)", "£2.60"), ("from £2.60 a day", "from £2.60 a day"), ("£2.60", "£2.60")],
)
def test_a_price_in_words_is_not_the_line_that_it_stands_in(text: str, price: str) -> None:
    assert value("price", text, "string") == price


def test_a_measure_is_told_from_a_footnote() -> None:
    body = "<p>117.4&nbsp;km<sup>2</sup> (45 sq mi)<sup>[1]</sup></p><b>Soup<sup>1, 7</sup></b>"
    tree = parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    assert [text_of(element) for element in tree.iter("p", "b")] == ["117.4 km2 (45 sq mi)", "Soup"]


@pytest.mark.parametrize(
    ("name", "unit", "rest"),
    [
        ("flow_m3_s", "m3/s", ["flow"]),
        ("weight_kg", "kg", ["weight"]),
        ("sqm", "m2", ["sqm"]),
        ("age", None, ["age"]),
    ],
)
def test_a_name_ends_on_its_unit(name: str, unit: str | None, rest: list[str]) -> None:
    assert split_unit(name.split("_")) == (unit, rest)


@pytest.mark.parametrize("text", ["Free", "gratis!", "Eintritt frei", "free of charge."])
def test_what_is_free_costs_nothing(text: str) -> None:
    assert value("price", text) == 0
    assert value("weight", text) is None


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("£24,000 – £29,000", 24000, 29000),
        ("from 12 to 20 people", 12, 20),
        ("von 3 bis 5", 3, 5),
        ("12", 12, 12),
    ],
)
def test_of_a_range_a_field_has_the_end_that_it_means(text: str, lower: float, upper: float) -> None:
    assert (value("salary_min", text), value("salary_max", text)) == (lower, upper)
    assert (value("salary_from", text), value("salary_to", text)) == (lower, upper)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("9:00 – 17:30", "9:00", "17:30"),
        ("9am to 5pm", "9am", "5pm"),
        ("9 bis 17 Uhr", "9", "17 Uhr"),
        ("10.30", "10.30", "10.30"),
    ],
)
def test_of_a_range_of_times_a_field_has_the_one_that_it_means(text: str, start: str, end: str) -> None:
    assert (value("start_time", text, "string"), value("end_time", text, "string")) == (start, end)
    assert (value("opens", text, "string"), value("closes", text, "string")) == (start, end)


def test_what_is_closed_opens_at_no_time() -> None:
    (wanted,) = plan({"type": "object", "properties": {"opens": {"type": "string", "nullable": True}}})
    fact = Fact(label="opens", text="closed", source=Source.PAIR, node=(1, 0), where="")
    assert coerce(fact, wanted, Locale(language="en")) is None


def test_km_are_horsepower_where_that_is_meant() -> None:
    assert value("power_ps", "Moc: 150 KM", language="pl") == 150
    assert value("distance_km", "150 KM") == 150
    assert value("power_ps", "150 km") is None


def test_the_class_of_a_rating_may_be_that_of_how_many_there_are() -> None:
    (wanted,) = plan({"type": "object", "properties": {"rating": {"type": "number"}}})
    for source, text, rating in (
        (Source.MARK, "312", None),
        (Source.MARK, "9", 9),
        (Source.PAIR, "312", 312),
    ):
        fact = Fact(label="rating", text=text, source=source, node=(1, 0), where="")
        assert coerce(fact, wanted, Locale(language="en")) == rating


def test_crowns_in_words_are_those_of_the_country() -> None:
    assert value("currency", "250 kronor", "string", "sv") == "SEK"


def test_an_answer_may_be_spelled_with_other_accents() -> None:
    assert value("is_new", "Não", "boolean") is False
    assert value("is_new", "Sì", "boolean") is True


@pytest.mark.parametrize("text", ["CX-30 kg", "model A-12 kg", "5-12 kg"])
def test_a_number_after_a_hyphen_is_part_of_a_name_or_a_range(text: str) -> None:
    assert value("weight_kg", text) is None
    assert value("weight_kg", "-12 kg") == -12


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("speed_kmh", "100 mph", 160.9344),
        ("power_kw", "100 hp", 74.569987),
        ("volume_l", "5 gal", 18.92705892),
        ("length_m", "2 yd", 1.8288),
        ("pressure_bar", "300 kPa", 3),
        ("duration_minutes", "12 godz", 720),
    ],
)
def test_amounts_in_units_of_vehicles_and_machines_are_converted(name: str, text: str, number: float) -> None:
    assert value(name, text) == pytest.approx(number)
