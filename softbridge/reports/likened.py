"""Likeness against gain: what was measured of the sources before, beside what came of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from softbridge.records.likeness import Likeness
from softbridge.reports.grid import Grid, Line, grid, number
from softbridge.reports.matrix import Matrix
from softbridge.reports.studies import Study

Point = tuple[str, float, float]  # a source, its likeness to the target, and its gain
Values = dict[str, dict[str, dict[str, float]]]  # measure -> target -> source -> likeness, the mean over seeds


def of(study: Study, likenesses: Iterable[Likeness]) -> Values:
    """Return what was measured of a study's sources."""
    found: Values = {}
    for one in likenesses:
        if one.recipe_digest == study.digest:
            for measure, sources in one.values.items():
                means = {source: statistics.mean(values) for source, values in sources.items() if values}
                found.setdefault(measure, {})[one.target] = means
    return found


def points(matrix: Matrix, values: Mapping[str, Mapping[str, float]]) -> dict[str, list[Point]]:
    """Return the dots of each target: every source of the matrix whose likeness to it is known."""
    gains = matrix.values("gain")
    return {
        target: [
            (source, values[target][source], float(gains[i, j]))
            for i, source in enumerate(matrix.sources)
            if source in values[target] and gains[i, j] == gains[i, j]
        ]
        for j, target in enumerate(matrix.targets)
        if target in values
    }


def correlation(pairs: Sequence[Point]) -> tuple[float, float, float]:
    """Return Pearson's r, its p, and Spearman's rank correlation; nan where there are fewer than three sources.

    Example:
        >>> [round(value, 3) for value in correlation([("a", 0.1, 0.0), ("b", 0.2, 0.1), ("c", 0.9, 0.2)])]
        [0.918, 0.26, 1.0]
    """
    from scipy import stats

    close, gains = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    if len(pairs) < 3 or len(set(close)) < 2 or len(set(gains)) < 2:
        return float("nan"), float("nan"), float("nan")
    pearson = stats.pearsonr(close, gains)
    return float(pearson.statistic), float(pearson.pvalue), float(stats.spearmanr(close, gains).statistic)


def correlations(matrix: Matrix, values: Values) -> Grid:
    """Return the correlation of each measure with the gain, a row a measure and target."""
    rows: list[Line] = []
    for measure, known in values.items():
        for target, pairs in points(matrix, known).items():
            r, p, rho = correlation(pairs)
            rows.append([measure, target, number(r), number(p), number(rho), str(len(pairs))])
    head = ["measure", "target", "r", "p", "rank correlation", "sources"]
    words = (
        "Pearson's r with its p, and Spearman's rank correlation, of likeness and mean gain over a target's sources."
    )
    return grid(f"Does likeness foretell the gain of {matrix.arm}?", head, rows, words=2, note=words)
