"""Tables with several rows of headers, with none, with totals, and with two values in a cell."""

from __future__ import annotations

from tests.localagent.page.pages import NULL, records


def table(*rows: tuple[str, ...], head: str = "", foot: str = "") -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"


def test_a_column_is_called_by_the_header_right_above_it_and_a_total_is_no_record() -> None:
    head = (
        "<tr><th rowspan=2>Station</th><th colspan=2>Monthly mean</th></tr>"
        "<tr><th>Flow (m³/s)</th><th>Temp. (°C)</th></tr>"
    )
    foot = "<tr><td>All</td><td>3.9</td><td>9.2</td></tr>"
    body = table(("Quern", "1.84", "9.1"), ("Weir", "–", "9.4"), head=head, foot=foot)
    assert records(body, station="string", flow_m3_s={"type": "number", **NULL}, temperature_c="number") == [
        {"station": "Quern", "flow_m3_s": 1.84, "temperature_c": 9.1},
        {"station": "Weir", "flow_m3_s": None, "temperature_c": 9.4},
    ]


def test_a_table_without_headers_begins_with_a_record() -> None:
    body = table(("Monday", "8:30 – 17:30"), ("Tuesday", "8:30 – 19:00"), ("Sunday", "Closed"))
    assert records(body, day="string", hours="string") == [
        {"day": "Monday", "hours": "8:30 – 17:30"},
        {"day": "Tuesday", "hours": "8:30 – 19:00"},
        {"day": "Sunday", "hours": "Closed"},
    ]


def test_a_second_value_in_brackets_goes_by_the_words_in_brackets() -> None:
    head = "<tr><th>Player</th><th>Goals (pen.)</th></tr>"
    body = table(("Venn", "14 (3)"), ("Ammer", "12 (0)"), head=head)
    assert records(body, player="string", goals="integer", penalties="integer") == [
        {"player": "Venn", "goals": 14, "penalties": 3},
        {"player": "Ammer", "goals": 12, "penalties": 0},
    ]


def test_a_word_for_not_known_is_the_text_where_there_must_be_one() -> None:
    head = "<tr><th>Name</th><th>Built</th></tr>"
    body = table(("Tern", "unknown"), ("Rowe", "1904"), head=head)
    assert records(body, name="string", built="string")[0] == {"name": "Tern", "built": "unknown"}
    assert records(body, name="string", built={"type": "string", **NULL})[0] == {
        "name": "Tern",
        "built": None,
    }


def test_a_title_is_the_link_that_its_cell_begins_with() -> None:
    head = "<tr><th>Title</th><th>Year</th></tr>"
    rows = (
        ('<a href="/1">Salt</a><br><small>a novel</small>', "2022"),
        ('<a href="/2">Fog</a> <i>poems</i>', "2019"),
    )
    found = records(table(*rows, head=head), title="string", year="integer")
    assert [one["title"] for one in found] == ["Salt", "Fog"]


def test_rows_that_head_others_are_a_column_and_a_row_called_total_is_no_record() -> None:
    head = (
        "<tr><th rowspan=2>Site</th><th colspan=2>Turbines</th><th rowspan=2>2023 output [GWh]</th>"
        "<th rowspan=2>Operating since</th></tr><tr><th>Number</th><th>Rotor ⌀ [m]</th></tr>"
    )
    rows = (
        "<tr><td colspan=5>Inland <small>(1 site)</small></td></tr>"
        "<tr><td>Muirdow</td><td>36</td><td>136</td><td>352.0</td><td>2019</td></tr>"
        "<tr><td colspan=5>Offshore</td></tr>"
        "<tr><td>Dowsing I</td><td>60</td><td>154</td><td>1,402.7</td><td>2017</td></tr>"
        "<tr><td>Dowsing II</td><td>44</td><td>193</td><td>1,815.3</td><td>2022</td></tr>"
        "<tr><td>Total</td><td>140</td><td></td><td>3,570.0</td><td></td></tr>"
    )
    sites = records(
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>",
        region="string",
        site="string",
        turbines="integer",
        rotor_diameter_m="number",
        annual_output_gwh="number",
        commissioned="integer",
    )
    assert [tuple(site.values()) for site in sites] == [
        ("Inland", "Muirdow", 36, 136, 352, 2019),
        ("Offshore", "Dowsing I", 60, 154, 1402.7, 2017),
        ("Offshore", "Dowsing II", 44, 193, 1815.3, 2022),
    ]


def test_amounts_in_brackets_beside_others_are_less_than_nothing() -> None:
    head = "<tr><td></td><th>2023<br>£’000</th><th>2022<br>£’000</th></tr>"
    body = table(("Revenue", "84,210", "79,655"), ("Taxation", "(1,994)", "(1,041)"), head=head)
    assert records(body, line="string", amount_2023="number", amount_2022="number") == [
        {"line": "Revenue", "amount_2023": 84210, "amount_2022": 79655},
        {"line": "Taxation", "amount_2023": -1994, "amount_2022": -1041},
    ]
