"""What a study works with, opened once: the backbone, the domains, and their rows as token ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accelerate import Accelerator
from datasets import Dataset

import softbridge
from softbridge import assets
from softbridge.assets.cache import home
from softbridge.assets.table import entry as asset_of
from softbridge.backbones import sharding
from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.loading import load
from softbridge.backbones.places import refuse_beyond
from softbridge.backbones.sharding import Shard
from softbridge.batch import Rows
from softbridge.domains.domain import OpenDomain
from softbridge.errors import DataError
from softbridge.injection import Space
from softbridge.prompts.base import PromptKind
from softbridge.recipe import Recipe
from softbridge.recipe.pairs import refuse_impossible
from softbridge.recipe.schema import plain
from softbridge.seeding import derive
from softbridge.study import processes
from softbridge.study.opening import open_all
from softbridge.study.shelved import ShelvedDomain, starts, verify


def load_backbone(spec: BackboneSpec, scratch: Mapping[str, Any] | None = None, shard: Shard | None = None) -> Backbone:
    """Load a backbone by catalogue name (from the package index, or the hub where asked), folder or hub id.

    Arguments:
        spec: the backbone.
        scratch: what its configuration is to have otherwise, with new weights; None loads its own.
        shard: how the processes of a launch come to each keep a part of it; None loads it whole.
    """
    entry, probes = asset_of(spec.name), home() / "probes"
    if entry is None:
        return load(spec, probes=probes, scratch=scratch, shard=shard)
    hub_id, revision = entry.hub_id or "", spec.revision or entry.revision or ""
    if spec.hub:
        return load(replace(spec, name=hub_id, revision=revision), probes=probes, scratch=scratch, shard=shard)
    return load(spec, assets.fetch(spec.name), probes, hub_id, revision, scratch, shard)


def domain_facts(domain: OpenDomain) -> dict[str, Any]:
    """Return what of a domain decides a stage's result."""
    return {"name": domain.name, "data": domain.fingerprint, "classes": domain.classes, "words": domain.words}


def rows_of(backbone: Backbone, split: Dataset) -> Rows:
    """Return a split's rows as token ids, with what they are asked for where their answers are free text."""
    if len(split) == 0:
        return Rows([], [])
    told = backbone.answer_ids(split["answer"][:]) if "answer" in split.column_names else ()
    return Rows(backbone.tokenise(split["text"][:]), split["label"][:], told)


class Materials:
    """Open what a recipe names.

    Arguments:
        recipe: the recipe.
        accelerator: device and processes.
    """

    def __init__(self, recipe: Recipe, accelerator: Accelerator) -> None:
        self.recipe, self.accelerator = recipe, accelerator
        self.sources, self.targets = open_all(recipe)
        self.backbone = self.open(recipe.backbone)
        refuse_impossible(self.backbone.kind, recipe)
        refuse_beyond(self.backbone, recipe.prompt.length)
        if recipe.source_backbone is None:  # those of another model are verified where that one is loaded
            verify(self.sources, self.backbone)
        self.before = self.backbone.fingerprint()
        self.bound: tuple[str, ...] = ()
        self.known: Space | None = None
        self.tests: dict[str, Rows] = {}
        self.starts = starts(self.sources, recipe.seeds)
        self.texts: dict[int, str] = {}  # what the stage `design` found for each seed
        self.unpromised: set[str] = set()  # operations that could not promise the same numbers each time

    def open(self, spec: BackboneSpec) -> Backbone:
        """Load a backbone in each process: whole, or a part where the launch shards it."""
        shard = processes.sharing(self.accelerator)
        if shard is None:
            with self.accelerator.local_main_process_first():
                return load_backbone(spec)
        processes.refuse_unsharded(self.recipe)
        with processes.in_turn(self.accelerator):
            backbone = load_backbone(spec, shard=shard)
        sharding.begin(backbone)
        return backbone

    def take(self, spec: BackboneSpec) -> None:
        """Go on with another backbone: one that a stage of the study trained."""
        self.backbone = self.open(spec)
        refuse_beyond(self.backbone, self.recipe.prompt.length)
        self.before, self.bound, self.known = self.backbone.fingerprint(), (), None

    def bind(self, domain: OpenDomain) -> None:
        """Bind the backbone to a domain's classes."""
        if domain.words and self.bound != domain.words:  # free answers need none
            self.backbone.bind(domain.words)
            self.bound = domain.words

    def space(self, domain: OpenDomain) -> Space:
        """Return what a prompt may know of the backbone, and of a domain's classes."""
        if self.known is None:
            self.known = self.backbone.space()
        return replace(self.known, labels=domain.words)

    def kind(self, seed: int) -> PromptKind:
        """Return the kind of prompt that a seed begins with: with its designed text, where there is one.

        A seed that none was designed for asks for another start than the study's: words drawn from the vocabulary.
        """
        kind = self.recipe.prompt
        if self.recipe.design is None:
            return kind
        own = {"text": self.texts[seed]} if seed in self.texts else {"init": "vocabulary"}
        return replace(kind, **own)  # type: ignore[type-var]

    def rows(self, split: Dataset) -> Rows:
        """Return a split's rows as token ids."""
        return rows_of(self.backbone, split)

    def test(self, domain: OpenDomain) -> Rows:
        """Return a domain's test rows; every arm scores the same, so they are tokenised once."""
        if domain.name not in self.tests:
            self.tests[domain.name] = self.rows(domain.test)
        return self.tests[domain.name]

    def few(
        self, domain: OpenDomain, seed: int, shots: int | None, validation: int | None, chooses: bool = True
    ) -> tuple[Rows, Rows]:
        """Return one seed's labelled training rows, and its validation rows, which there must be where they choose."""
        train, looked_at = domain.few(shots, derive(seed, "shots"), validation)
        if chooses and len(looked_at) == 0:
            raise DataError(
                f"the domain '{domain.name}' has no validation rows",
                "labelled rows that choose the checkpoint",
                "set validation to a share or a count above 0, or choose_by: last in `training`",
            )
        return self.rows(train), self.rows(looked_at)

    def spent(self, source: str) -> tuple[int, int]:
        """Return the steps that a source's prompt was given, and the rows of each."""
        domain, plan = self.sources[source], self.recipe.training.source
        if not isinstance(domain, ShelvedDomain):
            return plan.steps, plan.batch
        given = domain.shelf.card.optimiser
        return int(given.get("steps", 0)), int(given.get("batch", 0))

    def facts(self) -> dict[str, Any]:
        """Return what decides every stage's result: the backbone and how it runs, the prompt, the seeds."""
        described = self.backbone.describe()
        spec = self.recipe.backbone
        return {
            "softbridge": softbridge.__version__,
            "weights": self.before,
            "precision": described["precision"],
            "attention": described["attention"],
            "kind": described["kind"],
            "temperature": spec.temperature,
            "pooling": spec.pooling,
            "max_length": spec.max_length,
            "prompt": {"kind": self.recipe.prompt.name, **plain(self.recipe.prompt)},
            "seeds": list(self.recipe.seeds),
            **({"starts": list(self.starts.values())} if any(s != t for s, t in self.starts.items()) else {}),
        }

    def still_frozen(self) -> bool:
        """Say whether the backbone's weights are what they were when it was loaded."""
        return self.backbone.fingerprint() == self.before
