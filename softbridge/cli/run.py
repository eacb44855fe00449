"""`softbridge run`: carry out a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import console, is_main, say
from softbridge.cli.hangup import outliving
from softbridge.cli.options import Abreast, Out, RecipeName, Settings, Track
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.recipe import Recipe
    from softbridge.study import StudyResult

EXAMPLE = """softbridge run quickstart
softbridge run my.yaml --out runs/short --set training.target.steps=40 --seeds 0,1
softbridge run my.yaml --on ray --with gpus=1
accelerate launch -m softbridge run my.yaml"""


def command(
    recipe: RecipeName,
    out: Out = None,
    settings: Settings = None,
    seeds: Annotated[str | None, typer.Option(metavar="0,1,...", help="Replace the recipe's seeds.")] = None,
    track: Track = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Carry sources and cells out elsewhere, side by side: ray, slurm."),
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--with", metavar="KEY=VALUE", help="A setting of that engine, as in gpus=1.")
    ] = None,
    abreast: Abreast = False,
) -> None:
    """Run a recipe: train, transfer, evaluate, report.

    What an earlier run has finished is not done again.
    """
    from softbridge.recipe import read

    tree = read(recipe, [*(settings or ()), *([f"seeds=[{seeds}]"] if seeds else [])])
    conduct(tree, folder(tree, out), track, on, given or (), abreast)


def folder(recipe: Recipe, out: Path | None) -> Path:
    """Return the study's folder: the one asked for, or `runs/<the recipe's name>`.

    Raises:
        SoftbridgeError: when a file stands there, or where one of its folders is to be.
    """
    place = out or Path("runs") / recipe.name
    for at in (place, *place.parents):
        if at.exists() and not at.is_dir():
            seen = f"a file stands where the folder is to be: {at}"
            raise SoftbridgeError(seen, "a folder, or nothing", "name another: --out")
    return place


def conduct(
    recipe: Recipe,
    out: Path,
    track: str | None = None,
    on: str | None = None,
    given: Sequence[str] = (),
    abreast: bool = False,
) -> None:
    """Run a recipe in a folder, here or elsewhere, print its result table, and write its report.

    Raises:
        KeyboardInterrupt: after saying how to go on, when the user stops the run.
    """
    from softbridge import reports
    from softbridge.reports import tables

    with outliving(out):
        try:
            result = carried(recipe, out, track, on, given, abreast)
        except KeyboardInterrupt:
            console(stderr=True).print(f"\nstopped; go on with: softbridge resume {out}", markup=False, soft_wrap=True)
            raise
        if is_main():
            tables.terminal(result.records, console())
            say(f"report: {reports.write([out], out / 'report').html}")


def carried(
    recipe: Recipe, out: Path, track: str | None, on: str | None, given: Sequence[str], abreast: bool
) -> StudyResult:
    """Return what a study came to, carried out here or elsewhere.

    Raises:
        SoftbridgeError: when settings of an engine are given without the engine, or banks beside one.
    """
    from softbridge import study
    from softbridge.study.elsewhere import conducting, table

    shown = console() if is_main() else None
    if on is None and given:
        raise SoftbridgeError(
            f"--with {given[0]}, and no engine that it could be a setting of",
            "--on with it",
            "add --on ray or --on slurm",
        )
    if on is None:
        return study.run(recipe, out, shown, track, abreast=abreast)
    if abreast:
        raise SoftbridgeError(
            f"--abreast and --on {on} stand together", "cells in banks here, or one by one elsewhere", "leave one out"
        )
    return conducting.run(recipe, out, table.engine(on, given), shown, track)
