"""Comparison of a manifest with a batch, and that no sequence of edits doubles an item."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core import identity
from batchfish.core.events import CancelRequested
from batchfish.journal.ingest import pair
from batchfish.journal.queries import open_reader
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver, begin, commit, connection_of, edit, row, specs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchfish.core.items import ItemSpec

A, B, C = "https://books.example/a", "https://books.example/b", "https://books.example/c"


def wanted(journal: SqliteJournal) -> list[tuple[str, str]]:
    """Return ids and URLs of the wanted items, in manifest order."""
    return (
        connection_of(journal).execute("SELECT id, url FROM items WHERE wanted = 1 ORDER BY row").fetchall()
    )


def pk_of(journal: SqliteJournal, item_id: str) -> int:
    (pk,) = connection_of(journal).execute("SELECT pk FROM items WHERE id = ?", (item_id,)).fetchone()
    return int(pk)


class TestBegin:
    def test_rows_become_queued_items_in_manifest_order(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(B, "two"), row(A, "one"))
        assert wanted(journal) == [("two", B), ("one", A)]
        assert [item.id for item in journal.due(batch, 2_000.0, 10)] == ["two", "one"]

    def test_a_row_without_id_is_named_by_its_fingerprint(self, journal: SqliteJournal) -> None:
        begin(journal, row(A), row(B), row(A))
        fingerprint = identity.fingerprint(specs_of([row(A)])[0])
        first, _, repeated = [label for label, _ in wanted(journal)]
        assert (first, repeated) == (fingerprint.hex()[:12], f"{fingerprint.hex()[:12]}-2")

    def test_equal_rows_become_separate_items(self, journal: SqliteJournal) -> None:
        begin(journal, row(A), row(A), row(A, "x"))
        fingerprint = identity.fingerprint(specs_of([row(A)])[0])
        keys = connection_of(journal).execute("SELECT key, occurrence FROM items ORDER BY row").fetchall()
        assert keys == [(identity.item_key(fingerprint, n), n) for n in (1, 2, 3)]

    def test_shared_request_fields_are_stored_once(self, journal: SqliteJournal) -> None:
        schema = {"output_schema": {"type": "object"}}
        begin(journal, row(A, request=schema), row(B, request=dict(schema)), row(C, request={}))
        (number,) = connection_of(journal).execute("SELECT count(*) FROM requests").fetchone()
        assert number == 2

    def test_a_request_is_read_back_as_it_was_given(self, journal: SqliteJournal) -> None:
        request = {"output_schema": {"z": {"enum": ["é", None, 1.5, 10**20]}, "a": True}}
        begin(journal, row(A, request=request, inputs={"title": "Emma — „neu“", "n": "01"}))
        asked = journal.request(pk_of(journal, wanted(journal)[0][0]))
        assert (asked.url, asked.goal, asked.fields) == (A, "Read the price", request)
        assert list(asked.fields["output_schema"]) == ["z", "a"]
        assert asked.inputs == {"title": "Emma — „neu“", "n": "01"}

    def test_an_unknown_fingerprint_version_is_refused(self, journal: SqliteJournal) -> None:
        with pytest.raises(ValueError, match="version 99"):
            journal.reader.staged.load(specs_of([row(A)]), 99)

    def test_staging_works_again_after_a_failure_midway(self, journal: SqliteJournal) -> None:
        def broken() -> Iterator[ItemSpec]:
            yield specs_of([row(A)])[0]
            raise RuntimeError("the file changed")

        with pytest.raises(RuntimeError, match="the file changed"):
            journal.reader.staged.load(broken(), 1)
        begin(journal, row(B, "two"))
        assert wanted(journal) == [("two", B)]


class TestCompare:
    def test_an_unchanged_manifest_has_no_difference(self, journal: SqliteJournal) -> None:
        rows = [row(A, "one"), row(B), row(B), row(C, inputs={"n": "1"}, request={"use_vault": True})]
        batch = begin(journal, *rows)
        before = connection_of(journal).execute("SELECT * FROM items").fetchall()
        difference = edit(journal, batch, *rows)
        assert difference.is_none
        assert not difference.asks_for_more
        assert difference.wanted == 4
        assert connection_of(journal).execute("SELECT * FROM items").fetchall() == before

    def test_all_rows_of_a_batch_yet_to_begin_are_new(self, journal: SqliteJournal) -> None:
        journal.reader.staged.load(specs_of([row(A), row(B), row(B)]), 1)
        difference = journal.reader.staged.compare(None)
        assert (difference.wanted, difference.new, difference.changed, difference.removed) == (3, 3, 0, 0)
        assert difference.asks_for_more

    def test_an_added_row_is_new_and_comes_last(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(A, "one"))
        difference = edit(journal, batch, row(B, "two"), row(A, "one"))
        assert (difference.new, difference.changed, difference.removed) == (1, 0, 0)
        assert difference.new_examples == ("two",)
        assert wanted(journal) == [("two", B), ("one", A)]

    def test_an_item_without_a_row_stays_but_is_not_wanted(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        driver.accept(pk_of(journal, "one"))
        commit(journal)
        difference = edit(journal, batch, row(B, "two"))
        assert (difference.new, difference.changed, difference.removed) == (0, 0, 1)
        assert difference.removed_examples == ("one",)
        assert wanted(journal) == [("two", B)]
        assert [one.item.id for one in journal.open_attempts()] == ["one"]

    @pytest.mark.parametrize(("begun", "changed"), [(True, 1), (False, 0)])
    def test_an_id_with_a_new_request_is_changed_only_if_begun(
        self, journal: SqliteJournal, driver: Driver, *, begun: bool, changed: int
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        if begun:
            driver.accept(pk_of(journal, "one"))
            commit(journal)
        difference = edit(journal, batch, row(A, "one", goal="Read the title"), row(B, "two"))
        assert (difference.new, difference.changed, difference.removed) == (1 - changed, changed, 0)
        assert difference.changed_examples == ("one",) * changed

    def test_a_cancelled_item_with_a_new_request_is_changed_though_it_never_began(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"), row(C))
        for item in ("one", wanted(journal)[2][0]):
            driver.record(pk_of(journal, item), None, CancelRequested())
        commit(journal)
        title = "Read the title"
        difference = edit(
            journal, batch, row(A, "one", goal=title), row(B, "two", goal=title), row(C, goal=title)
        )
        assert (difference.new, difference.changed, difference.removed) == (1, 2, 0)
        assert difference.changed_examples[0] == "one"
        assert "two" in difference.new_examples

    def test_the_examples_of_new_rows_are_none_of_the_changed_ones(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        driver.accept(pk_of(journal, "one"))
        commit(journal)
        title = "Read the title"
        difference = edit(journal, batch, row(A, "one", goal=title), row(B, "two", goal=title))
        assert (difference.new_examples, difference.changed_examples) == (("two",), ("one",))

    def test_without_ids_a_new_row_replaces_a_begun_item_that_is_gone(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A), row(B))
        driver.accept(journal.due(batch, 2_000.0, 1)[0].pk)
        commit(journal)
        difference = edit(journal, batch, row(A, goal="Read the title"), row(B), row(C))
        assert (difference.new, difference.changed, difference.removed) == (1, 1, 0)
        assert len(difference.changed_examples) == 2  # either may be the change

    def test_a_new_id_and_request_replace_a_begun_item_without_id(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A), row(B), row(B), row(C))
        for item in journal.due(batch, 2_000.0, 3):
            driver.accept(item.pk)
        commit(journal)
        title = "Read the title"
        edited = [row(url, f"i{n}", goal=title) for n, url in enumerate((A, B, B, C))]
        difference = edit(journal, batch, *edited)
        assert (difference.new, difference.changed, difference.removed) == (1, 3, 1)
        assert set(difference.changed_examples) == {"i0", "i1", "i2", "i3"}  # any three may be the changes

    def test_a_new_request_without_id_replaces_a_begun_item_with_one(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B))
        for item in journal.due(batch, 2_000.0, 2):
            driver.accept(item.pk)
        commit(journal)
        difference = edit(journal, batch, row(A, goal="Read the title"), row(B, "two", goal="Read the title"))
        assert (difference.new, difference.changed, difference.removed) == (0, 2, 0)

    def test_with_ids_on_both_sides_one_is_removed_and_one_is_new(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"))
        driver.accept(pk_of(journal, "one"))
        commit(journal)
        difference = edit(journal, batch, row(B, "two"))
        assert (difference.new, difference.changed, difference.removed) == (1, 0, 1)

    def test_a_new_id_for_the_same_request_costs_nothing(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B))
        driver.accept(pk_of(journal, "one"))
        commit(journal)
        difference = edit(journal, batch, row(A, "first"), row(B, "second"))
        assert not difference.asks_for_more
        assert (difference.removed, difference.touched) == (0, 2)
        assert wanted(journal) == [("first", A), ("second", B)]

    def test_ids_that_swap_requests_swap_items(self, journal: SqliteJournal, driver: Driver) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        driver.accept(pk_of(journal, "one"), "run-of-a")
        commit(journal)
        difference = edit(journal, batch, row(B, "one"), row(A, "two"))
        assert not difference.asks_for_more
        (tracked,) = journal.open_attempts()
        assert (tracked.item.id, journal.request(tracked.item.pk).url) == ("two", A)

    def test_a_new_order_is_merged_and_costs_nothing(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"), row(C, "three"))
        difference = edit(journal, batch, row(C, "three"), row(A, "one"), row(B, "two"))
        assert not difference.asks_for_more
        assert not difference.is_none
        assert wanted(journal) == [("three", C), ("one", A), ("two", B)]

    @pytest.mark.parametrize(
        "more", [{"inputs": {"title": "Emma"}}, {"request": {"webhook_url": "https://hooks.example/"}}]
    )
    def test_changes_outside_the_request_are_merged_and_cost_nothing(
        self, journal: SqliteJournal, more: dict[str, Any]
    ) -> None:
        batch = begin(journal, row(A, "one"))
        difference = edit(journal, batch, row(A, "one", **more))
        assert not difference.asks_for_more
        assert difference.touched == 1
        asked = journal.request(pk_of(journal, "one"))
        assert asked.inputs == more.get("inputs", {})
        assert asked.fields == more.get("request", {})

    def test_a_returning_row_is_wanted_again(self, journal: SqliteJournal, driver: Driver) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        driver.accept(pk_of(journal, "one"))
        commit(journal)
        edit(journal, batch)
        difference = edit(journal, batch, row(A, "one"), row(B, "two"))
        assert difference.asks_for_more
        assert (difference.returning, difference.new) == (1, 1)  # begun; never begun
        assert wanted(journal) == [("one", A), ("two", B)]
        (number,) = connection_of(journal).execute("SELECT count(*) FROM items").fetchone()
        assert number == 2

    def test_returning_to_a_request_that_never_began_costs_again(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"))
        edit(journal, batch, row(B, "one"))
        (item,) = journal.due(batch, 2_000.0, 10)
        driver.accept(item.pk)
        commit(journal)
        assert edit(journal, batch, row(A, "one")).changed == 1

    def test_returning_to_a_request_that_was_cancelled_costs_nothing(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(B, "two"))
        for name in ("one", "two"):
            driver.record(pk_of(journal, name), None, CancelRequested())
        commit(journal)
        edit(journal, batch, row(C, "one"))
        (item,) = journal.due(batch, 2_000.0, 10)
        driver.accept(item.pk)
        commit(journal)
        difference = edit(journal, batch, row(A, "one"), row(B, "two"))
        assert (difference.new, difference.changed, difference.returning) == (0, 0, 2)
        assert not journal.due(batch, 2_000.0, 10)

    def test_a_reader_can_compare_beside_the_owner(self, journal: SqliteJournal, path: Path) -> None:
        batch = begin(journal, row(A, "one"), row(B), row(B))
        with open_reader(path) as reader:
            reader.staged.load(specs_of([row(A, "one"), row(B), row(C)]), 1)
            difference = reader.staged.compare(batch)
        assert (difference.new, difference.removed) == (1, 1)

    def test_staged_keys_are_counted(self, journal: SqliteJournal) -> None:
        journal.reader.staged.load(specs_of([row(A), row(A)]), 1)
        journal.reader.staged.compare(None)
        fingerprint = identity.fingerprint(specs_of([row(A)])[0])
        keys = [identity.item_key(fingerprint, n) for n in (1, 2, 3)]
        assert journal.reader.staged.count(keys) == 2
        assert journal.reader.staged.count([]) == 0


class TestRepeated:
    def test_of_two_equal_rows_the_one_without_its_id_is_removed(self, journal: SqliteJournal) -> None:
        batch = begin(journal, row(A, "one"), row(A, "two"))
        two = pk_of(journal, "two")
        difference = edit(journal, batch, row(A, "two"))
        assert (difference.removed, difference.removed_examples) == (1, ("one",))
        assert pk_of(journal, "two") == two

    def test_rows_that_ask_for_the_same_are_counted_without_items_that_are_gone(
        self, journal: SqliteJournal
    ) -> None:
        batch = begin(journal, row(A, "one"), row(A, "two"), row(B, "three"), row(A, "four"))
        staged = journal.reader.staged
        for rows, repeats in (
            ([row(A, "one"), row(A, "two"), row(A, "four")], (2, ("two", "four"))),
            ([row(A, "four"), row(B, "three"), row(A, "two")], (1, ("two",))),
            ([row(A, "two"), row(B, "three")], (0, ())),
        ):
            staged.load(specs_of(rows), identity.FINGERPRINT_VERSION)
            staged.compare(batch)
            assert staged.repeats() == repeats

    def test_one_more_equal_row_is_one_new_item(self, journal: SqliteJournal, driver: Driver) -> None:
        batch = begin(journal, row(A))
        driver.accept(journal.due(batch, 2_000.0, 1)[0].pk)
        commit(journal)
        difference = edit(journal, batch, row(A), row(A))
        assert (difference.new, difference.changed) == (1, 0)
        assert len(journal.due(batch, 3_000.0, 10)) == 1

    def test_a_row_that_loses_its_id_takes_the_item_last_wanted(
        self, journal: SqliteJournal, driver: Driver
    ) -> None:
        batch = begin(journal, row(A, "one"), row(A, "two"))
        driver.accept(pk_of(journal, "two"))
        commit(journal)
        edit(journal, batch, row(A, "two"))
        difference = edit(journal, batch, row(A))
        assert not difference.asks_for_more
        assert journal.due(batch, 3_000.0, 10) == []

    @given(
        ids=st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=6),
        labels=st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6),
    )
    def test_pair_takes_equal_ids_first_and_then_every_item(
        self, ids: list[str | None], labels: list[str]
    ) -> None:
        items = list(enumerate(labels))
        taken = pair(ids, items)
        got = [pk for pk in taken if pk is not None]
        assert len(got) == len(set(got)) == min(len(ids), len(items))
        by_id = Counter(own for own in ids if own is not None) & Counter(labels)
        equal = Counter(
            own for own, pk in zip(ids, taken, strict=True) if pk is not None and labels[pk] == own
        )
        assert all(equal[own] >= number for own, number in by_id.items())

    def test_pair_without_ids_keeps_the_order(self) -> None:
        assert pair([None, None, None], [(7, "x"), (5, "y")]) == [7, 5, None]


ROWS = st.lists(
    st.tuples(st.sampled_from([A, B, C]), st.sampled_from([None, "one", "two", "three"])), max_size=6
)
STEPS = st.lists(st.tuples(ROWS, st.integers(0, 3)), min_size=1, max_size=4)


@given(steps=STEPS)
def test_no_sequence_of_edits_loses_or_doubles_an_item(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[tuple[str, str | None]], int]]
) -> None:
    journal = SqliteJournal(tmp_path_factory.mktemp("edits") / "books.db")
    connection_of(journal).execute("PRAGMA synchronous = OFF")  # nothing is killed here
    try:
        driver, batch = Driver(journal=journal), begin(journal)
        most: Counter[str] = Counter()
        for rows, begins in steps:
            _take(journal, batch, rows, most)
            for item in journal.due(batch, 1e9, begins):
                driver.accept(item.pk)
            commit(journal)
    finally:
        journal.close()


def _take(
    journal: SqliteJournal, batch: int, rows: Sequence[tuple[str, str | None]], most: Counter[str]
) -> None:
    """Merge an edit, and check what must hold after any."""
    before = connection_of(journal).execute("SELECT * FROM items ORDER BY pk").fetchall()
    due = {item.pk for item in journal.due(batch, 1e9, 99)}
    difference = edit(journal, batch, *(row(url, item_id) for url, item_id in rows))
    after = connection_of(journal).execute("SELECT * FROM items ORDER BY pk").fetchall()

    found = (
        connection_of(journal).execute("SELECT url, id FROM items WHERE wanted = 1 ORDER BY row").fetchall()
    )
    assert [url for url, _ in found] == [url for url, _ in rows]
    assert all(given in (None, label) for (_, given), (_, label) in zip(rows, found, strict=True))
    # As many items of one request as were ever wanted at once, and no more.
    most |= Counter(url for url, _ in rows)
    assert (
        Counter(dict(connection_of(journal).execute("SELECT url, count(*) FROM items GROUP BY url"))) == most
    )
    assert difference.is_none == (before == after)
    assert difference.wanted == len(rows)
    assert min(difference.new, difference.changed, difference.removed, difference.returning) >= 0
    to_pay = {item.pk for item in journal.due(batch, 1e9, 99)} - due
    assert difference.new + difference.changed == len(to_pay)
    recount = (
        connection_of(journal).execute("SELECT status, wanted, count(*) FROM items GROUP BY 1, 2").fetchall()
    )
    kept = connection_of(journal).execute("SELECT status, wanted, n FROM counts WHERE n > 0").fetchall()
    assert sorted(kept) == sorted(recount)


def test_counts_hold_where_an_item_ends_and_leaves_the_manifest_in_one_transaction(
    journal: SqliteJournal,
) -> None:
    batch = begin(journal, row(f"{A}/1", "a"), row(f"{A}/2", "b"))
    journal.reader.staged.load(specs_of([row(f"{A}/2", "b")]), identity.FINGERPRINT_VERSION)
    journal.reader.staged.compare(batch)
    Driver(journal=journal).record(pk_of(journal, "a"), None, CancelRequested())
    journal.amend(batch, {})
    kept = connection_of(journal).execute("SELECT status, wanted, n FROM counts WHERE n <> 0").fetchall()
    assert sorted(kept) == [("cancelled", 0, 1), ("queued", 1, 1)]


def test_a_comparison_takes_linear_steps(journal: SqliteJournal) -> None:
    """Nested scans would take 64 times the steps of SQLite's virtual machine for 8 times the rows."""

    def steps(number: int) -> int:
        rows = [row(f"{A}/{n % (number - number // 10)}") for n in range(number)]  # a tenth of them repeated
        batch = begin(journal, *rows, name=f"of-{number}", chance=number.to_bytes(4, "big"))
        journal.reader.staged.load(specs_of(rows[number // 10 :]), 1)
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += 1
            return 0

        connection_of(journal).set_progress_handler(count, 100)
        journal.reader.staged.compare(batch)
        connection_of(journal).set_progress_handler(None, 0)
        return taken

    assert steps(4_000) < 16 * steps(500)
