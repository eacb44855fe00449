"""From saved prompts to a user's own data: rank them, try the best few bridges from them, keep the best prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from softbridge.domains.sketches import Sketch
from softbridge.prompts import files
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import Recipe
from softbridge.recipe.bridging import SCRATCH, STEPS, recipe_for, ways
from softbridge.records import Record
from softbridge.study.determinism import deterministic
from softbridge.study.halving import Rung, affordable, contest
from softbridge.study.learning import learn, prompt_folder
from softbridge.study.study import Study
from softbridge.study.trials import Trial, trials

BUDGET = 400


@dataclass(frozen=True)
class Request:
    """Say what is to be bridged.

    Arguments:
        found: what the target's data look like.
        shelves: the source prompts by name.
        backbone: the backbone's name.
        shots: labelled rows of each class, a third of which chooses; None for all.
        seeds: one member each.
        words: label words by class name, where they are given.
        budget: optimiser steps a seed, over all ways that are tried.
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
        some = list(arms)[: affordable(self.budget, STEPS, max(1, len(arms)))]
        arms = {name: arms[name] for name in some} if arms else {}
        return recipe_for(self.found, self.shelves, self.backbone, arms, self.shots, self.seeds, self.words)


@dataclass(frozen=True)
class Bridged:
    """Hold what was found.

    Arguments:
        recipe: the recipe of all ways that were tried; `softbridge run` carries each of them to its end.
        ranking: what each source's prompt scored on the labelled rows as it is, the best first.
        rungs: the contest, of which validation loss was the judge.
        winner: the arm that won; `scratch` where no bridge was better.
        records: scratch's, and the winner's where it is another.
        prompt: the folder of the winner's prompt, a PEFT adapter too.
    """

    recipe: Recipe
    ranking: Mapping[str, Trial]
    rungs: Sequence[Rung]
    winner: str
    records: Sequence[Record]
    prompt: Path


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
        rungs = hold(study, target)
        (winner,) = rungs[-1].kept
        extracted = {source: study.extract(source) for source in study.needed()}
        records = [study.carry(target, recipe.arms[name], extracted) for name in dict.fromkeys((SCRATCH, winner))]
        study.stay_frozen()
    return Bridged(recipe, ranking, rungs, winner, records, left(study, target, winner))


def hold(study: Study, target: str) -> list[Rung]:
    """Hold the contest of a study's arms on its target."""
    arms = study.recipe.arms

    def tried(name: str, steps: int) -> float:
        arm = replace(arms[name], plan=replace(arms[name].plan, steps=steps))
        return mean_loss(learn(study.materials, study.adaptation(target, arm), study.watcher))

    return contest([name for name in arms if name != SCRATCH], SCRATCH, STEPS, tried)


def mean_loss(result: Mapping[str, object]) -> float:
    """Return the members' mean validation loss at the looks that validation chose."""
    losses = [best_loss(member) for member in result["members"]]  # type: ignore[attr-defined]
    return sum(losses) / len(losses)


def best_loss(member: Mapping[str, object]) -> float:
    """Return a member's validation loss at the look that validation chose."""
    looks: Sequence[Mapping[str, object]] = member["history"]  # type: ignore[assignment]
    look = next(look for look in looks if look["step"] == member["best_step"])
    return float(look["validation"]["loss"])  # type: ignore[index]


def left(study: Study, target: str, winner: str) -> Path:
    """Copy the winner's best member to the study's folder `prompt`, and return it."""
    stage = study.adaptation(target, study.recipe.arms[winner]).stage
    best = min(stage.result()["members"], key=best_loss)
    if study.accelerator.is_main_process:
        files.load(prompt_folder(stage, best["seed"], "best")).save(study.out / "prompt")
    return study.out / "prompt"
