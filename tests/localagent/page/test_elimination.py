"""What is left when most is matched: not what has a form or is known to be something else."""

from __future__ import annotations

from tests.localagent.page.pages import records
from tests.localagent.page.test_left_columns import SHELF, head
from tests.localagent.page.test_tables import table


def test_a_column_that_is_known_to_mean_something_else_is_not_what_is_left() -> None:
    rows = (("Arc", "Norway", "£9"), ("Nord", "Chile", "£7"))
    body = table(*rows, head=head("Name", "Country", "Price"))
    assert records(body, name="string", price="number", colour="string") is None
    unknown = table(*rows, head=head("Name", "Wurble", "Price"))
    found = records(unknown, name="string", price="number", colour="string")
    assert [one["colour"] for one in found] == ["Norway", "Chile"]


def test_what_has_a_form_is_not_what_is_left() -> None:
    assert records(SHELF, name="string", price="number", availability="string") is None
