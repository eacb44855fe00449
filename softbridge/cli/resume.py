"""`softbridge resume`: go on with a study that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.options import Abreast, Track
from softbridge.errors import StudyError

EXAMPLE = "softbridge resume runs/quickstart"


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    track: Track = None,
    abreast: Abreast = False,
) -> None:
    """Go on with a study that was stopped."""
    from softbridge.cli.run import conduct
    from softbridge.recipe import read

    file = folder / "recipe.yaml"
    if not file.is_file():
        raise StudyError(
            f"{folder} holds no recipe.yaml" if folder.is_dir() else f"there is no folder {folder}",
            "a study's folder, as `softbridge run` writes it",
            "give the folder that `softbridge run` named, or start anew: softbridge run RECIPE",
        )
    conduct(read(file), folder, track, abreast=abreast)
