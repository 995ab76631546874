"""`batchfish schema`: prints the JSON Schema of manifests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.options import Reporting
from batchfish.cli.parser import Arguments, group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `schema`."""

    reporting: Reporting = group(Reporting, "output", only=("json",))


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print the JSON Schema of YAML manifests."""
    from batchfish.manifest.json_schema import manifest_schema_text

    text = manifest_schema_text()
    if options.reporting.json:
        put_document(DocumentType.SCHEMA, schema=json.loads(text))
    else:
        put(text)
    return ExitCode.OK
