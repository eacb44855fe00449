"""How much of a long training is kept: the looks at validation and their prompts stay bounded, however long it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Item = TypeVar("Item")

MOST_LOOKS = 1000  # of a member's history: some 200 bytes each, in the checkpoint, the history, the result, the record
MOST_PROMPTS = 64  # of a member's baked prompts: P x H numbers each, in memory and in every checkpoint


def thinned(items: list[Item], most: int, dear: Callable[[Item], bool] = lambda item: False) -> list[Item]:
    """Return the items; where they are more than `most`, every second one, the first, the last, and the dear ones.

    Arguments:
        items: oldest first.
        most: how many may stay, from 4.
        dear: says which ones always stay.

    Example:
        >>> thinned([0, 1, 2, 3, 4, 5, 6], 6, lambda step: step == 3)
        [0, 2, 3, 4, 6]
        >>> thinned([0, 1, 2], 6)
        [0, 1, 2]
    """
    if len(items) <= most:
        return items
    last = len(items) - 1
    return [item for i, item in enumerate(items) if i % 2 == 0 or i == last or dear(item)]
