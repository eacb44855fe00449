"""Make rounds.json: the rule's bars and temperatures, from the formulas alone, in plain Python.

Run: python tests/golden/make_rounds.py
"""

import json
import math
from pathlib import Path

GAINS = [[0.031, 0.012, 0.024], [-0.004, 0.051, 0.009], [0.002, 0.001, 0.003]]
CHANCES = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.05, 0.95], [0.99, 0.01], [0.6, 0.4]]
LABELS = [0, 0, 1, 0, 0, 1]


def t_quantile(share, df):
    """Invert the t distribution's integral, which the trapezoid rule takes from 0."""
    scale = math.gamma((df + 1) / 2) / (math.sqrt(df * math.pi) * math.gamma(df / 2))
    total, x, step = 0.5, 0.0, 1e-5
    while total < share:
        total += step * scale * (1 + (x + step / 2) ** 2 / df) ** (-(df + 1) / 2)
        x += step
    return x


def bars(gains, level, compared):
    """Return each change's mean, standard error and bar."""
    seeds = len(gains[0])
    means = [sum(one) / seeds for one in gains]
    variances = [sum((g - m) ** 2 for g in one) / (seeds - 1) for one, m in zip(gains, means, strict=True)]
    pooled = sum(variances) / len(variances)
    quantile = t_quantile(1 - level / compared, len(gains) * (seeds - 1))
    errors = [math.sqrt(max(v, pooled) / seeds) for v in variances]
    return [[m, e, quantile * e] for m, e in zip(means, errors, strict=True)]


def temperature(chances, labels):
    """Find where the slope of the mean surprise over 1/T is zero, by halving the interval."""

    def slope(b):
        total = 0.0
        for row, label in zip(chances, labels, strict=True):
            logs = [math.log(p) for p in row]
            weights = [math.exp(b * z) for z in logs]
            total += sum(w * z for w, z in zip(weights, logs, strict=True)) / sum(weights) - logs[label]
        return total

    low, high = 1 / 20, 20.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 1 / low


if __name__ == "__main__":
    made = {
        "gains": GAINS,
        "alone": bars(GAINS[:1], 0.1, 1),
        "three of nine": bars(GAINS, 0.1, 9),
        "chances": CHANCES,
        "labels": LABELS,
        "temperature": temperature(CHANCES, LABELS),
    }
    Path(__file__).with_name("rounds.json").write_text(json.dumps(made, indent=1) + "\n")
