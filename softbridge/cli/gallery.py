"""`softbridge gallery`: source prompts for others to begin from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import console, is_main, say
from softbridge.cli.options import Out, Settings

EXAMPLE = "softbridge gallery recipes/gallery/minilm-l6.yaml --shelf gallery/minilm-l6"


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe whose sources are to be learned.")],
    shelf: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the prompts go, one folder a source.")],
    out: Out = None,
    settings: Settings = None,
) -> None:
    """Learn a recipe's sources, and put their prompts on a shelf: each can be a source of other recipes."""
    from softbridge.cli.run import folder
    from softbridge.recipe import read
    from softbridge.study.gallery import fill

    tree = read(recipe, settings or ())
    made = fill(tree, folder(tree, out), shelf, console() if is_main() else None)
    say(f"{len(made)} sources on the shelf {shelf}; in a recipe: sources: {{{made[0].name}: {{prompts: {made[0]}}}}}")
