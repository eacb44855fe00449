"""The stages that a study's results rest on: what each took, and its loss epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from softbridge.reports.details import STAGES, by_target
from softbridge.reports.grid import Cell, Grid, Line, grid, number
from softbridge.reports.studies import Study

ORDER = ("pretrain", "tune", "extract", "joint", "adapt", "evaluate")
TITLES = {**STAGES, "evaluate": "test"}
LOOKS = 8  # that a table of values shows at most


@dataclass(frozen=True)
class Box:
    """Hold one stage of the diagram, or all stages of one arm.

    Arguments:
        name: the domain it worked on, or the arm.
        seconds: of work, all members together.
        rows: rows that went through the model in training, or that were scored.
        steps: optimiser steps.
        part: its share of all stages' seconds, 0..1.
    """

    name: str
    seconds: float
    rows: float
    steps: float
    part: float


@dataclass(frozen=True)
class Column:
    """Hold the stages of one kind, which stand side by side in time.

    Arguments:
        title: their kind.
        boxes: the stages.
    """

    title: str
    boxes: Sequence[Box]

    @property
    def seconds(self) -> float:
        """Return the seconds of all of them."""
        return sum(box.seconds for box in self.boxes)


def diagram(study: Study) -> list[Column]:
    """Return the stages that ran, in their order: one box a source stage, and one an arm on all targets."""
    ran: dict[tuple[str, str, float], tuple[str, str, dict[str, Any]]] = {}
    for record in by_target(study):
        for stage in record.cost.get("stages") or ():
            kind, domain = str(stage.get("kind")), str(stage.get("domain"))
            name = record.arm if kind in ("adapt", "evaluate") else domain
            # Arms share stages; two that took as long to the last digit are one.
            ran.setdefault((kind, domain, amount(stage, "seconds")), (kind, name, stage))
    sums: dict[tuple[str, str], list[float]] = {}
    for kind, name, stage in ran.values():
        found = sums.setdefault((kind, name), [0.0, 0.0, 0.0])
        found[0] += amount(stage, "seconds")
        found[1] += amount(stage, "rows")
        found[2] = max(found[2], amount(stage, "steps"))
    whole = sum(seconds for seconds, _, _ in sums.values()) or 1.0
    kinds = sorted({kind for kind, _ in sums}, key=lambda kind: ORDER.index(kind) if kind in ORDER else len(ORDER))
    return [
        Column(
            TITLES.get(kind, kind),
            [Box(name, s, rows, steps, s / whole) for (k, name), (s, rows, steps) in sums.items() if k == kind],
        )
        for kind in kinds
    ]


def amount(stage: dict[str, Any], key: str) -> float:
    """Return a stage's number; 0 where it has none.

    Example:
        >>> amount({"seconds": 2}, "seconds"), amount({"seconds": "2"}, "seconds"), amount({}, "rows")
        (2.0, 0.0, 0.0)
    """
    value: Any = stage.get(key)
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return max(float(value), 0.0) if known else 0.0


def by_epoch(study: Study, name: str) -> Grid | None:
    """Return the values of a loss formulation epoch by epoch; None where no stage kept them.

    Arguments:
        study: the study.
        name: `"L_pre"` or `"L_fine"`.
    """
    found: dict[tuple[Any, ...], list[str]] = {}
    for record in by_target(study):
        for loss in record.losses:
            if str(loss.get("name")).split("/")[0] == name and loss.get("values"):
                values = tuple((epoch, value) for epoch, value in thinned(loss["values"]))
                arms = found.setdefault((loss.get("stage"), loss.get("domain"), loss.get("term"), values), [])
                arms += [record.arm] if record.arm not in arms else []
    if not found:
        return None
    most = max(len(values) for *_, values in found)
    rows: list[Line] = []
    for (stage, domain, term, values), arms in sorted(found.items(), key=lambda item: item[0][0] == "adapt"):
        cells = [Cell(number(value), detail=f"epoch {number(epoch, 2)}") for epoch, value in values]
        told = (STAGES.get(stage, str(stage)), str(domain), ", ".join(arms), str(term).replace("_", " "))
        rows.append([*map(Cell, told), *cells, *[Cell("")] * (most - len(values))])
    head = ["stage", "domain", "arm", "term", *(f"look {i + 1}" for i in range(most))]
    note = "Mean over seeds of the training loss since the look before; an epoch is one pass over the stage's rows."
    return grid(f"{name} by epoch", head, rows, words=4, note=note)


def thinned(values: Sequence[Any]) -> list[Any]:
    """Return at most `LOOKS` of the values, evenly spaced, the last among them.

    Example:
        >>> thinned(list(range(20)))
        [1, 4, 6, 9, 11, 14, 16, 19]
    """
    if len(values) <= LOOKS:
        return list(values)
    return [values[(i + 1) * len(values) // LOOKS - 1] for i in range(LOOKS)]
