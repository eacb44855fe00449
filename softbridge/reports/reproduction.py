"""A result made again, held against the one that was published: number by number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import mean
from typing import Any

from softbridge import whole
from softbridge.errors import StudyError
from softbridge.records import Record
from softbridge.reports.grid import Grid, grid, number, signed
from softbridge.reports.statistics import other_seed, spread

FILE = "expected.json"
EQUAL, WITHIN, OFF = "equal", "within spread", "off"
MACHINE = ("softbridge", "commit", "torch", "transformers", "python", "platform", "device", "threads", "processes")


@dataclass(frozen=True)
class Expectation:
    """Say how near a number must come, and where it was made.

    Arguments:
        equal: the largest difference that is rounding.
        level: the share of other seeds' numbers that lie as near to the mean of the seeds.
        rows: how many rows of a split may be scored otherwise: a score moves by whole rows.
        least: the smallest difference that is allowed for: one seed has no spread, and a loss no rows.
        made_on: the machines and versions that made the records.
    """

    equal: float = 1e-5
    level: float = 0.95
    rows: int = 2
    least: float = 0.02
    made_on: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True)
class Number:
    """Hold one number, published and measured.

    Arguments:
        target: the target.
        arm: the arm.
        seed: the member's seed.
        name: checkpoint, split and metric: `best test accuracy`.
        published: the record's number.
        measured: the new one; None where there is none.
        allowed: the largest difference that is within the spread.
        verdict: `equal`, `within spread` or `off`.
    """

    target: str
    arm: str
    seed: int
    name: str
    published: float
    measured: float | None
    allowed: float
    verdict: str


def compare(published: Record, measured: Record | None, expected: Expectation) -> list[Number]:
    """Compare two records of one cell, number by number.

    A number is *equal* up to `expected.equal`, and *within spread* up to what `allowed` says.

    Arguments:
        published: what is to be reproduced.
        measured: what was measured; None where the cell was not made.
        expected: how near is near.

    Returns:
        A number for each seed, checkpoint, split and metric of the published record.
    """
    new = {member["seed"]: scores_of(member) for member in measured.members} if measured else {}
    old = {member["seed"]: scores_of(member) for member in published.members}
    found = []
    for name in dict.fromkeys(name for scores in old.values() for name in scores):
        sides = [[scores[name] for scores in side.values() if name in scores] for side in (old, new)]
        near = allowed(sides, rows_of(published, name.split()[1]), expected)
        for seed, scores in old.items():
            if name in scores:
                value = new.get(seed, {}).get(name)
                said = verdict(scores[name], value, expected.equal, near)
                found.append(Number(published.target, published.arm, seed, name, scores[name], value, near, said))
    return found


def allowed(sides: Sequence[Sequence[float]], rows: int, expected: Expectation) -> float:
    """Return how far a number may be from the published one, and still be within the spread of the seeds.

    `max(t s sqrt(1 + 1 / n), expected.rows / rows, expected.least)`: around the mean of n seeds of deviation s, another
    seed's number lies within the first, by Student's t of n - 1 degrees of freedom at `expected.level`. Of the
    published and the measured seeds those count that differ less: a single wild number widens its own side alone.

    *Reference*: Geisser. Predictive Inference: An Introduction. 1993.

    Arguments:
        sides: the published seeds' numbers, and the measured ones'.
        rows: how many rows the split has.
        expected: how near is near.

    Example:
        >>> round(allowed([[0.78, 0.80, 0.82], [0.75, 0.80, 0.85]], 150, Expectation()), 3)
        0.099
        >>> allowed([[0.8], [0.7]], 32, Expectation())
        0.0625
    """
    seeds = min(other_seed(spread(side), expected.level) if len(side) > 1 else 0.0 for side in sides)
    return max(seeds, expected.rows / rows, expected.least)


def rows_of(record: Record, split: str) -> int:
    """Return how many rows of the target's split a record's members were scored on."""
    shots, labels = record.recipe.get("validation_shots"), record.recipe["targets"][record.target].get("labels")
    if split == "validation" and shots and labels:
        return shots * len(labels)
    return record.data["target"]["sizes"][split]


def shift(numbers: Sequence[Number]) -> str:
    """Say how far a test score of the chosen checkpoint has moved in the mean: its first metric that is no loss.

    Single numbers may come out higher or lower by chance; if most of them move one way, something else is at work.
    """
    names = [n.name for n in numbers if n.name.startswith("best test") and n.name != "best test loss"]
    moved = [n.measured - n.published for n in numbers if n.name in names[:1] and n.measured is not None]
    if not moved:
        return ""
    up, down = sum(by > 0 for by in moved), sum(by < 0 for by in moved)
    return f"{names[0]}: {signed(mean(moved), 4)} in the mean of {len(moved)}; {up} higher, {down} lower"


def verdict(published: float, measured: float | None, equal: float, allowed: float) -> str:
    """Say how a number stands to the published one.

    Example:
        >>> verdict(0.8, 0.8, 1e-5, 0.02), verdict(0.8, 0.79, 1e-5, 0.02), verdict(0.8, 0.7, 1e-5, 0.02)
        ('equal', 'within spread', 'off')
        >>> verdict(0.8, None, 1e-5, 0.02)
        'off'
    """
    if measured is None or measured != measured:
        return OFF
    difference = abs(measured - published)
    return EQUAL if difference <= equal else WITHIN if difference <= allowed else OFF


def scores_of(member: Mapping[str, Any]) -> dict[str, float]:
    """Return a member's scores by `checkpoint split metric`; what was not measured is left out."""
    return {
        f"{checkpoint} {split} {metric}": value
        for checkpoint in ("best", "last")
        for split in ("test", "validation")
        for metric, value in (member[checkpoint].get(split) or {}).items()
        if value is not None
    }


def other_data(published: Record, measured: Record) -> list[str]:
    """Return the domains whose rows are not those of the published record: their numbers are of something else."""
    pairs = [(published.target, published.data["target"], measured.data["target"])]
    theirs, ours = published.data["source"], measured.data["source"]
    pairs += [(name, theirs[name], ours[name]) for name in theirs if name in ours]
    return [name for name, one, other in pairs if one["fingerprint"] != other["fingerprint"]]


def every_number(numbers: Sequence[Number]) -> Grid:
    """Return the table of every number; where all are of one cell, its title names it."""
    cells = {(n.target, n.arm) for n in numbers}
    one = len(cells) == 1
    rows = [
        [
            *([] if one else [n.target, n.arm]),
            *(n.name, str(n.seed), number(n.published, 4), number(n.measured, 4), apart(n), n.verdict),
        ]
        for n in numbers
    ]
    head = ["number", "seed", "published", "measured", "difference", "verdict"]
    title = "Published and measured" + "".join(f": {arm} on {target}" for target, arm in cells if one)
    return grid(title, head if one else ["target", "arm", *head], rows, words=1 if one else 3)


def by_cell(numbers: Sequence[Number]) -> Grid:
    """Return the table of cells: how many numbers of each verdict, and the one that is farthest off."""
    rows = []
    for target, arm in dict.fromkeys((n.target, n.arm) for n in numbers):
        cell = [n for n in numbers if (n.target, n.arm) == (target, arm)]
        counts = [str(sum(n.verdict == verdict for n in cell)) for verdict in (EQUAL, WITHIN, OFF)]
        farthest = max(cell, key=lambda n: float("inf") if n.measured is None else abs(n.measured - n.published))
        rows.append([target, arm, *counts, f"{apart(farthest)} in {farthest.name}, seed {farthest.seed}"])
    return grid("Published and measured", ["target", "arm", EQUAL, WITHIN, OFF, "largest difference"], rows, words=2)


def apart(n: Number) -> str:
    """Write a difference."""
    return signed(None if n.measured is None else n.measured - n.published, 4)


def summary(numbers: Sequence[Number]) -> str:
    """Say how many numbers are equal, within the spread, and off.

    Example:
        >>> summary([])
        '0 numbers: 0 equal, 0 within spread, 0 off'
    """
    counts = ", ".join(f"{sum(n.verdict == v for n in numbers)} {v}" for v in (EQUAL, WITHIN, OFF))
    return f"{len(numbers)} numbers: {counts}"


def machines(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the machines and versions that made the records, each once."""
    found = [{key: record.provenance.get(key) for key in MACHINE} for record in records]
    return [one for i, one in enumerate(found) if one not in found[:i]]


def changes(made_on: Sequence[Mapping[str, Any]], here: Mapping[str, Any]) -> list[str]:
    """Return what is other here than where the records were made.

    Example:
        >>> changes([{"torch": "2.6", "threads": 2}], {"torch": "2.7", "threads": 2})
        ['torch: 2.7 here, 2.6 there']
    """
    said = []
    for key in MACHINE:
        there = list(dict.fromkeys(str(one.get(key)) for one in made_on))
        if there and str(here.get(key)) not in there:
            said.append(f"{key}: {here.get(key)} here, {' and '.join(there)} there")
    return said


def expectation(folder: Path, records: Sequence[Record]) -> Expectation:
    """Return what a benchmark's folder expects; where it says nothing, the defaults and the records' own machines.

    Raises:
        StudyError: when `expected.json` is no expectation.
    """
    file = folder / FILE
    if not file.is_file():
        return Expectation(made_on=machines(records))
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Expectation(**found)
    except (ValueError, TypeError):
        raise StudyError(
            f"{file} cannot be read as an expectation",
            f"a JSON object with {', '.join(f.name for f in fields(Expectation))}",
            "write it anew: softbridge reproduce FOLDER --store",
        ) from None


def store(folder: Path, expected: Expectation) -> Path:
    """Write a benchmark's expectation beside its records."""
    file = folder / FILE
    whole.write(file, json.dumps(asdict(expected), indent=1, ensure_ascii=False) + "\n")
    return file
