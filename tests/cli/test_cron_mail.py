"""What a scheduler mails: what a process prints that has no terminal."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.serving import PATIENCE

if TYPE_CHECKING:
    from tests.cli.shop import Shop

pytestmark = pytest.mark.process

SECOND_FAILS = "checks:\n  - {expr: \"id != 'i2'\", reason: wrong_book}\n"


def mail(shop: Shop, *words: str) -> tuple[int, str]:
    """Run the shop's batch as cron does, both streams into one; return the exit code and the mail."""
    process = shop.start(*words, stderr=subprocess.STDOUT)
    text, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, text


@pytest.mark.parametrize("words", [(), ("--limit", "2", "-v")])
def test_a_mail_holds_no_bar_and_no_escape_codes(shop: Shop, words: tuple[str, ...]) -> None:
    shop.write(1, 2)
    code, text = mail(shop, *words)
    assert code == 0
    assert text.replace("\n", "").isprintable()
    assert "%|" not in text
    assert f"{shop.name}: 2 succeeded" in text.splitlines()


def test_there_is_no_mail_with_q_when_all_is_well(shop: Shop) -> None:
    shop.write(1, 2)
    assert mail(shop, "-q") == (0, "")
    assert mail(shop, "-q") == (0, "")
    shop.write(1, 2, 3)
    assert mail(shop, "-q", "--where", "false", "--allow-empty") == (0, "")


def test_the_mail_of_a_quiet_command_says_what_is_wrong(shop: Shop) -> None:
    manifest = shop.write_manifest(1, 2, rules=SECOND_FAILS)
    for _ in range(2):  # a finished batch ends with the same exit code, and says why again
        outcome = shop.command("run", manifest, "-q", "--settle", "2s")
        assert outcome.code == 1
        assert "1 succeeded, 1 failed" in outcome.err
        assert f"batchfish results {shop.name} --failed -o failed.csv" in outcome.err
    allowed = shop.command("run", manifest, "--new", "-q", "--settle", "2s", "--fail-on-error", "1")
    assert allowed == (0, "", "")


def test_a_quiet_command_that_stops_early_names_the_command_that_goes_on(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1", "-q")
    outcome = shop.command("resume", shop.name, "--drain", "-q")
    assert outcome.code == 3
    assert f"go on with: batchfish resume {shop.name}" in outcome.err
