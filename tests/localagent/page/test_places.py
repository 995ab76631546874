"""Columns of what stands in the same place of every record, and what they are called."""

from __future__ import annotations

from typing import Any

from tests.localagent.page.pages import NULL, records

TEXT: dict[str, Any] = {"type": "string", **NULL}


def test_a_value_is_that_of_its_label_wherever_it_stands() -> None:
    fact = '<p title="{0}">{1}</p>'
    parts = (
        ("Arc", (("Wurble", "oak"), ("Blimp", "round"))),
        ("Reed", (("Blimp", "flat"),)),
        ("Nord", (("Blimp", "square"), ("Wurble", "ash"))),
    )
    body = "".join(
        f"<li><h3>{name}</h3>{''.join(fact.format(*one) for one in said)}</li>" for name, said in parts
    )
    assert records(f"<ul>{body}</ul>", name="string", wurble=TEXT, blimp=TEXT) == [
        {"name": name, "wurble": dict(said).get("Wurble"), "blimp": dict(said).get("Blimp")}
        for name, said in parts
    ]


def test_a_label_that_but_one_of_many_records_has_is_not_too_rare() -> None:
    row = '<li><h3>{0}</h3><b title="Blimp">{1}</b>{2}</li>'
    names = "ABCDE"
    rare = '<i title="Wurble">oak</i>'
    body = "".join(row.format(f"Item {name}", f"of {name}", rare if name == "C" else "") for name in names)
    found = records(f"<ul>{body}</ul>", name="string", blimp="string", wurble=TEXT)
    assert [one["wurble"] for one in found] == [None, None, "oak", None, None]


def test_a_text_goes_by_the_label_in_an_element_before_it() -> None:
    row = "<li><h3>{0}</h3><p><b>Wurble</b> {1}</p><p><b>Blimp</b> {2}</p></li>"
    things = (("Arc", "oak", "round"), ("Reed", "elm", "flat"), ("Nord", "ash", "square"))
    body = "".join(row.format(*thing) for thing in things)
    assert records(f"<ul>{body}</ul>", name="string", blimp="string", wurble="string") == [
        {"name": name, "wurble": wurble, "blimp": blimp} for name, wurble, blimp in things
    ]


def test_what_names_the_block_may_be_a_part_of_what_is_asked_for() -> None:
    parts = '<i class="wurble-sheen">{0}</i><b class="wurble-name">{1}</b><u class="wurble-nook">{2}</u>'
    row = f"<div>{parts}</div>"
    body = row.format("dull", "Gannet", "left") + row.format("bright", "Fulmar", "right")
    assert records(body, name="string", wurble_sheen=TEXT, wurble_nook=TEXT) == [
        {"name": "Gannet", "wurble_sheen": "dull", "wurble_nook": "left"},
        {"name": "Fulmar", "wurble_sheen": "bright", "wurble_nook": "right"},
    ]
