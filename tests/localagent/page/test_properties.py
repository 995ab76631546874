"""What the properties of structured data are called, and what is read by those names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchfish.localagent.page.properties import names_of
from tests.localagent.page.pages import look

DAY = {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("path", "types", "name"),
    [
        ("offers.price", (), "price"),
        ("jobLocation.address.addressLocality", (), "addressLocality"),
        ("baseSalary.value.minValue", (), "salary min"),
        ("hiringOrganization.name", (), "hiringOrganization name"),
        ("headline", ("NewsArticle",), "news title"),
        ("name", ("Recipe",), "recipe name"),
    ],
)
def test_a_path_has_the_names_that_people_give_it(path: str, types: tuple[str, ...], name: str) -> None:
    assert name in names_of(path, types)


def test_the_name_of_a_part_is_not_the_name_of_the_whole() -> None:
    assert "name" not in names_of("offers.seller.name", ("Product",))


def data(**thing: Any) -> str:  # noqa: ANN401 - any JSON
    said = json.dumps({"@context": "https://schema.org", **thing})
    return f'<script type="application/ld+json">{said}</script>'


def test_a_job_in_a_graph_with_its_place_and_pay() -> None:
    job = {
        "@type": "JobPosting",
        "title": "Rigger",
        "datePosted": "2026-01-19",
        "validThrough": "2026-03-01T00:00",
        "hiringOrganization": {"@type": "Organization", "name": "Spar Ltd", "sameAs": "http://spar.example"},
        "jobLocation": {"@type": "Place", "address": {"addressLocality": "Wick", "addressCountry": "GB"}},
        "baseSalary": {
            "currency": "GBP",
            "value": {"minValue": 24000, "maxValue": 29000, "unitText": "YEAR"},
        },
    }
    reading = look(
        data(**{"@graph": [{"@type": "WebSite", "name": "Jobs"}, job]}),
        job_title="string",
        company="string",
        city="string",
        date_posted=DAY,
        deadline=DAY,
        salary_min="number",
        salary_max="number",
    )
    assert reading.result == {
        "job_title": "Rigger",
        "company": "Spar Ltd",
        "city": "Wick",
        "date_posted": "2026-01-19",
        "deadline": "2026-03-01",
        "salary_min": 24000,
        "salary_max": 29000,
    }


def test_amounts_are_read_with_the_units_of_their_codes() -> None:
    weight = {"@type": "QuantitativeValue", "value": 1850, "unitCode": "GRM"}
    body = data(**{"@type": "Product", "name": "Can", "weight": weight})
    assert look(body, weight_kg="number").result == {"weight_kg": 1.85}


def test_a_further_property_goes_by_its_own_name() -> None:
    further = [{"@type": "PropertyValue", "name": "Thread", "value": "M4"}]
    body = data(**{"@type": "Product", "name": "Bolt", "additionalProperty": further})
    assert look(body, thread="string").result == {"thread": "M4"}


def test_a_field_for_what_cannot_be_had_is_the_opposite_of_what_can() -> None:
    offer = {"@type": "Offer", "availability": "https://schema.org/InStock"}
    body = data(**{"@type": "Event", "name": "Gala", "offers": offer})
    assert look(body, sold_out="boolean").result == {"sold_out": False}


def test_the_parts_of_a_thing_are_a_list_without_others_of_their_type() -> None:
    def product(sku: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        return {"@type": "Product", "sku": sku, "offers": {"@type": "Offer", "price": 129}, **more}

    variants = [product("NAT", color="Natural"), product("BLK", color="Black")]
    graph = [{"@type": "ProductGroup", "name": "Chair", "hasVariant": variants}, product("BEN", name="Bench")]
    kind = {"type": "object", "required": ["sku", "colour"]}
    items = {**kind, "properties": {"sku": {"type": "string"}, "colour": {"type": "string"}}}
    reading = look(
        "<h1>Chair</h1>", head=data(**{"@graph": graph}), variants={"type": "array", "items": items}
    )
    assert reading.result == {
        "variants": [{"sku": "NAT", "colour": "Natural"}, {"sku": "BLK", "colour": "Black"}]
    }, reading.message
