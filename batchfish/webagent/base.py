"""What the pipeline asks of a Web Agent API: creates one by one, looks and cancels in lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.core.events import CreateAnswer
    from batchfish.core.runs import RunSnapshot


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class PreparedCreate:
    """The body of one create, ready to be sent; its digest is journalled with the intent."""

    body: bytes
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """What one look at known runs found: runs by id, ids the API does not know, its clock (epoch seconds).

    An id in neither was not answered for; `retry_after` (seconds) is then the wait that the API asked for.
    """

    runs: Mapping[str, RunSnapshot]
    not_found: frozenset[str] = frozenset()
    server_date: float | None = None
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The rows of a listing, paged to its end; only a complete one proves that something is not there.

    `total` is the server's largest count of matching runs while it was paged, None where it gave none.
    `covers_start`: it shows as many runs as were counted when its first page was answered, though more may
    have been made since. `server_date` is that moment on the server's clock, epoch seconds. Rows come
    without results.
    """

    rows: tuple[RunSnapshot, ...]
    is_complete: bool
    covers_start: bool = False
    total: int | None = None
    server_date: float | None = None


class WebAgent(Protocol):
    """The Web Agent API as the pipeline sees it.

    Looks and cancels raise WebAgentUnavailable (no usable answer: try again), NotPermitted (401) or
    WrongInput (404/405 of a whole endpoint: this is not the API we know); nothing else escapes.
    """

    @property
    def key_id(self) -> str:
        """A salted, truncated digest that tells API keys apart without giving one away."""
        ...

    def prepare(self, url: str, goal: str, request: Mapping[str, Any]) -> PreparedCreate:
        """Build the body of a create; WrongInput where it cannot be built (a variable is not set, say)."""
        ...

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and say what its answer proves; network failures are answers, too."""
        ...

    async def poll(self, run_ids: Sequence[str]) -> PollResult:
        """Look at any number of known runs."""
        ...

    async def find_by_marker(
        self, text: str, *, limit: int | None = None, since: float | None = None
    ) -> Listing:
        """List the runs whose goal holds `text` (case-insensitive).

        `limit` asks for that many rows and one page; `since` for the runs created from then on (epoch seconds
        of the server's clock), with perhaps a few that are up to a minute older.
        """
        ...

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that these runs be cancelled; what became of them the next look tells."""
        ...
