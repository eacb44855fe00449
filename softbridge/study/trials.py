"""How good source prompts are on a target as they are: nothing is trained, so that many can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from datasets import concatenate_datasets

from softbridge.bridges.scratch import Scratch
from softbridge.evaluation.evaluator import evaluate
from softbridge.prompts.bank import Bank
from softbridge.prompts.held import HeldPrompt
from softbridge.recipe import Arm
from softbridge.seeding import derive, generator
from softbridge.study.shores import Shores
from softbridge.study.study import Study

MOST_ROWS = 96  # a seed; twenty prompts on as many take some ten seconds on a CPU


@dataclass(frozen=True)
class Trial:
    """Hold what a source's prompt scored on a target's labelled rows before any training there.

    Arguments:
        loss: mean over the seeds' rows.
        accuracy: likewise.
        rows: how many rows a seed has.
    """

    loss: float
    accuracy: float
    rows: int


def trials(study: Study, target: str) -> Mapping[str, Trial]:
    """Return each source's trial, the smallest loss first.

    The rows are those that the study may learn from and choose by, never the test's, and up to 96 a seed; no source
    prompt has seen them, so both may be read.

    Arguments:
        study: the study, whose sources are learned.
        target: a target's name.
    """
    materials, recipe = study.materials, study.recipe
    domain = materials.targets[target]
    materials.bind(domain)
    shores = Shores(study, target, Arm("trial", Scratch(), recipe.training.target))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in materials.sources}
    for seed in recipe.seeds:
        some = concatenate_datasets(domain.few(recipe.shots, derive(seed, "shots"), recipe.validation_shots))
        order = torch.randperm(len(some), generator=generator(seed, "trial", target))
        rows = materials.rows(some.select(order[:MOST_ROWS].tolist()))
        bank = Bank({name: HeldPrompt(shores.saved(name, seed, "best")) for name in found}).to(
            materials.backbone.device
        )
        scored = evaluate(materials.backbone, bank, [rows] * len(found), ["accuracy"], materials.accelerator)
        for name, each in zip(found, scored, strict=True):
            found[name].append(each)
    made = {name: Trial(mean(each, "loss"), mean(each, "accuracy"), len(rows)) for name, each in found.items()}
    return dict(sorted(made.items(), key=lambda item: item[1].loss))


def mean(seeds: list[dict[str, float]], key: str) -> float:
    """Return a score's mean over the seeds."""
    return sum(scored[key] for scored in seeds) / len(seeds)
