"""Fill a shelf with the source prompts of a recipe, for others to begin from."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from softbridge.prompts import files
from softbridge.recipe import Recipe
from softbridge.study.determinism import deterministic
from softbridge.study.learning import prompt_folder
from softbridge.study.stages import slug
from softbridge.study.study import Study


def fill(recipe: Recipe, out: Path, shelf: Path, console: Console | None = None) -> list[Path]:
    """Learn a recipe's sources, and put their prompts on a shelf; return the sources' folders there.

    Arguments:
        recipe: the recipe; its targets and arms are not looked at.
        out: the study's folder, where the sources' stages are.
        shelf: the folder to fill: one folder a source, in it `seed0-best` and, where it is another, `seed0-last`.
        console: where progress is shown; None shows nothing.
    """
    made = []
    with deterministic() as found:
        study = Study(recipe, out, console).home
        study.materials.unpromised = found
        for source in recipe.sources:
            members = study.extract(source)["members"]
            place = shelf / slug(source)
            for member in members:
                for which in ("best", "last"):
                    if which == "best" or member["best_step"] != member["last_step"]:
                        saved = files.load(prompt_folder(study.extraction(source), member["seed"], which))
                        saved.save(place / f"seed{member['seed']}-{which}")
            made.append(place)
    return made
