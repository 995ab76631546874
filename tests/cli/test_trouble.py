"""Refusals of the account and outages of the API: no item fails, and the exit code says what helps."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.webagent.wire import error_envelope
from tests import loopback
from tests.cli.shop import open_shop
from tests.endtoend.serving import serving

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.cli.conftest import Command
    from tests.cli.shop import Shop

NOTHING_LISTED = {"data": [], "pagination": {"total": 0, "next_cursor": None, "has_more": False}}
RUN = ("run", "rows.csv", "--goal", "Read it.", "--settle", "2s")


def refusing(status: int, code: str, *, reads: str = "empty") -> AbstractContextManager[str]:
    """Serve an API that refuses creates, and reads too if `reads` says so; else its listings are empty."""

    class Refusal(loopback.Handler):
        def get(self) -> None:
            self.tell(status if reads == "refused" else 200)

        def post(self) -> None:
            self.read_body()
            self.tell(status)

        def tell(self, status: int) -> None:
            body = NOTHING_LISTED if status == 200 else error_envelope(code, "Refused.")
            self.answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    return loopback.serving(Refusal)


@pytest.mark.parametrize(
    ("status", "error", "reads", "code"),
    [
        (401, "INVALID_API_KEY", "refused", 77),
        (401, "INVALID_API_KEY", "empty", 77),
        (402, "INSUFFICIENT_CREDITS", "empty", 75),
        (403, "INSUFFICIENT_CREDITS", "empty", 75),
        (404, "NOT_FOUND", "empty", 2),
    ],
)
def test_a_refusal_of_the_account_fails_no_item(
    command: Command,
    status: int,
    error: str,
    reads: str,
    code: int,
) -> None:
    (command.folder / "rows.csv").write_text("url\nhttps://shop.example/1\nhttps://shop.example/2\n")
    with refusing(status, error, reads=reads) as base_url:
        command.use(base_url)
        outcome = command(*RUN)
    assert outcome.code == code, outcome
    assert "Refused." in outcome.err or "key" in outcome.err
    if reads == "empty":
        assert command("status", "--json").summary["counts"] == {"queued": 2}


def test_an_api_out_of_reach_is_try_later(command: Command, port: int) -> None:
    (command.folder / "rows.csv").write_text("url\nhttps://shop.example/1\n")
    command.use(f"http://127.0.0.1:{port}")
    assert command(*RUN, "--max-outage", "1s").code == 75


@pytest.mark.process
def test_an_outage_midway_is_try_later_and_the_same_command_goes_on(
    command: Command, port: int, request: pytest.FixtureRequest
) -> None:
    folder = command.folder / "server"
    with serving(folder, "duration=0.1", port=port) as server:
        shop = open_shop(command, server, request.node.nodeid)
        shop.write(1, 2, 3)
        assert shop.run("--limit", "1").code == 0
    outcome = shop.run("--max-outage", "1s")
    assert outcome.code == 75
    assert shop.paid() == [1]
    with serving(folder, "duration=0.1", port=port):
        assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3]


@pytest.mark.parametrize(("flags", "said"), [((), "`unanswered.settle`"), (("--settle", "2s"), "--settle")])
def test_a_short_settle_at_an_api_over_the_network_asks_before_anything_begins(
    command: Command, flags: tuple[str, ...], said: str
) -> None:
    (command.folder / "shop.yaml").write_text(
        "batchfish: 1\nitems:\n  - {url: 'https://shop.example/1', goal: Read it.}\n"
        f"unanswered: {{settle: {'5m' if flags else '1s'}}}\n"
    )
    command.use("https://api.example")
    for subcommand in ("run", "try"):
        outcome = command(subcommand, "shop.yaml", *flags)
        assert outcome.code == 6
        assert said in outcome.err
        assert "Use at least 30s. To agree, add --accept short-settle." in outcome.err
        assert command("ls", "--json").summary["batches"] == []


@pytest.mark.process
@pytest.mark.parametrize("subcommand", ["resume", "cancel"])
def test_a_batch_whose_settle_is_short_asks_before_it_goes_on(shop: Shop, subcommand: str) -> None:
    """An option may have replaced it when the batch began."""
    manifest = shop.write_manifest(1, 2, rules="unanswered: {settle: 2s}\n")
    assert shop.command("run", manifest, "--limit", "1").code == 0
    with closing(sqlite3.connect(shop.journal.path)) as connection, connection:
        connection.execute("UPDATE batches SET base_url = 'https://api.example'")
    shop.command.use("https://api.example")
    outcome = shop.command(subcommand, shop.name)
    assert outcome.code == 6
    assert "`unanswered.settle`" in outcome.err
    assert shop.command("status", "--json").summary["counts"] == {"queued": 1, "succeeded": 1}
