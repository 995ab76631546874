"""What a local agent is started with: each default written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.localagent.simulation.parameters import Simulation

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = ("auto", "extract", "browser", "simulate")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeSettings:
    """How to serve; times in seconds.

    `port` 0 takes a free one. `engine` is one of ENGINES: `extract` reads pages as they are served,
    `browser` as Chromium shows them, `auto` as they are served where that will do, `simulate` reads none.
    `chromium` is the browser's program; None looks for it on PATH. `store` is the book of runs (None: in
    memory), `site` the folder of the sample site. `port_file` is written when the agent is ready;
    `token_file` keeps the token from one start to the next. `users` is the lock file of those who use the
    agent: it ends once nobody holds it; None serves until it is told to stop. Streams have a heartbeat every
    `heartbeat_every` seconds. Runs that have ended are kept, and can be watched, for `keep_for` seconds, and
    at most `keep_runs` of them.
    """

    port: int = 0
    engine: str = "auto"
    chromium: Path | None = None
    cap: int = 2
    store: Path | None = None
    site: Path | None = None
    port_file: Path | None = None
    users: Path | None = None
    allow_origins: tuple[str, ...] = ()
    require_token: bool = False
    token_file: Path | None = None
    heartbeat_every: float = 15.0
    simulation: Simulation = field(default_factory=Simulation)
    keep_for: float = 24 * 3600.0
    keep_runs: int = 100_000
