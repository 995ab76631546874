"""The JSON Schema of manifests: it has the keys that the readers know, and agrees with them on values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from batchfish.core.schema.subset import KEYWORDS
from batchfish.manifest.json_schema import DIALECT, manifest_schema
from batchfish.manifest.problems import Refused
from batchfish.manifest.text_files import inspect_file, open_text
from batchfish.manifest.yaml_events import read_document
from batchfish.manifest.yaml_manifest import KEYS

if TYPE_CHECKING:
    from batchfish.manifest.values import ValueReader

ROOT = Path(__file__).parents[2]
BAD = Path(__file__).parent / "bad"
SAMPLES = sorted(
    path
    for folder in ("sample_inputs", "jobs")
    for path in (ROOT / folder).iterdir()
    if path.suffix in {".yaml", ".jsonl"}
)
ONLY_VALIDATE_FINDS = {
    "bad_check",
    "budget_fraction",
    "budget_period",
    "bad_share",
    "call_in_check",
    "compare_key",
    "compare_unknown",
    "compare_unknown_record",
    "forged_marker",
    "fresh_without_period",
    "hold_without_marker",
    "id_twice",
    "key_in_goal",
    "login_in_url",
    "missing_source",
    "missing_variable",
    "no_goal",
    "notify_argument",
    "notify_condition",
    "notify_spent",
    "no_url",
    "profile_off",
    "proxy_incomplete",
    "row_twice",
    "schema_required",
    "schema_top",
    "space_in_url",
    "three_braces",
    "unknown_filter",
    "unknown_id_column",
    "unknown_name_in_check",
    "unknown_variable",
    "unknown_where_column",
    "vault_off",
    "wait_reversed",
}
"""Wrong manifests that the schema accepts: their faults depend on other keys, on files, or on templates."""

SCHEMA = manifest_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


def resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a schema refers to; of a list's schema, that of its entries that are maps."""
    if "$ref" in schema:
        return resolve(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if schema.get("type") == "array" and "items" in schema:
        entries = resolve(schema["items"])
        maps = [entries, *(resolve(one) for one in entries.get("anyOf", ()))]
        return next((one for one in maps if "properties" in one), schema)
    return schema


def leaves(table: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[Any, ...]]:
    """Yield path, reader and schema of every key without keys of its own; the keys of maps must agree."""
    described = schema["properties"]
    assert set(described) == set(table), (
        f"json_schema.py or request_schema.py, and the readers, know other keys in {path or 'a manifest'}: "
        f"{', '.join(sorted(set(described) ^ set(table)))}"
    )
    for name, reader in table.items():
        below = resolve(described[name])
        if isinstance(reader, Mapping):
            yield from leaves(reader, below, f"{path}{name}.")
        else:
            yield f"{path}{name}", reader, below


LEAVES = list(leaves(KEYS, SCHEMA))


def read(path: Path) -> object:
    """Return what a YAML file holds, as manifests are read."""
    with open_text(inspect_file(path)) as stream:
        return read_document(stream).value


def faults(value: object) -> list[str]:
    return [str(error.message) for error in VALIDATOR.iter_errors(value)]


def test_the_schema_is_one_of_its_dialect() -> None:
    assert SCHEMA["$schema"] == DIALECT
    jsonschema_rs.meta.validate(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_key_is_described() -> None:
    assert len(LEAVES) > 60
    undescribed = [
        path
        for path, _, schema in LEAVES
        if not schema.get("description") and not path.endswith(("output_schema",))
    ]
    assert undescribed == []


def test_the_keywords_of_an_output_schema_are_those_of_the_api() -> None:
    assert set(SCHEMA["$defs"]["output_schema"]["properties"]) == set(KEYWORDS)


@pytest.mark.parametrize(("path", "reader", "schema"), LEAVES, ids=[path for path, _, _ in LEAVES])
def test_the_reader_accepts_what_the_schema_suggests(
    path: str, reader: ValueReader, schema: Mapping[str, Any]
) -> None:
    suggested = [*schema.get("examples", ()), *schema.get("enum", ())]
    suggested += [schema[name] for name in ("const", "default") if name in schema]
    for value in suggested:
        reader(value)
        assert jsonschema_rs.is_valid({**schema, "$defs": SCHEMA["$defs"]}, value), value


CHOICES = [(path, reader, schema["enum"]) for path, reader, schema in LEAVES if "enum" in schema]


@pytest.mark.parametrize(("path", "reader", "choices"), CHOICES, ids=[path for path, _, _ in CHOICES])
def test_the_schema_has_all_choices_of_the_reader(
    path: str, reader: ValueReader, choices: list[object]
) -> None:
    with pytest.raises(Refused) as refused:
        reader("no such choice")
    assert re.findall(r"[\w-]+", str(refused.value).partition(" is not one of ")[2]) == [
        choice for choice in choices if isinstance(choice, str)
    ]


TEXTS = """x 1 10m 1.5h 10 20% none auto 1-10-100 01 ftp://a.example https://shop.example/1 results/x.csv
    x.PARQUET result result.a.b result. wrong_book wrong-book US us _NAME 9NAME"""
NUMBERS = (0, 1, 2, 100, 101, 501, 10_001, 90_000, -1, 1.5)
OTHERS: tuple[object, ...] = (
    True,
    False,
    None,
    [],
    {},
    ["x"],
    ["system_failure"],
    [1],
    {"a": "x"},
    {"a": "string"},
)
VALUES = ["", " ", "10 m", "20.5 %", *TEXTS.split(), *NUMBERS, *OTHERS]
READ_LATER = re.compile(
    r"items\.(?:goal|id|url|vars)|vars|defaults\.url|source\.(?:path|url)|\w+\.output_schema"
)
"""Keys whose reader only keeps the value, which is checked when the whole manifest is read."""
EXPRESSIONS = {"checks.expr", "notify.only_if"}
READ_AS_TEXT = {"name", "description"}
"""Keys whose value is read as a text, however it is written."""


@pytest.mark.parametrize(("path", "reader", "schema"), LEAVES, ids=[path for path, _, _ in LEAVES])
def test_schema_and_reader_agree_on_values(path: str, reader: ValueReader, schema: Mapping[str, Any]) -> None:
    if READ_LATER.fullmatch(path):
        return
    is_valid = jsonschema_rs.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]}).is_valid
    for value in VALUES:
        if path in READ_AS_TEXT and not isinstance(value, str):
            continue
        try:
            reader(value)
        except Refused:
            is_accepted = False
        else:
            is_accepted = True
        if path in EXPRESSIONS:  # the schema knows no expressions
            assert is_valid(value) or not is_accepted, value
        else:
            assert is_valid(value) == is_accepted, value


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_manifest_validates(path: Path) -> None:
    if path.suffix == ".yaml":
        assert faults(read(path)) == []
        return
    item = jsonschema_rs.Draft202012Validator({"$ref": "#/$defs/item", "$defs": SCHEMA["$defs"]})
    for line in path.read_text(encoding="utf-8").splitlines():
        item.validate(json.loads(line))


def test_wrong_manifests_are_refused_by_the_schema_where_it_can_see_their_fault() -> None:
    accepted = set()
    for path in sorted(BAD.glob("*.yaml")):
        try:
            with open_text(inspect_file(path)) as stream:
                document = read_document(stream)
        except Refused:
            continue
        if not document.faults and not faults(document.value):
            accepted.add(path.stem)
    assert accepted == ONLY_VALIDATE_FINDS
