"""Score of a demo table by the answer key: which values are right, missed or wrong.

Run it with `python -m tests.sample_inputs.score sample_inputs/results/demo.parquet`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = Path(__file__).resolve().parent / "answers.json"
ENOUGH = 0.98  # of the values of readable pages in English
IN_OTHER_LANGUAGES = frozenset({"stadt", "livre"})  # the groups of German and French pages, counted apart
MUST_FAIL = "must fail"
SHOWN = 20  # differences that are printed
MISSING = object()
NOTHING: tuple[object, ...] = (None, [], {})
Facts: TypeAlias = dict[str, Any]


class Mark(StrEnum):
    """The mark of one value."""

    RIGHT = "right"
    MISSED = "missed"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One value of the answer key and the value in the table."""

    item: str
    group: str
    path: str
    expected: object
    got: object
    mark: Mark


def is_same(expected: object, got: object) -> bool:
    """Whether two values are the same; only the words of texts are compared."""
    if isinstance(expected, str) and isinstance(got, str):
        return re.findall(r"\w+", expected.casefold()) == re.findall(r"\w+", got.casefold())
    return expected == got and isinstance(expected, bool) == isinstance(got, bool)


def flatten(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the scalars within a value with their paths, such as `mountains.0.name`."""
    if isinstance(value, dict | list) and value:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from flatten(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def mark_value(expected: object, got: object, spellings: list[object]) -> Mark:
    """Return the mark of one value; `spellings` are other right ways to write it."""
    if any(is_same(value, got) for value in [expected, *spellings]):
        return Mark.RIGHT
    return Mark.MISSED if got is None else Mark.WRONG


def mark_result(answer: Facts, result: object) -> Iterator[tuple[str, object, object, Mark]]:
    """Yield the mark of every value of a result; a value that was not asked for is wrong."""
    got = dict(flatten(result))
    for path, expected in flatten(answer["result"]):
        spellings = answer.get("also", {}).get(path, [])
        found = got.pop(path, MISSING)
        mark = Mark.MISSED if found is MISSING else mark_value(expected, found, spellings)
        yield path, expected, None if found is MISSING else found, mark
    yield from ((path, None, extra, Mark.WRONG) for path, extra in got.items() if extra not in NOTHING)


def mark_failure(answer: Facts, row: Facts) -> Mark:
    """Return the mark of a page without an answer: its item must fail, with a message that says why."""
    if row.get("status") != "failed":
        return Mark.WRONG
    said = f"{row.get('reason')} {row.get('error_message')}".casefold()
    return Mark.RIGHT if any(words in said for words in answer["mentions"]) else Mark.MISSED


def compare(answers: dict[str, Facts], rows: dict[str, Facts]) -> Iterator[Finding]:
    """Yield a finding for every value of the answer key, in its order."""
    for item, answer in answers.items():
        row = rows.get(item, {})
        if "failure" in answer:
            said = f"{row.get('status')}: {row.get('reason')}: {row.get('error_message')}"
            mark = mark_failure(answer, row)
            yield Finding(
                item=item, group=MUST_FAIL, path="", expected=answer["failure"], got=said, mark=mark
            )
            continue
        result = json.loads(row["result"]) if row.get("status") == "succeeded" else None
        for path, expected, got, mark in mark_result(answer, result):
            group = item.partition("-")[0]
            yield Finding(item=item, group=group, path=path, expected=expected, got=got, mark=mark)


def read_table(path: Path) -> dict[str, Facts]:
    """Return the rows of a table (.parquet, .csv or .jsonl) by item id."""
    import polars as pl

    match path.suffix:
        case ".parquet":
            table = pl.read_parquet(path)
        case ".csv":
            table = pl.read_csv(path, infer_schema=False)
        case _:
            table = pl.read_ndjson(path)
    columns = ["item_id", "status", "reason", "result", "error_message"]
    return {row["item_id"]: row for row in table.select(columns).to_dicts()}


def describe(findings: list[Finding]) -> Iterator[str]:
    """Yield the lines of a report: one for each kind of page, then the first values that are not right."""
    groups = list(dict.fromkeys(finding.group for finding in findings))
    marks = Counter((finding.group, finding.mark) for finding in findings)
    items = Counter(group for group, _ in {(finding.group, finding.item) for finding in findings})
    yield f"{'':10}{'pages':>7}{'values':>8}{'right':>7}{'missed':>8}{'wrong':>7}"
    for group in groups:
        counts = [marks[group, mark] for mark in Mark]
        yield f"{group:10}{items[group]:7}{sum(counts):8}{counts[0]:7}{counts[1]:8}{counts[2]:7}"
    others = [finding for finding in findings if finding.mark is not Mark.RIGHT]
    for finding in others[:SHOWN]:
        yield f"{finding.mark}: {finding.item} {finding.path}: {finding.expected!r}, not {finding.got!r}"
    if len(others) > SHOWN:
        yield f"… and {len(others) - SHOWN} more"


def is_good(findings: list[Finding]) -> bool:
    """Whether nearly every English value is right, none is wrong, and every page fails that must.

    A page in another language may fail, but its values may not be wrong.
    """
    readable = [finding for finding in findings if finding.group != MUST_FAIL]
    english = Counter(finding.mark for finding in readable if finding.group not in IN_OTHER_LANGUAGES)
    return (
        english[Mark.RIGHT] >= ENOUGH * english.total()
        and not any(finding.mark is Mark.WRONG for finding in readable)
        and all(finding.mark is Mark.RIGHT for finding in findings if finding.group == MUST_FAIL)
    )


def main() -> int:
    """Print the score of a table; 0 if it is good, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="what `batchfish run sample_inputs/demo.yaml` wrote")
    findings = list(compare(json.loads(KEY.read_text("utf-8")), read_table(parser.parse_args().table)))
    sys.stdout.write("\n".join(describe(findings)) + "\n")
    return 0 if is_good(findings) else 1


if __name__ == "__main__":
    sys.exit(main())
