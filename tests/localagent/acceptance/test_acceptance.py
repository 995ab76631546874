"""What the reader makes of pages with layouts and traps of their own: the shares of right values."""

from collections import Counter

import pytest

from batchfish.localagent.api.request_bodies import schema_issues
from tests.localagent.acceptance import score
from tests.sample_inputs.score import Mark

REACHED = {"exam-10": 0.94, "exam-11": 0.96, "kinds": 0.95}
"""The share of right values on core pages in English, by set; what goes below has become worse."""
MOST_WRONG = 0.02


@pytest.fixture(scope="module", params=REACHED)
def of(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def findings(of: str) -> list[score.Finding]:
    return list(score.score(of))


def test_every_set_has_a_score_and_every_page_a_kind() -> None:
    assert sorted(REACHED) == score.sets()
    cases = {f"{of}/{name}": case for of in score.sets() for name, case in score.cases(of).items()}
    assert {page for page, case in cases.items() if case["kind"] != score.MUST_FAIL} == set(score.kinds())


def test_as_many_values_on_english_core_pages_are_right(of: str, findings: list[score.Finding]) -> None:
    core = Counter(one.mark for one in findings if one.kind == "core" and score.is_english(one.page))
    wrong = [one for one in findings if one.mark is not Mark.RIGHT]
    assert core[Mark.RIGHT] / core.total() >= REACHED[of], wrong
    assert core[Mark.WRONG] / core.total() <= MOST_WRONG, wrong


def test_every_page_that_holds_no_answer_fails(findings: list[score.Finding]) -> None:
    invented = [one.page for one in findings if one.kind == score.MUST_FAIL and one.mark is not Mark.RIGHT]
    assert invented == []


def test_every_schema_is_one_that_the_agent_accepts(of: str) -> None:
    refused = [name for name, case in score.cases(of).items() if schema_issues(case.get("schema"))]
    assert refused == []
