"""Arbitrary bytes as manifests: each gives items or a list of problems, quickly and without a traceback."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchfish.errors import ManifestError, Problem
from batchfish.manifest.load import ManifestOptions, load_manifest

BAD = Path(__file__).parent / "bad"
SUFFIXES = (".yaml", ".csv", ".tsv", ".jsonl")
SEEDS = sorted(path for path in BAD.iterdir() if path.suffix in SUFFIXES and path.stat().st_size < 1000)
# What means something in one of the formats, or in an expression.
PIECES = st.sampled_from(
    [
        *(
            b"\n",
            b"\r",
            b"\t",
            b":",
            b"- ",
            b'"',
            b"'",
            b",",
            b";",
            b"{",
            b"}",
            b"{{",
            b"}}",
            b"[",
            b"]",
            b"&a ",
        ),
        *(b"*a", b"!!str ", b"#", b"|", b">", b"%", b"@", b"\\", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80"),
        *(b"\xef\xbb\xbf", b"null", b"true", b"-1", b"1e999", b"9" * 30, b"NaN", b"\\ud800", b"<<", b"? "),
        *(b"---\n", b"...\n", b"~", b"{{ x * 9 }}", b"{{ x | default(x.y.z) }}", b"[ref bf-", b"://"),
        *(b"id", b"url", b"goal", b"vars"),
    ]
)


KNOWN_KEYS = (
    *(
        "id",
        "url",
        "goal",
        "vars",
        "path",
        "where",
        "expr",
        "reason",
        "wait",
        "on",
        "halt",
        "columns",
        "explode",
    ),
    *("output_schema", "proxy_config", "agent_config", "capture_config", "credential_item_ids", "profile_id"),
    *("type", "properties", "items", "required", "enabled", "country_code", "max_steps", "webhook_url"),
)


def read_quietly(path: Path) -> None:
    """Read a manifest whole; a list of printable problems is the only answer to a wrong one."""
    problems: tuple[Problem, ...] = ()
    try:
        manifest = load_manifest(path, ManifestOptions(goal="Read {{ title | default('it') }}."))
        manifest.check()
        for _ in manifest.items():
            pass
        manifest.resolved()
    except ManifestError as error:
        problems = error.problems
        assert problems
    assert all(str(problem).isprintable() for problem in problems)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "good_rows.csv").write_bytes((BAD / "good_rows.csv").read_bytes())
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=300))
def test_any_bytes_give_items_or_problems(folder: Path, suffix: str, content: bytes) -> None:
    path = folder / f"any{suffix}"
    path.write_bytes(content)
    read_quietly(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.lists(PIECES, max_size=3)), max_size=4),
)
def test_a_mutilated_manifest_gives_items_or_problems(
    folder: Path, seed: Path, edits: list[tuple[float, int, list[bytes]]]
) -> None:
    content = seed.read_bytes()
    for place, removed, pieces in edits:
        at = int(place * len(content))
        content = content[:at] + b"".join(pieces) + content[at + removed :]
    path = folder / f"mutilated{seed.suffix}"
    path.write_bytes(content)
    read_quietly(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(max_size=5), below, max_size=3)
        ),
        max_leaves=10,
    ),
    st.sampled_from(
        ["defaults", "vars", "items", "source", "limits", "retry", "checks", "output", "unanswered", "name"]
    ),
)
def test_any_value_of_a_known_key_gives_items_or_problems(folder: Path, value: object, key: str) -> None:
    path = folder / "value.yaml"
    path.write_text(
        "batchfish: 1\nitems: [{url: 'https://books.example/'}]\n" if key != "items" else "batchfish: 1\n"
    )
    with path.open("a") as file:
        file.write(f"{key}: {json.dumps(value)}\n")
    read_quietly(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.yaml", (BAD / "alias_bomb.yaml").read_bytes()),
        ("brackets.yaml", b"batchfish: 1\nvars: " + b"[" * 200_000),
        ("braces.yaml", b"batchfish: 1\nitems: " + b"{a: " * 50_000),
        ("brackets.jsonl", b"[" * 200_000),
        ("digits.jsonl", b'{"id": ' + b"9" * 200_000 + b"}"),
        ("quotes.csv", b'url,"' + b'""' * 200_000),
        ("columns.csv", b"," * 100_000),
        ("line.csv", b"x" * 5_000_000),
        ("braces.csv", b"url,goal\nhttps://books.example/," + b"{{" * 50_000 + b"\n"),
        ("nested.csv", b"url,goal\nhttps://books.example/,{{ " + b"(" * 20_000 + b" }}\n"),
        ("filters.csv", b"url,goal\nhttps://books.example/,{{ url " + b"| upper " * 10_000 + b"}}\n"),
    ],
)
def test_a_bomb_is_refused_within_two_seconds(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(ManifestError):
        load_manifest(path, ManifestOptions(goal="Read.")).check()
    assert time.process_time() - began < 2


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    os.mkfifo(path)
    with pytest.raises(ManifestError, match="not a regular file"):
        load_manifest(path)
