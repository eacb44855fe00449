"""The transfer matrix for the page: every value that its menus can ask for, and a plain table where scripts are off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from softbridge.reports import figures
from softbridge.reports.drawing import Drawing
from softbridge.reports.grid import NOTHING, Cell, Grid, Line, grid, signed
from softbridge.reports.matrix import MEASURES, Matrix, Run, matrices
from softbridge.reports.studies import METRICS, Study


def data(study: Study, metrics: Iterable[str]) -> dict[str, Any] | None:
    """Return the matrices of a study as plain JSON; None where no arm carries its sources one by one.

    Only metrics of which more is better are there: the measures compare scores.
    """
    chosen = [name for name in metrics if METRICS[name].best > 0]
    by_metric = {name: matrices(study, name) for name in chosen}
    if not any(by_metric.values()):
        return None
    first = by_metric[chosen[0]]
    return {
        "metrics": {name: METRICS[name].label for name in chosen},
        "measures": {key: {"label": m.label, "digits": m.digits, "up": m.up} for key, m in MEASURES.items()},
        "arms": [arm({name: found[i] for name, found in by_metric.items()}) for i in range(len(first))],
    }


def arm(by_metric: dict[str, Matrix]) -> dict[str, Any]:
    """Return one arm's matrix: names, order, the measures by metric, and each cell's runs by metric."""
    first = next(iter(by_metric.values()))
    rows, columns = first.order()
    return {
        "arm": first.arm,
        "sources": [first.sources[i] for i in rows],
        "targets": [first.targets[j] for j in columns],
        "values": {
            name: {key: values(matrix, key, rows, columns) for key in MEASURES} for name, matrix in by_metric.items()
        },
        "runs": {
            name: [[runs(matrix, matrix.sources[i], matrix.targets[j]) for j in columns] for i in rows]
            for name, matrix in by_metric.items()
        },
    }


def values(matrix: Matrix, measure: str, rows: list[int], columns: list[int]) -> dict[str, Any] | None:
    """Return a measure in the matrix's order, and how it is coloured; None where it is known of no cell."""
    found = matrix.values(measure)[rows][:, columns]
    centre, most = figures.scale(found, MEASURES[measure].centre)
    known = [[short(float(value)) for value in row] for row in found]
    return (
        {"cells": known, "centre": centre, "most": most} if any(v is not None for row in known for v in row) else None
    )


def runs(matrix: Matrix, source: str, target: str) -> list[list[float | int | None]] | None:
    """Return a cell's runs: seeds, test scores, scratch's test scores, and the steps of the chosen checkpoints."""
    run: Run | None = matrix.runs.get((source, target))
    if run is None:
        return None
    steps = {member["seed"]: member["best"].get("step") for member in run.record.members}
    scratch = [short(run.scratch.get(seed, math.nan)) for seed in run.scores]
    return [list(run.scores), [short(v) for v in run.scores.values()], scratch, [steps[seed] for seed in run.scores]]


def short(value: float) -> float | None:
    """Return a number as JSON can hold it, to five digits.

    Example:
        >>> short(0.123456), short(float("nan"))
        (0.12346, None)
    """
    return round(value, 5) if math.isfinite(value) else None


def plain(study: Study) -> list[Grid]:
    """Return each matrix as a table of gains."""
    return [table(matrix, METRICS[study.metric].label) for matrix in matrices(study)]


def table(matrix: Matrix, label: str) -> Grid:
    """Return a matrix as a table of gains, the alike ones beside each other."""
    rows, columns = matrix.order()
    found = matrix.values("gain")
    lines: list[Line] = [
        [Cell(matrix.sources[i]), *(signed(v) if (v := float(found[i, j])) == v else NOTHING for j in columns)]
        for i in rows
    ]
    head = ["source", *(matrix.targets[j] for j in columns)]
    note = f"Rows are sources, columns targets; mean difference to scratch in test {label} over seeds."
    return grid(f"Gain of {matrix.arm} from each source alone", head, lines, note=note)


def drawings(study: Study) -> list[Drawing]:
    """Return a figure of each matrix's gains, for a paper; the page colours a table of its own."""
    return [figures.heat(study, matrix) for matrix in matrices(study)]
