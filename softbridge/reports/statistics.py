"""The statistics of a comparison over seeds: plain numbers in, plain numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Hold the mean and the spread of one number over seeds.

    Arguments:
        mean: the mean.
        std: the sample standard deviation (n - 1 below the line); nan for one value.
        n: how many values.
    """

    mean: float
    std: float
    n: int


@dataclass(frozen=True)
class Paired:
    """Hold an arm's differences to a baseline, seed by seed.

    Arguments:
        seeds: the seeds both arms were run with.
        differences: one difference a seed, arm minus baseline.
        spread: mean and standard deviation of the differences.
        interval: 95 % interval of the mean difference by Student's t; nan for one seed.
        wins: seeds where the arm is better.
        ties: seeds where both are equal.
        losses: seeds where the arm is worse.
        error_reduction: share of the baseline's distance to the best possible value that the arm takes away.
    """

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    spread: Spread
    interval: tuple[float, float]
    wins: int
    ties: int
    losses: int
    error_reduction: float

    @property
    def low(self) -> float:
        """Return the smallest difference."""
        return min(self.differences)

    @property
    def high(self) -> float:
        """Return the largest difference."""
        return max(self.differences)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation, `sqrt(sum (v - mean)^2 / (n - 1))`.

    Arguments:
        values: at least one number.

    Example:
        >>> spread([1.0, 2.0, 3.0])
        Spread(mean=2.0, std=1.0, n=3)
    """
    std = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Spread(float(np.mean(values)), std, len(values))


def paired(arm: Mapping[int, float], baseline: Mapping[int, float], best: float = 1.0) -> Paired | None:
    """Compare an arm with a baseline, seed by seed.

    Arguments:
        arm: the arm's score by seed.
        baseline: the baseline's score by seed.
        best: the best value the score can have: 1 for an accuracy, 0 for an error.

    Returns:
        The comparison over the seeds both have; None where they share none.

    Example:
        >>> pair = paired({0: 0.8, 1: 0.9}, {0: 0.7, 1: 0.8, 2: 0.1})
        >>> pair.seeds, round(pair.spread.mean, 6), pair.wins
        ((0, 1), 0.1, 2)
        >>> round(paired({0: 0.1}, {0: 0.2}, best=0.0).error_reduction, 6)
        0.5
    """
    seeds = tuple(sorted(set(arm) & set(baseline)))
    if not seeds:
        return None
    differences = tuple(arm[seed] - baseline[seed] for seed in seeds)
    gains = np.asarray(differences) * (1 if best > 0 else -1)
    mean = spread(differences)
    return Paired(
        seeds=seeds,
        differences=differences,
        spread=mean,
        interval=student(mean),
        wins=int((gains > 0).sum()),
        ties=int((gains == 0).sum()),
        losses=int((gains < 0).sum()),
        error_reduction=error_reduction(
            spread([arm[seed] for seed in seeds]).mean, spread([baseline[seed] for seed in seeds]).mean, best
        ),
    )


def error_reduction(score: float, baseline: float, best: float = 1.0) -> float:
    """Return `(score - baseline) / (best - baseline)`: 1 takes all of the baseline's error away, below 0 adds to it.

    Example:
        >>> round(error_reduction(0.9, 0.8), 6)
        0.5
    """
    return (score - baseline) / (best - baseline) if best != baseline else float("nan")


def student(of: Spread, level: float = 0.95) -> tuple[float, float]:
    """Return the interval `mean -+ t(n - 1) std / sqrt(n)` of a mean; wide where seeds are few, as it should be.

    Example:
        >>> [round(end, 3) for end in student(Spread(0.0, 1.0, 3))]
        [-2.484, 2.484]
    """
    if of.n < 2:
        return float("nan"), float("nan")
    from scipy.special import stdtrit  # scipy.stats would cost a second at every import

    half = float(stdtrit(of.n - 1, 0.5 + level / 2)) * of.std / of.n**0.5
    return of.mean - half, of.mean + half


def other_seed(of: Spread, level: float = 0.95) -> float:
    """Return how far another seed's value may lie from the mean, `t(n - 1) std sqrt(1 + 1 / n)`.

    Example:
        >>> round(other_seed(Spread(0.0, 1.0, 3)), 3)
        4.968
    """
    from scipy.special import stdtrit

    return float(stdtrit(of.n - 1, 0.5 + level / 2)) * of.std * (1 + 1 / of.n) ** 0.5


def bootstrap(differences: Sequence[float], draws: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of the mean of paired differences, drawn again with replacement.

    Over few seeds it is narrower than it should be (of three seeds there are ten different samples), which is why
    Student's interval stands beside it.

    Arguments:
        differences: one a seed.
        draws: samples; the drawing is seeded, so the same differences give the same interval.
        level: the share of sample means inside.

    Example:
        >>> bootstrap([0.1, 0.1, 0.1])
        (0.1, 0.1)
    """
    if len(differences) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(0, len(differences), (draws, len(differences)))
    low, high = np.quantile(np.asarray(differences)[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return round(float(low), 12), round(float(high), 12)


def wilcoxon(differences: Sequence[float]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test, one difference a target; nan where none differs.

    Example:
        >>> wilcoxon([0.1, 0.2, 0.3, 0.4])
        0.125
    """
    from scipy import stats

    if not any(differences):
        return float("nan")
    return float(stats.wilcoxon(differences).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """Return p values that hold for all tests together (Holm): the k-th smallest of n times `n - k + 1`, never falling.

    Example:
        >>> holm([0.01, 0.04, 0.03, float("nan")])
        [0.03, 0.06, 0.06, nan]
    """
    real = sorted((value, place) for place, value in enumerate(values) if value == value)
    found, most = [float("nan")] * len(values), 0.0
    for rank, (value, place) in enumerate(real):
        most = max(most, min(1.0, value * (len(real) - rank)))
        found[place] = most
    return found


def friedman(scores: Sequence[Sequence[float]]) -> float:
    """Return the p of Friedman's test that all arms have the same rank; nan where it cannot be asked.

    Arguments:
        scores: one row an arm, one column a target.

    Example:
        >>> round(friedman([[0.9, 0.8, 0.7, 0.9], [0.5, 0.6, 0.5, 0.7], [0.4, 0.3, 0.2, 0.1]]), 4)
        0.0183
    """
    from scipy import stats

    alike = all(len(set(column)) == 1 for column in zip(*scores, strict=True))
    if alike or len(scores) < 3 or len(scores[0]) < 2:
        return float("nan")
    return float(stats.friedmanchisquare(*scores).pvalue)


@cache
def critical_difference(arms: int, targets: int, level: float = 0.95) -> float:
    """Return how far the mean ranks of two arms must be apart to be told apart (Nemenyi): `q sqrt(k (k + 1) / 6 N)`.

    *Reference*: Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 2006.

    Arguments:
        arms: k, at least 2.
        targets: N, at least 1.
        level: one less the chance of telling alike arms apart.

    Example:
        >>> round(critical_difference(4, 14), 2)
        1.25
    """
    from scipy import stats

    q = float(stats.studentized_range.ppf(level, arms, np.inf)) / 2**0.5
    return q * (arms * (arms + 1) / (6 * targets)) ** 0.5
