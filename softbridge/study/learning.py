"""The stages that learn: a bank with one member a seed, on a source or on a target."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from softbridge.batch import Rows, together
from softbridge.bridges.base import Crossing
from softbridge.domains.domain import OpenDomain
from softbridge.engine.loop import Member, Trained, Training
from softbridge.engine.plan import Plan
from softbridge.evaluation.evaluator import evaluate
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import HeadedPrompt, headed
from softbridge.prompts.held import HeldPrompt
from softbridge.prompts.series import save_series
from softbridge.seeding import derive, generator
from softbridge.study.cards import make_card
from softbridge.study.holding import holding
from softbridge.study.judging import judge_on
from softbridge.study.materials import Materials
from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher


@dataclass(frozen=True)
class Lesson:
    """Say what a bank learns.

    Arguments:
        stage: its folder.
        kind: `extract` or `adapt`.
        domain: the domain it learns on.
        seeds: one member each.
        cross: makes where each member starts; it is asked only where the stage is not finished, for it may be work.
        plan: how it trains; None where the prompt stays as it is.
        shots: labelled rows per class, or None for all.
        validation_shots: validation rows per class, or None for all.
        more: a seed's further training rows, where there are any; asked for as `cross` is.
    """

    stage: Stage
    kind: str
    domain: OpenDomain
    seeds: Sequence[int]
    cross: Callable[[], Sequence[Crossing]]
    plan: Plan | None
    shots: int | None = None
    validation_shots: int | None = None
    more: Callable[[int], Rows] | None = None

    @cached_property
    def crossings(self) -> Sequence[Crossing]:
        """Return where each member starts."""
        return self.cross()

    def rows(self, materials: Materials) -> list[tuple[Rows, Rows]]:
        """Return each seed's training and validation rows."""
        few = (self.shots, self.validation_shots, self.plan is None or self.plan.choose_by != "last")
        sets = [materials.few(self.domain, seed, *few) for seed in self.seeds]
        if self.more is None:
            return sets
        more = [self.more(seed) for seed in self.seeds]
        return [(together([train, own]), looked) for (train, looked), own in zip(sets, more, strict=True)]


def learn(materials: Materials, lesson: Lesson, watcher: Watcher) -> dict[str, Any]:
    """Carry a lesson to its end, or take the result of a run that did; return the stage's result."""
    with holding(lesson.stage, materials.accelerator, watcher):
        if lesson.stage.finished:
            watcher.before(lesson.stage.name, lesson.stage.folder)
            return lesson.stage.result()
        return teach(materials, lesson, watcher)


def teach(materials: Materials, lesson: Lesson, watcher: Watcher) -> dict[str, Any]:
    """Carry a lesson to its end, and return the stage's result."""
    stage = lesson.stage
    materials.bind(lesson.domain)
    sets = lesson.rows(materials)
    started = time.perf_counter()
    if lesson.plan is None or lesson.crossings[0].start is None:
        trained, seen = [stand(materials, c, v) for c, (_, v) in zip(lesson.crossings, sets, strict=True)], 0
        seconds, parameters = time.perf_counter() - started, 0
    else:
        training = start(materials, lesson, sets)
        training.tell = partial(watcher.tell, stage.name)
        with watcher.stage(stage.name, lesson.plan.steps) as training.watch:
            trained = training.run()
        seen, seconds = training.rows_seen, training.seconds
        parameters = sum(p.numel() for p in training.bank[0].parameters())
    counted = {"rows_seen": seen, "seconds": seconds, "parameters": parameters}
    result = conclude(materials, lesson, trained, [len(train) for train, _ in sets], counted)
    materials.accelerator.wait_for_everyone()
    speed = f", {seen / seconds:.0f} rows/s" if seen else ""
    watcher.say(f"{stage.name}: {time.perf_counter() - started:.1f} s{speed}")
    return result


def conclude(
    materials: Materials, lesson: Lesson, trained: Sequence[Trained], rows: list[int], counted: dict[str, Any]
) -> dict[str, Any]:
    """Write what a lesson came to, and return it.

    Arguments:
        materials: the backbone's.
        lesson: the lesson.
        trained: what each member came to.
        rows: how many rows each member had.
        counted: what it cost.
    """
    result = report(lesson, trained, rows) | counted | {"nondeterministic": sorted(materials.unpromised)}
    if materials.accelerator.is_main_process:
        for seed, member, crossing in zip(lesson.seeds, trained, lesson.crossings, strict=True):
            save(materials, lesson, seed, member, crossing)
            if kept := member.looks if lesson.kind == "extract" else member.looks[:1]:  # the first is the start
                save_series(snapshots_file(lesson.stage, seed), kept)
        lesson.stage.finish(result)
    return result


def start(materials: Materials, lesson: Lesson, sets: Sequence[tuple[Rows, Rows]]) -> Training:
    """Return the training of a lesson's bank."""
    assert lesson.plan is not None
    members = []
    for seed, crossing, (train, _) in zip(lesson.seeds, lesson.crossings, sets, strict=True):
        order = derive(seed, "order", lesson.domain.name)
        begun = module(materials, lesson.domain, crossing, seed)
        members.append(Member(f"seed{seed}", order, begun, train, crossing.term))
    judge = judge_on(materials.backbone, [looked for _, looked in sets], lesson.plan, materials.accelerator)
    return Training(materials.backbone, members, lesson.plan, judge, materials.accelerator, folder=lesson.stage.folder)


def module(materials: Materials, domain: OpenDomain, crossing: Crossing, seed: int) -> PromptModule:
    """Return the module that trains: the crossing's own, or the recipe's kind of prompt, begun where it stands."""
    start, space, draw = crossing.start, materials.space(domain), generator(seed, "module", domain.name)
    if isinstance(start, HeadedPrompt):
        return start
    if isinstance(start, PromptModule):
        return headed(start, space, draw)
    assert start is not None
    return headed(materials.recipe.prompt.build(space, draw, start), space, draw, start)


def stand(materials: Materials, crossing: Crossing, rows: Rows) -> Trained:
    """Return the result of a prompt that stays as it is, with its one look at validation."""
    start = crossing.start
    baked = start.bake() if isinstance(start, PromptModule) else start
    bank = None if baked is None else Bank({"it": HeldPrompt(baked)}).to(materials.backbone.device)
    score = evaluate(materials.backbone, bank, [rows], ["accuracy"], materials.accelerator)[0]
    look = {"step": 0, "epoch": 0.0, "train_loss": None, "validation": score, "learning_rate": 0.0}
    return Trained(baked, baked, 0, 0, None, [look])


def report(lesson: Lesson, trained: Sequence[Trained], rows: list[int]) -> dict[str, Any]:
    """Return the stage's result as plain JSON."""
    members = [
        came_to(seed, member)
        | {
            "parents": list(crossing.parents),
            "note": crossing.note,
            "term": crossing.term.formula if crossing.term else None,
            "rows": count,
        }
        for seed, member, crossing, count in zip(lesson.seeds, trained, lesson.crossings, rows, strict=True)
    ]
    return {
        "kind": lesson.kind,
        "domain": lesson.domain.name,
        "members": members,
        **({"loss": "L_fine/answers"} if lesson.domain.answer else {}),
        **({"joint": lesson.crossings[0].joint} if lesson.crossings[0].joint else {}),
    }


def came_to(seed: int, member: Trained) -> dict[str, Any]:
    """Return what a seed's member came to, as plain JSON."""
    return {
        "seed": seed,
        "best_step": member.best_step,
        "last_step": member.last_step,
        "stopped": member.stopped,
        "history": member.history,
    }


def prompt_folder(stage: Stage, seed: int, which: str) -> Path:
    """Return the folder of a member's prompt: `best` or `last`."""
    return stage.prompt(seed, which)


def snapshots_file(stage: Stage, seed: int) -> Path:
    """Return the file of a member's prompts at its looks."""
    return stage.folder / "prompts" / f"seed{seed}-looks.safetensors"


def save(materials: Materials, lesson: Lesson, seed: int, member: Trained, crossing: Crossing) -> None:
    """Save a member's best and last prompt, each with its card."""
    for which, prompt, step in (("best", member.best, member.best_step), ("last", member.last, member.last_step)):
        if prompt is None:
            continue
        look = next(seen for seen in member.history if seen["step"] == step)
        card = make_card(
            materials.backbone,
            lesson.domain,
            materials.recipe.prompt,
            prompt,
            lesson.plan,
            seed,
            step,
            look["validation"],
            crossing.note,
            crossing.parents,
            materials.accelerator.num_processes,
        )
        files.save(prompt_folder(lesson.stage, seed, which), prompt, card)
