"""How like a recipe's sources are to a target; what is trained for it are stages, which the study's run shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from softbridge.backbones.neurons import neurons
from softbridge.batch import Rows
from softbridge.bridges.spot import Spot
from softbridge.catalogue import look_up
from softbridge.domains.domain import OpenDomain
from softbridge.errors import StudyError, nearest
from softbridge.injection import Injection
from softbridge.recipe import Arm, Recipe
from softbridge.records import likeness
from softbridge.records.likeness import Likeness
from softbridge.seeding import generator
from softbridge.similarity.gradients import Gradients, gathered
from softbridge.similarity.table import MEASURES
from softbridge.study.gradients import row_gradients
from softbridge.study.provenance import provenance
from softbridge.study.shelved import ShelvedDomain
from softbridge.study.shores import Shores
from softbridge.study.study import Study

MOST_ROWS = 256  # of a source, whose gradients are averaged

View = tuple[Any, Mapping[str, Any]]  # what a measure reads of the target, and of each source


def liken(
    recipe: Recipe, out: Path, targets: Sequence[str], names: Sequence[str], console: Console | None = None
) -> list[Likeness]:
    """Return how like a recipe's sources are to its targets, and keep it in the study's folder.

    A target is never its own source. Prompts are compared as task embeddings: after a fixed number of steps from one
    start, of the source's plan and of the target's. Gradients are those of a fresh prompt, over the target's labelled
    rows and up to 256 of the source's, so that nothing is trained for them. Of several `shots` the first is used.

    Arguments:
        recipe: the recipe.
        out: the study's folder.
        targets: targets of the recipe.
        names: names of `MEASURES`.
        console: where progress is shown; None shows nothing.

    Raises:
        SoftbridgeError: when there is no such measure.
        StudyError: when there is no such target, no source for it, the sources are learned on another model, or another
            run works in the folder.
    """
    if recipe.source_backbone:
        raise StudyError(
            "the recipe's sources are learned on another model than its targets",
            "one model: numbers of different models cannot be compared",
            "remove source_backbone",
        )
    for name in targets:
        if name not in recipe.targets:
            known = ", ".join(recipe.targets)
            raise StudyError(
                f"there is no target '{name}'{nearest(name, recipe.targets)}", f"one of: {known}", "name it"
            )
    for name in names:
        look_up(MEASURES, name, "similarity")
    likening = Likening(Study(recipe.by_shots()[0], out, console))
    found = [likening.likeness(target, names) for target in targets]
    for one in found:
        likeness.keep(out, one)
    return found


def vectors(prompt: Injection) -> torch.Tensor:
    """Return a prompt's vectors `[P, H]`."""
    return prompt.vectors()[0]


class Likening:
    """Read of a study's sources and targets what measures compare.

    Arguments:
        study: the study.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.materials = study, study.materials
        study.prepared()
        self.arm = Arm("likeness", Spot(), study.recipe.training.target)
        self.known: dict[tuple[str, int], Gradients] = {}

    def likeness(self, target: str, names: Sequence[str]) -> Likeness:
        """Return how like each source is to a target by the named measures, for each seed."""
        recipe, sources = self.study.recipe, self.study.used(target, self.arm)
        if not sources:
            raise StudyError(f"there is no source for '{target}'", "at least one other domain", "add it under sources")
        reads = dict.fromkeys(MEASURES[name].reads for name in names)
        saved = [name for name in sources if isinstance(self.materials.sources[name], ShelvedDomain)]
        if "gradients" in reads and saved:
            raise StudyError(
                f"the measure compares gradients of labelled rows, and '{saved[0]}' is saved prompts alone",
                "a measure that reads prompts or classes",
                "choose another: `softbridge ls similarities`; or give the source's data",
            )
        if {"vectors", "neurons"} & set(reads):
            for source in sources:
                self.study.extract(source)
        values: dict[str, dict[str, list[float]]] = {name: {source: [] for source in sources} for name in names}
        for seed in recipe.seeds:
            views = self.views(target, sources, seed, reads)
            for name in names:
                own, others = views[MEASURES[name].reads]
                for source in sources:
                    values[name][source].append(float(MEASURES[name].compare(own, others[source])))
        return Likeness(
            study=recipe.name,
            recipe_digest=recipe.digest,
            target=target,
            seeds=list(recipe.seeds),
            values=values,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            provenance=provenance(self.materials.backbone.device, self.study.accelerator.num_processes),
        )

    def views(self, target: str, sources: Sequence[str], seed: int, reads: Collection[str]) -> dict[str, View]:
        """Return what one seed's measures compare, by what they read."""
        found: dict[str, View] = {}
        if "gradients" in reads:
            found["gradients"] = self.gradients(target, sources, seed)
        if "classes" in reads:
            found["classes"] = self.classes(target, sources)
        if {"vectors", "neurons"} & set(reads):
            shore = Shores(self.study, target, self.arm).shore(seed)
            own, others = shore.embed_target(), {name: shore.embeddings[name] for name in sources}
            self.materials.bind(self.materials.targets[target])
            for read, how in (("vectors", vectors), ("neurons", self.neurons)):
                if read in reads:
                    found[read] = how(own), {name: how(prompt) for name, prompt in others.items()}
        return found

    def neurons(self, prompt: Injection) -> torch.Tensor:
        """Return the neurons that a prompt switches on."""
        return neurons(self.materials.backbone, prompt)

    def gradients(self, target: str, sources: Sequence[str], seed: int) -> View:
        """Return the gradients of the target's few labelled rows, and of the sources'."""
        recipe, domain = self.study.recipe, self.materials.targets[target]
        few, _ = self.materials.few(domain, seed, recipe.shots, recipe.validation_shots)
        return self.at_fresh(domain, few, seed), {name: self.of_source(name, seed) for name in sources}

    def of_source(self, name: str, seed: int) -> Gradients:
        """Return the gradients of a source, which all targets share."""
        if (name, seed) not in self.known:
            domain = self.materials.sources[name]
            order = torch.randperm(len(domain.train), generator=generator(seed, "gradients", name))
            rows = self.materials.rows(domain.train.select(order[:MOST_ROWS].tolist()))
            self.known[name, seed] = self.at_fresh(domain, rows, seed)
        return self.known[name, seed]

    def at_fresh(self, domain: OpenDomain, rows: Rows, seed: int) -> Gradients:
        """Return the gradients of a domain's rows at a fresh prompt, the same for one seed in every domain."""
        self.materials.bind(domain)
        prompt = self.study.fresh(domain, seed).bake()
        return gathered(part.cpu() for part in row_gradients(self.materials.backbone, prompt, rows))

    def classes(self, target: str, sources: Sequence[str]) -> View:
        """Return the class names."""
        return self.materials.targets[target].classes, {name: self.materials.sources[name].classes for name in sources}
