"""The served OpenAPI document taken at its word: schemathesis asks everything that it allows, and more.

All of its checks are on: conformance of statuses, types, headers and bodies, refusal of wrong data and of
missing or wrong keys, acceptance of right data, unknown methods, runs used after they were made.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localagent.agents import served

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the address and the token of an agent whose runs end at once."""
    token = tmp_path / "token"
    options = ("--engine", "simulate", "--simulate", "duration=0")
    with served(tmp_path, *options, "--token-file", str(token)) as client:
        yield str(client.base_url).rstrip("/"), token.read_text().strip()


@pytest.mark.parametrize(
    ("phases", "examples", "least"),
    [
        ("fuzzing,stateful", 5, 60),
        pytest.param("examples,coverage,fuzzing,stateful", 100, 10_000, marks=pytest.mark.slow),
    ],
)
def test_no_check_fails(
    agent: tuple[str, str], tmp_path: Path, phases: str, examples: int, least: int
) -> None:
    address, token = agent
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"),
        *("--checks", "all", "--header", f"X-API-Key: {token}", "--max-examples", str(examples)),
        *("--phases", phases, "--request-timeout", "60"),
        *("--seed", "1", "--suppress-health-check", "all", "--warnings", "off", "--no-color"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=880
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 11" in done.stdout
    count = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert count is not None, done.stdout
    assert int(count[1].replace(",", "")) >= least
