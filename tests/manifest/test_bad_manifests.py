"""Wrong manifests, a file for each kind of mistake, and the line, message and remedy that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from batchfish.errors import ManifestError, Problem
from batchfish.manifest.load import ManifestOptions, load_manifest

BAD = Path(__file__).parent / "bad"
NEEDS_TITLE = {"missing variable", "forged marker"}
GOOD = {"good_rows.csv"}  # a source that wrong manifests name


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """One wrong file: its class, the line it is wrong on, and words of the message and the remedy."""

    file: str
    kind: str
    line: int | None
    message: str
    remedy: str = ""


CASES = (
    Bad(
        file="notify_map.yaml",
        kind="notify",
        line=3,
        message="notify: expected a list, got a map",
        remedy="Begin each target with a dash",
    ),
    Bad(
        file="notify_nowhere.yaml",
        kind="notify",
        line=4,
        message="a target has no address",
        remedy="Write one of webhook, command, apprise_env in it.",
    ),
    Bad(
        file="notify_two.yaml",
        kind="notify",
        line=4,
        message="a target has webhook and command",
        remedy="Write one of webhook, command, apprise_env in it.",
    ),
    Bad(
        file="notify_plain_http.yaml",
        kind="notify",
        line=4,
        message="is not https",
        remedy="",
    ),
    Bad(
        file="notify_two_urls.yaml",
        kind="notify",
        line=4,
        message="a webhook has one address",
        remedy="Write `url_env: NAME`",
    ),
    Bad(
        file="notify_secret_name.yaml",
        kind="notify",
        line=4,
        message="expected the name of an environment variable",
        remedy="Letters, digits and _ only",
    ),
    Bad(
        file="notify_shell.yaml",
        kind="notify",
        line=4,
        message="expected a list of a program and its arguments, got text 'mail -s done",
        remedy="Write [mail, -s",
    ),
    Bad(
        file="notify_argument.yaml",
        kind="notify",
        line=4,
        message="'batc' is not known here",
        remedy="Did you mean 'batch'?",
    ),
    Bad(
        file="notify_event.yaml",
        kind="notify",
        line=5,
        message="'finish' is not one of finished, halted, stopped, held",
        remedy="Did you mean 'finished'?",
    ),
    Bad(
        file="notify_condition.yaml",
        kind="notify",
        line=5,
        message="'faild' is not known here",
        remedy="Did you mean 'failed'?",
    ),
    Bad(
        file="notify_spent.yaml",
        kind="notify",
        line=5,
        message="`spent` is not known without a budget",
        remedy="Write a `budget`",
    ),
    Bad(
        file="notify_apprise_url.yaml",
        kind="notify",
        line=4,
        message="unknown key 'apprise'",
        remedy="Write `apprise_env: NAME`",
    ),
    Bad(
        file="budget_incomplete.yaml",
        kind="budget",
        line=2,
        message="the budget has no usd_per_step",
        remedy="Write `usd_per_step: 0.015` in it.",
    ),
    Bad(
        file="budget_period.yaml",
        kind="budget",
        line=5,
        message="budget.per: the manifest has no `period` that the budget could be for",
        remedy="Write `period: day`, or `per: batch`.",
    ),
    Bad(
        file="budget_fraction.yaml",
        kind="budget",
        line=4,
        message="budget.usd_per_step: expected US dollars, more than 0 and at most 10",
        remedy="Write 20 or 0.015, with up to 6 decimals.",
    ),
    Bad(
        file="budget_text.yaml",
        kind="budget",
        line=2,
        message="budget.usd: expected US dollars, more than 0 and at most 1,000,000, got '$20'",
        remedy="Write 20 or 0.015, with up to 6 decimals.",
    ),
    Bad(
        file="budget_none.yaml",
        kind="budget",
        line=2,
        message="budget.usd: expected US dollars, more than 0 and at most 1,000,000, got 0",
        remedy="Write 20 or 0.015, with up to 6 decimals.",
    ),
    Bad(
        file="typo_top_key.yaml",
        kind="typo",
        line=2,
        message="unknown key 'defualts'",
        remedy="Did you mean 'defaults'?",
    ),
    Bad(
        file="typo_limit.yaml",
        kind="typo",
        line=5,
        message="unknown key 'run_timout' in limits",
        remedy="Did you mean 'run_timeout'?",
    ),
    Bad(
        file="typo_wait.yaml",
        kind="typo",
        line=6,
        message="unknown key 'inital' in retry.wait",
        remedy="Did you mean 'initial'?",
    ),
    Bad(
        file="typo_unanswered.yaml",
        kind="typo",
        line=3,
        message="unknown key 'setle'",
        remedy="Did you mean 'settle'?",
    ),
    Bad(
        file="typo_request_field.yaml",
        kind="typo",
        line=4,
        message="unknown key 'browser_profil'",
        remedy="Did you mean 'browser_profile'?",
    ),
    Bad(
        file="typo_nested_field.yaml",
        kind="typo",
        line=5,
        message="unknown key 'max_step' in agent_config",
        remedy="Did you mean 'max_steps'?",
    ),
    Bad(
        file="typo_item_key.yaml",
        kind="typo",
        line=5,
        message="unknown key 'ulr'",
        remedy="Did you mean 'url'?",
    ),
    Bad(
        file="typo_check_key.yaml",
        kind="typo",
        line=4,
        message="unknown key 'exp' in checks[0]",
        remedy="Did you mean 'expr'?",
    ),
    Bad(
        file="typo_output_key.yaml",
        kind="typo",
        line=4,
        message="unknown key 'colums' in output",
        remedy="Did you mean 'columns'?",
    ),
    Bad(
        file="typo_source_key.yaml",
        kind="typo",
        line=5,
        message="unknown key 'wher' in source",
        remedy="Did you mean 'where'?",
    ),
    Bad(
        file="unknown_key.jsonl",
        kind="typo",
        line=1,
        message="unknown key 'title'",
        remedy="A variable goes under `vars`.",
    ),
    Bad(
        file="unknown_field.csv",
        kind="typo",
        line=1,
        message="'@browser_profle' is not a request field",
        remedy="Did you mean '@browser_profile'?",
    ),
    Bad(
        file="misplaced_key.yaml",
        kind="misplaced key",
        line=3,
        message="unknown key 'concurrency'",
        remedy="It belongs under `limits`.",
    ),
    Bad(
        file="tag.yaml",
        kind="YAML tag",
        line=4,
        message="tags are not part of a manifest",
        remedy="Remove the tag",
    ),
    Bad(
        file="alias.yaml",
        kind="YAML alias",
        line=5,
        message="anchors and aliases are not part of a manifest: *first",
        remedy="Write the value out",
    ),
    Bad(
        file="alias_bomb.yaml",
        kind="YAML alias",
        line=4,
        message="anchors and aliases are not part of a manifest: *a",
        remedy="Write the value out",
    ),
    Bad(
        file="key_twice.yaml",
        kind="key twice",
        line=5,
        message="the key 'goal' occurs twice, first on line 3",
        remedy="Remove one.",
    ),
    Bad(
        file="key_twice.jsonl",
        kind="key twice",
        line=1,
        message="the key 'url' occurs twice",
        remedy="Remove one.",
    ),
    Bad(
        file="tab.yaml",
        kind="YAML syntax",
        line=3,
        message="a value cannot begin with this character",
        remedy="Indent with spaces, not with tabs",
    ),
    Bad(
        file="colon_in_text.yaml",
        kind="YAML syntax",
        line=3,
        message="mapping values are not allowed",
        remedy="Quote a text that contains `: `",
    ),
    Bad(
        file="open_quote.yaml",
        kind="open quote",
        line=2,
        message="a quote that opens here is never closed",
        remedy="Close it.",
    ),
    Bad(
        file="two_documents.yaml",
        kind="YAML syntax",
        line=5,
        message="a second document begins",
        remedy="Put each manifest in a file of its own.",
    ),
    Bad(file="deep.yaml", kind="nesting", line=3, message="nested deeper than 50 levels"),
    Bad(file="deep.jsonl", kind="nesting", line=1, message="nested deeper than 50 levels"),
    Bad(file="empty.yaml", kind="empty file", line=1, message="the file is empty", remedy="`batchfish: 1`"),
    Bad(
        file="only_comment.yaml",
        kind="empty file",
        line=1,
        message="the file is empty",
        remedy="`batchfish: 1`",
    ),
    Bad(
        file="empty.csv",
        kind="empty file",
        line=1,
        message="the file is empty",
        remedy="Its first line names the columns",
    ),
    Bad(
        file="empty_items.yaml",
        kind="no items",
        line=3,
        message="items: the list is empty",
        remedy="Add an item",
    ),
    Bad(
        file="no_rows.yaml",
        kind="no items",
        line=1,
        message="there are neither items nor a source",
        remedy="List `items`",
    ),
    Bad(
        file="items_no_list.yaml",
        kind="wrong type",
        line=3,
        message="items: expected a list, got a map",
        remedy="Begin each item with a dash.",
    ),
    Bad(
        file="item_no_map.yaml",
        kind="wrong type",
        line=4,
        message="expected a map with url and goal, got text",
    ),
    Bad(
        file="list_at_top.yaml",
        kind="wrong type",
        line=1,
        message="a manifest is a map, not a list",
        remedy="`batchfish: 1`",
    ),
    Bad(
        file="no_map.jsonl", kind="wrong type", line=2, message="expected a map with url and goal, got a list"
    ),
    Bad(
        file="number_as_goal.yaml",
        kind="wrong type",
        line=3,
        message="defaults.goal: expected a text, got a number",
        remedy="Quote it.",
    ),
    Bad(
        file="nested_variable.jsonl",
        kind="wrong type",
        line=1,
        message="vars.tags: expected a text or a number, got a list",
        remedy="Quote it.",
    ),
    Bad(
        file="no_version.yaml",
        kind="version",
        line=1,
        message="the format version is missing",
        remedy="Write `batchfish: 1` at the top.",
    ),
    Bad(
        file="unknown_version.yaml",
        kind="version",
        line=1,
        message="the format version 2 is unknown",
        remedy="Write `batchfish: 1`.",
    ),
    Bad(
        file="unknown_period.yaml",
        kind="unknown word",
        line=2,
        message="'daily' is not one of hour, day, week, month",
        remedy="Did you mean 'day'?",
    ),
    Bad(
        file="unknown_cause.yaml",
        kind="unknown word",
        line=3,
        message="'timeout' is not one of",
        remedy="Did you mean 'run_timeout'?",
    ),
    Bad(
        file="unknown_browser_profile.yaml",
        kind="unknown word",
        line=4,
        message="browser_profile: 'stelth' is not one of lite, stealth",
        remedy="Did you mean 'stealth'?",
    ),
    Bad(
        file="column_type.yaml",
        kind="unknown word",
        line=4,
        message="price: 'float' is not one of",
        remedy="Did you mean 'float64'?",
    ),
    Bad(
        file="bad_name.yaml",
        kind="name",
        line=2,
        message="'../prices' cannot name a batch",
        remedy="Use letters, digits",
    ),
    Bad(
        file="output_format.yaml",
        kind="output",
        line=3,
        message="'results.xlsx' is not a table file",
        remedy=".parquet",
    ),
    Bad(
        file="compare_rule.yaml",
        kind="compare",
        line=2,
        message="compare: price: expected a tolerance, ignore or key, got '1 pound'",
        remedy="Write a number such as 0.01",
    ),
    Bad(
        file="compare_list.yaml",
        kind="compare",
        line=2,
        message="compare: expected a map of result properties and tolerances, got a list",
    ),
    Bad(
        file="compare_key.yaml",
        kind="compare",
        line=2,
        message="compare.sku: a key tells which records of an exploded list belong together",
        remedy="Name that list under `output.explode`",
    ),
    Bad(
        file="compare_unknown.yaml",
        kind="compare",
        line=4,
        message="compare: no output_schema has the property 'prize'",
        remedy="Did you mean 'price'?",
    ),
    Bad(
        file="compare_unknown_record.yaml",
        kind="compare",
        line=3,
        message="compare: no output_schema has the property 'total'",
        remedy="Known: price, sku.",
    ),
    Bad(
        file="fresh_without_period.yaml",
        kind="reuse",
        line=2,
        message="fresh_for: the manifest has no `period`, so that no batch reuses results of another",
        remedy="Add `period: day`, or remove it",
    ),
    Bad(
        file="missing_source.yaml",
        kind="missing file",
        line=4,
        message="there is no file",
        remedy="Did you mean good_rows.csv?",
    ),
    Bad(
        file="folder_as_source.yaml",
        kind="missing file",
        line=3,
        message="is a folder",
        remedy="Name a file in it.",
    ),
    Bad(
        file="unknown_format.yaml",
        kind="file format",
        line=4,
        message="has no known format",
        remedy=".csv, .jsonl",
    ),
    Bad(
        file="rows.xlsx",
        kind="file format",
        line=None,
        message="the format is unknown",
        remedy=".csv, .jsonl",
    ),
    Bad(
        file="source_without_path.yaml",
        kind="missing file",
        line=3,
        message="the source has no path",
        remedy="Write `path: rows.csv` in it.",
    ),
    Bad(file="unknown_id_column.yaml", kind="unknown column", line=5, message="has no column 'ibsn'"),
    Bad(
        file="unknown_where_column.yaml",
        kind="unknown column",
        line=5,
        message="source.where: unknown variable 'activ'",
        remedy="Did you mean 'active'?",
    ),
    Bad(
        file="schema_keyword.yaml",
        kind="schema",
        line=8,
        message='"oneOf" is not part of the API\'s subset at #/properties/price/oneOf',
        remedy='Use "anyOf" instead.',
    ),
    Bad(
        file="schema_type_list.yaml",
        kind="schema",
        line=7,
        message="not a list at #/properties/price/type",
        remedy="nullable: true",
    ),
    Bad(
        file="schema_required.yaml",
        kind="schema",
        line=7,
        message="'prize' is not among the properties at #/required/0",
        remedy="Did you mean 'price'?",
    ),
    Bad(
        file="schema_top.yaml",
        kind="schema",
        line=4,
        message="the top level must be an object, not 'array'",
        remedy="Wrap it",
    ),
    Bad(
        file="negative_concurrency.yaml",
        kind="number",
        line=3,
        message="limits.concurrency: expected a whole number from 1 to 10,000, auto, or MIN-START-MAX",
    ),
    Bad(
        file="bad_share.yaml",
        kind="number",
        line=3,
        message="'120%' is neither a share",
        remedy="Write a share as 20%",
    ),
    Bad(
        file="wait_reversed.yaml",
        kind="number",
        line=4,
        message="retry.wait.initial is longer than retry.wait.max",
        remedy="Raise max",
    ),
    Bad(
        file="bad_nested_cell.csv",
        kind="number",
        line=3,
        message="agent_config.max_steps: expected a whole number from 1 to 500, got 900",
    ),
    Bad(
        file="bad_duration.yaml",
        kind="duration",
        line=4,
        message="expected a duration, got '10 minutes'",
        remedy="250ms, 30s, 10m, 2h, 1d",
    ),
    Bad(
        file="number_as_duration.yaml",
        kind="duration",
        line=4,
        message="expected a duration, got 300",
        remedy="250ms, 30s, 10m, 2h, 1d",
    ),
    Bad(
        file="unknown_filter.yaml",
        kind="expression",
        line=4,
        message="unknown filter 'uper'",
        remedy="Did you mean 'upper'?",
    ),
    Bad(file="bad_check.yaml", kind="expression", line=5, message="checks[1].expr: not an expression"),
    Bad(
        file="call_in_check.yaml",
        kind="expression",
        line=4,
        message="functions and methods cannot be called",
        remedy="Use a filter",
    ),
    Bad(
        file="unknown_name_in_check.yaml",
        kind="unknown variable",
        line=3,
        message="checks[0]: unknown variable 'resutl'",
        remedy="Did you mean 'result'?",
    ),
    Bad(
        file="three_braces.yaml",
        kind="expression",
        line=4,
        message="`{{{` cannot be read",
        remedy="For a literal `{{` write",
    ),
    Bad(
        file="unknown_variable.yaml",
        kind="unknown variable",
        line=3,
        message="unknown variable 'titel'",
        remedy="Did you mean 'title'?",
    ),
    Bad(
        file="missing_variable.yaml",
        kind="missing variable",
        line=5,
        message="goal: 'title' is not set",
        remedy="Did you mean 'titel'?",
    ),
    Bad(
        file="empty_cell.csv",
        kind="missing variable",
        line=3,
        message="goal: 'title' is not set",
        remedy="Fill it in",
    ),
    Bad(
        file="field_as_variable.yaml",
        kind="reserved name",
        line=2,
        message="'url' is a field of the item, not a variable",
        remedy="Write it beside `vars`.",
    ),
    Bad(
        file="relative_url.yaml",
        kind="URL",
        line=4,
        message="the URL 'www.books.example/1' is not absolute",
        remedy="Did you mean 'https://www.books.example/1'?",
    ),
    Bad(
        file="relative_url.csv",
        kind="URL",
        line=3,
        message="the URL '/2' is not absolute",
        remedy="https://host/path",
    ),
    Bad(
        file="ftp_url.yaml",
        kind="URL",
        line=4,
        message="is not http or https",
        remedy="Begin it with https://.",
    ),
    Bad(
        file="space_in_url.yaml",
        kind="URL",
        line=4,
        message="contains spaces or control characters",
        remedy="%20",
    ),
    Bad(
        file="login_in_url.yaml",
        kind="URL",
        line=4,
        message="must not contain a user name or password",
        remedy="use_vault",
    ),
    Bad(file="no_goal.yaml", kind="goal or url missing", line=3, message="the row has no goal"),
    Bad(file="no_url.yaml", kind="goal or url missing", line=4, message="the row has no url"),
    Bad(
        file="no_url.csv",
        kind="goal or url missing",
        line=2,
        message="the row has no url",
        remedy="one for all under `source` of a YAML manifest, which `batchfish init FILE` writes",
    ),
    Bad(
        file="forged_marker.yaml",
        kind="forged marker",
        line=3,
        message="the goal contains `[ref bf-`",
        remedy="Remove that line.",
    ),
    Bad(
        file="marker_in_cell.csv",
        kind="forged marker",
        line=2,
        message="the goal contains `[ref bf-`",
        remedy="Remove that line.",
    ),
    Bad(
        file="password.yaml", kind="secret", line=8, message="unknown key 'password'", remedy="`password_env`"
    ),
    Bad(
        file="api_key.yaml", kind="secret", line=2, message="unknown key 'api_key'", remedy="TINYFISH_API_KEY"
    ),
    Bad(
        file="key_in_goal.yaml",
        kind="secret",
        line=3,
        message="it contains an API key",
        remedy="TINYFISH_API_KEY",
    ),
    Bad(
        file="proxy_incomplete.yaml",
        kind="request field",
        line=4,
        message="proxy_config has no `enabled`",
        remedy="Write `enabled: true` in it.",
    ),
    Bad(
        file="country.yaml",
        kind="request field",
        line=4,
        message="'us' is not a country code",
        remedy="US, GB, DE",
    ),
    Bad(
        file="vault_off.yaml",
        kind="request field",
        line=4,
        message="credential_item_ids has no effect without use_vault",
        remedy="Write `use_vault: true`",
    ),
    Bad(
        file="profile_off.yaml",
        kind="request field",
        line=6,
        message="profile_id has no effect without use_profile",
        remedy="Write `use_profile: true`",
    ),
    Bad(
        file="http_webhook.yaml",
        kind="request field",
        line=4,
        message="is not https",
        remedy="Begin it with https://.",
    ),
    Bad(
        file="bad_field_cell.csv",
        kind="request field",
        line=2,
        message="@use_vault: not valid JSON",
        remedy="Write true, false",
    ),
    Bad(file="id_twice.yaml", kind="id twice", line=6, message="the id 'a' occurs twice, first on line 4"),
    Bad(file="id_twice.csv", kind="id twice", line=4, message="the id 'a' occurs twice, first on line 2"),
    Bad(
        file="row_twice.yaml",
        kind="row twice",
        line=5,
        message="the row asks for the same as the one on line 4",
        remedy="--allow-duplicates",
    ),
    Bad(
        file="row_twice.csv",
        kind="row twice",
        line=3,
        message="the row asks for the same as the one on line 2",
        remedy="--allow-duplicates",
    ),
    Bad(
        file="ragged.csv",
        kind="ragged row",
        line=3,
        message="4 cells where the header has 3 columns",
        remedy="double quotes",
    ),
    Bad(
        file="open_quote.csv",
        kind="open quote",
        line=3,
        message="a quote that opens in this row is never closed",
        remedy="Close it",
    ),
    Bad(file="stray_quote.csv", kind="stray quote", line=2, message="not valid CSV", remedy="double it"),
    Bad(
        file="header_twice.csv",
        kind="header",
        line=1,
        message="the column 'title' occurs twice, as columns 3 and 4",
        remedy="Rename one",
    ),
    Bad(
        file="nameless_column.csv",
        kind="header",
        line=1,
        message="column 3 of the header has no name",
        remedy="Name it",
    ),
    Bad(
        file="no_header.csv",
        kind="header",
        line=1,
        message="the header is missing: the first line contains 'https://books.example/1'",
        remedy="Put a line above it",
    ),
    Bad(
        file="hold_without_marker.yaml",
        kind="contradiction",
        line=5,
        message="without the marker, a run cannot be found again",
        remedy="Write `then: hold`.",
    ),
    Bad(file="nul.csv", kind="NUL", line=3, message="it contains a NUL character", remedy="UTF-8"),
    Bad(
        file="control_character.yaml",
        kind="control character",
        line=2,
        message="the control character U+0007",
        remedy="Remove it",
    ),
    Bad(
        file="bad_utf8.yaml",
        kind="UTF-8",
        line=3,
        message="the byte 0xe9 is not UTF-8",
        remedy="Save the file as UTF-8.",
    ),
    Bad(
        file="bad_utf8.csv",
        kind="UTF-8",
        line=3,
        message="the byte 0xe9 is not UTF-8",
        remedy="Save the file as UTF-8.",
    ),
    Bad(file="utf16.csv", kind="UTF-8", line=1, message="the byte 0xff is not UTF-8", remedy="not as UTF-16"),
    Bad(
        file="half_character.jsonl",
        kind="UTF-8",
        line=1,
        message="lone surrogate",
        remedy="Write the whole character.",
    ),
    Bad(
        file="long_cell.csv",
        kind="size",
        line=2,
        message="longer than 131,072 characters",
        remedy="never closed?",
    ),
    Bad(file="bad_json.jsonl", kind="JSON syntax", line=2, message="not valid JSON"),
    Bad(file="nan.jsonl", kind="JSON syntax", line=1, message="NaN is not JSON"),
)


def problems_of(case: Bad) -> tuple[Problem, ...]:
    # Tables carry no goal of their own.
    goal = (
        None if case.file.endswith(".yaml") else "Read {{ title }}." if case.kind in NEEDS_TITLE else "Read."
    )
    with pytest.raises(ManifestError) as caught:
        load_manifest(BAD / case.file, ManifestOptions(goal=goal)).check()
    return caught.value.problems


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_a_wrong_manifest_gives_line_message_and_remedy(case: Bad) -> None:
    problems = problems_of(case)
    assert [problem for problem in problems if _is_told(problem, case)], "\n".join(map(str, problems))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_no_message_shows_a_secret_or_a_line_break(case: Bad) -> None:
    for problem in problems_of(case):
        assert str(problem).isprintable()
        assert "hunter2" not in str(problem)
        assert "sk-tinyfish-" not in str(problem)
        assert "secret@" not in str(problem)


def test_every_file_in_bad_has_a_case() -> None:
    assert {case.file for case in CASES} == {path.name for path in BAD.iterdir()} - GOOD


def _is_told(problem: Problem, case: Bad) -> bool:
    is_here = Path(problem.file).name == case.file and problem.line == case.line
    return (
        is_here
        and case.message in problem.message
        and case.remedy in (problem.remedy or "") + problem.message
    )
