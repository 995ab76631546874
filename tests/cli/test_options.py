"""Every option that a command shows has an effect, and no command shows one that has none."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.cli.commands import COMMANDS
from batchfish.cli.options import Messages
from batchfish.cli.parser import Arguments, Group, arguments_of, build, parse, spelled
from batchfish.journal.lock import OwnerLock
from tests.cli.shop import SETTLE
from tests.cli.test_held import hold, live
from tests.documents import documents_in
from tests.endtoend.serving import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.cli.shop import Shop

COMMON = {"-q", "-v"}
MANIFEST = {"--goal", "--goal-file", "--schema", "--var", "--allow-duplicates"}
PLACE = {"--local", "--journal", "--json"}
TABLE = {"-o", "--csv-raw", "--head"}
ACCESS = {"--base-url", "--api-key-file"}
AGENT = {"--site", "--engine", "--chromium", "--cap", "--simulate", "--allow-origin", "--page-interval"}
AGREEMENT = {"--accept", "-y"}
CHOICE = {"--item", "--where"}
PART = {"--limit", "--sample"}
SUBMITTING = CHOICE | PART | {"-j", "--halt", "--drain", "--fail-on-error", "--if-running"}
FOLLOWING = (
    TABLE
    | ACCESS
    | AGENT
    | {
        "--settle",
        "--poll-interval",
        "--max-duration",
        "--max-outage",
        "--allow-empty",
        "--progress",
        "--joblog",
        "--metrics",
    }
    | {"--report"}
)

OFFERED = {
    "run": MANIFEST | PLACE | AGREEMENT | SUBMITTING | FOLLOWING | {"--new", "-n"},
    "resume": PLACE | AGREEMENT | SUBMITTING | FOLLOWING,
    "retry": PLACE | AGREEMENT | SUBMITTING | FOLLOWING | {"--failed", "--held", "--reason"},
    "cancel": PLACE | AGREEMENT | CHOICE | FOLLOWING,
    "recheck": PLACE | AGREEMENT | {"-o", "--csv-raw"},
    "audit": PLACE | ACCESS | AGENT | {"--cancel", "--max-outage"},
    "try": MANIFEST | PLACE | AGREEMENT | ACCESS | AGENT | {"--item", "--sync", "--settle"},
    "pause": PLACE | AGREEMENT,
    "unpause": PLACE | AGREEMENT,
    "set": PLACE | AGREEMENT,
    "held": PLACE | AGREEMENT | ACCESS | AGENT | {"--batch", "--attempt"},
    "init": AGREEMENT | {"-o", "--json"},
    "validate": MANIFEST | {"--json"},
    "plan": MANIFEST | PLACE | CHOICE | PART | {"--new", "-j"},
    "schema": {"--json"},
    "status": PLACE | {"--watch"},
    "results": PLACE | AGREEMENT | TABLE | {"--failed"},
    "diff": PLACE | AGREEMENT | TABLE | {"--compare"},
    "report": PLACE | AGREEMENT | {"-o"},
    "explain": PLACE | {"--batch"},
    "ls": PLACE,
    "completion": {"--json"},
    "doctor": PLACE | ACCESS | AGENT,
    "serve": AGENT | {"--port", "--store", "--token-file", "--json"},
}


def options_class_of(command: str) -> type[Arguments]:
    found: type[Arguments] = import_module(f"batchfish.cli.commands.{COMMANDS[command].module}").Options
    return found


def options_of(command: str) -> dict[str, str]:
    """Return the options that a command offers, by their shortest spelling, and the names of their fields."""
    groups = arguments_of(options_class_of(command), Messages).values()
    return {min(one.names, key=len): field for specs in groups for field, one in specs if one.names}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_offers_these_options_and_no_others(command: str) -> None:
    assert set(options_of(command)) == OFFERED[command] | COMMON


def classes_of_options(options: type[Arguments]) -> Iterator[type[Arguments]]:
    """Yield a class of options, and those of its groups."""
    yield options
    for one in options.specs.values():
        if isinstance(one, Group):
            yield from classes_of_options(one.options)


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the fields of their options that commands read while this test runs."""
    read: set[str] = set()

    def note(self: object, name: str) -> Any:  # noqa: ANN401 - whatever an option holds
        read.add(name)
        return object.__getattribute__(self, name)

    classes = {one for command in COMMANDS for one in classes_of_options(options_class_of(command))}
    for options in {*classes, Messages}:
        monkeypatch.setattr(options, "__getattribute__", note)
    return read


LOCAL = ("--local", "--engine", "simulate", "--simulate", "duration=0")
GOAL = ("--goal", "Read it.")

NOTHING = ("--where", "false", *LOCAL)

SCENES: dict[str, list[tuple[str, ...]]] = {
    "run": [
        ("run", "-n", "shop.yaml", "--local"),
        ("run", "shop.yaml", *NOTHING),
        ("run", "shop.yaml", *LOCAL),
    ],
    "resume": [("resume", "shop", *NOTHING), ("resume", "shop", *LOCAL)],
    "retry": [("retry", "shop", "--failed", *NOTHING), ("retry", "shop", "--failed", *LOCAL)],
    "cancel": [("cancel", "shop", *NOTHING), ("cancel", "shop", *LOCAL)],
    "audit": [("audit", "shop", *LOCAL)],
    "try": [("try", "shop.yaml", *LOCAL)],
    "held": [("held", "list", "--local"), ("held", "drop", "i2", "--local")],
    "init": [("init", "-o", "pages.yaml", "--json"), ("init", "-o", "pages.yaml", "-y")],
    "validate": [("validate", "shop.yaml")],
    "plan": [("plan", "shop.yaml", "--local")],
    "schema": [("schema",)],
    "status": [("status", "--local")],
    "results": [("results", "--local")],
    "diff": [("diff", "--local"), ("diff", "--local", "-o", "changes.csv")],
    "report": [("report", "--local")],
    "explain": [("explain", "i1", "--local")],
    "ls": [("ls",)],
    "completion": [("completion", "bash")],
    "doctor": [("doctor",), ("doctor", *LOCAL)],
}
READING = ("audit", "diff", "explain", "ls", "plan", "report", "results", "status", "validate")
"""Commands that leave the batch as it is: one folder serves them all."""


MANIFEST_THAT_FAILS = """\
batchfish: 1
name: shop
defaults: {goal: Read it.}
items:
  - {id: i1, url: "https://shop.example/1"}
  - {id: i2, url: "https://shop.example/2"}
checks:
  - {expr: "false", reason: wrong_book}
"""


@contextmanager
def another_owner_of(journal: Path) -> Iterator[None]:
    """Hold the journal's lock during the block, as another process would."""
    lock = OwnerLock(journal)
    try:
        yield
    finally:
        lock.release()


@pytest.mark.process
@pytest.mark.parametrize(
    "subcommands", [READING, *((subcommand,) for subcommand in sorted(set(SCENES) - set(READING)))]
)
def test_no_option_that_is_offered_is_left_unread(
    command: Command, spied: set[str], subcommands: Sequence[str]
) -> None:
    """An option whose value is never read has no effect."""
    (command.folder / "shop.yaml").write_text(MANIFEST_THAT_FAILS)
    assert command("run", "shop.yaml", *LOCAL, "--limit", "1").code == 1
    for subcommand in subcommands:
        spied.clear()
        if subcommand != "cancel":  # which would wait for the other process to take in its request
            with another_owner_of(command.folder / ".batchfish" / "local" / "shop.db"):
                command(*SCENES[subcommand][-1])
        for scene in SCENES[subcommand]:
            command(*scene)
        offered = set(options_of(subcommand).values())
        if subcommand == "retry":  # one of three must be given: if not the others, it is this one
            offered -= {"failed"}
        assert offered - spied == set(), subcommand


SELECTIONS = [
    (("--item", "i3"), {"i3"}),
    (("--item", "i2", "--item", "i3"), {"i2", "i3"}),
    (("--where", "id != 'i2'"), {"i3", "i4"}),
    (("--item", "i2", "--item", "i3", "--where", "id != 'i2'"), {"i3"}),
    (("--limit", "1"), {"i2"}),
    (("--sample", "3"), {"i2", "i3", "i4"}),
    ((), {"i2", "i3", "i4"}),
]


@pytest.fixture
def begun(shop: Shop) -> Shop:
    """Return a batch of four items, the first of which has succeeded."""
    shop.write(1, 2, 3, 4)
    assert shop.run("--item", "i1").code == 0
    return shop


def ids(shop: Shop, status: str) -> set[str]:
    return {name for (name, now) in shop.journal.read("SELECT id, status FROM items") if now == status}


@pytest.mark.process
@pytest.mark.parametrize(
    ("flags", "chosen"), [one for one in SELECTIONS if not {"--limit", "--sample"} & set(one[0])]
)
def test_cancel_is_about_what_is_selected(begun: Shop, flags: tuple[str, ...], chosen: set[str]) -> None:
    begun.command("cancel", begun.name, *flags, *SETTLE)
    assert ids(begun, "cancelled") == chosen
    assert ids(begun, "queued") == {"i2", "i3", "i4"} - chosen


@pytest.mark.process
@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--item", "nosuch"), 2),
        (("nosuch",), 2),
        (("i2", "--item", "nosuch"), 2),
        (("--where", "price >"), 2),
        (("--where", "id == 'nosuch'"), 5),
        (("--where", "id == 'nosuch'", "--allow-empty"), 0),
        (("--limit", "1"), 2),
        (("--sample", "1"), 2),
    ],
)
def test_a_cancel_of_nothing_records_nothing(begun: Shop, flags: tuple[str, ...], code: int) -> None:
    assert begun.command("cancel", begun.name, *flags).code == code
    assert begun.journal.read("SELECT count(*) FROM items WHERE cancel_wish = 1") == [(0,)]
    assert ids(begun, "queued") == {"i2", "i3", "i4"}


@pytest.mark.process
def test_cancel_beside_a_running_process_is_about_what_is_selected(patient_shop: Shop) -> None:
    patient_shop.write(1, 2, 3)
    process = patient_shop.start("-j", "3")
    until(lambda: len(patient_shop.paid()) == 3)
    refused = patient_shop.command("cancel", patient_shop.name, "--item", "i2", "-o", "table.csv")
    assert (refused.code, "Leave out --output" in refused.err) == (2, True)
    refused = patient_shop.command("cancel", patient_shop.name, "--item", "i2", "--report", "shop.html")
    assert (refused.code, "Leave out --report" in refused.err) == (2, True)
    told = patient_shop.command("cancel", patient_shop.name, "--where", "id == 'i2'", "--json")
    assert (told.code, told.summary["type"]) == (0, "summary")
    until(lambda: ids(patient_shop, "cancelled") == {"i2"})
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=60)


@pytest.mark.process
@pytest.mark.parametrize(("flags", "chosen"), SELECTIONS)
def test_retry_is_about_what_is_selected_of_what_failed(
    shop: Shop, flags: tuple[str, ...], chosen: set[str]
) -> None:
    """The first of those that failed, not those among the first that failed."""
    rules = "checks:\n  - {expr: \"id == 'i1'\", reason: wrong_book}\n"
    shop.command("run", shop.write_manifest(1, 2, 3, 4, rules=rules), *SETTLE)
    assert shop.command("retry", shop.name, "--failed", *flags, *SETTLE).code == 1
    assert shop.paid() == sorted([1, 2, 3, 4, *(int(name[1:]) for name in chosen)])


@pytest.mark.process
@pytest.mark.parametrize(("flags", "code"), [(("--item", "nosuch"), 2), (("--item", "i1"), 5)])
def test_a_retry_of_nothing_records_nothing(shop: Shop, flags: tuple[str, ...], code: int) -> None:
    rules = "checks:\n  - {expr: \"id == 'i1'\", reason: wrong_book}\n"
    shop.command("run", shop.write_manifest(1, 2, rules=rules), *SETTLE)
    assert shop.command("retry", shop.name, "--failed", *flags, *SETTLE).code == code
    assert shop.command("status", "--json").summary["exit_code"] == 1


@pytest.mark.process
@pytest.mark.parametrize(
    ("flags", "chosen"), [one for one in SELECTIONS if not {"--limit", "--sample"} & set(one[0])]
)
def test_resume_is_about_what_is_selected(begun: Shop, flags: tuple[str, ...], chosen: set[str]) -> None:
    assert begun.command("resume", begun.name, *flags, *SETTLE).code == 0
    assert ids(begun, "succeeded") == {"i1"} | chosen


@pytest.mark.process
def test_a_misspelt_item_is_an_error_though_the_batch_is_finished(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    for subcommand in ("resume", "cancel"):
        assert shop.command(subcommand, shop.name, "--item", "nosuch").code == 2


@pytest.mark.parametrize("subcommand", ["run", "try"])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--engine", "browser"), "--engine is for the local agent. Add --local"),
        (("--simulate", "reset=0.3"), "--simulate is for the local agent"),
        (("--site", "site"), "--site is for the local agent"),
        (("--cap", "3"), "--cap is for the local agent"),
        (("--chromium", "chromium"), "--chromium is for the local agent"),
        (("--allow-origin", "http://127.0.0.1:1"), "--allow-origin is for the local agent"),
        (("--page-interval", "0"), "--page-interval is for the local agent"),
        (("--local", "--base-url", "https://api.example"), "--base-url is for a remote API"),
        (("--local", "--api-key-file", "key"), "--api-key-file is for a remote API"),
    ],
)
def test_options_of_the_other_api_are_refused(
    offline: Command, subcommand: str, flags: tuple[str, ...], said: str
) -> None:
    """A rehearsal whose `--local` was forgotten would be paid for."""
    (offline.folder / "shop.csv").write_text("url\nhttps://shop.example/1\n")
    outcome = offline(subcommand, "shop.csv", *GOAL, *flags)
    assert (outcome.code, said in outcome.err) == (2, True)
    assert not (offline.folder / ".batchfish").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "words", [("resume",), ("retry", "--held", "-y"), ("cancel",), ("held", "drop", "i2")], ids=" ".join
)
def test_options_of_the_local_agent_are_refused_for_a_batch_of_another_api(
    begun: Shop, words: tuple[str, ...]
) -> None:
    live(begun, "i2", hold)
    outcome = begun.command(*words, "--engine", "browser")
    assert (outcome.code, "--engine is for the local agent" in outcome.err) == (2, True)
    assert ids(begun, "held") == {"i2"}
    assert begun.paid() == [1]


@pytest.mark.parametrize(
    "words",
    [
        ("--concurrency", "7"),
        ("--concurrency", "auto"),
        ("--concurrency", "1-5-200"),
        ("--halt", "5%"),
        ("--halt", "3"),
        ("--fail-on-error", "2.5%"),
        ("--max-duration", "5400s"),
        ("--poll-interval", "250ms"),
        ("--settle", "31536000s"),
        ("--var", "month=2026-11", "--var", "note=a=b"),
        ("--item", "i1", "--item", "i 2", "--limit", "3"),
        ("--output", "a b.csv", "--local", "--accept", "changes"),
        ("--goal=-1 or less", "--item=-x", "--var", "sign=-"),
    ],
)
def test_what_a_command_line_gives_is_spelled_so_that_it_gives_the_same(words: tuple[str, ...]) -> None:
    options = options_class_of("run")
    (found,) = parse(build("run", "run", options), ("shop.csv", *words), options)
    assert parse(build("run", "run", options), spelled(found), options) == [found]


@pytest.mark.process
def test_a_dry_run_of_a_drain_submits_nothing(begun: Shop) -> None:
    planned = begun.command("run", "-n", begun.file.name, *GOAL, "--drain", "--json").summary
    assert planned["to_submit"] == planned["most_runs"] == 0


@pytest.mark.process
def test_rows_that_are_asked_for_are_shown(shop: Shop) -> None:
    shop.write(1, 2)
    assert "i1  " in shop.run("--head", "1", "-q").out
    for words in (("resume", shop.name), ("results", shop.name), ("results", shop.name, "-o", "table.csv")):
        shown = documents_in(shop.command(*words, "--head", "1", "--json").out)
        (rows,) = [one["rows"] for one in shown if one["type"] == "rows"]
        assert [(row["item_id"], row["status"]) for row in rows] == [("i1", "succeeded")]


@pytest.mark.process
def test_ls_lists_rehearsals_alone_where_that_is_asked_for(begun: Shop) -> None:
    local = ("--local", "--engine", "simulate", "--simulate", "duration=0")
    begun.command("run", begun.file.name, *GOAL, *local, "--limit", "1", "-o", "rehearsed.csv")

    def listed(*flags: str) -> list[bool]:
        return [one["local"] for one in begun.command("ls", "--json", *flags).summary["batches"]]

    assert listed() == [False, True]
    assert listed("--local") == [True]


@pytest.mark.parametrize("flags", [("i1",), ("--attempt", "1"), ("--base-url", "https://api.example")])
def test_a_list_of_what_is_held_takes_no_options_of_a_decision(
    offline: Command, flags: tuple[str, ...]
) -> None:
    (offline.folder / "shop.csv").write_text("url\nhttps://shop.example/1\n")
    offline("run", "shop.csv", *GOAL, "--where", "false")
    outcome = offline("held", "list", *flags)
    assert (outcome.code, f"Leave out {flags[0]}" in outcome.err) == (2, True)


@pytest.mark.process
@pytest.mark.parametrize(
    "words",
    [
        lambda shop: ("run", shop.file.name, *GOAL, "--where", "false"),
        lambda shop: ("resume", shop.name, "--where", "false"),
        lambda shop: ("cancel", shop.name, "--where", "false"),
        lambda shop: ("retry", shop.name, "--failed"),
    ],
)
def test_nothing_selected_is_a_summary_too(begun: Shop, words: Callable[[Shop], tuple[str, ...]]) -> None:
    outcome = begun.command(*words(begun), "--json", *SETTLE)
    assert (outcome.code, outcome.summary["exit_code"]) == (5, 5)
