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
Abreast = Annotated[
    bool,
    typer.Option("--abreast", help="Train sources, and then cells, side by side in banks: the same up to rounding."),
]
PromptFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a saved prompt.")]
Repo = Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository on the hub.")]
TextColumn = Annotated[str, typer.Option("--text", metavar="COLUMN", help="The column of texts.")]
LabelColumn = Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column of labels.")]
BackboneName = Annotated[
    str, typer.Option("--backbone", help="A name of `softbridge assets ls`, a model's folder, or a hub id.")
]
GalleryFolder = Annotated[
    Path | None,
    typer.Option("--gallery", metavar="FOLDER", help="Source prompts of your own, as `softbridge gallery` makes them."),
]
Shots = Annotated[
    int | None,
    typer.Option("--shots", metavar="N", help="Labelled rows a class, a third of which chooses; all by default."),
]
Words = Annotated[
    list[str] | None,
    typer.Option("--words", metavar="CLASS=WORDS", help="Label words of a class; may be given several times."),
]
Seeds = Annotated[str, typer.Option("--seeds", metavar="0,1,...", help="One member of the bank each.")]
KindName = Annotated[
    str | None,
    typer.Option("--kind", help="The backbone's kind, a name of `softbridge ls backbones`; by default its own."),
]
