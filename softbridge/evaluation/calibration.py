"""Calibration: probabilities that are as often right as they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

COLDEST, HOTTEST = 0.05, 20.0


def tempered(chances: np.ndarray, temperature: float) -> np.ndarray:
    """Return `p_T(y | x) = p(y | x)^(1/T) / sum_c p(c | x)^(1/T)`, which is `softmax(z / T)` of the scores z.

    Arguments:
        chances: `[rows, C]`, each row summing to 1.
        temperature: T, above 0; above 1 is less confident.

    Example:
        >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    told = np.log(np.maximum(chances.astype(float), 1e-12)) / temperature
    weights = np.exp(told - told.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def temperature(chances: np.ndarray, labels: Sequence[int]) -> float:
    """Return the temperature at which labelled rows are the least surprising: `argmin_T -1/n sum_i log p_T(y_i | x_i)`.

    *Reference*: Guo, Pleiss, Sun, Weinberger. On Calibration of Modern Neural Networks. ICML 2017.

    Arguments:
        chances: `[rows, C]` of at least one row, each summing to 1.
        labels: `[rows]` class indices.

    Returns:
        T in 0.05 .. 20, where rows that are all right or all wrong would have it go without end.

    Example:
        >>> sure = np.array([[0.99, 0.01], [0.99, 0.01], [0.01, 0.99], [0.01, 0.99]])
        >>> round(temperature(sure, [0, 0, 1, 0]), 2)  # as sure as right: log(0.75 / 0.25) = log(0.99 / 0.01) / T
        4.18
    """
    rows = np.arange(len(labels))

    def surprise(log_t: float) -> float:
        told = tempered(chances, float(np.exp(log_t)))[rows, list(labels)]
        return float(-np.log(np.maximum(told, 1e-12)).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    return float(np.exp(minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))
