"""The arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a packaged recipe.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe, as in training.target.steps=40."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The study's folder; runs/<the recipe's name> by default.")
]
Track = Annotated[
    str | None,
    typer.Option("--track", metavar="TRACKER", help="Send what is seen to tensorboard, wandb, mlflow, trackio, ..."),
]
PromptFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a saved prompt.")]
