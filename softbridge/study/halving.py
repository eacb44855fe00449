"""A contest of ways to a target, by the rungs of successive halving; one way, scratch, is in every rung.

A way is judged by the loss of each labelled row with a prompt that did not see it. Two ways are compared row by row:
their difference is told from noise by its standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from softbridge.rounds.successive_halving import SuccessiveHalving

HALVING = SuccessiveHalving(eta=2)


@dataclass(frozen=True)
class Rung:
    """Hold one round of the contest.

    Arguments:
        steps: the optimiser steps that each way was given, in each fold.
        losses: what each came to, by name; smaller is better.
        kept: those that went on; of the last rung those that stayed.
    """

    steps: int
    losses: Mapping[str, float]
    kept: tuple[str, ...]


Losses = Mapping[str, np.ndarray]  # the loss of each row, the same rows for each way
Tried = Callable[[Sequence[str], int], Losses]


def schedule(ways: int, steps: int) -> list[tuple[int, int]]:
    """Return the steps of each rung, and how many ways it tries beside those that are always kept.

    Example:
        >>> schedule(8, 48)
        [(12, 8), (24, 4), (48, 2)]
    """
    return [(max(1, round(steps * share)), tried) for tried, share in HALVING.sizes(ways)]


def cost(ways: int, always: int, steps: int, folds: int) -> int:
    """Return the steps of a whole contest in all folds, and of two prompts at its end.

    Example:
        >>> cost(3, 2, 48, 4)
        1152
    """
    return folds * sum(each * (tried + always) for each, tried in schedule(ways, steps)) + 2 * steps


def affordable(budget: int, always: int, steps: int, folds: int, most: int) -> int:
    """Return how many ways a budget of steps pays for, none of them for less than a quarter of the steps; at least one.

    Example:
        >>> [affordable(budget, 2, 48, 4, 20) for budget in (1200, 10, 100_000)]
        [3, 1, 11]
    """
    fair = [ways for ways in range(1, most + 1) if schedule(ways, steps)[0][0] >= steps // 4]
    return max((ways for ways in fair if cost(ways, always, steps, folds) <= budget), default=1)


def contest(ways: Sequence[str], always: Sequence[str], steps: int, tried: Tried) -> tuple[list[Rung], Losses]:
    """Hold a contest, and return its rungs, and the losses of the last one.

    Arguments:
        ways: names, the likeliest first; where two are equal the earlier goes on.
        always: the ways that are tried in every rung.
        steps: the steps of the last rung.
        tried: carries ways out for some steps, and returns their losses.
    """
    rungs: list[Rung] = []
    left, plan = list(ways), schedule(len(ways), steps)
    for i, (given, _) in enumerate(plan):
        found = tried((*always, *left), given)
        losses = {way: float(rows.mean()) for way, rows in found.items()}
        most = plan[i + 1][1] if i + 1 < len(plan) else len(left)
        better = sorted(left, key=lambda way: losses[way])[:most]
        left = [way for way in left if way in better]
        rungs.append(Rung(given, losses, (*always, *left)))
    return rungs, found


def chosen(losses: Losses, order: Sequence[str]) -> str:
    """Return the first way in an order from which the best one does not differ by more than one standard error.

    *Reference*: Breiman, Friedman, Olshen, Stone. Classification and Regression Trees. 1984: the 1-SE rule, here with
    the standard error of the differences row by row.

    Arguments:
        losses: of each row, by way.
        order: the ways, the one first that is to be preferred where rows cannot tell.
    """
    best = min(losses.values(), key=lambda rows: rows.mean())
    return next(way for way in order if way in losses and not clear(*below(best, losses[way])))


def below(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return how far one loss is below another, and the standard error of that: of the rows' differences.

    Example:
        >>> below(np.array([1.0, 2.0]), np.array([2.0, 5.0]))
        (2.0, 1.0)
    """
    less = other - one
    return float(less.mean()), float(less.std(ddof=1) / sqrt(len(less)))


def clear(less: float, error: float) -> bool:
    """Say whether a difference is more than noise: more than one standard error."""
    return less > error
