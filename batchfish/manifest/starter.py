"""The commented manifest that a batch starts from: for a few URLs, or for a file of rows."""

from __future__ import annotations

import json
import re
from itertools import count, islice
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from batchfish.core.describe import quote
from batchfish.manifest.problems import Problems, Refused
from batchfish.manifest.readers import READERS
from batchfish.manifest.request import read_url
from batchfish.manifest.text_files import inspect_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchfish.manifest.row import Row

ROWS_SUFFIXES = tuple(suffix for suffix in READERS if suffix not in {".yaml", ".yml"})
"""The suffixes of files of rows."""

EXAMPLE = "https://www.example.com/"
_ROWS_READ = 100
_LONGEST_ID = 40
_NO_TEXTS = {"true", "false", "null", "y", "n", "yes", "no", "on", "off"}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class RowsFile(Struct, frozen=True, kw_only=True):
    """A file of rows, as far as its manifest depends on it.

    `url` is the column with the rows' URLs if it is not called so. `has_ids` and `has_goals` are whether rows
    have an id and a goal of their own; `variables` are the other columns.
    """

    name: str
    url: str | None = None
    has_ids: bool = False
    has_goals: bool = False
    variables: Sequence[str] = ()


def inspect_rows(path: Path, name: str) -> RowsFile:
    """Read the first rows of a file; `name` is its path as the manifest is to spell it.

    Raises ManifestError if the rows cannot be read, or if no column holds URLs.
    """
    problems = Problems()
    rows: list[Row] = []
    try:
        if source := READERS[path.suffix.lower()](inspect_file(path), problems):
            rows = list(islice(source.rows(problems), _ROWS_READ))
    except Refused as error:
        problems.add(path, None, str(error), error.remedy)
    problems.raise_if_any()
    if not rows:
        problems.add(path, None, "there are no rows in it", "Write a row for each page.")
        raise problems.as_error()
    variables = list(dict.fromkeys(name for row in rows for name in row.variables))
    url = None
    if not any(row.url for row in rows):
        url = next((one for one in variables if all(_is_url(row.variables.get(one)) for row in rows)), None)
        if url is None:
            remedy = "Name the column of the pages' addresses `url`; each begins with https://."
            problems.add(path, None, "no column holds URLs", remedy)
        elif not _PLAIN_NAME.fullmatch(url):
            problems.add(path, 1, f"the column {quote(url)} holds the URLs", "Rename it to `url`.")
    problems.raise_if_any()
    return RowsFile(
        name=name,
        url=url,
        has_ids=any(row.id for row in rows),
        has_goals=any(row.goal for row in rows),
        variables=variables,
    )


def _is_url(text: str | None) -> bool:
    try:
        return text is not None and bool(read_url(text))
    except Refused:
        return False


def manifest_for_urls(urls: Sequence[str], *, schema: str) -> str:
    """Return a manifest of these URLs; `schema` is the path of its JSON Schema for editors.

    Raises Refused for a text that is not an absolute URL.
    """
    lines = [
        f"  - {{id: {_spell(name)}, url: {_spell(_as_template(read_url(url)))}}}"
        for name, url in zip(_ids(urls), urls, strict=True)
    ]
    return _manifest("items: # the pages, each with a name of your choice", lines, schema=schema)


def manifest_for_rows(rows: RowsFile, *, schema: str) -> str:
    """Return a manifest of a file of rows; `schema` is the path of its JSON Schema for editors."""
    lines = [f"  path: {_spell(rows.name)}"]
    others = [name for name in rows.variables if name != rows.url]
    if rows.url is not None:
        lines.append(f"  url: {_spell('{{ ' + rows.url + ' }}')}")
    if not rows.has_ids:
        example = _spell(others[0]) if others else "COLUMN"
        lines.append(f"  # id: {example} # the column that names the items; each name occurs once")
    usable = [f"{{{{ {name} }}}}" for name in others if _PLAIN_NAME.fullmatch(name)]
    notes = []
    if rows.has_goals:
        notes.append("Rows that have a goal keep it.")
    if usable:
        notes.append(f"The goal may contain what a row says: {', '.join(usable)}.")
    return _manifest("source: # a file with a row for each page", lines, schema=schema, notes=notes)


def _manifest(opening: str, lines: Sequence[str], *, schema: str, notes: Sequence[str] = ()) -> str:
    remarks = "".join(f"  # {' '.join(text.split())}\n" for text in notes)
    return _TEMPLATE.format(schema=schema, pages="\n".join([opening, *lines]), remarks=remarks)


def _ids(urls: Sequence[str]) -> Iterator[str]:
    """Yield a short name for each URL, after the end of its path or after its host; no name occurs twice."""
    given: set[str] = set()
    for url in urls:
        parts = urlsplit(url)
        last = unquote(parts.path).rstrip("/").rpartition("/")[2]
        stem = re.sub(r"\.\w{1,5}$", "", last) or parts.hostname or "page"
        name = re.sub(r"[^\w.-]+", "-", stem.lower())[:_LONGEST_ID].strip("-.") or "page"
        free = (one for one in (name, *(f"{name}-{number}" for number in islice(count(2), len(urls)))))
        name = next(one for one in free if one not in given)
        given.add(name)
        yield name


def _as_template(url: str) -> str:
    """Return a template that renders as this URL."""
    return re.sub(r"\{+", lambda found: f"{{{{ '{found[0]}' }}}}", url) if "{{" in url else url


def _spell(text: str) -> str:
    """Return a text as YAML: plain if that is certain to be read as this text, else quoted."""
    is_plain = _PLAIN_NAME.fullmatch(text) and text.lower() not in _NO_TEXTS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


_TEMPLATE = """\
# yaml-language-server: $schema={schema}
batchfish: 1

{pages}

defaults:
  # What to read on each page, in plain words: the things you want, in which form, and what to do where the
  # page does not say one. The agent sees this text and the page, nothing else.
{remarks}\
  goal: |
    Read the title of the page, and the price that it asks for now, as a number without its currency.
    Use null for what the page does not say.

  # The form of each result. Every property becomes a column of the table. `nullable: true` allows null where
  # a page has no value, so that the agent need not guess one. A result without a `required` property fails.
  output_schema:
    type: object
    properties:
      title: {{type: string}}
      price: {{type: number, nullable: true}}
    required: [title, price]

output:
  path: results/{{{{ batch }}}}.csv # or .parquet or .jsonl

# What follows is optional: remove the # of what you need.

# checks: # conditions that a result must meet, or its item fails for this reason
#   - {{expr: "result.price > 0", reason: no_price}}

# period: day # for schedules: each hour, day, week or month is a batch of its own

# limits:
#   concurrency: 5 # runs alive at once; without this as many as the API has slots for
#   run_timeout: 10m # cancel a run that takes longer
#   halt: 20% # stop when more than this share of the items has failed
"""
