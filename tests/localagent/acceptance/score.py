"""Score the reader on the pages beside this file: `python -m tests.localagent.acceptance.score open`.

There are two halves: `open`, which the reader is built with, and `closed`, which is opened at the end only. A
half is made of sets, a folder each. Each page is an HTML file and a YAML file that says what is asked of it
(`url`, `goal`, `schema`, further `pages`), how it is counted (`kind`: core, stretch or must_fail), and what
is right (`expected`, `also` for other spellings).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from batchfish.localagent.egress.loader import Loaded, LoadFailed
from batchfish.localagent.engines.base import RunOutcome, RunRequest
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.worker import answer
from sample_inputs.score import Mark, mark_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.localagent.egress.loader import Loader
    from batchfish.localagent.engines.frames import ReadAnswer, ReadJob
    from batchfish.localagent.engines.pool import WorkerPool

FOLDER = Path(__file__).parent
HALVES = ("open", "closed")
MUST_FAIL = "must_fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One value of a page: what is right, what came, and the verdict."""

    page: str
    kind: str
    path: str
    expected: object
    got: object
    mark: Mark


class _Files:
    """Pages of a folder in place of the network, read in this process in place of another."""

    def __init__(self, pages: dict[str, Path]) -> None:
        self._pages = pages

    async def load(self, url: str) -> Loaded:
        if url not in self._pages:
            raise LoadFailed("LOCAL_HTTP_STATUS", f"{url} answered 404.")
        return Loaded(url=url, content_type="text/html", body=self._pages[url].read_bytes())

    async def read(self, job: ReadJob) -> ReadAnswer:
        return answer(job)


def sets() -> list[str]:
    """Give the sets of both halves: `open/exam-3`."""
    return sorted(str(folder.relative_to(FOLDER)) for half in HALVES for folder in (FOLDER / half).iterdir())


def cases(of: str) -> dict[str, dict[str, Any]]:
    """Give what is asked of each page of a set, by the page's name."""
    return {
        file.stem: yaml.safe_load(file.read_text("utf-8")) for file in sorted((FOLDER / of).glob("*.yaml"))
    }


def run(of: str, name: str, case: dict[str, Any]) -> RunOutcome:
    """Have the engine do what is asked of one page of a set."""
    folder = FOLDER / of
    further = {url: folder / file for url, file in case.get("pages", {}).items()}
    files = _Files({case["url"]: folder / f"{name}.html", **further})
    engine = ExtractEngine(cast("Loader", files), cast("WorkerPool", files))
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
    """Call the only list of a result as the right one is called: a goal in words may leave that open."""
    match result, expected:
        case dict(), dict() if len(result) == len(expected) == 1:
            (got,), ((name, right),) = result.values(), expected.items()
            return {name: got} if isinstance(got, list) and isinstance(right, list) else result
    return result


def describe(findings: list[Finding]) -> Iterator[str]:
    """Say for each kind of page how many values are right, missed and wrong; then which are not right."""
    for kind in dict.fromkeys(finding.kind for finding in findings):
        own = [finding for finding in findings if finding.kind == kind]
        marks = Counter(finding.mark for finding in own)
        pages = len({finding.page for finding in own})
        yield (
            f"{kind}: {pages} pages, {len(own)} values: {marks[Mark.RIGHT]} right,"
            f" {marks[Mark.MISSED]} missed, {marks[Mark.WRONG]} wrong: {marks[Mark.RIGHT] / len(own):.3f}"
        )
    for finding in findings:
        if finding.mark is not Mark.RIGHT:
            said = f"{finding.expected!r}, not {finding.got!r}"
            yield f"  {finding.mark}: {finding.page} {finding.path}: {said}"


def main() -> None:
    """Print the score of one half, or of one of its sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("of", choices=[*HALVES, *sets()])
    asked = parser.parse_args().of
    findings = [finding for of in sets() if f"{of}/".startswith(f"{asked}/") for finding in score(of)]
    sys.stdout.write("\n".join(describe(findings)) + "\n")


if __name__ == "__main__":
    main()
