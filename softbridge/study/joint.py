"""The stage in which prompts that share parameters learn together: one a domain, a group of them a seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from softbridge.batch import Rows
from softbridge.bridges.base import Pupil
from softbridge.domains.domain import OpenDomain
from softbridge.domains.feeds import Feed, TaskFeed
from softbridge.engine import checkpoint, optimisers
from softbridge.engine.finite import culprits, settle
from softbridge.engine.keeping import thinned
from softbridge.engine.plan import Plan
from softbridge.engine.step import Work, backward, share
from softbridge.engine.stopping import Standing
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.seeding import derive
from softbridge.study.holding import holding
from softbridge.study.judging import judge_on
from softbridge.study.materials import Materials
from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Course:
    """Say what prompts that share parameters learn together.

    Arguments:
        stage: its folder.
        domains: the tasks.
        seeds: one group of prompts each, with a prompt a task.
        gather: makes a seed's prompts by task; it is asked only where the stage is not finished, or a prompt is wanted.
        rows: a seed's training and validation rows of each task, in the order of the domains.
        plan: how they train; a step's rows are all tasks' together.
        sampling: whether each step draws its tasks.
        cap: the most rows that a task counts for where they are drawn.
    """

    stage: Stage
    domains: Sequence[OpenDomain]
    seeds: Sequence[int]
    gather: Callable[[int], Mapping[str, Pupil]]
    rows: Callable[[int], Sequence[tuple[Rows, Rows]]]
    plan: Plan
    sampling: bool = True
    cap: int = 2**18

    @property
    def name(self) -> str:
        """Return the tasks' names in one."""
        return "+".join(domain.name for domain in self.domains)

    def file(self, seed: int) -> Path:
        """Return the file of a seed's parameters, as validation chose them."""
        return self.stage.folder / "prompts" / f"seed{seed}.safetensors"


def attend(materials: Materials, course: Course, watcher: Watcher) -> dict[str, Any]:
    """Carry a course to its end, or take the result of a run that did; return the stage's result."""
    stage = course.stage
    with holding(stage, materials.accelerator, watcher):
        if stage.finished:
            watcher.before(stage.name, stage.folder)
            return stage.result()
        return carry_out(materials, course, watcher)


def carry_out(materials: Materials, course: Course, watcher: Watcher) -> dict[str, Any]:
    """Carry a course to its end, and return the stage's result."""
    stage = course.stage
    started, training = time.perf_counter(), JointTraining(materials, course)
    with watcher.stage(stage.name, course.plan.steps) as training.watch:
        training.run()
    result = training.result()
    if materials.accelerator.is_main_process:
        for seed, state in zip(course.seeds, training.kept, strict=True):
            course.file(seed).parent.mkdir(parents=True, exist_ok=True)
            save_file(state, course.file(seed))
        stage.finish(result)
    materials.accelerator.wait_for_everyone()
    watcher.say(
        f"{stage.name}: {time.perf_counter() - started:.1f} s, {training.rows_seen / training.seconds:.0f} rows/s"
    )
    return result


def learned(course: Course, seed: int) -> dict[str, Pupil]:
    """Return one seed's prompts of a finished course."""
    pupils, state = dict(course.gather(seed)), load_file(course.file(seed))
    for task, pupil in enumerate(pupils.values()):
        own = {key.removeprefix(f"{task}/"): value for key, value in state.items() if key.startswith(f"{task}/")}
        pupil.prompt.load_state_dict(own)
    return pupils


@dataclass
class JointTraining:
    """Train the prompts of a course: a bank with a member a seed and task, in which a seed's members share parameters.

    A step is decided by its number alone, as in `engine.loop`; a seed's members are clipped, chosen and stopped as one.

    Arguments:
        materials: the backbone's.
        course: what is learned.
        watch: is told (step, rows so far, what to show) after each step.
    """

    materials: Materials
    course: Course
    watch: Callable[[int, int, str], None] = lambda *_: None

    step: int = 0
    rows_seen: int = 0
    seconds: float = 0.0
    kept: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        course, plan = self.course, self.course.plan
        self.groups = [dict(course.gather(seed)) for seed in course.seeds]
        pupils = {
            f"seed{s}/{t}": p for s, group in zip(course.seeds, self.groups, strict=True) for t, p in group.items()
        }
        self.bank = Bank({name: pupil.prompt for name, pupil in pupils.items()}).to(self.materials.backbone.device)
        self.terms = {i: pupil.term for i, pupil in enumerate(pupils.values()) if pupil.term is not None}
        sets = [rows for seed in course.seeds for rows in course.rows(seed)]
        self.rows, self.looked = [train for train, _ in sets], [looked for _, looked in sets]
        self.feeds = [self.feed(place, seed) for place, seed in enumerate(course.seeds)]
        self.optimiser, self.schedule = optimisers.make(self.bank, plan)
        self.standings = [Standing(plan) for _ in course.seeds]
        self.history: list[list[dict[str, Any]]] = [[] for _ in course.seeds]
        self.sums = torch.zeros(2, len(course.seeds))  # of the losses and terms since the last look
        self.kept = [{} for _ in course.seeds]
        self.numbers = {step: number for number, step in enumerate(plan.looks())}

    def feed(self, place: int, seed: int) -> TaskFeed:
        """Return which rows a seed's steps read."""
        course = self.course
        orders = [derive(seed, "order", domain.name) for domain in course.domains]
        feeds = [
            Feed(len(self.rows[i]), course.plan.batch, order)
            for i, order in zip(self.members(place), orders, strict=True)
        ]
        return TaskFeed(feeds, course.plan.batch, seed, course.sampling, course.cap)

    def members(self, place: int) -> range:
        """Return the bank's members of one seed, given by its place."""
        many = len(self.course.domains)
        return range(place * many, (place + 1) * many)

    @property
    def active(self) -> list[int]:
        """Return the places of the seeds that still train."""
        return [i for i, standing in enumerate(self.standings) if standing.stopped is None]

    @cached_property
    def parameters(self) -> list[list[torch.nn.Parameter]]:
        """Return each seed's parameters, what its members share once."""
        return [
            list({id(p): p for i in self.members(place) for p in self.bank[i].parameters()}.values())
            for place in range(len(self.course.seeds))
        ]

    def run(self) -> None:
        """Train to the end, going on from the checkpoint where there is one."""
        if not self.restore():
            self.look()
        while self.active and self.step < self.course.plan.steps:
            self.move()
            if self.active and self.step in self.numbers:
                self.look()

    def alike(self, members: Sequence[int]) -> Iterator[tuple[OpenDomain, list[int]]]:
        """Yield the members whose tasks have the same label words, with one of their domains."""
        domains = [self.course.domains[i % len(self.course.domains)] for i in members]
        for words in dict.fromkeys(domain.words for domain in domains):
            chosen = [i for i, domain in zip(members, domains, strict=True) if domain.words == words]
            yield next(domain for domain in domains if domain.words == words), chosen

    def move(self) -> None:
        """Make one optimiser step."""
        started, plan, active = time.perf_counter(), self.course.plan, self.active
        works = self.works(active)
        self.optimiser.zero_grad(set_to_none=True)
        backbone, accelerator = self.materials.backbone, self.materials.accelerator
        own = torch.zeros(2, len(self.bank), device=backbone.device)
        for domain, work in works:
            self.materials.bind(domain)
            own += backward(backbone, self.bank, work, plan.batch, plan.accumulation, accelerator)
        members = sorted({i for _, work in works for i in work.owner})  # the others' prompts stay
        sums = share(self.bank, members, own, accelerator).view(2, -1, len(self.course.domains)).sum(-1).cpu()
        for s in active:
            norm = float(torch.nn.utils.clip_grad_norm_(self.parameters[s], plan.clip or math.inf))
            if not math.isfinite(sums[0, s]) or not math.isfinite(norm):
                self.leave_out(s, float(sums[0, s]), norm, works)
        self.sums += sums
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self.rows_seen += sum(len(work.owner) for _, work in works)
        self.seconds += time.perf_counter() - started
        self.watch(self.step, self.rows_seen, "")

    def works(self, active: Sequence[int]) -> list[tuple[OpenDomain, Work]]:
        """Return the rows of this step, those with the same label words together."""
        picked = [(self.members(s)[task], row) for s in active for task, row in self.feeds[s].rows_at(self.step)]
        works = []
        for domain, members in self.alike(sorted({i for i, _ in picked})):
            mine = [(i, row) for i, row in picked if i in members]
            rows = Rows([self.rows[i].ids[row] for i, row in mine], [self.rows[i].labels[row] for i, row in mine])
            terms = {i: term for i, term in self.terms.items() if i in members}
            names = [f"{self.course.domains[i % len(self.course.domains)].name} {row}" for i, row in mine]
            works.append((domain, Work(rows, [i for i, _ in mine], terms, names)))
        return works

    def leave_out(self, place: int, loss: float, norm: float, works: Sequence[tuple[OpenDomain, Work]]) -> None:
        """Stop a seed whose loss or gradient is not finite before the step reaches its prompts.

        Raises:
            StudyError: where the plan says so.
        """
        rows = []
        for domain, work in works:
            self.materials.bind(domain)
            rows += culprits(self.materials.backbone, self.bank, work, self.members(place))
        seed = self.course.seeds[place]
        self.standings[place].stopped = settle(self.course.plan, f"seed{seed}", self.step, loss, norm, rows)
        for parameter in self.parameters[place]:
            parameter.grad = None  # which the optimiser passes over

    def look(self) -> None:
        """Look at validation, take note, and keep a checkpoint; a seed's score is the mean over its tasks."""
        scores: dict[int, dict[str, float]] = {}
        for domain, members in self.alike([i for s in self.active for i in self.members(s)]):
            self.materials.bind(domain)
            judge = judge_on(self.materials.backbone, self.looked, self.course.plan, self.materials.accelerator)
            scores |= judge(self.bank, members)
        for s in self.active:
            each = [scores[i] for i in self.members(s)]
            mean = {name: sum(score[name] for score in each) / len(each) for name in each[0]}
            self.history[s].append(self.seen(s) | {"validation": mean})
            self.standings[s].look(self.step, Injection(), mean)
            if self.standings[s].best_step == self.step:
                self.kept[s] = self.state(s)
            self.history[s] = thinned(self.history[s], self.numbers, self.standings[s].best_step)
        self.sums.zero_()
        self.keep()

    def seen(self, place: int) -> dict[str, Any]:
        """Return what there is to say of a seed's training since the last look."""
        since = self.step - (self.history[place][-1]["step"] if self.history[place] else 0)
        loss, term = (self.sums[:, place] / since).tolist() if since else (None, None)
        rows = sum(len(self.rows[i]) for i in self.members(place))
        return {
            "step": self.step,
            "epoch": round(self.step * self.course.plan.batch / rows, 4),
            "train_loss": loss,
            **({"term": term} if self.terms else {}),
            "learning_rate": self.schedule.get_last_lr()[0],
        }

    def state(self, place: int) -> State:
        """Return a seed's parameters as they are, by the task's place and their name."""
        parts = {
            f"{task}/{name}": value
            for task, i in enumerate(self.members(place))
            for name, value in self.bank[i].state_dict().items()
        }
        return {name: value.detach().cpu().clone().contiguous() for name, value in parts.items()}

    def result(self) -> dict[str, Any]:
        """Return what the course came to, in the form of a stage's result."""
        term = next(iter(self.terms.values())).formula if self.terms else None
        members = [
            {
                "seed": seed,
                "best_step": self.standings[s].best_step,
                "last_step": self.history[s][-1]["step"],
                "stopped": self.standings[s].stopped,
                "history": self.history[s],
                "term": term,
                "rows": sum(len(self.rows[i]) for i in self.members(s)),
            }
            for s, seed in enumerate(self.course.seeds)
        ]
        counted = {"rows_seen": self.rows_seen, "seconds": self.seconds}
        parameters = sum(p.numel() for p in self.parameters[0])
        return {"kind": "joint", "domain": self.course.name, "members": members, **counted, "parameters": parameters}

    def keep(self) -> None:
        """Write the checkpoint; only the main process does."""
        if not self.materials.accelerator.is_main_process:
            return
        standings = [{k: v for k, v in vars(s).items() if k not in ("plan", "best")} for s in self.standings]
        state = {
            **{name: getattr(self, name) for name in ("step", "rows_seen", "seconds", "kept", "history")},
            **{name: getattr(self, name).state_dict() for name in ("bank", "optimiser", "schedule")},
            "standings": standings,
        }
        checkpoint.write(self.course.stage.folder / "checkpoint.pt", state)

    def restore(self) -> bool:
        """Go back to the checkpoint, and say whether there was one; it always stands right after a look."""
        state = checkpoint.read(self.course.stage.folder / "checkpoint.pt")
        if state is None:
            return False
        for name in ("step", "rows_seen", "seconds", "kept", "history"):
            setattr(self, name, state[name])
        for name in ("bank", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.standings = [Standing(self.course.plan, **kept) for kept in state["standings"]]
        return True
