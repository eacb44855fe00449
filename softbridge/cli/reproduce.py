"""`softbridge reproduce`: make a published result again, and say how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import console, is_main, say
from softbridge.errors import StudyError, nearest

if TYPE_CHECKING:
    from softbridge.recipe import Recipe
    from softbridge.records import Record
    from softbridge.reports.reproduction import Expectation, Number

EXAMPLE = """softbridge reproduce benchmarks/quickstart
softbridge reproduce benchmarks/quickstart --target news --arm spot
softbridge reproduce runs/mine --store"""


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A benchmark's folder, or a study's: it has records.")],
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="This target only.")] = None,
    arm: Annotated[str | None, typer.Option(metavar="ARM", help="This arm only.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to run; runs/reproduce/<the folder's name> by default.")
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Run nothing: write DIR/expected.json, the tolerance and the machine.")
    ] = False,
) -> None:
    """Run what made a folder's records again, and compare every number: equal, within the spread of the seeds, or off.

    The recipe is the records' own. Ends with status 1 when a number is off.
    """
    from softbridge import records
    from softbridge.reports import reproduction

    every = records.read([folder])
    expected = reproduction.expectation(folder, every)
    if store:
        say(str(reproduction.store(folder, replace(expected, made_on=reproduction.machines(every)))))
        return
    numbers: list[Number] = []
    made: list[Record] = []
    for study in studies(chosen(every, target, arm)):
        made += again(study, out or place(folder))
        numbers += compared(study, made[-len(study) :], expected)
    if not is_main():
        return
    tell(numbers, expected, made)
    if any(n.verdict == reproduction.OFF for n in numbers):
        raise typer.Exit(1)


def place(folder: Path) -> Path:
    """Return where a folder's results are made again."""
    return Path("runs") / "reproduce" / folder.resolve().name


def chosen(every: Sequence[Record], target: str | None, arm: str | None) -> list[Record]:
    """Return the records of a target and of an arm.

    Raises:
        StudyError: when there is none.
    """
    for what, name, names in (
        ("target", target, [record.target for record in every]),
        ("arm", arm, [record.arm for record in every]),
    ):
        if name is not None and name not in names:
            known = ", ".join(dict.fromkeys(names))
            raise StudyError(
                f"no record has the {what} '{name}'{nearest(name, names)}", f"one of: {known}", f"name another {what}"
            )
    return [record for record in every if target in (None, record.target) and arm in (None, record.arm)]


def studies(wanted: Sequence[Record]) -> list[list[Record]]:
    """Return the records by the recipe that made them."""
    return [
        [record for record in wanted if record.recipe_digest == digest]
        for digest in dict.fromkeys(record.recipe_digest for record in wanted)
    ]


def again(study: Sequence[Record], out: Path) -> list[Record]:
    """Run the cells of one recipe again, and return a new record for each of the old ones."""
    from softbridge.study import run

    result = run(recipe_of(study), out, console() if is_main() else None)
    found = {(record.target, record.arm): record for record in result.records}
    return [found[record.target, record.arm] for record in study]


def compared(study: Sequence[Record], made: Sequence[Record], expected: Expectation) -> list[Number]:
    """Return every number of a study, published and new; warn of rows that are not the same."""
    from softbridge.reports import reproduction

    for old, new in zip(study, made, strict=True):
        for name in reproduction.other_data(old, new):
            say(f"warning: {old.arm} on {old.target}: the rows of {name} are not those of the published record")
    return [n for old, new in zip(study, made, strict=True) for n in reproduction.compare(old, new, expected)]


def recipe_of(study: Sequence[Record]) -> Recipe:
    """Return the recipe of records, with their targets and arms alone, in the precision that was measured then."""
    from softbridge.recipe import resume

    first = study[0]
    tree = resume(first.recipe, f"the recipe of {first.study}")
    arms = {arm.name: arm for one in tree.arms.values() for arm in one.apart(tree.sources)}
    ran = {key: first.backbone[key].removeprefix("softbridge_") for key in ("precision", "attention")}
    ran["attention"] = ran["attention"].removeprefix("open_")
    return replace(
        tree,
        backbone=replace(tree.backbone, **ran),
        targets={name: tree.targets[name] for name in dict.fromkeys(record.target for record in study)},
        arms={name: arms[name] for name in dict.fromkeys(record.arm for record in study)},
    )


def tell(numbers: Sequence[Number], expected: Expectation, made: Sequence[Record]) -> None:
    """Print the comparison: every number of one cell, or a line a cell and every number that is off."""
    from softbridge.reports import reproduction, tables

    few = len({(n.target, n.arm) for n in numbers}) == 1
    off = [n for n in numbers if n.verdict == reproduction.OFF]
    shown = [reproduction.every_number(numbers)] if few else [reproduction.by_cell(numbers)]
    for table in [*shown, *([reproduction.every_number(off)] if off and not few else [])]:
        console().print(tables.drawn(table))
    for line in reproduction.changes(expected.made_on, made[0].provenance):
        say(f"other than where it was made: {line}")
    seeds = f"another seed's distance from the mean ({expected.level:.0%})"
    near = f"the largest of {seeds}, {expected.rows} rows of a split and {expected.least:g}"
    say(f"equal: to {expected.equal:g}; within spread: to {near}")
    say("\n".join(filter(None, [reproduction.shift(numbers), reproduction.summary(numbers)])))
