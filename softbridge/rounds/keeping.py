"""What helps by more than noise: the one rule that says whether a change is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Verdict:
    """Hold what validation says of a change.

    Arguments:
        gain: the mean gain over the seeds.
        error: its standard error.
        bar: what the gain has to be above.
        helps: whether it is.
    """

    gain: float
    error: float
    bar: float
    helps: bool


def judge(gains: Sequence[Sequence[float]], level: float, compared: int) -> list[Verdict]:
    """Judge changes by their paired gains: is the mean above what noise alone would bring?

    `mean_c > t(1 - level / k, m (S - 1)) * s_c / sqrt(S)` with `s_c^2 = max(own variance, mean variance of the m)`: a
    paired t-test of each change against the kept state, one-sided, with Bonferroni's correction for the k changes that
    were tried and, as in Dunnett's comparisons with a control, the noise of the m judged changes pooled. One change
    alone (k = m = 1) is the plain paired t-test. With one seed there is no noise to measure, and nothing helps.

    *Reference*: Dunnett. A Multiple Comparison Procedure for Comparing Several Treatments with a Control. JASA 1955.

    Arguments:
        gains: of m changes, S seeds each: how much better than the kept state, 0 for the same.
        level: the chance that one of k changes that help nothing is said to help.
        compared: k, how many changes were tried; from m.

    Example:
        >>> [round(v.bar, 3) for v in judge([[0.03, 0.04, 0.05]], 0.1, 1)], judge([[0.03, 0.04, 0.05]], 0.1, 1)[0].helps
        ([0.011], True)
        >>> judge([[0.0, 0.0, 0.0]], 0.1, 1)[0].helps
        False
    """
    sound = [np.asarray(one, dtype=float) for one in gains if np.isfinite(one).all() and len(one) > 1]
    if not sound:
        return [Verdict(float(np.mean(one)), math.nan, math.inf, False) for one in gains]
    seeds = len(sound[0])
    pooled = float(np.mean([one.var(ddof=1) for one in sound]))
    quantile = float(stats.t.ppf(1 - level / max(compared, len(gains)), len(sound) * (seeds - 1)))
    return [_verdict(np.asarray(one, dtype=float), pooled, quantile) for one in gains]


def best(verdicts: Sequence[Verdict]) -> int | None:
    """Return the place of the change that is kept: of those that help, the one furthest above its bar; or None."""
    places = [i for i, verdict in enumerate(verdicts) if verdict.helps]
    return max(places, key=lambda i: verdicts[i].gain - verdicts[i].bar) if places else None


def _verdict(gains: np.ndarray, pooled: float, quantile: float) -> Verdict:
    if not np.isfinite(gains).all():
        return Verdict(math.nan, math.nan, math.inf, False)
    mean, spread = float(gains.mean()), math.sqrt(max(float(gains.var(ddof=1)), pooled))
    error = spread / math.sqrt(len(gains))
    return Verdict(mean, error, quantile * error, mean > max(quantile * error, 0.0))
