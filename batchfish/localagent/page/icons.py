"""What icons say of the text beside them: a small telephone, an envelope, a bed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.vocabulary import ICONS

if TYPE_CHECKING:
    from lxml.html import HtmlElement

IN_CLASS = re.compile(
    r"(?:fa|bi|icon|icons|ico|glyphicon|octicon|dashicons|ti|ion|la|mdi|bx|feather|lucide|uil|icofont|flaticon)"
    r"[-_]+(?:[a-z]{2,3}[-_])??([a-z][a-z-]*)"
)
HIGHEST = 3
"""How many elements around an icon may hold nothing but it."""


def name_by_icons(root: HtmlElement, attribute: str) -> None:
    """Set an attribute on the elements beside icons to what the icons mean, where they have none."""
    for icon in list(root.iter("i", "svg", "span", "em")):
        if name := _meaning(icon):
            beside = _beside(icon)
            if beside is not None and attribute not in beside.attrib:
                beside.set(attribute, name)


def _meaning(icon: HtmlElement) -> str:
    if icon.tag != "svg" and (len(icon) or (icon.text or "").strip()):
        return ""
    for name in icon.get("class", "").lower().split():
        if found := IN_CLASS.fullmatch(name):
            words = found[1].split("-")
            known = next((ICONS[word] for word in ("-".join(words), *words) if word in ICONS), "")
            if known:
                return known
    return ""


def _beside(icon: HtmlElement) -> HtmlElement | None:
    """Give the element that an icon stands before, or the one whose text it begins."""
    for _ in range(HIGHEST):
        parent, following = icon.getparent(), icon.getnext()
        if parent is None or icon.getprevious() is not None:
            return None
        if (icon.tail or "").strip():
            return parent
        if following is not None:
            return following if following.getnext() is None else None
        icon = parent
    return None
