"""The interface of a Web Agent API client as the pipeline uses it, and the types of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.core.events import CreateAnswer
    from batchfish.core.runs import RunSnapshot


class PreparedCreate(Struct, frozen=True, kw_only=True):
    """The body of a create (a request that starts a run); its digest is journalled with the intent."""

    body: bytes
    sha256: str

    __repr__ = object.__repr__  # the body may contain secrets


class PollResult(Struct, frozen=True, kw_only=True):
    """The answers to one poll: runs by id, and the ids that the API does not know.

    There was no answer about an id in neither; `retry_after` is then the wait that the API asked for, in
    seconds. `server_date` is the API's clock, epoch seconds.
    """

    runs: Mapping[str, RunSnapshot]
    not_found: frozenset[str] = frozenset()
    server_date: float | None = None
    retry_after: float | None = None


class Listing(Struct, frozen=True, kw_only=True):
    """The runs of a listing, without results; only a complete listing proves that a run does not exist.

    `total` is the server's largest count of matching runs during paging, None if it gave none. `covers_start`
    means that the listing shows as many runs as the server counted on the first page, though more may have
    been made since. `server_date` is the server's clock at the first page, epoch seconds.
    """

    rows: tuple[RunSnapshot, ...]
    is_complete: bool
    covers_start: bool = False
    total: int | None = None
    server_date: float | None = None


class WebAgent(Protocol):
    """A client of the Web Agent API.

    Polls, listings and cancels raise WebAgentUnavailable (no usable answer: try again), NotPermitted (401) or
    WrongInput (404 or 405 of a whole endpoint: this is another API), and nothing else.
    """

    @property
    def key_id(self) -> str:
        """A salted, truncated digest of the API key, which differs from key to key and reveals none."""
        ...

    def prepare(self, url: str, goal: str, request: Mapping[str, Any]) -> PreparedCreate:
        """Build the body of a create; WrongInput if it cannot be built, as when a variable is not set."""
        ...

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and return whether its answer proves that a run was made.

        A network failure counts as an answer, which may prove nothing.
        """
        ...

    async def poll(self, run_ids: Sequence[str]) -> PollResult:
        """Poll any number of known runs."""
        ...

    async def find_by_marker(
        self, text: str, *, limit: int | None = None, since: float | None = None
    ) -> Listing:
        """List the runs whose goal contains `text`, ignoring case.

        With `limit`, only one page of at most that many runs is read. With `since`, in epoch seconds of the
        server's clock, only runs created from then on are listed, and a few that are up to a minute older.
        """
        ...

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Cancel any number of runs; the next poll shows what became of them."""
        ...
