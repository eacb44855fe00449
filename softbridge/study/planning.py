"""Tell of a study's stages before they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from softbridge.engine.plan import Plan
from softbridge.recipe import Recipe
from softbridge.study import rounds
from softbridge.study.shelved import ShelvedStage
from softbridge.study.stages import Stage
from softbridge.study.study import Study


@dataclass(frozen=True)
class PlannedStage:
    """Tell of a stage before it runs.

    Arguments:
        name: what it does.
        digest: what names its folder.
        finished: whether an earlier run carried it to its end.
        steps: optimiser steps.
        rows: rows its bank will read, all members together.
        note: what else there is to say.
    """

    name: str
    digest: str
    finished: bool
    steps: int
    rows: int
    note: str = ""


def plan(recipe: Recipe, out: Path) -> list[PlannedStage]:
    """Return the stages that a run would go through, and which of them are finished."""
    planned: dict[str, PlannedStage] = {}

    def add(stage: Stage, training: Plan | None, seeds: int, otherwise: str = "not trained", also: str = "") -> None:
        steps = training.steps if training else 0
        rows = steps * training.batch * seeds if training else 0
        note = (f"{seeds} members" if training else otherwise) + also
        planned[stage.digest] = PlannedStage(stage.name, stage.digest[:12], stage.finished, steps, rows, note)

    for study in (Study(one, out) for one in recipe.by_shots()):
        for designer in {id(s): s.designing for s in (*study.homes, study) if s.designing}.values():
            add(designer, None, 0, "candidates scored on validation rows")
        for before in study.preparing.planned():
            add(*before)
        for place, there in enumerate(study.homes):
            on = f", on {there.recipe.backbone.name}" if len(study.homes) > 1 else ""
            for source in study.needed(place):
                stage = there.extraction(source)
                saved = isinstance(stage, ShelvedStage)
                add(stage, None if saved else recipe.training.source, len(recipe.seeds), "saved before", on)
        for target, arm in study.cells():
            lesson = study.adaptation(target, arm)
            home = ", from the target's own data" if study.at_home(target, arm) else ""
            add(lesson.stage, lesson.plan, len(lesson.seeds), also=home)
            scored = lesson.stage.digest
            if arm.rounds:
                stage, more, note = rounds.planned(study, target, arm)
                planned[stage.digest] = PlannedStage(stage.name, stage.digest[:12], stage.finished, 0, more, note)
                scored = stage.result()["kept"]["stage"] if stage.finished else scored
            add(study.evaluation(target, arm, scored), None, 0, "scored once")
    return list(planned.values())
