"""Train a bank: the one loop behind every stage that learns.

A step is decided by its number alone (rows by seed and step, learning rate by step), so going on from a checkpoint
is going on as if nothing had happened, bit for bit on a CPU.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from softbridge import whole
from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, together
from softbridge.domains.feeds import Feed
from softbridge.engine import checkpoint, optimisers
from softbridge.engine.finite import culprits, settle
from softbridge.engine.keeping import joined, thinned
from softbridge.engine.plan import Plan
from softbridge.engine.step import Term, Work, backward, clip, share
from softbridge.engine.stopping import Standing
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.base import PromptModule

Judge = Callable[[Bank, Sequence[int]], dict[int, dict[str, float]]]
Watch = Callable[[int, int, str], None]
Tell = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Member:
    """Name one prompt of a bank, and the rows it learns from.

    Arguments:
        name: its name in the bank.
        seed: draws the order of its rows.
        prompt: its parameters, at the start.
        rows: its labelled rows.
        term: what is added to its loss, beside the labels' own.
    """

    name: str
    seed: int
    prompt: PromptModule
    rows: Rows
    term: Term | None = None


@dataclass(frozen=True)
class Trained:
    """Hold what training one member came to.

    Arguments:
        best: the baked prompt at the step that validation chose; None without a prompt.
        last: the baked prompt at the last look, which is after the last step where nothing stopped the member.
        best_step: the step of `best`.
        last_step: the step of `last`.
        stopped: why it stopped early, or None.
        history: what was seen at each look; of very many looks every 2nd, 4th, ... one, and best and last always.
        looks: the baked prompt at each look, the last one `last`; of many looks every 2nd, 4th, ... one.
    """

    best: Injection | None
    last: Injection | None
    best_step: int
    last_step: int
    stopped: str | None
    history: list[dict[str, Any]]
    looks: list[Injection] = field(default_factory=list)


@dataclass
class Training:
    """Train a bank's members by a plan.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        members: the bank's members.
        plan: how to train.
        judge: scores the bank's listed members on validation.
        accelerator: device and processes.
        folder: where `checkpoint.pt` and `history.jsonl` go; None keeps nothing.
        watch: is told (step, rows so far, what to show) after each step.
        tell: is told (member, what was seen) at each look.
        recast: turns a step's rows, with the step's number, into what they are asked for; None asks for their labels.
    """

    backbone: Backbone
    members: Sequence[Member]
    plan: Plan
    judge: Judge
    accelerator: Accelerator
    folder: Path | None = None
    watch: Watch | None = None
    tell: Tell | None = None
    recast: Callable[[Work, int], Work] | None = None

    step: int = 0
    rows_seen: int = 0
    seconds: float = 0.0
    standings: list[Standing] = field(default_factory=list)
    history: list[list[dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bank = Bank({m.name: m.prompt for m in self.members}).to(self.backbone.device)
        self.optimiser, self.schedule = optimisers.make(self.bank, self.plan)
        self.feeds = [Feed(len(m.rows), self.plan.batch, m.seed) for m in self.members]
        self.standings = [Standing(self.plan) for _ in self.members]
        self.history = [[] for _ in self.members]
        self.looks: list[list[Injection]] = [[] for _ in self.members]
        self.losses: list[list[float]] = [[] for _ in self.members]
        self.added: list[list[float]] = [[] for _ in self.members]
        self.terms = {i: m.term for i, m in enumerate(self.members) if m.term is not None}
        self.numbers = {step: number for number, step in enumerate(self.plan.looks())}

    @property
    def active(self) -> list[int]:
        """Return the members that still train."""
        return [i for i, standing in enumerate(self.standings) if standing.stopped is None]

    def run(self) -> list[Trained]:
        """Train to the end, going on from the checkpoint where there is one."""
        if not self.restore():
            self.look()
        while self.active and self.step < self.plan.steps:
            self.move()
            if self.active and self.step in self.numbers:
                self.look()
        return [self.result(i) for i in range(len(self.members))]

    def move(self) -> None:
        """Make one optimiser step."""
        started = time.perf_counter()
        active = self.active
        work = self.work(active)
        self.optimiser.zero_grad(set_to_none=True)
        plan, accelerator = self.plan, self.accelerator
        own = backward(self.backbone, self.bank, work, plan.batch, plan.accumulation, accelerator)
        moved = sorted({work.owner[i] for i in work.counted})
        losses, added = share(self.bank, moved, own, accelerator).tolist()
        for i, norm in zip(active, clip(self.bank, active, plan.clip), strict=True):
            if not math.isfinite(losses[i]) or not math.isfinite(norm):
                self.leave_out(i, losses[i], norm, work)
        self.optimiser.step()
        self.schedule.step()
        for i in active:
            self.losses[i].append(losses[i])
            self.added[i].append(added[i])
        self.step += 1
        self.rows_seen += len(work.owner)
        self.seconds += time.perf_counter() - started
        if self.watch:
            self.watch(self.step, self.rows_seen, f"loss {sum(losses) / len(active):.3f}")

    def work(self, active: Sequence[int]) -> Work:
        """Return the rows of this step."""
        picked = {i: self.feeds[i].rows_at(self.step) for i in active}
        rows = together(self.members[i].rows.take(some) for i, some in picked.items())
        owner = [i for i, some in picked.items() for _ in some]
        terms = {i: term for i, term in self.terms.items() if i in active}
        work = Work(rows, owner, terms, [str(row) for some in picked.values() for row in some])
        return self.recast(work, self.step) if self.recast else replace(work, divisors=work.tokens)

    def leave_out(self, i: int, loss: float, norm: float, work: Work) -> None:
        """Stop a member whose loss or gradient is not finite before the step reaches its prompt.

        Raises:
            StudyError: where the plan says so.
        """
        rows = culprits(self.backbone, self.bank, work, [i])
        self.standings[i].stopped = settle(self.plan, self.members[i].name, self.step, loss, norm, rows)
        for parameter in self.bank[i].parameters():
            parameter.grad = None  # which the optimiser passes over

    def look(self) -> None:
        """Look at validation, take note, and keep a checkpoint."""
        active = self.active
        scores = self.judge(self.bank, active)
        baked = self.bank.bake()
        for i in active:
            losses, self.losses[i] = self.losses[i], []
            added, self.added[i] = self.added[i], []
            self.history[i].append(
                {
                    "step": self.step,
                    "epoch": round(self.step * self.plan.batch / len(self.members[i].rows), 4),
                    "train_loss": sum(losses) / len(losses) if losses else None,
                    **({"term": sum(added) / len(added) if added else None} if i in self.terms else {}),
                    "validation": scores[i],
                    "learning_rate": self.schedule.get_last_lr()[0],
                }
            )
            now = baked[i].each(torch.Tensor.cpu)
            if self.tell:
                self.tell(self.members[i].name, self.history[i][-1])
            self.standings[i].look(self.step, now, scores[i])
            self.history[i] = thinned(self.history[i], self.numbers, self.standings[i].best_step)
            self.looks[i] = joined(self.looks[i], now, self.numbers[self.step])
        self.keep()

    def result(self, index: int) -> Trained:
        """Return what one member came to."""
        standing, history = self.standings[index], self.history[index]
        assert standing.best is not None
        last, reached = self.looks[index][-1], history[-1]["step"]
        return Trained(standing.best, last, standing.best_step, reached, standing.stopped, history, self.looks[index])

    def keep(self) -> None:
        """Write the checkpoint and the history; only the main process does."""
        if self.folder is None or not self.accelerator.is_main_process:
            return
        standings = [
            {**{k: v for k, v in vars(s).items() if k != "plan"}, "best": s.best.state() if s.best else None}
            for s in self.standings
        ]
        state = {
            "step": self.step,
            "rows_seen": self.rows_seen,
            "seconds": self.seconds,
            "bank": self.bank.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "standings": standings,
            "history": self.history,
            "looks": [[prompt.state() for prompt in looks] for looks in self.looks],
        }
        checkpoint.write(self.folder / "checkpoint.pt", state)
        lines = [
            {"member": m.name, **look} for m, looks in zip(self.members, self.history, strict=True) for look in looks
        ]
        whole.write(self.folder / "history.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    def restore(self) -> bool:
        """Go back to the checkpoint, and say whether there was one; it always stands right after a look."""
        state = checkpoint.read(self.folder / "checkpoint.pt") if self.folder else None
        if state is None:
            return False
        self.step, self.rows_seen, self.seconds = state["step"], state["rows_seen"], state["seconds"]
        self.bank.load_state_dict(state["bank"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        for kept in state["standings"]:
            kept["best"] = Injection(**kept["best"])
        self.standings = [Standing(self.plan, **kept) for kept in state["standings"]]
        self.history = state["history"]
        self.looks = [[Injection(**prompt) for prompt in looks] for looks in state["looks"]]
        return True
