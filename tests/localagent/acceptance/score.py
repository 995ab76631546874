"""Score the reader on the pages beside this file: `python -m tests.localagent.acceptance.score`.

The pages stand in sets, a folder each. Each is an HTML file and a YAML file that says what is asked of it
(`url`, `goal`, `schema`, further `pages`), how it counts (`kind`: core, stretch or must_fail), and what is
right (`expected`, `also` for other spellings). `kinds.yaml` says of what kind each page is, for the docs.
"""

import argparse
import asyncio
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batchfish.localagent.engines.base import RunOutcome, RunRequest
from batchfish.localagent.engines.extract import ExtractEngine
from tests.localagent.doubles import Pages
from tests.sample_inputs.score import Mark, mark_result

FOLDER = Path(__file__).parent
MUST_FAIL = "must_fail"
LANGUAGE = re.compile(rb"""<html[^>]*\blang=["']?([a-zA-Z]+)""")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One value of a page: what is right, what came, and the verdict."""

    page: str
    kind: str
    path: str
    expected: object
    got: object
    mark: Mark


def sets() -> list[str]:
    """Return the sets: `exam-10`."""
    return sorted({file.parent.name for file in FOLDER.glob("*/*.yaml")})


def kinds() -> dict[str, str]:
    """Return of what kind each page is, by its set and name: `exam-10/league-standings`."""
    by_kind: dict[str, list[str]] = yaml.safe_load((FOLDER / "kinds.yaml").read_text("utf-8"))
    return {page: kind for kind, pages in by_kind.items() for page in pages}


def is_english(page: str) -> bool:
    """Whether a page is in English, or does not say in which language it is."""
    found = LANGUAGE.search((FOLDER / f"{page}.html").read_bytes()[:3000])
    return found is None or found[1].lower() == b"en"


def cases(of: str) -> dict[str, dict[str, Any]]:
    """Return what is asked of each page of a set, by the page's name."""
    return {
        file.stem: yaml.safe_load(file.read_text("utf-8")) for file in sorted((FOLDER / of).glob("*.yaml"))
    }


def run(of: str, name: str, case: dict[str, Any]) -> RunOutcome:
    """Run the engine on one page of a set."""
    folder = FOLDER / of
    further = {url: folder / file for url, file in case.get("pages", {}).items()}
    files = {case["url"]: folder / f"{name}.html", **further}
    pages = Pages({url: file.read_bytes() for url, file in files.items()})
    engine = ExtractEngine(pages.loader, pages.pool)
    request = RunRequest(url=case["url"], goal=case["goal"], output_schema=case.get("schema"))
    return asyncio.run(engine.run(request, lambda _: None))


def score(of: str) -> Iterator[Finding]:
    """Mark every value of every page of a set; of a page that must fail, whether it did."""
    for name, case in cases(of).items():
        outcome = run(of, name, case)
        kind, page = case["kind"], f"{of}/{name}"
        if kind == MUST_FAIL:
            mark = Mark.WRONG if outcome.failure is None else Mark.RIGHT
            yield Finding(page=page, kind=kind, path="", expected="a failure", got=outcome.result, mark=mark)
            continue
        failure = None if outcome.failure is None else outcome.failure.message
        answers = {"result": case["expected"], "also": case.get("also", {})}
        result = (
            outcome.result if case.get("schema") else _under_the_same_name(outcome.result, case["expected"])
        )
        for path, expected, got, mark in mark_result(answers, result):
            yield Finding(page=page, kind=kind, path=path, expected=expected, got=got or failure, mark=mark)


def _under_the_same_name(result: object, expected: object) -> object:
    """Return a result with its only list under the right name: a goal in words may leave that open."""
    match result, expected:
        case dict(), dict() if len(result) == len(expected) == 1:
            (got,), ((name, right),) = result.values(), expected.items()
            return {name: got} if isinstance(got, list) and isinstance(right, list) else result
    return result


def table(findings: list[Finding]) -> Iterator[str]:
    """Count, for each kind of page, the values that are right, missed and wrong: English and others apart."""
    of_kind = kinds()
    marks: dict[tuple[str, bool], Counter[Mark]] = defaultdict(Counter)
    pages: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for one in findings:
        key = "traps" if one.kind == MUST_FAIL else of_kind[one.page], is_english(one.page)
        marks[key][one.mark] += 1
        pages[key].add(one.page)
    yield f"{'kind':24}{'language':>9}  pages  values  right  missed  wrong  share"
    for (kind, english), counts in sorted(marks.items(), key=lambda item: (not item[0][1], item[0][0])):
        total, right = counts.total(), counts[Mark.RIGHT]
        language, number = "English" if english else "other", len(pages[kind, english])
        yield (
            f"{kind:24}{language:>9}{number:7}{total:8}{right:7}"
            f"{counts[Mark.MISSED]:8}{counts[Mark.WRONG]:7}{right / total:7.2f}"
        )


def main() -> None:
    """Print the table of all sets, or of those that are named; `--all`: and each value that is not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET")
    parser.add_argument("--all", action="store_true", help="print every value that is not right")
    asked = parser.parse_args()
    findings = [finding for of in asked.sets or sets() for finding in score(of)]
    sys.stdout.write("\n".join(table(findings)) + "\n")
    for one in findings if asked.all else []:
        if one.mark is not Mark.RIGHT:
            sys.stdout.write(f"{one.mark}: {one.page} {one.path}: {one.expected!r}, not {one.got!r}\n")


if __name__ == "__main__":
    main()
