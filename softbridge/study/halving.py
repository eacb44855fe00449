"""A contest of ways to a target, by the rungs of successive halving; one way, scratch, is in every rung."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from softbridge.rounds.successive_halving import SuccessiveHalving

HALVING = SuccessiveHalving(eta=2)


@dataclass(frozen=True)
class Rung:
    """Hold one round of the contest.

    Arguments:
        steps: the optimiser steps that each way was given.
        losses: what each came to, by name; smaller is better.
        kept: those that went on, or of the last rung the one that won.
    """

    steps: int
    losses: Mapping[str, float]
    kept: tuple[str, ...]


def schedule(ways: int, steps: int) -> list[tuple[int, int]]:
    """Return the steps of each rung, and how many ways it tries beside the one that is always kept.

    Example:
        >>> schedule(8, 48)
        [(12, 8), (24, 4), (48, 2)]
    """
    return [(max(1, round(steps * share)), tried) for tried, share in HALVING.sizes(ways)]


def cost(ways: int, steps: int) -> int:
    """Return the steps of a whole contest, the way that is always kept among them.

    Example:
        >>> cost(8, 48)
        372
    """
    return sum(each * (tried + 1) for each, tried in schedule(ways, steps))


def affordable(budget: int, steps: int, most: int) -> int:
    """Return how many ways a budget of steps pays for, none of them for less than a quarter of the steps; at least one.

    Example:
        >>> affordable(400, 48, 20), affordable(10, 48, 20), affordable(10_000, 48, 20)
        (9, 1, 11)
    """
    fair = [ways for ways in range(1, most + 1) if schedule(ways, steps)[0][0] >= steps // 4]
    return max((ways for ways in fair if cost(ways, steps) <= budget), default=1)


def contest(ways: Sequence[str], always: str, steps: int, tried: Callable[[str, int], float]) -> list[Rung]:
    """Hold a contest, and return its rungs; the last one keeps the winner alone.

    Arguments:
        ways: names, the likeliest first; where two are equal the earlier goes on.
        always: the way that is tried in every rung, and that wins where none is better than it.
        steps: the steps of the last rung.
        tried: carries a way out for some steps, and returns its loss.
    """
    rungs, left = [], list(ways)
    plan = schedule(len(ways), steps)
    for i, (given, _) in enumerate(plan):
        losses = {way: tried(way, given) for way in (always, *left)}
        order = sorted(losses, key=lambda way: losses[way])  # a stable order, in which `always` stands first of equals
        if i + 1 < len(plan):
            better = [way for way in order if way != always][: plan[i + 1][1]]
            left = [way for way in left if way in better]
            rungs.append(Rung(given, losses, (always, *left)))
        else:
            rungs.append(Rung(given, losses, (order[0],)))
    return rungs
