"""`run --new` by a supervisor that repeats it whenever it dies: it begins one batch, not one a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.history import living

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 6


@pytest.mark.parametrize("flags", [(), ("-y",)])
def test_a_new_batch_over_an_unfinished_one_is_asked_about(tmp_path: Path, flags: tuple[str, ...]) -> None:
    with living(tmp_path, seed=1) as history:
        server = history.server
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        server.payments = 2
        assert shop.run("--new", dies_after=2.0).code is None
        for _ in range(2):
            refused = shop.run("--new", *flags, dies_after=2.0)
            assert refused.code == 6
            assert "--accept unfinished-batch" in refused.said
            assert "batchfish run" in refused.said or "batchfish resume" in refused.said
        assert shop.run().code == 0
        assert (server.duplicates(), len(server.runs)) == (0, 2 * ITEMS)
        server.payments = 3
        assert shop.run("--new").code == 0
        assert (server.duplicates(), len(server.runs)) == (0, 3 * ITEMS)


def test_a_person_may_begin_a_new_batch_over_an_unfinished_one(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run(dies_after=2.0).code is None
        history.server.payments = 2
        assert shop.run("--new", "--accept", "unfinished-batch").code == 0
        assert history.server.duplicates() == 0
        assert len(shop.ask("SELECT 1 FROM batches")) == 2


def test_the_history_catches_a_new_batch_that_is_begun_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: nobody is asked before a batch is begun while another one has not finished."""
    monkeypatch.setattr("batchfish.cli.preflight._ask_unfinished_batch", lambda *_: None)
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        history.server.payments = 2
        for _ in range(2):
            assert shop.run("--new", dies_after=2.0).code is None
        shop.run()
        assert history.server.duplicates() > 0
