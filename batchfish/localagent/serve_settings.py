"""The settings of a local agent: each default stands here once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.localagent.egress.addresses import Origin, parse_origin
from batchfish.localagent.simulation.parameters import Simulation

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.localagent.engines.model.endpoint import ModelEndpoint

ENGINES = ("auto", "extract", "browser", "model", "simulate")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeSettings:
    """The settings of a server; times in seconds.

    - `port`: 0 takes a free one.
    - `engine`: one of ENGINES. `extract` reads pages as they are served, `browser` as Chromium shows them,
      `auto` as they are served if that suffices; `model` has the model behind `endpoint` read them, in
      Chromium if there is one; `simulate` reads none.
    - `chromium`: the browser's executable; None looks for it on PATH.
    - `cap`: how many runs are worked on at once.
    - `store`: the file that keeps the runs; None keeps them in memory.
    - `site`: the folder of the sample site.
    - `port_file`: written when the agent is ready.
    - `users`: the lock file of the agent's users: it ends once nobody holds the lock. None serves until it is
      stopped.
    - `allow_origins`: origins on this machine or a private network that may be opened.
    - `page_interval`: between two pages of one host.
    - `token_file`: keeps the API key from one start to the next; None draws a new key at each start.
    - `heartbeat_every`: between two heartbeats of a stream.
    - `keep_for`, `keep_runs`: how long runs that have ended are kept and can be watched, and how many.
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
    page_interval: float = 1.0
    token_file: Path | None = None
    heartbeat_every: float = 15.0
    simulation: Simulation = field(default_factory=Simulation)
    endpoint: ModelEndpoint | None = None
    keep_for: float = 24 * 3600.0
    keep_runs: int = 100_000

    def allowed_origins(self) -> frozenset[Origin]:
        """Return `allow_origins`, parsed; WrongInput for what is not an origin."""
        return frozenset(map(parse_origin, self.allow_origins))
