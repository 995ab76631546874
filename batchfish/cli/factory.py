"""The one place that names the concrete parts: clock, journal, client, and what they are made of."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.agreement import Question
from batchfish.core.pacing import Pacing
from batchfish.errors import NeedsYes
from batchfish.journal import lock, meta, queries
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import Context, RunOptions, SessionState
from batchfish.pipeline.policy import policy_of

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.core.rules import Rules
    from batchfish.journal.base import Batch
    from batchfish.webagent.client import WebAgentClient
    from batchfish.webagent.creates import MakeCreateSender

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE_ID = Path("/etc/machine-id")
POLL_NEAR = 0.25
"""Seconds between looks at an API on this machine."""


class SystemClock:
    """The machine's own clocks."""

    boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"

    def now(self) -> float:
        """Give epoch seconds."""
        return time.time()

    def boottime(self) -> float:
        """Give seconds since boot, suspension included where the system counts it."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@contextmanager
def owned_journal(path: Path, agreement: Agreement) -> Iterator[SqliteJournal]:
    """Own a journal for the time of the block; NeedsYes where it was moved or copied and nobody agrees."""
    owner_lock = lock.OwnerLock(path)
    try:
        journal = SqliteJournal(path)
        try:
            _check_identity(journal, agreement)
            yield journal
        finally:
            journal.close()
    finally:
        owner_lock.release()


def _check_identity(journal: SqliteJournal, agreement: Agreement) -> None:
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else None
    now = lock.identify(journal.path, machine, SystemClock.boot_id)
    known = meta.read(journal.connection, "place")
    if known is not None:
        try:
            lock.compare(json.loads(known), now)
        except NeedsYes as needed:
            agreement.settle(needed)
    meta.write(journal.connection, "place", json.dumps(now))


def make_agent(
    access: Access, journal: SqliteJournal, env: Mapping[str, str], sender: MakeCreateSender | None = None
) -> WebAgentClient:
    """Return the client for a batch; `sender` decides over which endpoint it sends creates."""
    if meta.read(journal.connection, "salt") is None:
        meta.write(journal.connection, "salt", secrets.token_hex(16))
    return _make_agent(access, journal.connection, env, sender)


def make_agent_to_read(
    access: Access, connection: sqlite3.Connection, env: Mapping[str, str]
) -> WebAgentClient:
    """Return a client for a journal that is only read while another process owns it."""
    return _make_agent(access, connection, env)


def _make_agent(
    access: Access,
    connection: sqlite3.Connection,
    env: Mapping[str, str],
    sender: MakeCreateSender | None = None,
) -> WebAgentClient:
    from batchfish.webagent.client import WebAgentClient
    from batchfish.webagent.creates import QueueingSender

    return WebAgentClient(
        api_key=access.api_key.value,
        base_url=access.base_url,
        salt=bytes.fromhex(meta.read(connection, "salt") or ""),
        secrets={name: env[name] for name in queries.secret_names(connection) if name in env},
        sender=sender or QueueingSender,
    )


def chance() -> Callable[[], float]:
    """Give the process's own chance, seeded by the system."""
    return random.Random(os.urandom(16)).random  # noqa: S311 - it spreads waits, it guards nothing


def make_context(
    args: Namespace,
    journal: SqliteJournal,
    batch: Batch,
    agent: WebAgentClient,
    console: Console,
    *,
    is_near: bool,
) -> Context:
    """Put together what the stages work with."""
    clock = SystemClock()
    terms = {one.pk: policy_of(one) for one in queries.all_batches(journal.connection)}
    rules = with_flags(terms[batch.pk].rules, args)
    terms[batch.pk] = replace(terms[batch.pk], rules=rules)
    latest = journal.latest_accepted(agent.key_id)
    return Context(
        journal=journal,
        agent=agent,
        clock=clock,
        chance=chance(),
        batch=batch,
        policies=terms,
        options=RunOptions(
            poll_interval=args.poll_interval or (POLL_NEAR if is_near else RunOptions().poll_interval),
            max_outage=args.max_outage,
            max_duration=args.max_duration,
            drain=args.drain,
        ),
        session=SessionState(
            began_at=clock.boottime(),
            markers=batch.markers,
            pacing=Pacing(concurrency=rules.limits.concurrency),
            last_accepted=latest.intended_at if latest else None,
        ),
        notice=console.warn,
        accepted=frozenset(question for question in Question if args.agreement.has(question)),
    )


def with_flags(rules: Rules, args: Namespace) -> Rules:
    """Let flags win over what the manifest says."""
    limits, unanswered = rules.limits, rules.unanswered
    if args.concurrency is not None:
        limits = replace(limits, concurrency=args.concurrency)
    if args.halt is not None:
        limits = replace(limits, halt=args.halt)
    if args.settle is not None:
        unanswered = replace(unanswered, settle=args.settle)
    return replace(rules, limits=limits, unanswered=unanswered)
