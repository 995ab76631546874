"""Facts from the mark-up of an element: its class labels, its path in a record, its items and values."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from batchfish.localagent.page.dom.text import clean, is_old, one_line, text_of
from batchfish.localagent.page.words import concept_of, folded, spell_name

if TYPE_CHECKING:
    from lxml.html import HtmlElement

CLASS_NOISE = folded("class_noise")
LISTS = frozenset({"ul", "ol"})
DEEPEST_PATH = 12


def items_of(node: HtmlElement) -> tuple[str, ...]:
    """Return the items of a list, or of the lists in an element; or the links that are nearly all of it."""
    if node.tag in LISTS:
        return tuple(filter(None, (one_line(text_of(item)) for item in node if item.tag == "li")))
    lists = [one for one in node.iter("ul", "ol") if one.getparent() is None or one.getparent().tag != "li"]
    if lists:
        return tuple(item for one in lists for item in items_of(one))
    texts = tuple(filter(None, (one_line(text_of(link)) for link in node.iter("a"))))
    is_all = len("".join(texts)) > len(clean("".join(node.itertext()))) * 0.7
    return texts if len(texts) > 1 and is_all else ()


def exact_of(node: HtmlElement) -> str | None:
    """Return what an element, or the only `time` in it, says for machines."""
    said: str | None = node.get("datetime") or node.get("content")
    inner = node.iter("time") if not said and len(node) else ()
    times = [one.get("datetime") for one in inner if one.get("datetime")]
    return times[0] if len(times) == 1 else said


def is_old_within(node: HtmlElement, root: HtmlElement) -> bool:
    """Whether an element, or what it stands in, holds what no longer holds."""
    holder: HtmlElement | None = node
    while holder is not None and not is_old(holder):
        holder = holder.getparent() if holder is not root else None
    return holder is not None


def class_labels(node: HtmlElement) -> tuple[str, ...]:
    """Return what the classes, the id and the property of an element call it, the nearest first."""
    said = (node.get("itemprop", ""), node.get("data-label", ""), node.get("data-testid", ""))
    return _class_labels(said, f"{node.get('class', '')} {node.get('id', '')}")


@lru_cache(maxsize=20_000)
def _class_labels(said: tuple[str, ...], classes: str) -> tuple[str, ...]:
    labels = [spell_name(name) for name in said if name]
    for name in classes.split():
        if any(map(str.isdigit, name)) or ":" in name or "/" in name:
            continue
        whole = spell_name(name)
        words = [word for word in whole.split() if word not in CLASS_NOISE]
        labels.extend([whole] if concept_of(whole) else [])
        labels.extend([" ".join(words[-3:]), words[-1]] if words else [])
    return tuple(dict.fromkeys(labels))[:8]


def path_of(node: HtmlElement, root: HtmlElement) -> str:
    """Return the way from an element to one in it, the same for like elements of like records."""
    steps: list[str] = []
    while node is not root and len(steps) < DEEPEST_PATH and (parent := node.getparent()) is not None:
        names = stable_classes(node)
        before = node.itersiblings(node.tag, preceding=True) if len(parent) > 1 else ()
        place = sum(stable_classes(previous) == names for previous in before)
        steps.append(f"{node.tag}{names}[{place}]" if place else f"{node.tag}{names}")
        node = parent
    return ">".join(reversed(steps))


def stable_classes(node: HtmlElement) -> str:
    """Return the classes of an element that say what it is: none with digits, variants or states."""
    return _stable(node.get("class", ""))


@lru_cache(maxsize=20_000)
def _stable(names: str) -> str:
    split = names.split()
    kept = [name for name in split if not any(map(str.isdigit, name)) and ":" not in name and "/" not in name]
    return "".join(f".{name}" for name in sorted(kept)[:2]) if len(split) < 6 else ""
