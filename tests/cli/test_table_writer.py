"""What writes the table is loaded while the last runs are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipeline.history import living

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ITEMS = 10


def test_it_is_loaded_once_nothing_is_left_to_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path, seed=1, durations=(2.0, 9.0)) as history:
        server, seen = history.server, list[tuple[int, int]]()

        class Thread:
            def __init__(self, *, target: Callable[[], None], daemon: bool) -> None:
                assert daemon  # a batch that is stopped does not wait for it
                self._load = target

            def start(self) -> None:
                self._load()
                alive = sum(run.is_alive(history.loop.now) for run in server.runs.values())
                seen.append((len(server.runs), alive))

        monkeypatch.setattr("batchfish.cli.completion.Thread", Thread)
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        ((created, alive),) = seen
        assert created == ITEMS
        assert alive > 0
