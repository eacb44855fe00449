"""Make the tables of transfer matrices from their records: python benchmarks/matrix/table.py benchmarks/matrix/vader

A bridge's numbers are over every pair of a source and another domain, and every seed.
"""

import sys
from pathlib import Path

import numpy as np

from softbridge.records.store import read
from softbridge.reports.matrix import matrices
from softbridge.reports.statistics import spread, student
from softbridge.reports.studies import gather


def told(value):
    """Return a signed number."""
    return f"{value:+.3f}"


def line(matrix):
    """Return one bridge's row: each target's mean gain over its sources, all pairs', and the share of pairs below."""
    gains = matrix.values("gain")
    each = [difference for run in matrix.runs.values() for difference in run.differences]
    low, high = student(spread(each))
    best = np.nanmax(gains, axis=0).mean()
    steps = matrix.values("steps")
    reached = np.isfinite(steps).sum()
    middle = f"{np.nanmedian(steps):.0f} ({reached} of {len(matrix.runs)})" if reached else "–"
    cells = [told(value) for value in np.nanmean(gains, axis=0)]
    below = sum(value < 0 for value in gains[np.isfinite(gains)])
    told_all = f"{np.mean(each):+.3f} ({low:+.3f}, {high:+.3f})"
    return [matrix.arm, *cells, told_all, told(best), f"{below} of {len(matrix.runs)}", middle]


def rows(head, lines):
    """Print a table."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


def main(folder):
    """Print the bridges side by side, and the matrix of each pair by `spot`."""
    (study,) = gather(read([Path(folder)]))
    found = sorted(matrices(study), key=lambda matrix: -np.nanmean(matrix.values("gain")))
    head = [
        "bridge",
        *found[0].targets,
        "all pairs (95 %)",
        "best source",
        "pairs below scratch",
        "steps to scratch's best",
    ]
    rows(head, [line(matrix) for matrix in found])
    for matrix in found:
        if matrix.arm == "spot":
            print("\nGain of `spot`, a source a row:\n")
            values = matrix.values("gain")
            lines = [
                [source, *("" if np.isnan(value) else told(value) for value in row)]
                for source, row in zip(matrix.sources, values, strict=True)
            ]
            rows(["from", *matrix.targets], lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
