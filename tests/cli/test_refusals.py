"""Starts that are refused: who is told, although no batch has a record of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import SETTLE
from tests.cli.test_notifications import FAILING, HOOK, listener, run
from tests.documents import check_document
from tests.endtoend.serving import until
from tests.notify.listener import listening

if TYPE_CHECKING:
    from tests.cli.shop import Shop
    from tests.notify.listener import Listener

pytestmark = pytest.mark.process

__all__ = ["listener"]


def lose_key(shop: Shop) -> None:
    shop.command.monkeypatch.delenv("TINYFISH_API_KEY")


def test_a_start_without_a_key_is_told_each_time_whatever_the_condition(
    shop: Shop, listener: Listener
) -> None:
    lose_key(shop)
    for _ in range(2):
        assert run(shop, 1, 2, rules=HOOK + "    only_if: failed > 0\n").code == 2
    first, second = listener.bodies
    check_document(first)
    assert (first["batch"], first["event"], first["reason"]) == (shop.name, "stopped", "wrong_input")
    assert (first["exit_code"], first["counts"]) == (2, {})
    assert first["message"].startswith("there is no API key. Set TINYFISH_API_KEY")
    assert f"Why it stopped: {first['message']}\n" in first["text"]
    assert first["resume"] == f"batchfish run {shop.name}.yaml"
    assert first["subject"] == f"batchfish: {shop.name} stopped (wrong input): nothing was submitted"
    assert {**first, "at": 0, "text": ""} == {**second, "at": 0, "text": ""}
    assert not shop.paid()


def test_a_key_that_the_api_refuses_is_told_before_a_batch_begins(shop: Shop, listener: Listener) -> None:
    shop.command.use(shop.server.base_url, key="sk-canary-other")
    outcome = run(shop, 1)
    assert outcome.code == 77
    assert "notified webhook $SHOP_HOOK: stopped" in outcome.err
    assert [body["reason"] for body in listener.bodies] == ["not_permitted"]


def test_a_question_that_nobody_agrees_to_is_told(shop: Shop, listener: Listener) -> None:
    run(shop, 1, 2, rules=HOOK)
    manifest = shop.file.with_suffix(".yaml")
    manifest.write_text(manifest.read_text().replace("Read it.", "Read all of it."))
    assert shop.command("run", manifest.name, *SETTLE).code == 6
    assert [(body["event"], body["reason"]) for body in listener.bodies] == [
        ("finished", None),
        ("stopped", "needs_yes"),
    ]


def test_rows_that_are_wrong_are_told(shop: Shop, listener: Listener) -> None:
    shop.write_manifest(1, rules=HOOK)
    manifest = shop.file.with_suffix(".yaml")
    manifest.write_text(manifest.read_text().replace(shop.url(1), "not a URL"))
    assert shop.command("run", manifest.name, *SETTLE).code == 2
    assert [body["reason"] for body in listener.bodies] == ["invalid_manifest"]


def test_a_batch_that_cannot_be_continued_is_told(shop: Shop, listener: Listener) -> None:
    run(shop, 1, 2, flags=("--limit", "1"))
    lose_key(shop)
    assert shop.command("resume", shop.name).code == 2
    (body,) = listener.bodies
    assert body["resume"] == f"batchfish resume {shop.name}"
    assert shop.command("run", f"{shop.name}.yaml").code == 2
    assert listener.bodies[-1]["resume"] == f"batchfish run {shop.name}.yaml"


def test_what_passes_by_itself_is_not_told(patient_shop: Shop, listener: Listener) -> None:
    manifest = patient_shop.write_manifest(1, rules=HOOK)
    patient_shop.write(1)
    process = patient_shop.start()
    until(patient_shop.paid)
    assert patient_shop.command("run", manifest, *SETTLE).code == 75
    patient_shop.command("cancel", patient_shop.name)
    process.communicate()
    assert listener.requests == []


def test_a_target_that_wants_no_stops_is_not_told(shop: Shop, listener: Listener) -> None:
    lose_key(shop)
    assert run(shop, 1, rules=HOOK + "    on: [finished]\n").code == 2
    assert listener.requests == []


def test_an_error_of_a_batch_that_has_begun_is_told_once(shop: Shop, listener: Listener) -> None:
    run(shop, 1, 2, rules=HOOK + FAILING, flags=("--limit", "1"))
    shop.command.use(shop.server.base_url, key="sk-canary-other")
    assert run(shop, 1, 2).code == 77
    assert [body["event"] for body in listener.bodies] == ["stopped"]


def test_a_target_that_fails_changes_nothing(shop: Shop) -> None:
    with listening(lambda _: (503, {})) as busy:
        shop.command.monkeypatch.setenv("SHOP_HOOK", busy.url)
        shop.command.monkeypatch.setattr("batchfish.notify.delivery.FIRST_WAIT", 0.01)
        lose_key(shop)
        outcome = run(shop, 1)
    assert outcome.code == 2
    assert "notify: nothing was sent to webhook $SHOP_HOOK" in outcome.err
    assert "it was the last try" in outcome.err
    assert len(busy.requests) == 3
