"""`batchfish schema`: prints the JSON Schema of manifests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of `schema`: those that every command has."""


def run(_options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print the JSON Schema of YAML manifests."""
    from batchfish.manifest.json_schema import manifest_schema_text

    put(manifest_schema_text())
    return ExitCode.OK
