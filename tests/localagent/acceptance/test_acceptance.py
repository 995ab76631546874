"""What the reader makes of pages with layouts, languages and traps of their own: the scores it reached."""

from __future__ import annotations

from collections import Counter

import pytest

from batchfish.localagent.api.request_bodies import schema_issues
from sample_inputs.score import Mark
from tests.localagent.acceptance import score

REACHED = {
    "closed/exam-11": 0.94,
    "open/built-with": 0.98,
    "open/exam-2": 0.66,
    "open/exam-3": 0.98,
    "open/exam-4": 0.98,
    "open/exam-5": 0.98,
    "open/exam-6": 0.97,
    "open/exam-7": 0.99,
    "open/exam-8": 0.96,
    "open/exam-9": 0.98,
    "open/exam-10": 0.97,
}
"""The share of right values on core pages, by set; what goes below has become worse.

The reader was built with the open sets; the closed one was opened when it was done, and says how it does on
pages that it was not built with. What each scored when it was first read stands in `docs/local-agent.md`.
"""
OFTEN = frozenset({"closed/exam-11", "open/built-with", "open/exam-9", "open/exam-10"})
"""The sets that are read by every test run; the others, by the long one."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(of, marks=() if of in OFTEN else pytest.mark.slow) for of in REACHED],
)
def of(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def findings(of: str) -> list[score.Finding]:
    return list(score.score(of))


def test_every_set_has_a_score() -> None:
    assert sorted(REACHED) == score.sets()


def test_of_the_values_on_core_pages_as_many_are_right_as_before(
    of: str, findings: list[score.Finding]
) -> None:
    core = Counter(finding.mark for finding in findings if finding.kind == "core")
    assert core[Mark.RIGHT] / core.total() >= REACHED[of], "\n".join(score.describe(findings))


def test_every_page_that_holds_no_answer_fails(findings: list[score.Finding]) -> None:
    invented = [
        finding.page
        for finding in findings
        if finding.kind == score.MUST_FAIL and finding.mark is not Mark.RIGHT
    ]
    assert invented == []


def test_every_schema_is_one_that_the_agent_accepts(of: str) -> None:
    refused = [name for name, case in score.cases(of).items() if schema_issues(case.get("schema"))]
    assert refused == []
