"""Cells of records gathered by the place where they stand: columns with their names."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.cells import LINK_LEVEL
from batchfish.localagent.page.kinds import is_sponsored
from batchfish.localagent.page.labels import is_label
from batchfish.localagent.page.marks import blocks_in, without_block
from batchfish.localagent.page.model import Column, Facet, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.cells import Cell

RARE = 0.04
FEWEST_CONSTANT = 3
LOOKS = re.compile(r"\.look\d+")
TAIL = re.compile(r"~\d+$")
CLASSES = re.compile(r"\.[^/(@~|#]+|\(\w+\)")


def gather(by_key: Mapping[str, dict[int, Cell]], size: int, owner: Sequence[str]) -> list[Column]:
    """Make columns of the cells of `size` records, by place; `owner` are the words of their class."""
    return _without_blocks(list(_labelled(_columns(by_key, size), size)), owner)


def _columns(by_key: Mapping[str, dict[int, Cell]], size: int) -> list[Column]:
    """Make columns of cells: rare ones left out, those that say the same made one, labels taken as such."""
    columns: dict[tuple[Facet, tuple[tuple[int, str], ...]], Column] = {}
    for key, cells in _joined(by_key).items():
        is_rare = len(cells) <= RARE * size or (
            size > FEWEST_CONSTANT and len(cells) == 1 and not key.startswith("“")
        )
        if is_rare and not any(is_sponsored(cell.fact.text) for cell in cells.values()):
            continue
        said = (
            next(iter(cells.values())).facet,
            tuple((number, cell.fact.text) for number, cell in cells.items()),
        )
        names = _common_names(cells)
        level = min(cell.level for cell in cells.values())
        if (known := columns.get(said)) is not None:
            columns[said] = replace(
                known,
                names=tuple(dict.fromkeys([*known.names, *names])),
                level=min(level, known.level),
                is_composite=known.is_composite and any(cell.is_composite for cell in cells.values()),
            )
            continue
        texts = {text for _, text in said[1]}
        columns[said] = Column(
            key=key,
            names=names,
            cells={number: cell.fact for number, cell in cells.items()},
            facet=said[0],
            level=level,
            is_old=all(cell.is_old for cell in cells.values()),
            is_composite=any(cell.is_composite for cell in cells.values()),
            is_constant=len(texts) == 1 and len(cells) > 1,
        )
    return list(columns.values())


def _joined(by_key: Mapping[str, dict[int, Cell]]) -> dict[str, dict[int, Cell]]:
    """Join places that differ in what an element wraps or in a further class, where no record has both."""
    joined: dict[str, dict[int, Cell]] = {}
    known: dict[str, list[str]] = defaultdict(list)
    for key, cells in by_key.items():
        tags = CLASSES.sub("", key)
        same = next(
            (one for one in known[tags] if not joined[one].keys() & cells.keys() and _is_like(one, key)), None
        )
        if same is None:
            joined[key] = dict(cells)
            known[tags].append(key)
        else:
            joined[same] = dict(sorted({**joined[same], **cells}.items()))
    return joined


def _is_like(first: str, second: str) -> bool:
    """Whether two places of the same tags have, step by step, the same classes or some more."""
    steps = zip(LOOKS.sub("", first).split("/"), LOOKS.sub("", second).split("/"), strict=True)
    pairs = ((set(one.split(".")[1:]), set(other.split(".")[1:])) for one, other in steps)
    return all(one == other or (one and other and (one <= other or other <= one)) for one, other in pairs)


def _common_names(cells: dict[int, Cell]) -> tuple[tuple[str, Source], ...]:
    """Give the names that most of a column's cells have, the commonest first."""
    counts: dict[tuple[str, Source], int] = defaultdict(int)
    for cell in cells.values():
        for name in dict.fromkeys(cell.names):
            counts[name] += 1
    usual = [name for name, count in counts.items() if count * 2 >= len(cells)]
    return tuple(sorted(usual, key=lambda name: -counts[name]))


def _labelled(columns: Sequence[Column], size: int) -> Iterator[Column]:
    """Give a column the name that stands before it, the same in every record."""
    before: Column | None = None
    constant = {column.key: column for column in columns if column.is_constant and column.facet is Facet.TEXT}
    for column in columns:
        named = column
        if TAIL.search(column.key) and (name := _said_in(column, constant)):
            named = replace(column, names=((name, Source.PAIR), *column.names))
        if (
            before is not None
            and before.is_constant
            and before.level != LINK_LEVEL
            and not before.key.endswith("@first")
            and not column.is_constant
            and column.facet is Facet.TEXT
        ):
            text = next(iter(before.cells.values())).text
            many = len(before.cells) >= min(FEWEST_CONSTANT, size) and len(before.cells) >= len(column.cells)
            if is_label(text) and (many or text.endswith(":")) and _parent(before.key) == _parent(column.key):
                named = replace(column, names=((text.rstrip(": "), Source.PAIR), *column.names))
        yield named
        before = column if column.facet is Facet.TEXT else before


def _said_in(column: Column, constant: Mapping[str, Column]) -> str:
    """Give what stands before a text in an element of its own, where it is the same in every record."""
    holder = TAIL.sub("", column.key)
    inside = [one for key, one in constant.items() if _parent(key) == holder]
    said = [next(iter(one.cells.values())).text for one in inside if len(one.cells) >= len(column.cells)]
    return said[0].rstrip(": ") if len(said) == 1 and is_label(said[0]) else ""


def _parent(key: str) -> str:
    return key.rpartition("/")[0]


def _without_blocks(columns: Sequence[Column], owner: Sequence[str]) -> list[Column]:
    """Give columns whose classes name the kind of record with what they hold the name of the latter."""
    said = [name for column in columns for name, source in column.names if source is Source.MARK]
    blocks = blocks_in(said, owner)
    return [
        replace(
            column,
            names=tuple(
                dict.fromkeys(
                    (said, source)
                    for name, source in column.names
                    for said in ((without_block(name, blocks), name) if source is Source.MARK else (name,))
                )
            ),
        )
        for column in columns
    ]
