"""`--json`: each command offers it, and each document that one prints is described by a JSON Schema."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from batchfish.cli.commands import COMMANDS
from batchfish.cli.documents import DocumentType, document
from batchfish.cli.parser import arguments_of
from batchfish.core.items import AttemptState, Status
from tests.documents import SCHEMAS, documents_in, keys_of, schema_of
from tests.endtoend.commands import Desk
from tests.endtoend.serving import PATIENCE

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.shop import Shop

PUBLISHED = Path(__file__).parent / "published_keys.txt"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_offers_json(name: str) -> None:
    options = import_module(f"batchfish.cli.commands.{COMMANDS[name].module}").Options
    groups = arguments_of(options).values()
    offered = {spelling for specs in groups for _, one in specs for spelling in one.names}
    assert "--json" in offered


def test_each_type_of_document_has_a_schema() -> None:
    """A document of another type than these cannot be printed."""
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(DocumentType)


@pytest.mark.parametrize("kind", list(DocumentType))
def test_a_schema_is_valid_and_describes_each_key(kind: str) -> None:
    schema = schema_of(kind)
    meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["type"] == {"const": kind}
    check_description(schema, kind)


def check_description(schema: dict[str, Any], path: str) -> None:
    """Every key is described, is always there, and may be joined by others in later versions."""
    assert schema["description"].endswith("."), path
    check_objects(schema, path)


def check_objects(schema: dict[str, Any], path: str) -> None:
    if "properties" in schema:
        assert schema["required"] == list(schema["properties"]), path
        assert "additionalProperties" not in schema, path
    for name, part in schema.get("properties", {}).items():
        if part != {"const": schema.get("title")}:
            check_description(part, f"{path}.{name}")
    if "items" in schema:
        check_objects(schema["items"], f"{path}[]")


def test_no_key_that_was_published_is_gone() -> None:
    """Programs read these keys. Add new ones to the file; never rename or remove one."""
    published = PUBLISHED.read_text(encoding="utf-8").splitlines()
    keys = sorted(key for kind in DocumentType for key in keys_of(kind))
    assert [key for key in published if key not in keys] == []
    assert [key for key in keys if key not in published] == [], f"add these to {PUBLISHED.name}"
    assert published == sorted(published)


def test_statuses_and_states_are_those_of_the_program() -> None:
    for kind in DocumentType:
        for values in enumerations(schema_of(kind)):
            if "queued" in values:
                assert set(values) == set(Status), kind
            if "submitting" in values and "queued" not in values:
                assert set(values) == set(AttemptState), kind


def enumerations(schema: object) -> list[list[str]]:
    match schema:
        case {"enum": list(values)}:
            return [values]
        case dict():
            return [values for part in schema.values() for values in enumerations(part)]
        case _:
            return []


def test_a_document_is_a_line_of_json_that_controls_no_terminal() -> None:
    hostile = "a\nb\r\t\x1b]0;title\x07 \x7f \x9b31m \u202e \u2066 \ud83d é"
    printed = document(DocumentType.TRY, result=hostile)
    assert printed.isascii()
    assert printed.isprintable()
    assert json.loads(printed) == {"type": "try", "result": hostile}


def test_a_schema_refuses_another_type_and_a_missing_key() -> None:
    validator = Draft202012Validator(schema_of("table"))
    table = {"type": "table", "path": "a.csv", "rows": 1, "batch": "prices"}
    assert validator.is_valid({**table, "added_later": 1})
    assert not validator.is_valid({**table, "type": "tables"})
    assert not validator.is_valid({key: value for key, value in table.items() if key != "rows"})


PRINTED = {
    "validate": (("shop.yaml",), {"validation"}),
    "plan": (("shop.yaml",), {"plan"}),
    "run": (("shop.yaml", "--head", "1", "--progress", "json"), {"launch", "rows", "summary"}),
    "resume": (("shop",), {"launch", "summary"}),
    "retry": (("shop", "--failed"), {"launch", "summary"}),
    "cancel": (("shop",), {"summary"}),
    "pause": (("shop",), {"settings"}),
    "unpause": (("shop",), {"settings"}),
    "set": (("shop", "concurrency=3"), {"settings"}),
    "init": ((), {"manifest"}),
    "try": (("shop.yaml",), {"try"}),
    "status": ((), {"status"}),
    "results": ((), {"table"}),
    "diff": ((), {"diff"}),
    "report": ((), {"report"}),
    "explain": (("i1",), {"item"}),
    "ls": ((), {"batches"}),
    "held": ((), {"held"}),
    "recheck": ((), {"recheck"}),
    "audit": ((), {"audit"}),
    "doctor": ((), {"diagnosis"}),
    "schema": ((), {"schema"}),
    "completion": (("bash",), {"completion"}),
}
"""What each command is given in turn, and the types of the documents that it then prints."""

ELSEWHERE = {
    "decision": "docs/agents.md",
    "error": "tests/cli/test_failures.py",
    "listening": "tests/cli/test_documents.py",
    "notification": "tests/cli/test_notifications.py",
    "progress": "tests/cli/test_run.py",
}
"""Types that are printed in other tests."""


@pytest.mark.process
def test_each_command_prints_documents_of_a_real_batch(shop: Shop) -> None:
    second_fails = "checks:\n  - {expr: \"id != 'i2'\", reason: wrong_book}\n"
    text = (shop.command.folder / shop.write_manifest(1, 2, rules=second_fails)).read_text()
    (shop.command.folder / "shop.yaml").write_text(text.replace(f"name: {shop.name}", "name: shop"))
    for name, (words, kinds) in PRINTED.items():
        printed = documents_in(shop.command(name, *words, "--json").out)
        assert {one["type"] for one in printed} - {"progress"} == kinds, name


def test_no_command_and_no_type_is_left_out() -> None:
    assert set(PRINTED) == set(COMMANDS) - {"serve"}
    printed = {kind for _, kinds in PRINTED.values() for kind in kinds}
    assert printed | set(ELSEWHERE) == set(DocumentType)
    for kind, file in ELSEWHERE.items():
        assert f'"{kind}"' in (Path(__file__).parents[2] / file).read_text(encoding="utf-8")


@pytest.mark.process
def test_serve_prints_where_it_listens(command: Command) -> None:
    desk = Desk(folder=command.folder, base_url="", started=command.started)
    agent = desk.start("serve", "--port", "0", "--json")
    assert agent.stdout is not None
    (listening,) = documents_in(agent.stdout.readline())
    assert listening["type"] == "listening"
    assert (command.folder / listening["key_file"]).stat().st_mode & 0o077 == 0
    done = command(
        "doctor", "--base-url", listening["url"], "--api-key-file", listening["key_file"], "--json"
    )
    assert {one["check"]: one["state"] for one in done.summary["checks"]}["key"] == "ok"
    agent.terminate()
    assert agent.wait(PATIENCE) == 0


@pytest.mark.process
def test_serve_ends_with_an_error_document_where_it_cannot_serve(command: Command) -> None:
    failed = command("serve", "--port", "0", "--site", "nosuch", "--json")
    assert (failed.code, failed.summary["error"]["kind"]) == (2, "wrong_input")
