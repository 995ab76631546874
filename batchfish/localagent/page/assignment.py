"""The best pairing of fields with values, all at once: the Hungarian method on a matrix of scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def assign(scores: Sequence[Sequence[float]]) -> list[int | None]:  # noqa: C901, PLR0912 - the textbook form of it
    """Pair rows with columns, each at most once, for the highest sum; a score of 0 or less is no pair.

    Taking the best pair first and going on from there would swap fields whenever the second best of one is
    the best of another. O(rows² × columns) (J. Munkres, 1957; the form with potentials).
    """
    rows = len(scores)
    columns = len(scores[0]) if rows else 0
    if not columns:
        return [None] * rows
    # Each row may also stay alone, at a column of its own that costs nothing.
    width = columns + rows
    row_potential, column_potential = [0.0] * (rows + 1), [0.0] * (width + 1)
    row_of, came_from = [0] * (width + 1), [0] * (width + 1)
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        least, is_done = [math.inf] * (width + 1), [False] * (width + 1)
        while row_of[column]:
            is_done[column] = True
            current, step, following = row_of[column], math.inf, 0
            for other in range(1, width + 1):
                if is_done[other]:
                    continue
                gain = max(scores[current - 1][other - 1], 0.0) if other <= columns else 0.0
                cost = -gain - row_potential[current] - column_potential[other]
                if cost < least[other]:
                    least[other], came_from[other] = cost, column
                if least[other] < step:
                    step, following = least[other], other
            for other in range(width + 1):
                if is_done[other]:
                    row_potential[row_of[other]] += step
                    column_potential[other] -= step
                else:
                    least[other] -= step
            column = following
        while column:
            previous = came_from[column]
            row_of[column] = row_of[previous]
            column = previous
    pairs: list[int | None] = [None] * rows
    for column in range(1, columns + 1):
        row = row_of[column]
        if row and scores[row - 1][column - 1] > 0:
            pairs[row - 1] = column - 1
    return pairs
