"""From saved prompts to a user's own data: rank them, try the best few bridges from them, keep the best prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from softbridge.domains.sketches import Sketch
from softbridge.prompts import files
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import Arm, Recipe
from softbridge.recipe.bridging import SCRATCH, STEPS, always, preferred, recipe_for, ways
from softbridge.records import Record
from softbridge.study.determinism import deterministic
from softbridge.study.folds import FOLDS, folded, unseen
from softbridge.study.halving import Losses, Rung, affordable, chosen, contest
from softbridge.study.learning import prompt_folder
from softbridge.study.study import Study
from softbridge.study.trials import Trial, trials

BUDGET = 1200


@dataclass(frozen=True)
class Request:
    """Say what is to be bridged.

    Arguments:
        found: what the target's data look like.
        shelves: the source prompts by name.
        backbone: the backbone's name.
        shots: labelled rows of each class; None for all.
        seeds: one member each.
        words: label words by class name, where they are given.
        budget: optimiser steps a seed, over all ways that are tried and their folds.
    """

    found: Sketch
    shelves: Mapping[str, Shelved]
    backbone: str
    shots: int | None = None
    seeds: Sequence[int] = (0, 1, 2)
    words: Mapping[str, str] | None = None
    budget: int = BUDGET

    def recipe(self, ranked: Sequence[str] = ()) -> Recipe:
        """Return the recipe: scratch, and as many ways from the ranked sources as the budget pays for."""
        arms = ways(ranked) if ranked else {}
        kept = always(arms)
        others = [name for name in arms if name not in kept]
        paid = affordable(self.budget, len(kept), STEPS, FOLDS, max(1, len(others)))
        arms = {name: arm for name, arm in arms.items() if name in kept or name in others[:paid]}
        return recipe_for(self.found, self.shelves, self.backbone, arms, self.shots, self.seeds, self.words)


@dataclass(frozen=True)
class Bridged:
    """Hold what was found.

    Arguments:
        recipe: the recipe of all ways that were tried; `softbridge run` carries each of them to its end.
        ranking: what each source's prompt scored on the labelled rows as it is, the best first.
        rungs: the contest, of which the loss of rows that a prompt did not see was the judge.
        losses: those of the last rung.
        winner: the arm that won.
        records: scratch's, and the winner's where it is another.
        prompt: the folder of the winner's prompt, a PEFT adapter too.
    """

    recipe: Recipe
    ranking: Mapping[str, Trial]
    rungs: Sequence[Rung]
    losses: Losses
    winner: str
    records: Sequence[Record]
    prompt: Path

    @property
    def spent(self) -> int:
        """Return the optimiser steps a seed that were spent: in the folds, and on the prompts at the end."""
        return FOLDS * sum(rung.steps * len(rung.losses) for rung in self.rungs) + STEPS * len(self.records)


def bridge(request: Request, out: Path, console: Console | None = None) -> Bridged:
    """Rank the sources, hold the contest, and touch the test rows once, for the winner and for scratch.

    Arguments:
        request: what is to be bridged.
        out: the study's folder.
        console: where progress is shown; None shows nothing.
    """
    with deterministic() as found:
        (target,) = request.recipe().targets
        ranking = trials(Study(request.recipe(), out, console), target)
        recipe = request.recipe(list(ranking))
        study = Study(recipe, out, console)
        if study.accelerator.is_main_process:
            recipe.write(out / "recipe.yaml")
        study.materials.unpromised = found
        rungs, losses = hold(study, target)
        winner = chosen(losses, preferred(recipe))
        extracted = study.extract_all(None, abreast=False)
        records = [study.carry(target, recipe.arms[name], extracted) for name in dict.fromkeys((SCRATCH, winner))]
        study.stay_frozen()
    return Bridged(recipe, ranking, rungs, losses, winner, records, left(study, target, winner))


def hold(study: Study, target: str) -> tuple[list[Rung], Losses]:
    """Hold the contest of a study's arms on its target."""
    arms, folds = study.recipe.arms, folded(study, target)
    kept = always(arms)

    def tried(names: Sequence[str], steps: int) -> Losses:
        return unseen(study, folds, {name: shortened(arms[name], steps) for name in names})

    return contest([name for name in arms if name not in kept], kept, STEPS, tried)


def shortened(arm: Arm, steps: int) -> Arm:
    """Return an arm of other steps, whose held-out rows are looked at."""
    return replace(arm, plan=replace(arm.plan, steps=steps, choose_by="loss"))


def left(study: Study, target: str, winner: str) -> Path:
    """Copy the first seed's prompt of the winner to the study's folder `prompt`, and return it."""
    stage = study.adaptation(target, study.recipe.arms[winner]).stage
    if study.accelerator.is_main_process:
        files.load(prompt_folder(stage, study.recipe.seeds[0], "best")).save(study.out / "prompt")
    return study.out / "prompt"
