"""Published numbers beside measured ones: a cited CSV, and the records of a run of the recipe that goes with it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from softbridge.errors import StudyError
from softbridge.records import Record
from softbridge.reports.grid import NOTHING, Cell, Grid, Line, grid
from softbridge.reports.statistics import Spread, spread

PERCENT = 100.0  # papers write per cent, records hold shares


@dataclass(frozen=True)
class Published:
    """Hold one published number; the fields are the CSV's columns.

    Arguments:
        baseline: the recipe that it stands beside.
        arm: the recipe's arm that it is compared with, or what the paper calls the method.
        target: the target's name in the recipe, or what a mean is over.
        metric: the metric.
        value: in per cent.
        std: its standard deviation over seeds, or empty.
        source: what to cite.
        provenance: how the number came here.
        differs: what differs between the paper's setting and the recipe's.
    """

    baseline: str
    arm: str
    target: str
    metric: str
    value: str
    std: str
    source: str
    provenance: str
    differs: str

    def shown(self) -> str:
        """Return the value with its deviation."""
        return f"{self.value} ± {self.std}" if self.std else self.value


def published(file: Path) -> list[Published]:
    """Return the numbers of a CSV.

    Raises:
        StudyError: when the file lacks a column, or a value is no number.
    """
    columns = [field.name for field in fields(Published)]
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames != columns:
            raise StudyError(f"{file} has the columns {reader.fieldnames}", f"the columns {columns}", "mend its head")
        rows = [Published(**row) for row in reader]
    for row in rows:
        try:
            float(row.value), float(row.std or 0)
        except ValueError:
            raise StudyError(f"{file} holds the value '{row.value}'", "a number in per cent", "mend the line") from None
    return rows


def measured(records: Sequence[Record], number: Published) -> Spread | None:
    """Return what the records say of a published number's arm, target and metric, in per cent; None without any."""
    for record in records:
        known = {record.arm, record.arm.partition(" (")[0]}
        if record.target == number.target and known & {number.arm, number.arm.partition(" (")[0]}:
            scores = [member["best"]["test"].get(number.metric) for member in record.members]
            if scores and all(score is not None for score in scores):
                return spread([PERCENT * score for score in scores])
    return None


def compared(numbers: Sequence[Published], records: Sequence[Record]) -> Grid:
    """Return published against measured, one line a number."""
    rows: list[Line] = []
    for number in numbers:
        ours = measured(records, number)
        shown = f"{ours.mean:.1f}" + (f" ± {ours.std:.1f}" if ours.n > 1 else "") if ours else NOTHING
        gap = f"{ours.mean - float(number.value):+.1f}" if ours else NOTHING
        rows.append([Cell(text) for text in (number.target, number.arm, number.metric, number.shown(), shown, gap)])
    head = ["target", "method", "metric", "published", "measured", "difference"]
    return grid(f"{numbers[0].baseline}: published and measured, in per cent", head, rows)


def told(numbers: Sequence[Published]) -> list[str]:
    """Return where the numbers come from and what differs, each thing once."""
    found: dict[str, list[str]] = {}
    for number in numbers:
        found.setdefault(f"{number.source} ({number.provenance})", []).append(number.differs)
    return [f"{source}: {'; '.join(dict.fromkeys(d for d in differs if d))}" for source, differs in found.items()]
