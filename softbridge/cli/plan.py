"""`softbridge plan`: the stages of a run, and which of them are finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softbridge.cli.console import say, table
from softbridge.cli.options import Out, RecipeName, Settings

if TYPE_CHECKING:
    from softbridge.study import PlannedStage

EXAMPLE = "softbridge plan quickstart --set training.source.steps=200"


def command(recipe: RecipeName, out: Out = None, settings: Settings = None) -> None:
    """List a run's stages, and which are finished. Model and data are opened, nothing is trained."""
    from softbridge.cli.run import folder
    from softbridge.recipe import read
    from softbridge.study import plan

    tree = read(recipe, settings or ())
    place = folder(tree, out)
    stages = plan(tree, place)
    table(f"{tree.name} in {place}", ("stage", "digest", "state", "steps", "rows", "note"), map(row, stages))
    left = [stage for stage in stages if not stage.finished]
    say(f"{len(left)} of {len(stages)} stages to do: {sum(stage.rows for stage in left):,} rows to train on")


def row(stage: PlannedStage) -> tuple[str, ...]:
    """Return a stage as the table shows it."""
    state = "finished" if stage.finished else "to do"
    return stage.name, stage.digest[:12], state, str(stage.steps), f"{stage.rows:,}", stage.note
