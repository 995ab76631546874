"""Metrics for Prometheus: read back by its own parser, and written so that a collector never sees half."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shop import Shop


def metrics_of(path: Path) -> dict[tuple[str, ...], float]:
    """Return each value by its name and labels; every metric has a text and a type."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.documentation.endswith(".")
        assert family.type in {"gauge", "counter"}
        for sample in family.samples:
            found[sample.name, *sample.labels.values()] = sample.value
    return found


def test_the_metrics_of_a_batch_that_ended(shop: Shop) -> None:
    shop.write(1, 2, 3)
    assert shop.run("--limit", "2", "--metrics", "b.prom").code == 0
    path = shop.command.folder / "b.prom"
    metrics = metrics_of(path)
    assert metrics["batchfish_items", shop.name, "succeeded"] == 2
    assert metrics["batchfish_items", shop.name, "queued"] == 1
    assert metrics["batchfish_items", shop.name, "failed"] == 0
    assert metrics["batchfish_runs_ended_total", shop.name] == 2
    assert metrics["batchfish_runs_open", shop.name] == 0
    assert metrics["batchfish_exit_code", shop.name] == 0
    assert metrics["batchfish_ended_timestamp_seconds", shop.name] > 1.7e9
    assert [one.name for one in path.parent.glob(".b.prom*")] == []


def test_another_user_may_read_them(shop: Shop) -> None:
    shop.write(1)
    shop.run("--metrics", "b.prom")
    assert stat.S_IMODE((shop.command.folder / "b.prom").stat().st_mode) == 0o644


def test_a_budget_is_shown_in_dollars(shop: Shop) -> None:
    name = shop.write_manifest(1, 2, rules="budget: {usd: 20, usd_per_step: 0.015, per: batch}\n")
    assert shop.command("run", name, "--metrics", "b.prom").code == 0
    metrics = metrics_of(shop.command.folder / "b.prom")
    assert metrics["batchfish_budget_limit_dollars", shop.name] == 20.0
    spent = metrics["batchfish_steps_total", shop.name] * 0.015
    assert metrics["batchfish_budget_spent_dollars", shop.name] == spent
    assert metrics["batchfish_budget_reserved_dollars", shop.name] == 0.0


def test_a_file_that_cannot_be_written_is_said_before_anything_is_sent(shop: Shop) -> None:
    shop.write(1)
    outcome = shop.run("--metrics", "no/such/folder/b.prom")
    assert outcome.code == 74
    assert "the metrics cannot be written" in outcome.err
    assert shop.paid() == []


def test_the_cap_that_a_person_set_is_shown(shop: Shop) -> None:
    name = shop.write_manifest(1, 2, rules="budget: {usd: 20, usd_per_step: 0.015}\n")
    shop.command("run", name, "--limit", "1")
    shop.command("set", shop.name, "budget=30")
    for _ in range(2):  # the second one finds the batch finished
        assert shop.command("run", name, "--metrics", "b.prom").code == 0
        metrics = metrics_of(shop.command.folder / "b.prom")
        assert metrics["batchfish_budget_limit_dollars", shop.name] == 30.0


@pytest.mark.parametrize("suffix", [".csv", ".db", ".prom"])
def test_no_other_file_is_replaced(shop: Shop, suffix: str) -> None:
    """A journal that is replaced is lost, and with it what was paid for."""
    shop.write(1, 2)
    shop.run("--limit", "1")
    path = {".csv": shop.file, ".db": shop.journal.path}.get(suffix, shop.command.folder / "other.prom")
    if suffix == ".prom":
        path.write_text("# HELP node_time The time.\n")
    before = path.read_bytes()
    outcome = shop.run("--metrics", str(path))
    assert outcome.code == 2
    assert path.read_bytes()[:20] == before[:20]
    assert shop.paid() == [1]
    assert shop.run().code == 0
    assert shop.paid() == [1, 2]
    shop.run("--metrics", str(path))  # the batch is finished
    assert path.read_bytes()[:20] == before[:20]


def test_a_symbolic_link_is_left_alone(shop: Shop) -> None:
    shop.write(1)
    link = shop.command.folder / "b.prom"
    link.symlink_to(shop.file)
    outcome = shop.run("--metrics", "b.prom")
    assert (outcome.code, link.is_symlink()) == (2, True)
    assert "is not a regular file" in outcome.err
