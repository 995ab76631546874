"""A report says what is so, in one file that loads nothing, and shows hostile text as text."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from batchfish.core.histories import Finding
from batchfish.core.items import AttemptState
from batchfish.report import figures
from batchfish.report.facts import Bound, ChangeLine, ChangesSince, HeldItem, LoggedEvent, NextStep
from batchfish.report.page import web_address
from tests.report.building import BEGAN, Document, attempt, item, page_of

HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    '"><svg onload="window.pwned = 1">\u202e</p></textarea>{{ 7 * 7 }}\x1b[31m\x00'
)


def test_a_page_refers_to_no_other_file() -> None:
    page = page_of(item())
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert name not in {"src", "srcset", "action", "data", "poster", "style"}, (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name == "href":
                assert (value or "").startswith(("#", "https://shop.example/", "data:image/svg+xml,"))
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]


def test_the_policy_allows_this_style_and_this_script_alone() -> None:
    page = page_of(item())
    (policy,) = [
        one["content"] or "" for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for kind, (text,) in (("style-src", page.styles), ("script-src", page.scripts)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


@pytest.mark.parametrize("reason", ["agent_failure", HOSTILE])
def test_hostile_text_is_shown_as_text(reason: str) -> None:
    page = page_of(
        item(1, id=HOSTILE, url=f"https://shop.example/{HOSTILE}"),
        item(
            2,
            id=f"f{HOSTILE}",
            status="failed",
            reason=reason,
            message=HOSTILE,
            error_code=HOSTILE,
            message_length=len(HOSTILE),
        ),
        name=f"n{HOSTILE}",
        description=HOSTILE,
        manifest=HOSTILE,
        held=[HeldItem(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE, [HOSTILE])],
        settings={HOSTILE: HOSTILE},
        events=[LoggedEvent(BEGAN, HOSTILE, HOSTILE)],
        next_steps=[NextStep("continue", HOSTILE)],
    )
    plain = page_of(item(1), item(2, status="failed", reason="agent_failure", message="m"))
    assert len(page.scripts) == len(plain.scripts) == 1
    assert page.scripts == plain.scripts
    assert {tag for tag, _ in page.elements} - {tag for tag, _ in plain.elements} <= {"small", "code", "ul"}
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x00", "\\x00")
    assert " ".join(shown.split()) in page.text
    assert "49" not in re.sub(r"\d\d:49", "", page.text.replace("{{ 7 * 7 }}", ""))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page.source)


@pytest.mark.parametrize(
    ("url", "is_linked"),
    [
        ("https://shop.example/a?b=c&d=%20#e", True),
        ("HTTP://SHOP.EXAMPLE/", True),
        ("https://sh\u00f6p.example/\u00e9", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("file:///etc/passwd", False),
        ("https:shop.example", False),
        ("//shop.example", False),
        ('https://shop.example/" onclick="alert(1)', False),
        ("https://shop.example/\u202egpj.exe", False),
        ("https://shop.example/\x00", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_links(url: str, *, is_linked: bool) -> None:
    assert (web_address(url) is not None) == is_linked
    page = page_of(item(1, url=url))
    links = [one for one in page.all("a") if one.get("class") == "url"]
    assert [one["href"] for one in links if "href" in one] == ([url] * len(links))
    assert bool(links) == is_linked
    for one in links:
        assert set((one["rel"] or "").split()) == {"noopener", "noreferrer"}


def test_a_long_message_is_cut_and_says_so() -> None:
    page = page_of(item(1, status="failed", reason="agent_failure", message="x" * 800, message_length=10**6))
    assert "999,200 more characters" in page.text


def test_failures_are_grouped_by_message_with_the_addresses_of_their_pages() -> None:
    page = page_of(
        *(item(n, status="failed", reason="blocked", message="A wall") for n in range(1, 4)),
        item(4, status="failed", reason="blocked", message="A fence"),
        item(5, status="cancelled", reason="cancelled"),
        item(6),
    )
    failures = page.text.partition("5 items failed or cancelled")[2].partition("Slots and times")[0]
    assert re.search(
        r"blocked 3 items A wall i1 https://shop.example/1 i2 \S+ i3 \S+/3 blocked 1 item A", failures
    )
    assert "cancelled 1 item i5" in failures
    assert "i6" not in failures


def test_suspicious_results_are_shown_with_their_evidence() -> None:
    twin = Finding("same_answer", "the same answer as 5 other items, such as i9")
    page = page_of(item(1, findings=(twin,)), item(2, findings=(twin,)), item(3))
    assert "2 suspicious results" in page.text
    assert f"same_answer 2 items {twin.evidence} i1 https://shop.example/1 i2" in page.text
    assert "suspicious" not in page_of(item(1)).text


def test_counts_reasons_and_what_to_type_next_are_at_the_top() -> None:
    page = page_of(
        item(1),
        item(2, status="failed", reason="blocked"),
        item(3, status="queued", attempts=()),
        next_steps=[NextStep("continue the batch", "batchfish resume shop")],
    )
    top = page.text.partition("failed or cancelled")[0]
    for words in (
        "items 3 2 done, 1 left",
        "succeeded 33 % 1 of 3",
        "blocked failed 1",
        "batchfish resume shop",
    ):
        assert words in top


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "not finished"),
        ({"owner": 7}, "running"),
        ({"exit_code": 0, "ended_at": BEGAN + 60}, "finished, exit code 0"),
        ({"exit_code": 1, "ended_at": BEGAN + 60}, "finished, exit code 1"),
    ],
)
def test_the_state_of_the_batch_is_said(facts: dict[str, object], words: str) -> None:
    page = page_of(item(), **facts)
    assert f"shop {words}" in page.text
    assert ("finished 2026-11-29 04:01:00 UTC" in page.text) == ("exit_code" in facts)


def test_held_items_stand_with_the_commands_that_decide_them() -> None:
    held = HeldItem(
        "i1", "https://shop.example/1", 2, "unanswered", "no listing", None, ["batchfish held drop i1"]
    )
    page = page_of(item(1, status="held", reason="unanswered"), held=[held] * 600)
    assert "600 held attempts" in page.text
    assert page.text.count("unanswered, attempt 2 no listing batchfish held drop i1") == 500
    assert "100 more held attempts: batchfish held lists them all" in page.text
    assert "held attempt" not in page_of(item()).text


def test_cost_is_told_by_what_it_was_spent_on() -> None:
    histories = [
        item(1, attempt(k=1, steps=5), attempt(k=2, steps=7)),
        item(2, attempt(steps=11), status="failed", reason="blocked"),
        item(3, attempt(steps=2), wanted=False),
        item(4, attempt(steps=None)),
        item(5, attempt(k=1, state=AttemptState.ABSENT, steps=None), attempt(k=2, steps=1)),
    ]
    text = page_of(*histories).text
    cost = text.partition("Dearest items")[2].partition("Settings and events")[0]
    for words in (
        "items that succeeded 3 8",
        "items that failed 1 11",
        "other attempts of these items 1 5",
        "items no longer in the manifest 1 2",
        "in all 6 26",
        "5 steps in the median, 11 at the 95th percentile, 11 at most",
        "The steps of 1 run are not known",
    ):
        assert words in cost
    assert "$" not in text


def test_money_is_told_where_a_price_or_a_cost_is_known() -> None:
    priced = page_of(item(1, attempt(steps=4)), item(2, attempt(steps=6)), price=15_000).text
    assert "A step costs $0.015" in priced
    assert "in all 2 10 $0.15" in priced
    recorded = page_of(item(1, attempt(steps=4, step_price=625_000)), item(2, attempt(steps=6))).text
    assert "in all 2 10 $2.50" in recorded


def test_a_budget_is_told_with_what_is_spent_and_reserved() -> None:
    page = page_of(item(1), price=15_000, spending="$3.10 spent, $0.90 reserved of $20.00")
    assert "$3.10 spent, $0.90 reserved of $20.00" in page.text


def test_what_changed_is_told_with_the_first_of_the_changes() -> None:
    lines = [
        ChangeLine("i1", "https://shop.example/1", "changed", "price", "8.99", "7.99", -1.0),
        ChangeLine("i2", "javascript:alert(1)", "added", None, None, '{"price": 1}', None),
    ]
    changes = ChangesSince(
        since="shop@2026-11-28",
        added=1,
        removed=0,
        changed=40,
        unchanged=6,
        cells=41,
        carried=2,
        lines=lines,
        total=42,
        command="batchfish diff shop",
    )
    page = page_of(item(1), changes=changes)
    for words in (
        "What changed since shop@2026-11-28",
        "added 1 removed 0 changed 40 41 cells unchanged 6",
        "2 items that failed or have not ended are compared by an earlier good result",
        "i1 https://shop.example/1 changed price 8.99 7.99 \N{MINUS SIGN}1",
        'i2 javascript:alert(1) added {"price": 1}',
        "40 more changes: batchfish diff shop",
    ):
        assert words in page.text
    assert "What changed" not in page_of(item(1)).text


def test_slots_are_told_with_their_bound() -> None:
    runs = [item(n, attempt(0.0, 1.0, 11.0)) for n in range(1, 5)]
    page = page_of(*runs)
    assert "4 at most and 4 on average while any run was alive" in page.text
    assert "bound: up to 10 runs at once" in page.text
    far = page_of(*runs, bounds=[Bound(BEGAN, 100)], bound_name="up to 100 runs at once (auto)")
    assert "The bound, up to 100 runs at once (auto), is far above the drawing" in far.text


def test_every_drawing_has_a_name_and_a_description_in_words() -> None:
    page = page_of(*(item(n) for n in range(1, 30)), item(30, status="failed", reason="blocked"))
    drawings = [one for one in page.all("svg") if one.get("aria-hidden") != "true"]
    identifiers = {one["id"] for _, one in page.elements if "id" in one}
    assert len(drawings) >= 5
    for one in drawings:
        assert one["role"] == "img"
        named = (one.get("aria-labelledby") or "").split()
        assert one.get("aria-label") or (len(named) == 2 and set(named) <= identifiers)
    labels = [one["aria-labelledby"] for one in page.all("table")]
    assert set(labels) <= identifiers
    assert "median:: 4.0s" not in page.text


def test_identifiers_are_unique() -> None:
    page = page_of(item(1), item(2, status="failed", reason="blocked"))
    identifiers = [one["id"] for _, one in page.elements if "id" in one]
    assert len(identifiers) == len(set(identifiers))


def test_a_batch_without_a_run_has_a_page() -> None:
    page = page_of(item(1, status="queued", attempts=(), follows=0))
    assert page.text.count("No run has been made yet.") == 2
    assert "chart" not in {one.get("class") for one in page.all("svg")}
    assert page_of().text.startswith("shop")


def test_of_very_many_items_those_that_matter_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST_ITEMS", 3)
    histories = [item(n, attempt(0, 1, 1 + n)) for n in range(1, 9)]
    histories[2] = item(3, status="failed", reason="blocked")
    page = page_of(*histories)
    rows = page.text.partition("steps 3 i3")
    assert rows[1], page.text
    shown = re.findall(r" (i\d) https", page.text.rpartition(" page status reason ")[2])
    assert shown == ["i3", "i7", "i8"]
    assert "5 items that succeeded soonest are not shown" in page.text


def test_the_same_facts_make_the_same_page() -> None:
    assert page_of(item()).source == page_of(item()).source
    assert isinstance(page_of(item()), Document)


@pytest.mark.slow
def test_ten_thousand_items_make_less_than_five_megabytes() -> None:
    page = page_of(
        *(
            item(
                n,
                attempt(n, n + 1, n + 30),
                id=f"catalogue-{n:06}",
                url=f"https://shop.example/books/item/{n}",
            )
            for n in range(1, 9_501)
        ),
        *(
            item(n, status="failed", reason="agent_failure", message=f"{n}: {'x' * 300}")
            for n in range(9_501, 10_001)
        ),
    )
    assert len(page.source.encode()) < 5_000_000
    assert "300 more items with other messages are not shown" in page.text
