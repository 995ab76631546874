"""Whether an item was seen before, in little memory: a million rows take 32 MB."""

from __future__ import annotations

from array import array

_MASK = (1 << 64) - 1


class SeenBefore:
    """Remembers 64-bit digests, and the number that came with each first one.

    A table of its own: a set of a million Python integers takes 100 MB. Among a million different rows two
    digests are equal by chance once in 37 million times: then two rows are called equal that are not.
    """

    def __init__(self) -> None:
        self._digests = array("Q", bytes(8 * 1024))
        self._numbers = array("Q", bytes(8 * 1024))
        self._count = 0

    def add(self, digest: int, number: int) -> int | None:
        """Remember a digest; give the number of its first occurrence if it was here before."""
        digest = digest & _MASK or 1  # 0 marks a free place
        digests = self._digests
        last = len(digests) - 1
        place = digest & last
        while held := digests[place]:
            if held == digest:
                return self._numbers[place]
            place = (place + 1) & last
        digests[place], self._numbers[place] = digest, number
        self._count += 1
        if self._count * 2 > last:
            self._grow()
        return None

    def _grow(self) -> None:
        digests, numbers = self._digests, self._numbers
        self._digests = array("Q", bytes(16 * len(digests)))
        self._numbers = array("Q", bytes(16 * len(digests)))
        self._count = 0
        for digest, number in zip(digests, numbers, strict=True):
            if digest:
                self.add(digest, number)
