"""What a page's own style sheets hide, and show again."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.styles import hidden_by_style
from batchfish.localagent.page.tree import parse

BODY = '<div class="price on"><p class="regular">a</p><p class="sale" id="s">b</p></div><p class="sale">c</p>'


@pytest.mark.parametrize(
    ("style", "hidden"),
    [
        (".sale{display:none}", ["b", "c"]),
        (".price .sale{display:none}", ["b"]),
        (".sale{display:none} .on .sale{display:block}", ["c"]),
        (".on .sale{display:block} .sale{display:none}", ["c"]),
        (".sale{display:none} .sale{display:block}", []),
        ("#s{visibility:hidden} .sale{visibility:visible}", ["b"]),
        ("p.regular, div p#s {position:absolute;left:-9999px}", ["a", "b"]),
        ("@media print{.sale{display:none}}", []),
        ("/* .sale{display:none} */ .sale:hover{display:none} .sale{color:red}", []),
    ],
)
def test_the_stronger_and_the_later_rule_holds(style: str, hidden: list[str]) -> None:
    tree = parse(f"<html><head><style>{style}</style></head><body>{BODY}</body></html>")
    assert tree is not None
    assert sorted(element.text or "" for element in hidden_by_style(tree)) == hidden
