"""The workloads: how many runs, how long they take, and how many of them the server works on at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

UNBOUNDED = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """One workload; times in seconds.

    `duration` is the mean and `sigma` the spread of a lognormal distribution. `cap` bounds the runs that the
    server works on at once; others wait there. A request takes `latency` and up to `jitter` longer.
    `concurrency` is how many runs a client is told to keep alive. Clients with a task for each run are told
    `tasks` instead where their connection pools could not carry as many, and batchfish `window`, as the value
    of its option -j. `is_remote`: TLS, and batchfish takes the API for one on another machine. The usual
    `seed` is one whose longest run does not decide the ideal alone.
    """

    name: str
    runs: int
    duration: float
    sigma: float = 0.0
    cap: int = UNBOUNDED
    latency: float = 0.0
    jitter: float = 0.0
    concurrency: int
    tasks: int | None = None
    window: str | None = None
    is_remote: bool = False
    seed: int = 7

    @property
    def simulation(self) -> str:
        """The value of the server's option --simulate."""
        names = ("seed", "duration", "sigma", "latency", "jitter")
        return ",".join(f"{name}={getattr(self, name)}" for name in names)

    @property
    def title(self) -> str:
        """The workload in words."""
        kind = f"lognormal {self.duration:g} s" if self.sigma else f"{self.duration:g} s"
        cap = "no cap" if self.cap == UNBOUNDED else f"cap {self.cap:,}"
        low, high = 1000 * self.latency, 1000 * (self.latency + self.jitter)
        delay = f", {low:g}–{high:g} ms latency" if high > low else f", {low:g} ms latency" if low else ""
        return f"{self.runs:,} × {kind}, {cap}{delay}{', TLS' if self.is_remote else ''}"

    def scaled(self, share: float) -> Workload:
        """Return the workload with this share of its runs."""
        return replace(self, runs=max(1, round(self.runs * share)))


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(name="short", runs=2_000, duration=0.2, cap=50, concurrency=50),
        Workload(name="distant", runs=2_000, duration=0.2, cap=50, latency=0.03, jitter=0.05, concurrency=50),
        Workload(name="mixed", runs=1_000, duration=2.0, sigma=1.0, cap=50, concurrency=50),
        Workload(name="wide", runs=5_000, duration=5.0, sigma=0.5, cap=1_000, concurrency=1_000),
        Workload(name="flood", runs=20_000, duration=0.05, concurrency=1_000, tasks=100),
        *(
            Workload(
                name=f"real-{cap}",
                runs=10 * cap,
                duration=30.0,
                sigma=0.5,
                cap=cap,
                latency=0.1,
                concurrency=cap,
                is_remote=True,
            )
            for cap in (2, 10, 50)
        ),
    )
}
QUICK = ("short", "mixed")
QUICK_SHARE = 0.2
