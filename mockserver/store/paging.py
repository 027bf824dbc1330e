"""Pages of a list, and the ordered structure behind every list."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain, islice
from typing import Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")

Order = Literal["asc", "desc"]

# A million values make only two thousand blocks, and removing a value from the middle of one moves little memory.
_BLOCK = 512


class Paging(NamedTuple):
    """The requested part of a list: at most `limit` entries that follow `after` in the given order."""

    after: str | None = None
    limit: int = 20
    order: Order = "asc"


class Page(NamedTuple, Generic[T]):
    """A part of a list; `has_more` tells whether the list continues after it."""

    data: list[T]
    has_more: bool


class _Block(Generic[T]):
    __slots__ = ("positions", "values")

    def __init__(self, position: int, value: T) -> None:
        self.positions = [position]
        self.values = [value]


class Timeline(Generic[T]):
    """Values in the order they were appended, each at a position that is never used again.

    Appending takes constant time. Removing a value and walking from a position take a binary search. A position stays
    valid as a starting point when its value is removed.
    """

    __slots__ = ("_blocks", "_minima", "_next")

    def __init__(self) -> None:
        self._blocks: list[_Block[T]] = []
        # The lowest position that each block ever had. Its value may be removed; it still separates the blocks.
        self._minima: list[int] = []
        self._next = 0

    def append(self, value: T) -> int:
        """Add a value at the end and return its position, which is higher than all earlier ones."""
        position = self._next
        self._next = position + 1
        blocks = self._blocks
        if blocks and len((block := blocks[-1]).positions) < _BLOCK:
            block.positions.append(position)
            block.values.append(value)
        else:
            blocks.append(_Block(position, value))
            self._minima.append(position)
        return position

    @property
    def end(self) -> int:
        """The position that the next value will have."""
        return self._next

    def is_newest(self, position: int) -> bool:
        """Return whether nothing was appended after the value at `position`."""
        return position == self._next - 1

    def get(self, position: int) -> T:
        """Return the value at `position`; KeyError if there is none."""
        block, index = self._find(position)
        return self._blocks[block].values[index]

    def remove(self, position: int) -> T:
        """Remove the value at `position` and return it; KeyError if there is none."""
        number, index = self._find(position)
        block = self._blocks[number]
        value = block.values.pop(index)
        del block.positions[index]
        if not block.positions:
            del self._blocks[number], self._minima[number]
        return value

    def walk(self, after: int | None = None, order: Order = "asc") -> Iterator[T]:
        """Iterate over the values that follow the position `after` (None: over all) in the given order.

        The timeline must not change during the iteration.
        """
        blocks = self._blocks
        if not blocks:
            return iter(())
        if order == "asc":
            first = 0 if after is None else self._block_of(after)
            block = blocks[first]
            part = block.values[0 if after is None else bisect_right(block.positions, after) :]
            rest = (block.values for block in islice(blocks, first + 1, None))
            return chain(part, chain.from_iterable(rest))
        first = len(blocks) - 1 if after is None else self._block_of(after)
        block = blocks[first]
        part = block.values[: len(block.values) if after is None else bisect_left(block.positions, after)]
        back = (reversed(blocks[number].values) for number in range(first - 1, -1, -1))
        return chain(reversed(part), chain.from_iterable(back))

    def _block_of(self, position: int) -> int:
        return max(bisect_right(self._minima, position) - 1, 0)

    def _find(self, position: int) -> tuple[int, int]:
        if self._blocks:
            number = self._block_of(position)
            positions = self._blocks[number].positions
            index = bisect_left(positions, position)
            if index < len(positions) and positions[index] == position:
                return number, index
        raise KeyError(position)


def page_of(values: Iterator[T], limit: int) -> Page[T]:
    """Return the first `limit` values as a page."""
    data = list(islice(values, limit + 1))
    has_more = len(data) > limit
    if has_more:
        data.pop()
    return Page(data, has_more)
