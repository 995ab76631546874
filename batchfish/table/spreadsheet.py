"""Text that a spreadsheet would run as a formula is made text again; this module imports polars."""

from __future__ import annotations

import polars as pl

# What starts a formula in ASCII, full-width and small forms, after whatever cannot be seen.
_FORMULA = r"^[\s\p{Z}\p{C}]*[=+\-@\t\r\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}\x{fe66}\x{fe62}\x{fe63}\x{fe6b}]"
_NUMBER = r"^[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def made_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """Put `'` before each text that would run as a formula, and show NUL, at which many readers stop, as ␀.

    Typed numbers are no text and stay, and so does a text that is exactly a number, such as -5. A spreadsheet
    that is told to split at another sign than the comma makes cells of its own, which this knows nothing of.
    """
    texts = [column for column in frame.iter_columns() if column.dtype == pl.String]
    return frame.with_columns(
        column.to_frame().select(_safe(pl.col(column.name))).to_series()
        for column in texts
        if _is_unsafe(column)
    )


def safe_names(names: list[str]) -> list[str]:
    """Make the header safe in the same way."""
    return pl.select(_safe(pl.lit(pl.Series(names, dtype=pl.String)))).to_series().to_list()


def _is_unsafe(column: pl.Series) -> bool:
    """Return whether anything in a column is to be changed: mostly nothing is, and a copy may be large."""
    return bool((column.str.contains("\0", literal=True) | column.str.contains(_FORMULA)).any())


def _safe(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all("\0", "␀", literal=True)
    is_formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(~is_formula).then(text).otherwise("'" + text)
