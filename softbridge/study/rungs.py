"""Lessons side by side: those of one shape and length of training are one bank, and each keeps a stage of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from softbridge import whole
from softbridge.batch import Rows
from softbridge.engine.loop import Member, Trained, Training
from softbridge.engine.optimisers import factor
from softbridge.engine.plan import Plan
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.seeding import derive
from softbridge.study.holding import holding
from softbridge.study.judging import judge_on
from softbridge.study.learning import Lesson, conclude, learn, module
from softbridge.study.materials import Materials
from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher


class PacedPrompt(PromptModule):
    """Hold a prompt that trains at a learning rate of its own, beside others in a bank whose plan says 1.

    Arguments:
        prompt: the prompt.
        rate: its learning rate.
    """

    def __init__(self, prompt: PromptModule, rate: float) -> None:
        super().__init__()
        self.prompt, self.rate = prompt, rate

    def forward(self) -> Injection:
        """Return the prompt's injection."""
        return self.prompt()

    def groups(self) -> dict[float, list[torch.nn.Parameter]]:
        """Return the prompt's parameters by their learning rate."""
        return {share * self.rate: parameters for share, parameters in self.prompt.groups().items()}


def learn_abreast(
    materials: Materials, lessons: Sequence[Lesson], watcher: Watcher, of: str | None = None
) -> list[dict[str, Any]]:
    """Carry out lessons that differ in nothing but their learning rate, start and rows, as one bank.

    A lesson that is finished is taken as it is. Which lessons the bank trains is written down before it starts, so that
    a run that goes on trains the same bank, to the same numbers.

    Arguments:
        materials: the backbone's.
        lessons: at least one; their prompts have one shape, their domains the same words for the classes.
        watcher: is told.
        of: what they are lessons of, for people; the first one's domain when left out.

    Returns:
        The results of the lessons' stages, in order.
    """
    apart = {lesson.stage.digest: lesson for lesson in lessons}  # a stage that stands there twice is carried out once
    if len(apart) == 1:
        return [learn(materials, lessons[0], watcher)] * len(lessons)
    with ExitStack() as held:
        for digest in sorted(apart):  # one order for all runs
            held.enter_context(holding(apart[digest].stage, materials.accelerator, watcher))
        if any(not lesson.stage.finished for lesson in lessons):
            _carry_out(materials, list(apart.values()), watcher, of or lessons[0].domain.name)
    return [lesson.stage.result() for lesson in lessons]


def _carry_out(materials: Materials, lessons: Sequence[Lesson], watcher: Watcher, of: str) -> None:
    """Train the lessons that were not finished when the bank was first begun."""
    first = lessons[0].stage
    digests = [lesson.stage.digest for lesson in lessons]
    stage = Stage(first.root, f"rung-{of}", {"lessons": digests})
    begun = stage.folder / "lessons.json"
    if begun.exists():
        digests = json.loads(begun.read_text(encoding="utf-8"))
    else:
        digests = [lesson.stage.digest for lesson in lessons if not lesson.stage.finished]
        materials.accelerator.wait_for_everyone()
        if materials.accelerator.is_main_process:
            whole.write(begun, json.dumps(digests))
    chosen, started = [lesson for lesson in lessons if lesson.stage.digest in digests], time.perf_counter()
    rows = [lesson.rows(materials) for lesson in chosen]
    members = [member for place, lesson in enumerate(chosen) for member in _members(materials, place, lesson, rows)]
    plan = replace(_plan(chosen[0]), learning_rate=1.0)
    materials.bind(chosen[0].domain)
    judge = judge_on(materials.backbone, [looked for own in rows for _, looked in own], plan, materials.accelerator)
    training = Training(materials.backbone, members, plan, judge, materials.accelerator, folder=stage.folder)
    training.tell = partial(watcher.tell, stage.name)
    with watcher.stage(stage.name, plan.steps) as training.watch:
        trained = training.run()
    parameters = sum(p.numel() for p in training.bank[0].parameters())
    each = {"seconds": training.seconds, "rows_seen": training.rows_seen, "parameters": parameters}
    _conclude(materials, chosen, rows, trained, each)
    if materials.accelerator.is_main_process:
        stage.finish({"lessons": digests, "seconds": training.seconds, "rows_seen": training.rows_seen})
    materials.accelerator.wait_for_everyone()
    speed = training.rows_seen / training.seconds
    watcher.say(f"{stage.name}: {len(chosen)} side by side, {time.perf_counter() - started:.1f} s, {speed:.0f} rows/s")


def _members(
    materials: Materials, place: int, lesson: Lesson, rows: Sequence[Sequence[tuple[Rows, Rows]]]
) -> list[Member]:
    """Return a lesson's members, each as it would be alone."""
    made = []
    for seed, crossing, (train, _) in zip(lesson.seeds, lesson.crossings, rows[place], strict=True):
        order = derive(seed, "order", lesson.domain.name)
        prompt = PacedPrompt(module(materials, lesson.domain, crossing, seed), _plan(lesson).learning_rate)
        made.append(Member(f"{place}/seed{seed}", order, prompt, train, crossing.term))
    return made


def _conclude(
    materials: Materials,
    lessons: Sequence[Lesson],
    rows: Sequence[Sequence[tuple[Rows, Rows]]],
    trained: Sequence[Trained],
    counted: dict[str, Any],
) -> None:
    """Write each lesson's result, with its part of what the bank cost."""
    many = len(lessons[0].seeds)
    for place, lesson in enumerate(lessons):
        own = [_at_rate(member, _plan(lesson)) for member in trained[place * many : (place + 1) * many]]
        seen = sum(member.last_step for member in own) * _plan(lesson).batch
        cost = {**counted, "rows_seen": seen, "seconds": counted["seconds"] * seen / max(1, counted["rows_seen"])}
        if not lesson.stage.finished:
            conclude(materials, lesson, own, [len(train) for train, _ in rows[place]], cost)


def _at_rate(member: Trained, plan: Plan) -> Trained:
    """Return what a member came to, with the learning rate that was its own in its history."""
    looks = [{**look, "learning_rate": plan.learning_rate * factor(look["step"], plan)} for look in member.history]
    return replace(member, history=looks)


def _plan(lesson: Lesson) -> Plan:
    assert lesson.plan is not None
    return lesson.plan
