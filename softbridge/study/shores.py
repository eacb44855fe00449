"""What a bridge may look at, made for one target and arm: prompts that are there, and work that is done when asked for.

All of the work goes through stages, so that arms which ask for the same share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from datasets import concatenate_datasets

from softbridge.batch import Rows
from softbridge.bridges.base import Abroad, Joined, Pupil, Shore, Together
from softbridge.bridges.scratch import Scratch
from softbridge.bridges.spot import Spot
from softbridge.bridges.vocabularies import Pair, shared_words
from softbridge.domains.domain import OpenDomain
from softbridge.errors import StudyError
from softbridge.evaluation.evaluator import evaluate
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.held import HeldPrompt
from softbridge.prompts.series import load_series
from softbridge.recipe import Arm
from softbridge.recipe.schema import plain
from softbridge.seeding import derive, generator
from softbridge.study.fitting import match, tune
from softbridge.study.joint import Course, attend, learned
from softbridge.study.learning import Lesson, learn, prompt_folder, snapshots_file
from softbridge.study.materials import Materials

if TYPE_CHECKING:
    from softbridge.study.study import Study


class Shores:
    """Make the shore of each seed.

    Arguments:
        study: the study.
        target: the target's name.
        arm: the arm whose bridge is crossed.
    """

    def __init__(self, study: Study, target: str, arm: Arm) -> None:
        self.study, self.target, self.arm = study, target, arm
        self.domain = study.materials.targets[target]
        self.names = study.used(target, arm) if arm.bridge.reads_sources else []

    def shore(self, seed: int) -> Shore:
        """Return one seed's shore."""
        return Shore(
            sources={name: self.saved(name, seed, "best") for name in self.names},
            embeddings={name: self.saved(name, seed, "last") for name in self.names},
            fresh=lambda: self.study.fresh(self.domain, seed),
            embed_target=lambda: self.embed(seed),
            generator=generator(seed, "bridge", self.target),
            other=lambda: self.study.drawn(self.domain, derive(seed, "another start")),
            snapshots=lambda name: load_series(snapshots_file(self.study.extraction(name), seed)),
            losses=lambda prompts: self.losses(prompts, seed),
            adapted=lambda name: self.adapted(name, seed),
            mixture=lambda names: self.mixture(names, seed),
            together=lambda way: self.together(way, seed),
            abreast=lambda way: self.abreast(way, seed),
            **({} if self.study.home is self.study else self.abroad(seed)),
        )

    def saved(self, source: str, seed: int, which: str, home: Study | None = None) -> Injection:
        """Return a source's prompt; its head only where the target has the same classes, which a head knows alone."""
        stage = (home or self.study.home).extraction(source)
        prompt = files.load(prompt_folder(stage, seed, which)).injection
        known = self.study.materials.sources[source].classes == self.domain.classes
        return prompt if known else replace(prompt, head=None, head_bias=None)

    def abroad(self, seed: int) -> dict[str, Any]:
        """Return what there is between two models."""
        here, there = self.study.materials, self.study.home.materials
        own = (name for name in self.names if here.sources[name].fingerprint == self.domain.fingerprint)
        draw = generator(seed, "fitting", self.target)
        return {
            "pair": lambda: paired(there, here),
            "further": lambda: [self.further(home, seed) for home in self.study.origins(self.arm)[1:]],
            "own": next(own, None),
            "native": lambda name: self.native(name, seed),
            "tune": lambda modules, steps, rate: tune(here, modules, here.sources, steps, rate, draw),
            "match": lambda module, prompt, how: match(
                here, there, module, prompt, how, self.domain, here.sources[how.public], draw
            ),
        }

    def further(self, home: Study, seed: int) -> Abroad:
        """Return what was learned on a further source model."""
        prompts = {name: self.saved(name, seed, "best", home) for name in self.names}
        return Abroad(prompts, paired(home.materials, self.study.materials))

    def native(self, source: str, seed: int) -> Injection:
        """Return a source domain's prompt, learned on the target's model."""
        self.study.extract(source)
        return files.load(prompt_folder(self.study.extraction(source), seed, "best")).injection

    def carried(self, arm: Arm) -> Lesson:
        """Carry another arm of the same target to its end, and return its lesson."""
        lesson = self.study.adaptation(self.target, arm)
        learn(self.study.materials, lesson, self.study.watcher)
        return lesson

    def embed(self, seed: int) -> Injection:
        """Return the target's task embedding: a fresh prompt after the arm's own steps; `scratch` shares it."""
        lesson = self.carried(replace(self.arm, bridge=Scratch(), budget="target"))
        return files.load(prompt_folder(lesson.stage, seed, "last")).injection

    def adapted(self, source: str, seed: int) -> tuple[Injection, float]:
        """Return the target's best prompt from a source on, and its validation loss; `spot` from there shares it."""
        lesson = self.carried(replace(self.arm, bridge=Spot(source=source), budget="target"))
        saved = files.load(prompt_folder(lesson.stage, seed, "best"))
        return saved.injection, saved.card.scores["validation_loss"]

    def losses(self, prompts: Sequence[Injection], seed: int) -> list[float]:
        """Return the target's validation loss with each prompt."""
        materials, recipe = self.study.materials, self.study.recipe
        materials.bind(self.domain)
        _, rows = materials.few(self.domain, seed, recipe.shots, recipe.validation_shots)
        bank = Bank({str(i): HeldPrompt(prompt) for i, prompt in enumerate(prompts)}).to(materials.backbone.device)
        found = evaluate(materials.backbone, bank, [rows] * len(prompts), (), materials.accelerator)
        return [each["loss"] for each in found]

    def mixture(self, names: Sequence[str], seed: int) -> Injection:
        """Return a fresh prompt trained on the rows of several sources, with the sources' plan."""
        study, plan = self.study, self.study.recipe.training.source
        domain = united([study.materials.sources[name] for name in sorted(names)])
        facts = {"domains": [study.extraction(name).digest for name in sorted(names)], "plan": plan.facts()}
        stage = study.stage(f"extract-{domain.name}", facts)
        lesson = Lesson(stage, "extract", domain, study.recipe.seeds, lambda: study.begin(domain), plan)
        learn(study.materials, lesson, study.watcher)
        return files.load(prompt_folder(stage, seed, "best")).injection

    def together(self, way: Together, seed: int) -> Joined:
        """Return prompts that learned together from all sources of the arm, one a source, with the sources' plan."""
        study, materials, plan = self.study, self.study.materials, self.study.recipe.training.source
        names = sorted(self.names)
        domains = [materials.sources[name] for name in names]
        bridge = {"name": self.arm.bridge.name, **plain(self.arm.bridge)}
        facts = {"domains": [study.extraction(n).digest for n in names], "plan": plan.facts(), "bridge": bridge}

        def gather(s: int) -> Mapping[str, Pupil]:
            alone = {n: {n: files.load(prompt_folder(study.extraction(n), s, "best")).injection} for n in names}
            return way.gather(study.fresh(domains[0], s).bake(), alone, generator(s, "together"))

        rows = cache(lambda: [materials.few(domain, seed, None, None) for domain in domains])
        stage = study.stage(f"share-{'+'.join(names)}", facts)
        course = Course(stage, domains, study.recipe.seeds, gather, lambda s: rows(), plan, way.sampling, way.cap)
        return joined(course, attend(materials, course, study.watcher), seed)

    def abreast(self, way: Together, seed: int) -> Joined:
        """Return the target's prompt of those that learned together, one a target, as many steps for each as alone."""
        study, materials, recipe = self.study, self.study.materials, self.study.recipe
        shores = {target: Shores(study, target, self.arm) for target in recipe.targets}
        domains = [shore.domain for shore in shores.values()]
        plan = replace(self.arm.plan, steps=self.arm.plan.steps * len(shores))
        facts = {"targets": [study.adaptation(target, self.arm).stage.digest for target in shores]}

        def gather(s: int) -> Mapping[str, Pupil]:
            known = {target: {n: shore.saved(n, s, "best") for n in shore.names} for target, shore in shores.items()}
            return way.gather(study.fresh(domains[0], s).bake(), known, generator(s, "abreast"))

        def rows(s: int) -> list[tuple[Rows, Rows]]:
            return [materials.few(domain, s, recipe.shots, recipe.validation_shots) for domain in domains]

        stage = study.stage(f"share-{'+'.join(shores)}", facts)
        course = Course(stage, domains, recipe.seeds, gather, rows, plan, way.sampling, way.cap)
        made = joined(course, attend(materials, course, study.watcher), seed)
        return replace(made, prompts={self.target: made.prompts[self.target]})


def joined(course: Course, result: dict[str, Any], seed: int) -> Joined:
    """Return what one seed's prompts came to in a finished course."""
    prompts = {name: pupil.prompt for name, pupil in learned(course, seed).items()}
    member = next(member for member in result["members"] if member["seed"] == seed)
    losses = {look["step"]: look["validation"]["loss"] for look in member["history"]}
    best = member["best_step"]
    return Joined(prompts, result, f"validation loss {losses[0]:.3f}, at step {best} {losses[best]:.3f}")


def paired(there: Materials, here: Materials) -> Pair:
    """Return the words that two models share, with their embeddings."""
    words = shared_words(there.backbone.tokenizer.get_vocab(), here.backbone.tokenizer.get_vocab())
    tables = [m.backbone.space().table for m in (there, here)]
    ids = torch.tensor([[i, j] for _, i, j in words], dtype=torch.long).view(-1, 2).T
    return Pair(tuple(word for word, _, _ in words), tables[0][ids[0]], tables[1][ids[1]])


def united(domains: Sequence[OpenDomain]) -> OpenDomain:
    """Return the domain of several domains' rows.

    Raises:
        StudyError: when their classes differ.
    """
    first = domains[0]
    if any((domain.classes, domain.words) != (first.classes, first.words) for domain in domains):
        raise StudyError(
            f"the domains {', '.join(d.name for d in domains)} have different classes, and one prompt is to learn all",
            "the same labels in each",
            "choose `how: average`, or give the domains the same labels",
        )
    splits = {
        name: concatenate_datasets([getattr(domain, name) for domain in domains])
        for name in ("train", "validation", "test", "unlabelled")
    }
    prints = {f"{domain.name}/{split}": sha for domain in domains for split, sha in domain.fingerprints.items()}
    return replace(first, name="+".join(domain.name for domain in domains), **splits, fingerprints=prints)
