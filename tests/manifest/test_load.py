"""Manifests in YAML, CSV and JSONL, with options of the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.core.expressions import Template
from batchfish.core.rules import (
    Check,
    ColumnComparison,
    Limits,
    OutputRules,
    RetryRules,
    Rules,
    Share,
    UnansweredRules,
    rules_from,
)
from batchfish.core.window import AUTO, Bounds
from batchfish.errors import ManifestError, StorageFailed, WrongInput
from batchfish.manifest import validate
from batchfish.manifest.load import Manifest, ManifestOptions, load_manifest

if TYPE_CHECKING:
    from batchfish.core.items import ItemSpec

Write = Callable[[str, str], Path]

WHOLE = """\
batchfish: 1
name: book-prices
description: Daily shelf price of every book we track
period: day
vars: {currency: GBP}
defaults:
  goal: |
    Read the title and the price in {{ currency }} of the book {{ title }}.
  output_schema:
    type: object
    properties:
      title:    {type: string}
      price:    {type: number, nullable: true}
    required: [title, price]
  browser_profile: lite
items:
  - {id: b1, url: "https://books.example/1", vars: {title: Walden}}
source:
  path: rows/books.csv
  id: isbn
  url: "https://books.example/{{ isbn | urlencode }}"
  where: "active == 'yes'"
limits: {concurrency: 20, run_timeout: 10m, queue_timeout: none, stuck: 2d, halt: 20%}
retry:
  attempts: 3
  on: [system_failure, unknown]
  wait: {initial: 250ms, max: 1h}
unanswered: {then: hold, settle: 30s, marker: false}
checks:
  - expr: "result.price > 0"
  - {expr: "title | lower in result.title | lower", reason: wrong_book}
output:
  path: results/{{ batch }}.parquet
  explode: result.products
  columns: {price: float64}
fresh_for: 7d
compare: {price: 0.01, weight: 2%, scraped_at: ignore, sku: key}
"""
ROWS = 'isbn,title,active\n978 1,Emma,yes\n9782,Dracula,no\n9783,"Moby Dick, or The Whale",yes\n'
ONE_GOAL = ManifestOptions(goal="Read the price.")


def read(path: Path, options: ManifestOptions | None = None) -> list[ItemSpec]:
    manifest = load_manifest(path, options)
    manifest.check()
    return list(manifest.items())


def messages(path: Path, options: ManifestOptions | None = None) -> str:
    with pytest.raises(ManifestError) as caught:
        load_manifest(path, options).check()
    return str(caught.value)


@pytest.fixture
def whole(write: Write) -> Manifest:
    write("rows/books.csv", ROWS)
    return load_manifest(write("books.yaml", WHOLE))


class TestYaml:
    def test_inline_items_come_before_the_rows_of_the_source(self, whole: Manifest) -> None:
        items = list(whole.items())
        assert [(item.row, item.line, item.id) for item in items] == [
            (1, 17, "b1"),
            (2, 2, "978 1"),
            (3, 4, "9783"),
        ]
        assert [item.url for item in items] == [
            "https://books.example/1",
            "https://books.example/978%201",
            "https://books.example/9783",
        ]
        assert items[2].goal == "Read the title and the price in GBP of the book Moby Dick, or The Whale."
        assert items[0].request == {
            "browser_profile": "lite",
            "output_schema": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "price": {"type": "number", "nullable": True}},
                "required": ["title", "price"],
            },
        }
        assert items[0].inputs == {"title": "Walden"}
        assert items[1].inputs == {"isbn": "978 1", "title": "Emma", "active": "yes"}

    def test_every_rule_is_read(self, whole: Manifest) -> None:
        assert whole.rules == Rules(
            limits=Limits(
                concurrency=Bounds.fixed(20),
                run_timeout=600.0,
                queue_timeout=None,
                stuck=172_800.0,
                halt=Share(value=20, is_percent=True),
            ),
            retry=RetryRules(
                attempts=3, on=("system_failure", "unknown"), wait_initial=0.25, wait_max=3600.0
            ),
            unanswered=UnansweredRules(then="hold", settle=30.0, marker=False),
            checks=(
                Check(expr="result.price > 0"),
                Check(expr="title | lower in result.title | lower", reason="wrong_book"),
            ),
            output=OutputRules(
                path="results/{{ batch }}.parquet", explode="result.products", columns={"price": "float64"}
            ),
            compare={
                "price": ColumnComparison(tolerance=0.01),
                "weight": ColumnComparison(tolerance=2.0, is_percent=True),
                "scraped_at": ColumnComparison(use="ignore"),
                "sku": ColumnComparison(use="key"),
            },
            fresh_for=604_800.0,
        )

    def test_keys_left_out_have_their_defaults(self, write: Write) -> None:
        text = 'batchfish: 1\nitems: [{url: "https://books.example/", goal: Read.}]\n'
        manifest = load_manifest(write("my books.yaml", text))
        assert (manifest.rules, manifest.period, manifest.name) == (Rules(), None, "my-books")

    def test_rules_survive_being_stored_as_json(self, whole: Manifest) -> None:
        stored = json.loads(json.dumps(whole.resolved()))
        assert rules_from(stored) == whole.rules
        assert (stored["name"], stored["period"], stored["variables"]) == (
            "book-prices",
            "day",
            {"currency": "GBP"},
        )
        assert stored["defaults"]["goal"].startswith("Read the title")

    def test_a_manifest_without_later_rules_is_stored_as_before(self, write: Write) -> None:
        text = 'batchfish: 1\nitems: [{url: "https://books.example/", goal: Read.}]\n'
        stored = load_manifest(write("books.yaml", text)).resolved()
        assert not {"budget", "compare", "fresh_for"} & stored["rules"].keys()
        assert rules_from(stored) == Rules(limits=Limits(concurrency=AUTO))

    @pytest.mark.parametrize(
        ("written", "of_a_new_batch", "of_one_that_began_with_10"),
        [
            ("", AUTO, Bounds.fixed(10)),
            ("limits: {concurrency: auto}\n", AUTO, AUTO),
            ("limits: {concurrency: 25}\n", Bounds.fixed(25), Bounds.fixed(25)),
            (
                "limits: {concurrency: 2-5-40}\n",
                Bounds(least=2, start=5, most=40),
                Bounds(least=2, start=5, most=40),
            ),
        ],
    )
    def test_a_batch_that_has_begun_keeps_its_concurrency_where_the_manifest_sets_none(
        self, write: Write, written: str, of_a_new_batch: Bounds, of_one_that_began_with_10: Bounds
    ) -> None:
        text = f'batchfish: 1\n{written}items: [{{url: "https://books.example/", goal: Read.}}]\n'
        manifest = load_manifest(write("books.yaml", text))
        new = json.loads(json.dumps(manifest.resolved()))
        assert rules_from(new).limits.concurrency == of_a_new_batch
        earlier = {**new, "rules": {**new["rules"], "limits": {**new["rules"]["limits"], "concurrency": 10}}}
        going_on = json.loads(json.dumps(manifest.resolved(earlier)))
        assert rules_from(going_on).limits.concurrency == of_one_that_began_with_10

    def test_a_check_returns_items_sources_and_variables(self, whole: Manifest) -> None:
        summary = whole.check()
        assert summary.items == 3
        assert [(source.items, source.left_out, source.delimiter) for source in summary.sources] == [
            (1, 0, None),
            (2, 1, ","),
        ]
        assert summary.variables == ("active", "currency", "isbn", "title")
        assert summary.properties == ("title", "price")

    def test_norway_sexagesimals_octals_and_dates_are_texts(self, write: Write) -> None:
        text = (
            "batchfish: 1\n"
            "items:\n"
            "  - {id: 007, url: 'https://books.example/', goal: '{{ a }} {{ b }} {{ c }} {{ d }} {{ e }}',\n"
            "     vars: {a: NO, b: 1:30, c: 010, d: 2024-01-31, e: 1.10}}\n"
        )
        (item,) = read(write("a.yaml", text))
        assert (item.id, item.goal) == ("007", "NO 1:30 010 2024-01-31 1.10")

    def test_maps_are_merged_over_the_defaults_and_lists_replace_them(self, write: Write) -> None:
        text = (
            "batchfish: 1\n"
            "defaults:\n"
            "  goal: Read.\n"
            "  agent_config: {mode: strict, max_steps: 20}\n"
            "  use_vault: true\n"
            "  credential_item_ids: [a, b]\n"
            "items:\n"
            "  - url: https://books.example/\n"
            "    agent_config: {max_steps: 5}\n"
            "    credential_item_ids: [c]\n"
        )
        (item,) = read(write("a.yaml", text))
        assert item.request == {
            "agent_config": {"mode": "strict", "max_steps": 5},
            "use_vault": True,
            "credential_item_ids": ["c"],
        }

    def test_single_braces_and_block_tags_are_text_in_a_goal(self, write: Write) -> None:
        goal = 'Return {"price": 1} or {% if %} {# 5 #} as {{ "{{" }}'
        text = f"batchfish: 1\nitems:\n  - {{url: 'https://books.example/', goal: '{goal}'}}\n"
        (item,) = read(write("a.yaml", text))
        assert item.goal == 'Return {"price": 1} or {% if %} {# 5 #} as {{'

    def test_the_source_is_relative_to_the_manifest_or_a_given_folder(self, write: Write) -> None:
        write("other/rows.csv", "id,url\na,https://books.example/1\n")
        path = write("a.yaml", "batchfish: 1\nsource: {path: rows.csv}\n")
        options = ManifestOptions(goal="Read.", folder=path.parent / "other")
        assert [item.id for item in read(path, options)] == ["a"]
        assert "there is no file" in messages(path, ONE_GOAL)

    def test_all_errors_are_reported_at_once_with_those_of_rows(self, write: Write) -> None:
        write("rows.csv", "id,url,title\na,/1,Emma\na,https://books.example/2,Dracula\nb\n")
        text = (
            "batchfish: 1\nperiod: dayly\ndefaults: {goal: 'Read {{ titel }}', browser_profil: lite}\n"
            "source: {path: rows.csv}\nlimits: {halt: x}\n"
        )
        with pytest.raises(ManifestError) as caught:
            load_manifest(write("a.yaml", text))
        places = [(Path(problem.file).name, problem.line) for problem in caught.value.problems]
        assert places == [
            ("a.yaml", 2),
            ("a.yaml", 3),
            ("a.yaml", 3),
            ("a.yaml", 5),
            ("rows.csv", 2),
            ("rows.csv", 4),
        ]

    def test_of_a_thousand_errors_a_hundred_are_shown(self, write: Write) -> None:
        rows = "".join(f"{number},/{number}\n" for number in range(1000))
        path = write("a.csv", "id,url\n" + rows)
        with pytest.raises(ManifestError) as caught:
            load_manifest(path, ONE_GOAL).check()
        assert (caught.value.total, len(caught.value.problems)) == (1000, 100)
        assert str(caught.value).endswith("… and 900 more")

    def test_what_all_rows_lack_is_reported_once_with_lines(self, write: Write) -> None:
        rows = "".join(f"{number},https://books.example/{number},\n" for number in range(1000))
        told = messages(write("a.csv", "id,url,title\n" + rows), ManifestOptions(goal="Read {{ title }}."))
        assert "a.csv:2: goal: 'title' is not set (also on lines 3, 4, 5, 6, 7 and 994 more)." in told
        assert told.count("\n") == 0


class TestCsv:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_the_delimiter_is_found_and_reported(self, write: Write, delimiter: str) -> None:
        text = 'id,url,title\na,https://books.example/1,"a,b;c"\n'.replace(",", delimiter)
        manifest = load_manifest(write("a.csv", text), ONE_GOAL)
        assert manifest.check().sources[0].delimiter == delimiter
        assert [item.id for item in manifest.items()] == ["a"]

    def test_a_single_column_needs_no_delimiter(self, write: Write) -> None:
        assert [item.url for item in read(write("a.csv", "url\nhttps://books.example/1;x\n"), ONE_GOAL)] == [
            "https://books.example/1;x"
        ]

    def test_a_tsv_is_split_at_tabs_alone(self, write: Write) -> None:
        text = "id\turl\ta,b,c,d\n1\thttps://books.example/1\tx\n"
        (item,) = read(write("a.tsv", text), ONE_GOAL)
        assert item.inputs == {"a,b,c,d": "x"}

    def test_columns_are_variables_request_fields_or_ignored(self, write: Write) -> None:
        header = "id,url,title,@browser_profile,@agent_config.max_steps,@use_profile,@profile_id,#note\n"
        text = header + "b1,https://books.example/1,007,stealth,20,true,p1,from Ann\n"
        (item,) = read(write("a.csv", text), ONE_GOAL)
        assert item.inputs == {"title": "007"}
        assert item.request == {
            "browser_profile": "stealth",
            "agent_config": {"max_steps": 20},
            "use_profile": True,
            "profile_id": "p1",
        }

    def test_a_map_in_a_cell_is_json(self, write: Write) -> None:
        text = 'url,@proxy_config\nhttps://books.example/1,"{""enabled"": true, ""country_code"": ""DE""}"\n'
        (item,) = read(write("a.csv", text), ONE_GOAL)
        assert item.request == {"proxy_config": {"enabled": True, "country_code": "DE"}}

    @pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost", "[::1]:9000"])
    def test_a_webhook_on_this_machine_may_use_plain_http(self, write: Write, host: str) -> None:
        text = f"url,@webhook_url\nhttps://books.example/1,http://{host}/hook\n"
        (item,) = read(write("a.csv", text), ONE_GOAL)
        assert item.request == {"webhook_url": f"http://{host}/hook"}

    @pytest.mark.parametrize(
        "host", ["127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "localhost@evil.example"]
    )
    def test_a_webhook_elsewhere_may_not(self, write: Write, host: str) -> None:
        with pytest.raises(ManifestError, match="not https"):
            read(write("a.csv", f"url,@webhook_url\nhttps://books.example/1,http://{host}/hook\n"), ONE_GOAL)

    def test_an_empty_cell_is_unset_and_default_replaces_it(self, write: Write) -> None:
        text = "url,title,@browser_profile\nhttps://books.example/1,,\nhttps://books.example/2, ,\n"
        options = ManifestOptions(goal="Read {{ title | default('it') }}.")
        items = read(write("a.csv", text), options)
        assert [(item.goal, item.inputs, item.request) for item in items] == [("Read it.", {}, {})] * 2

    def test_byte_order_mark_blank_lines_and_multiline_cells_are_read(self, write: Write) -> None:
        text = (
            '\ufeff\r\nid,url,title\r\n\r\na,https://books.example/1,"two\r\nlines"\r\n'
            ",,\r\nb,https://books.example/2,x\r\n"
        )
        items = read(write("a.csv", text), ONE_GOAL)
        assert [(item.line, item.id, item.inputs["title"]) for item in items] == [
            (4, "a", "two\r\nlines"),
            (7, "b", "x"),
        ]

    def test_a_rows_goal_overrides_the_option_and_is_a_template(self, write: Write) -> None:
        text = "url,goal,title\nhttps://books.example/1,Read {{ title }}.,Emma\nhttps://books.example/2,,x\n"
        assert [item.goal for item in read(write("a.csv", text), ONE_GOAL)] == [
            "Read Emma.",
            "Read the price.",
        ]

    def test_braces_from_a_cell_are_data(self, write: Write) -> None:
        text = "url,title\nhttps://books.example/1,{{ secret }}\n"
        (item,) = read(write("a.csv", text), ManifestOptions(goal="Read {{ title }}."))
        assert item.goal == "Read {{ secret }}."

    def test_a_header_alone_is_a_manifest_without_items(self, write: Write) -> None:
        manifest = load_manifest(write("a.csv", "id,url\n"), ONE_GOAL)
        assert manifest.check().items == 0
        assert list(manifest.items()) == []


class TestJsonl:
    def test_a_line_is_an_item(self, write: Write) -> None:
        text = (
            '{"id": 5, "url": "https://books.example/1", "vars": {"title": "Emma", "n": 7, "x": null},'
            ' "browser_profile": "lite"}\n\n'
            '{"url": "https://books.example/2", "goal": "Read {{ url }}."}\n'
        )
        items = read(write("a.jsonl", text), ManifestOptions(goal="Read {{ title }} {{ n }}."))
        assert [(item.line, item.id, item.goal) for item in items] == [
            (1, "5", "Read Emma 7."),
            (3, None, "Read https://books.example/2."),
        ]
        assert items[0].inputs == {"title": "Emma", "n": "7"}
        assert items[0].request == {"browser_profile": "lite"}


class TestFlags:
    def test_options_override_rows_and_rows_override_constants(self, write: Write) -> None:
        text = (
            "batchfish: 1\nvars: {a: constant, b: constant, c: constant}\n"
            "defaults: {goal: '{{ a }} {{ b }} {{ c }}'}\n"
            "items: [{url: 'https://books.example/', vars: {b: row, c: row}}]\n"
        )
        (item,) = read(write("a.yaml", text), ManifestOptions(variables={"c": "flag"}))
        assert item.goal == "constant row flag"
        assert item.inputs == {"b": "row", "c": "flag"}

    def test_a_schema_file_replaces_the_default_schema(self, write: Write) -> None:
        schema: dict[str, Any] = {"type": "object", "properties": {"price": {"type": "number"}}}
        path = write("a.csv", "url\nhttps://books.example/1\n")
        for name in ("s.json", "s.yaml"):
            options = ManifestOptions(goal="Read.", schema=write(name, json.dumps(schema)))
            assert [item.request for item in read(path, options)] == [{"output_schema": schema}]

    @pytest.mark.parametrize(
        ("name", "text", "told"),
        [
            ("s.json", '{"type": "object", "oneOf": []}', 's.json: output_schema: "oneOf" is not part'),
            ("s.json", "{", "s.json: not valid JSON"),
            ("s.yaml", "type: !x object", "s.yaml:1: tags are not part"),
            ("s.yaml", "type: [", "s.yaml:2: not valid YAML"),
            ("s.yaml", "type: object\nproperties:\n  price: {typ: number}\n", "s.yaml:3: output_schema"),
        ],
    )
    def test_a_wrong_schema_file_is_named(self, write: Write, name: str, text: str, told: str) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\n")
        assert told in messages(path, ManifestOptions(goal="Read.", schema=write(name, text)))

    def test_a_schema_file_that_is_missing_is_named(self, write: Write, tmp_path: Path) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\n")
        assert "there is no file" in messages(
            path, ManifestOptions(goal="Read.", schema=tmp_path / "no.json")
        )

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (ManifestOptions(goal=" "), "--goal: goal: it is empty."),
            (ManifestOptions(goal="Read {{ x"), "--goal: goal: not an expression"),
            (ManifestOptions(goal="Read.", variables={"titel": "x"}), "--var: 'titel' is not used"),
            (ManifestOptions(goal="Read.", variables={"url": "x"}), "--var: 'url' is a field of the item"),
            (
                ManifestOptions(goal="{{ x }}", variables={"x": "sk-tinyfish-1"}),
                "--var: x: it contains an API key",
            ),
            (
                ManifestOptions(goal="{{ x }}", variables={"x": "\udcff"}),
                "--var: x: it contains a lone surrogate",
            ),
        ],
    )
    def test_a_wrong_option_is_named(self, write: Write, options: ManifestOptions, told: str) -> None:
        assert told in messages(write("a.csv", "url,title\nhttps://books.example/1,x\n"), options)


class TestIdentity:
    def test_repeated_rows_without_ids_can_be_allowed(self, write: Write) -> None:
        path = write("a.csv", "url\n" + "https://books.example/1\n" * 3)
        manifest = load_manifest(path, ManifestOptions(goal="Read.", allow_duplicates=True))
        assert manifest.check().duplicates == 2
        assert [item.row for item in manifest.items()] == [1, 2, 3]

    def test_equal_rows_with_different_ids_are_allowed(self, write: Write) -> None:
        text = "id,url\na,https://books.example/1\nb,https://books.example/1\n"
        assert len(read(write("a.csv", text), ONE_GOAL)) == 2

    def test_an_id_in_both_sources_is_reported_with_both_files(self, write: Write) -> None:
        write("rows.csv", "id,url\na,https://books.example/1\n")
        text = (
            "batchfish: 1\ndefaults: {goal: Read.}\nsource: {path: rows.csv}\n"
            "items: [{id: a, url: 'https://books.example/2'}]\n"
        )
        path = write("a.yaml", text)
        assert messages(path).startswith(
            f"{path.parent / 'rows.csv'}:2: the id 'a' occurs twice, first on line 4 of {path}."
        )

    def test_a_repeated_id_among_thousands_is_found(self, write: Write) -> None:
        rows = "".join(f"b{number},https://books.example/{number}\n" for number in range(5000))
        told = messages(write("a.csv", f"id,url\n{rows}b4321,https://books.example/x\n"), ONE_GOAL)
        assert "a.csv:5002: the id 'b4321' occurs twice, first on line 4323." in told

    def test_a_full_temporary_folder_is_reported(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        setup = f"PRAGMA max_page_count = 3;{validate._SETUP}"  # noqa: SLF001 - a full disk cannot be asked for
        monkeypatch.setattr(validate, "_SETUP", setup)
        rows = "".join(f"https://books.example/{number}\n" for number in range(1000))
        with pytest.raises(StorageFailed, match=r"database or disk is full.*TMPDIR"):
            load_manifest(write("a.csv", f"url\n{rows}"), ONE_GOAL).check()

    def test_an_empty_id_column_is_reported(self, write: Write) -> None:
        write("rows.csv", "n,url\n1,https://books.example/1\n,https://books.example/2\n")
        path = write("a.yaml", "batchfish: 1\ndefaults: {goal: Read.}\nsource: {path: rows.csv, id: n}\n")
        assert "rows.csv:3: the id column 'n' is empty." in messages(path)


IO_COUNTS = Path("/proc/self/io")


def bytes_read() -> int:
    """Return how many bytes this process has read, from whatever file."""
    return int(IO_COUNTS.read_text(encoding="ascii").split()[1])


def replace_unseen(path: Path, text: str) -> None:
    """Change a file but for its size and its time of change."""
    times = path.stat()
    assert len(text) == times.st_size
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


class TestTwoReads:
    def test_a_source_that_changes_between_reads_is_an_error(self, write: Write) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\n")
        manifest = load_manifest(path, ONE_GOAL)
        manifest.check()
        write("a.csv", "url\nhttps://books.example/22\n")
        with pytest.raises(WrongInput, match="changed while it was being read"):
            list(manifest.items())

    def test_a_change_that_keeps_size_and_time_is_found_by_digest(self, write: Write) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\n")
        manifest = load_manifest(path, ONE_GOAL)
        manifest.check()
        replace_unseen(path, "url\nhttps://books.example/2\n")
        with pytest.raises(WrongInput, match="changed while it was being read"):
            list(manifest.items())

    def test_a_header_that_changes_before_the_first_read_is_an_error(self, write: Write) -> None:
        path = write("a.csv", "url,a,b\nhttps://books.example/1,1,2\n")
        manifest = load_manifest(path, ONE_GOAL)
        replace_unseen(path, "url,b,a\nhttps://books.example/1,1,2\n")
        with pytest.raises(WrongInput, match="changed while it was being read"):
            manifest.check()

    @pytest.mark.skipif(not IO_COUNTS.exists(), reason="the kernel counts no bytes that were read")
    @pytest.mark.parametrize("suffix", ["csv", "jsonl"])
    def test_rows_are_read_and_rendered_twice(
        self, write: Write, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        rendered = 0
        render = Template.render

        def count(template: Template, values: Mapping[str, Any]) -> str:
            nonlocal rendered
            rendered += 1
            return render(template, values)

        monkeypatch.setattr(Template, "render", count)
        padding = "x" * 1000
        rows = range(4000)
        if suffix == "csv":
            text = "url,a\n" + "".join(f"https://books.example/{row},{padding}\n" for row in rows)
        else:
            text = "".join(
                json.dumps({"url": f"https://books.example/{row}", "vars": {"a": padding}}) + "\n"
                for row in rows
            )
        path = write(f"a.{suffix}", text)
        before = bytes_read()
        manifest = load_manifest(path, ManifestOptions(goal="Read {{ url }}."))
        manifest.check()
        assert rendered == len(rows)
        assert sum(1 for _ in manifest.items()) == len(rows)
        assert rendered == 2 * len(rows)
        assert 2 <= (bytes_read() - before) / len(text) < 2.5

    def test_a_source_that_vanishes_is_an_error(self, write: Write) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\n")
        manifest = load_manifest(path, ONE_GOAL)
        path.unlink()
        with pytest.raises(WrongInput, match="changed while it was being read"):
            manifest.check()

    def test_items_can_be_left_unread(self, write: Write) -> None:
        path = write("a.csv", "url\nhttps://books.example/1\nhttps://books.example/2\n")
        items = load_manifest(path, ONE_GOAL).items()
        assert next(items).url == "https://books.example/1"
        items.close()  # type: ignore[attr-defined]  # a generator

    def test_items_of_a_wrong_manifest_end_with_its_error(self, write: Write) -> None:
        path = write("a.csv", "id,url\na,https://books.example/1\nb,/2\n")
        items = load_manifest(path, ONE_GOAL).items()
        assert next(items).id == "a"
        with pytest.raises(ManifestError, match=r"a\.csv:3"):
            next(items)
