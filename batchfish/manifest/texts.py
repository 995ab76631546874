"""The templates and conditions that all rows share, compiled once, with the place where each is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.core.expressions import (
    Condition,
    InvalidExpression,
    Template,
    compile_condition,
    compile_template,
)
from batchfish.manifest.problems import Problems, Refused, suggest

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.manifest.fields import Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A text of a manifest or of a flag: what it is for, and where it stands."""

    what: str
    text: str
    file: Path | str
    line: int | None = None


def compile_text(
    written: Written, known: frozenset[str] | None, read: Reader, problems: Problems
) -> Template | None:
    """Compile a template; None, with a problem noted, where it is wrong or reads a variable that nobody sets.

    `known` are the variables there can be, None where each row may have its own; `read` takes the text itself
    where nothing has to be filled in.
    """
    try:
        template = compile_template(written.text)
        if not template.variables:
            read(written.text)
    except (InvalidExpression, Refused) as error:
        _note(written, f"{written.what}: {error}", error.remedy, problems)
        return None
    return template if _are_known(written, template.variables, known, problems) else None


def compile_where(written: Written, known: frozenset[str] | None, problems: Problems) -> Condition | None:
    """Compile a condition; None, with a problem noted, where it is wrong."""
    try:
        condition = compile_condition(written.text)
    except InvalidExpression as error:
        _note(written, f"{written.what}: {error}", error.remedy, problems)
        return None
    return condition if _are_known(written, condition.variables, known, problems) else None


def _are_known(
    written: Written, variables: frozenset[str], known: frozenset[str] | None, problems: Problems
) -> bool:
    unknown = sorted(variables - known) if known is not None else []
    for name in unknown:
        _note(written, f"{written.what}: unknown variable {name!r}", suggest(name, known or ()), problems)
    return not unknown


def _note(written: Written, message: str, remedy: str | None, problems: Problems) -> None:
    problems.add(written.file, written.line, message, remedy)
