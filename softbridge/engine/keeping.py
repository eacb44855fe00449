"""How much of a long training is kept: the looks at validation and their prompts stay bounded, however long it runs.

Which looks stay is decided by their numbers alone, so that thinning look by look comes to the same as thinning once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from softbridge.injection import Injection

MOST_LOOKS = 1000  # of a member's history: some 200 bytes each, in the checkpoint, the history, the result, the record
MOST_PROMPTS = 64  # of a member's baked prompts: P x H numbers each, in memory and in every checkpoint


def kept(count: int, most: int) -> list[int]:
    """Return which of the looks 0, 1, ..., count - 1 stay: all, or every 2nd, 4th, 8th, ... one, and the last.

    The stride is the smallest power of two with at most `most` looks on it; a later one is a multiple of it, so that
    what is left out once is never wanted again.

    Arguments:
        count: looks so far, from 1.
        most: how many may stay beside the last, from 1.

    Example:
        >>> kept(5, 6), kept(8, 6)
        ([0, 1, 2, 3, 4], [0, 2, 4, 6, 7])
    """
    stride = 1
    while -(-count // stride) > most:
        stride *= 2
    return sorted({*range(0, count, stride), count - 1})


def thinned(history: Sequence[dict[str, Any]], numbers: Mapping[int, int], best: int) -> list[dict[str, Any]]:
    """Return a member's history after its latest look, without what is too much of it.

    Arguments:
        history: what was seen at each look that stays, oldest first, and at the latest.
        numbers: each look's number, by its step.
        best: the step of the best look, which stays.
    """
    stay = set(kept(numbers[history[-1]["step"]] + 1, MOST_LOOKS))
    return [look for look in history if numbers[look["step"]] in stay or look["step"] == best]


def joined(prompts: Sequence[Injection], now: Injection, number: int) -> list[Injection]:
    """Return a member's prompts at its looks, `now` at the look of this number among them, without what is too much.

    Arguments:
        prompts: those that stay of the looks before, oldest first.
        now: the prompt at the latest look.
        number: the latest look's number, from 0.
    """
    held = dict(zip(kept(number, MOST_PROMPTS), prompts, strict=False)) | {number: now}
    return [held[look] for look in kept(number + 1, MOST_PROMPTS) if look in held]
