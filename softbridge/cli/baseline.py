"""`softbridge baseline`: a paper's numbers beside yours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.catalogue import look_up
from softbridge.cli.console import console, say

EXAMPLE = """softbridge baseline spot
softbridge baseline spot --from runs/spot"""


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A baseline; the names of all when left out.")
    ] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--from", metavar="DIR", help="Where its recipe was run; may be given again.")
    ] = None,
) -> None:
    """Print what papers published, what was measured here, and what differs between the two."""
    from softbridge import records
    from softbridge.recipe import heading, papers
    from softbridge.reports import baselines, tables

    recipes, file = papers()
    numbers: dict[str, list[baselines.Published]] = {recipe: [] for recipe in recipes}
    for number in baselines.published(file):
        numbers.setdefault(number.baseline, []).append(number)
    if name is None:
        for known, found in numbers.items():
            say(f"{known}: {len(found)} published numbers. {heading(recipes[known])}")
        return
    found = look_up(numbers, name, "baseline", "softbridge baseline")
    if found:
        console().print(tables.drawn(baselines.compared(found, records.read(folder) if folder else [])))
    for line in baselines.told(found):
        say(line)
    if not folder:
        say(f"nothing is measured: softbridge run {recipes[name]}, then softbridge baseline {name} --from runs/{name}")
