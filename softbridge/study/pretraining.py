"""The stage `pretrain` where the prompt trains: a bank with a member a seed learns from text before any source.

*Reference*: Gu, Han, Liu, Huang. PPT: Pre-trained Prompt Tuning for Few-shot Learning. ACL 2022.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from softbridge.domains.domain import OpenDomain
from softbridge.domains.fingerprints import combined
from softbridge.engine.loop import Member, Trained, Training
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import HeadedPrompt
from softbridge.recipe.preparing import Pretrain
from softbridge.seeding import derive
from softbridge.study.cards import make_card
from softbridge.study.holding import holding
from softbridge.study.learning import came_to, prompt_folder
from softbridge.study.materials import Materials
from softbridge.study.stages import Stage
from softbridge.study.texts import Reading, Task, facts_of, reading, task
from softbridge.study.watching import Watcher


class Pretraining:
    """Hold the stage in which a study's prompts learn from text.

    Arguments:
        materials: the study's.
        settings: the recipe's section.
        stage: makes the study's stage of a name and facts.
        begin: a seed's prompt on a domain's classes, before it learned anything.
        watcher: shows progress.
    """

    def __init__(
        self,
        materials: Materials,
        settings: Pretrain,
        stage: Callable[[str, dict[str, Any]], Stage],
        begin: Callable[[OpenDomain, int], PromptModule],
        watcher: Watcher,
    ) -> None:
        self.materials, self.begin, self.watcher = materials, begin, watcher
        self.read = reading(materials, settings)
        self.stage = stage("pretrain", facts_of(materials, self.read))

    def carry_out(self) -> dict[str, Any]:
        """Carry the stage to its end, or take the result of a run that did; return its result."""
        with holding(self.stage, self.materials.accelerator, self.watcher):
            return self.stage.result() if self.stage.finished else self.train()

    def start(self, domain: OpenDomain, seed: int) -> Injection:
        """Return where a seed's prompt starts on a domain; with a head only for the classes that it learned."""
        self.carry_out()
        saved = files.load(prompt_folder(self.stage, seed, "best"))
        known = list(saved.card.verbalizer) == list(domain.classes)
        return saved.injection if known else replace(saved.injection, head=None, head_bias=None)

    def train(self) -> dict[str, Any]:
        """Train the prompts, save them, and return the stage's result."""
        began, materials, watcher = time.perf_counter(), self.materials, self.watcher
        seeds, plan, stage = materials.recipe.seeds, self.read.settings.plan, self.stage
        course = task(materials, self.read, materials.backbone, seeds)
        members = [
            Member(f"seed{seed}", derive(seed, "order", course.name), self.prompt(course, seed), rows)
            for seed, rows in zip(seeds, course.rows, strict=True)
        ]
        if course.domain:
            materials.bind(course.domain)
        training = Training(
            materials.backbone, members, plan, course.judge, materials.accelerator, stage.folder, recast=course.recast
        )
        training.tell = partial(watcher.tell, stage.name)
        with watcher.stage(stage.name, plan.steps) as training.watch:
            trained = training.run()
        result = report("pretrain", course, training, seeds, trained) | {"trains": "prompt"}
        result["nondeterministic"] = sorted(materials.unpromised)
        if materials.accelerator.is_main_process:
            for seed, member in zip(seeds, trained, strict=True):
                self.save(course, seed, member)
            stage.finish(result)
        materials.accelerator.wait_for_everyone()
        watcher.say(f"{stage.name}: {time.perf_counter() - began:.1f} s")
        return result

    def prompt(self, course: Task, seed: int) -> PromptModule:
        """Return a seed's prompt; where no label is read there is no head to train."""
        made = self.begin(course.domain or next(iter(self.materials.targets.values())), seed)
        return made.prompt if isinstance(made, HeadedPrompt) and not course.domain else made

    def save(self, course: Task, seed: int, member: Trained) -> None:
        """Save a member's best prompt with its card."""
        assert member.best is not None
        look = next(seen for seen in member.history if seen["step"] == member.best_step)
        card = make_card(
            self.materials.backbone,
            united(self.read),
            self.materials.recipe.prompt,
            member.best,
            self.read.settings.plan,
            seed,
            member.best_step,
            look["validation"],
            processes=self.materials.accelerator.num_processes,
        )
        told = f"{course.facts['loss']} ({course.facts.get('objective', 'cross_entropy')})"
        files.save(prompt_folder(self.stage, seed, "best"), member.best, replace(card, loss=told))


def report(
    kind: str, course: Task, training: Training, seeds: Sequence[int], trained: Sequence[Trained]
) -> dict[str, Any]:
    """Return what a stage before the sources came to, as plain JSON."""
    members = [
        came_to(seed, member) | {"rows": len(rows)}
        for seed, member, rows in zip(seeds, trained, course.rows, strict=True)
    ]
    return {
        "kind": kind,
        "domain": course.name,
        **course.facts,
        "members": members,
        "rows_seen": training.rows_seen,
        "seconds": training.seconds,
        "parameters": sum(p.numel() for p in training.bank[0].parameters()),
    }


def united(read: Reading) -> OpenDomain:
    """Return what a card says of several domains in one: the first one's classes, and a fingerprint of all."""
    first, *others = read.domains
    marks = {domain.name: domain.fingerprint for domain in read.domains}
    return replace(first, name=read.name, fingerprints={"all": combined(marks)} if others else first.fingerprints)
