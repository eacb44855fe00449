"""`softbridge show`: a recipe's text."""

from __future__ import annotations

from typing import Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import RecipeName, Settings

EXAMPLE = "softbridge show quickstart --resolved"


def command(
    recipe: RecipeName,
    resolved: Annotated[bool, typer.Option("--resolved", help="Write out every default.")] = False,
    settings: Settings = None,
) -> None:
    """Print a recipe's text. With every default filled in, if you like."""
    from softbridge.recipe import find, read

    if resolved or settings:
        say(read(recipe, settings or ()).to_yaml().rstrip())
    else:
        say(find(recipe).read_text(encoding="utf-8").rstrip())
