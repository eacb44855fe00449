"""`softbridge cp`: a recipe to edit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import RecipeName
from softbridge.errors import SoftbridgeError

EXAMPLE = "softbridge cp quickstart my.yaml"


def command(
    recipe: RecipeName,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, a .yaml file.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy a recipe, to edit it."""
    from softbridge.recipe import find

    source = find(recipe)
    target = to / source.name if to.is_dir() else to
    if target.exists() and not force:
        raise SoftbridgeError(f"{target} is there already", "a new file", "choose another name, or add --force")
    if target.suffix not in (".yaml", ".yml"):
        raise SoftbridgeError(f"'{target}' is no name of a recipe", "a name that ends in .yaml", f"write {target}.yaml")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    say(f"{target}  (edit it, then: softbridge check {target})")
