"""Labelled rows in folds: a prompt is scored on rows that it did not see, and every row is scored once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from datasets import Dataset, concatenate_datasets

from softbridge.batch import Rows
from softbridge.domains.domain import OpenDomain
from softbridge.domains.splits import stratified
from softbridge.evaluation.evaluator import probabilities
from softbridge.prompts import files
from softbridge.prompts.bank import Bank, form
from softbridge.prompts.held import HeldPrompt
from softbridge.recipe import Arm
from softbridge.seeding import derive
from softbridge.study.learning import Lesson, module, prompt_folder
from softbridge.study.materials import Materials
from softbridge.study.rungs import learn_abreast
from softbridge.study.study import Study

FOLDS = 4
MOST_SCORED = 256  # rows a seed; more of them would take longer to score than to learn from


@dataclass(frozen=True)
class Fold(OpenDomain):
    """Be a target of which each seed's labelled rows in one fold are held out, and the others are learned from.

    Arguments:
        place: which fold, from 0.
        of: how many there are.
    """

    place: int = field(kw_only=True)
    of: int = field(kw_only=True)

    def few(self, shots: int | None, seed: int, validation_shots: int | None = None) -> tuple[Dataset, Dataset]:
        """Return the labelled rows outside the fold, and those in it; both are of what the target has for the seed."""
        rows = concatenate_datasets(super().few(shots, seed, validation_shots))
        fold = dealt(rows["label"][:], self.of, seed)
        learned = [row for row, place in enumerate(fold) if place != self.place]
        return rows.select(learned), rows.select([row for row, place in enumerate(fold) if place == self.place])


@dataclass(frozen=True)
class Sharing(Lesson):
    """Be a lesson whose rows are read and tokenised once for all lessons of its fold.

    Arguments:
        known: the rows by the fold's name.
    """

    known: dict[str, list[tuple[Rows, Rows]]] = field(kw_only=True)

    def rows(self, materials: Materials) -> list[tuple[Rows, Rows]]:
        """Return each seed's rows, those learned from and those held out."""
        if self.domain.name not in self.known:
            self.known[self.domain.name] = super().rows(materials)
        return self.known[self.domain.name]


def dealt(labels: Sequence[int], folds: int, seed: int, most: int = MOST_SCORED) -> list[int]:
    """Return each row's fold, -1 for those that are never held out; the folds have about as many rows of each class.

    Example:
        >>> dealt([0, 0, 1, 1], 2, seed=0).count(0), sorted(dealt([0] * 9, 4, seed=0, most=8))
        (2, [-1, 0, 0, 1, 1, 2, 2, 3, 3])
    """
    order = stratified(range(len(labels)), labels, derive(seed, "folds"))[:most]
    chosen = sorted(order, key=lambda row: labels[row])  # a class after the other, so that each goes round the folds
    found = [-1] * len(labels)
    for turn, row in enumerate(chosen):
        found[row] = turn % folds
    return found


def folded(study: Study, target: str, folds: int = FOLDS) -> list[str]:
    """Open a target's folds beside it in a study, and return their names."""
    domain = study.materials.targets[target]
    known = {each.name: getattr(domain, each.name) for each in fields(OpenDomain)}
    every = [Fold(**known, place=place, of=folds) for place in range(folds)]
    named = {f"{target} fold {fold.place + 1} of {folds}": fold for fold in every}
    study.materials.targets |= {name: replace(fold, name=name) for name, fold in named.items()}
    return list(named)


def unseen(study: Study, folds: Sequence[str], arms: Mapping[str, Arm]) -> dict[str, np.ndarray]:
    """Return the loss of each labelled row with each arm's prompt that did not see it, mean over the seeds it is of.

    The prompts of all arms and folds that have one form train as one bank. They are those of the last step: the rows
    that score them have chosen nothing.

    Arguments:
        study: the study.
        folds: the target's folds, as `folded` opened them.
        arms: the arms by name, of as many steps each.
    """
    materials = study.materials
    known: dict[str, list[tuple[Rows, Rows]]] = {}
    lessons = {
        (name, fold): sharing(study.adaptation(fold, arm), known) for name, arm in arms.items() for fold in folds
    }
    losses: dict[str, dict[tuple[int, ...], list[float]]] = {name: {} for name in arms}
    for keys in alike(study, lessons):
        some = [lessons[key] for key in keys]
        learn_abreast(materials, some, study.watcher, f"{folds[0].rpartition(' fold ')[0]} in {len(folds)} folds")
        sets = [held for lesson in some for _, held in lesson.rows(materials)]
        saved = [files.load(prompt_folder(o.stage, seed, "last")).injection for o in some for seed in o.seeds]
        names = [name for (name, _), lesson in zip(keys, some, strict=True) for _ in lesson.seeds]
        materials.bind(some[0].domain)
        bank = Bank({str(i): HeldPrompt(prompt) for i, prompt in enumerate(saved)}).to(materials.backbone.device)
        chances = probabilities(materials.backbone, bank, sets, materials.accelerator)
        for name, rows, chance in zip(names, sets, chances, strict=True):
            note(losses[name], rows, chance)
    return {name: np.array([np.mean(seen[row]) for row in sorted(seen)]) for name, seen in losses.items()}


def sharing(lesson: Lesson, known: dict[str, list[tuple[Rows, Rows]]]) -> Sharing:
    """Return a lesson that shares its rows."""
    return Sharing(**{each.name: getattr(lesson, each.name) for each in fields(Lesson)}, known=known)


def note(losses: dict[tuple[int, ...], list[float]], rows: Rows, chances: np.ndarray) -> None:
    """Add the loss of each row to what is known of it; a row of several seeds is one row."""
    for ids, label, chance in zip(rows.ids, rows.labels, chances, strict=True):
        losses.setdefault((label, *ids), []).append(float(-np.log(max(chance[label], 1e-12))))


def alike(study: Study, lessons: Mapping[tuple[str, str], Lesson]) -> list[list[tuple[str, str]]]:
    """Return the lessons that may share a bank, by the form of their prompts."""
    found: dict[object, list[tuple[str, str]]] = {}
    for key, lesson in lessons.items():
        made = module(study.materials, lesson.domain, lesson.crossings[0], lesson.seeds[0])
        found.setdefault(form(made), []).append(key)
    return list(found.values())
