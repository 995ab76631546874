"""Makes the concrete parts of a batch: the journal, the client, and the context of the stages."""

from __future__ import annotations

import os
import random
import secrets
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.cli.agreement import Question
from batchfish.cli.system_clock import SystemClock
from batchfish.core.addresses import is_loopback
from batchfish.core.pacing import Pacing
from batchfish.core.settings import settings_from
from batchfish.errors import BatchBusy, NeedsYes
from batchfish.journal import lock
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import Context, RunOptions, SessionState
from batchfish.pipeline.policy import policy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.cli.options import Pace
    from batchfish.core.rules import Rules
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.webagent.client import WebAgentClient
    from batchfish.webagent.creates import MakeCreateSender

MACHINE_ID = Path("/etc/machine-id")
NEAR_POLL_INTERVAL = 0.025
"""The shortest time between two polls of an API on this machine, in seconds."""

LOCK_INTERVAL = 1.0
"""Seconds between two attempts to lock a journal that another process owns."""


def chance() -> Callable[[], float]:
    """Return a source of random numbers between 0 and 1, seeded by the system."""
    return random.Random(os.urandom(16)).random  # noqa: S311 - it spreads waits, it guards nothing


@contextmanager
def owned_journal(
    path: Path,
    agreement: Agreement,
    *,
    on_wait: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[SqliteJournal]:
    """Own a journal during the block; BatchBusy if another process owns it, unless `on_wait` is given.

    Then its end is waited for; `on_wait` is called once, with a message. `sleep` is called with the seconds
    between two attempts. NeedsYes if the file was moved or copied and nobody agrees to that.
    """
    owner_lock = _lock(path, on_wait, sleep)
    try:
        journal = SqliteJournal(path)
        try:
            _check_identity(journal, agreement)
            yield journal
        finally:
            journal.close()
    finally:
        owner_lock.release()


def _lock(
    path: Path, on_wait: Callable[[str], None] | None, sleep: Callable[[float], None]
) -> lock.OwnerLock:
    has_told = False
    while True:
        try:
            return lock.OwnerLock(path)
        except BatchBusy as busy:
            if on_wait is None:
                raise
            if not has_told:
                on_wait(f"{busy.message}; waiting until it has ended")
                has_told = True
            sleep(LOCK_INTERVAL)


def identity_of(journal: Path) -> dict[str, str]:
    """Return what identifies a journal's file on this machine (see `lock.identify`)."""
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else None
    return lock.identify(journal, machine, SystemClock.boot_id)


def _check_identity(journal: SqliteJournal, agreement: Agreement) -> None:
    now = identity_of(journal.path)
    known = journal.reader.file_identity()
    if known is not None:
        try:
            lock.compare(dict(known), now)
        except NeedsYes as needed:
            agreement.settle(needed)
    journal.write_file_identity(now)


def make_client(
    access: Access, journal: SqliteJournal, env: Mapping[str, str], sender: MakeCreateSender | None = None
) -> WebAgentClient:
    """Return the client for a batch of a journal that this process owns.

    `sender` decides over which endpoint creates are sent; by default over `/run-async`.
    """
    if journal.reader.salt() is None:
        journal.write_salt(secrets.token_bytes(16))
    return make_client_to_read(access, journal.reader, env, sender)


def make_client_to_read(
    access: Access, reader: JournalReader, env: Mapping[str, str], sender: MakeCreateSender | None = None
) -> WebAgentClient:
    """Return a client for a batch of a journal that another process may own.

    The journal's salt makes the digest of the API key its own; the environment holds the secrets that the
    journal's requests name.
    """
    from batchfish.webagent.client import WebAgentClient
    from batchfish.webagent.creates import QueueingSender

    return WebAgentClient(
        api_key=access.api_key.value,
        base_url=access.base_url,
        salt=reader.salt() or b"",
        secrets={name: env[name] for name in reader.secret_names() if name in env},
        sender=sender or QueueingSender,
    )


def make_client_without_journal(access: Access) -> WebAgentClient:
    """Return a client that can only read: it makes no runs that a journal would have to know."""
    from batchfish.webagent.client import WebAgentClient

    return WebAgentClient(api_key=access.api_key.value, base_url=access.base_url)


@asynccontextmanager
async def open_context(
    journal: SqliteJournal,
    batch: Batch,
    access: Access,
    env: Mapping[str, str],
    console: Console,
    *,
    pace: Pace,
    agreement: Agreement,
    sender: MakeCreateSender | None = None,
) -> AsyncIterator[Context]:
    """Open a client for a batch during the block, and yield what its stages work with; see `make_client`."""
    async with make_client(access, journal, env, sender) as agent:
        yield _make_context(journal, batch, agent, console, pace, agreement, access.base_url)


def _make_context(
    journal: SqliteJournal,
    batch: Batch,
    agent: WebAgentClient,
    console: Console,
    pace: Pace,
    agreement: Agreement,
    base_url: str,
) -> Context:
    clock, usual = SystemClock(), RunOptions()
    policies = {one.pk: policy_of(one) for one in journal.reader.batches()}
    rules = rules_of(journal.reader, batch, pace)
    policies[batch.pk] = replace(policies[batch.pk], rules=rules)
    latest = journal.latest_accepted(agent.key_id)
    shortest = NEAR_POLL_INTERVAL if is_loopback(base_url) else usual.poll_interval
    return Context(
        journal=journal,
        agent=agent,
        clock=clock,
        chance=chance(),
        batch=batch,
        policies=policies,
        options=RunOptions(
            poll_interval=shortest if pace.poll_interval is None else pace.poll_interval,
            learns_interval=pace.poll_interval is None,
            max_outage=pace.max_outage,
            max_duration=pace.max_duration,
            drain=pace.drain,
        ),
        session=SessionState(
            began_at=clock.boottime(),
            markers=batch.markers,
            pacing=Pacing.within(rules.limits.concurrency),
            is_paused=settings_from(journal.reader.settings(batch.pk)).is_paused,
            last_accepted=latest.intended_at if latest else None,
        ),
        notice=console.warn,
        remark=console.say,
        accepted=frozenset(question for question in Question if agreement.has(question)),
    )


def rules_of(reader: JournalReader, batch: Batch, pace: Pace) -> Rules:
    """Return a batch's rules as settings and the command line have changed them."""
    settings = settings_from(reader.settings(batch.pk))
    return pace.applied_to(settings.applied_to(policy_of(batch).rules))
