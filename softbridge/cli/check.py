"""`softbridge check`: is a recipe right, and what will it do."""

from __future__ import annotations

from softbridge.cli.console import say
from softbridge.cli.options import RecipeName, Settings

EXAMPLE = "softbridge check my.yaml --set shots=16"


def command(recipe: RecipeName, settings: Settings = None) -> None:
    """Check a recipe, and say what it will do. Nothing is loaded."""
    from softbridge.recipe import explain, read

    say(explain(read(recipe, settings or ())))
