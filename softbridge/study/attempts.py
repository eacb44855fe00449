"""What a state of rounds is on a target: its plan, where its prompts start, its rows, what it costs, and its lesson."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from softbridge.batch import Rows
from softbridge.bridges.base import Crossing
from softbridge.bridges.sums import combined
from softbridge.engine.plan import Plan
from softbridge.evaluation.calibration import temperature, tempered
from softbridge.evaluation.evaluator import probabilities
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.base import PromptModule
from softbridge.prompts.files import SavedPrompt
from softbridge.prompts.held import HeldPrompt
from softbridge.recipe import Arm
from softbridge.rounds import Known, State
from softbridge.rounds.pseudo import confident
from softbridge.seeding import derive, generator
from softbridge.study.learning import Lesson, prompt_folder
from softbridge.study.pruning import measured
from softbridge.study.shores import Shores
from softbridge.study.stages import Stage

if TYPE_CHECKING:
    from softbridge.study.study import Study


class Attempts:
    """Make the lessons of an arm's states on a target.

    Arguments:
        study: the study.
        target: the target's name.
        arm: the arm.
    """

    def __init__(self, study: Study, target: str, arm: Arm) -> None:
        self.study, self.target, self.arm = study, target, arm
        self.materials, self.domain = study.materials, study.materials.targets[target]
        self.own = study.adaptation(target, arm)
        assert self.own.plan is not None
        self.first = self.own.plan
        self.labels: dict[tuple[Any, int], tuple[Rows, str]] = {}

    @cached_property
    def known(self) -> Known:
        """Return what moves may know."""
        names, used = self.study.reads(self.target, self.arm), self.study.used(self.target, self.arm)
        shots = self.study.recipe.shots
        pool = min(len(self.domain.pool(shots, derive(seed, "shots"))) for seed in self.own.seeds)
        alone = ((used[0], 1.0),) if len(used) == 1 and self.arm.bridge.reads_sources else ()
        return Known(tuple(names), alone, self.study.recipe.prompt.length, pool)

    def plan(self, state: State, share: float = 1.0) -> Plan:
        """Return a state's plan: the arm's own, quicker or longer, with as many looks at validation."""
        first, times = self.first, state.steps * share
        every = first.evaluate_every and max(1, round(first.evaluate_every * times))
        rate = float(f"{first.learning_rate * state.rate:.9g}")
        return replace(first, steps=self.steps(state, share), learning_rate=rate, evaluate_every=every)

    def steps(self, state: State, share: float) -> int:
        """Return how many steps a share of a state's training has."""
        return max(1, math.ceil(round(self.first.steps * state.steps * share, 6)))

    def cost(self, state: State, share: float = 1.0) -> int:
        """Return the most row-passes of a state's training, with the rows that it measures or labels before."""
        return len(self.own.seeds) * self.steps(state, share) * self.first.batch + self.beside(state)

    def beside(self, state: State) -> int:
        """Return the row-passes before a state's training: of rows that a trained prompt labels, or is measured on."""
        shots = self.study.recipe.shots
        rows = len(self.domain.train) if shots is None else shots * len(self.domain.groups)
        measured = rows if state.renewed and state.renewed.share else 0
        return len(self.own.seeds) * (measured + (state.pseudo.pool if state.pseudo else 0))

    def lesson(self, state: State, share: float = 1.0) -> Lesson:
        """Return a state's lesson; the arm's own for the state without changes."""
        if state == State() and share == 1.0:
            return self.own
        plan = self.plan(state, share)
        facts = {**self.own.stage.facts, "plan": plan.facts()}
        if own := self.facts(state):
            facts["state"] = own
        stage = Stage(self.own.stage.root, self.own.stage.name, facts)
        more = (lambda seed: self.labelled(state, seed)[0]) if state.pseudo else None
        return replace(self.own, stage=stage, plan=plan, cross=lambda: self.cross(state), more=more)

    def facts(self, state: State) -> dict[str, Any]:
        """Return what of a state decides its result beside the plan."""
        facts: dict[str, Any] = {"added": state.added} if state.added else {}
        if state.mixture and not state.renewed:
            facts["mixture"] = [[self.study.extraction(name).digest, share] for name, share in state.mixture]
        if state.renewed:
            facts["renewed"] = {"share": state.renewed.share, "of": self.lesson(state.renewed.of).stage.digest}
        if state.pseudo:
            by = self.lesson(state.pseudo.by).stage.digest
            facts["pseudo"] = {"confidence": state.pseudo.confidence, "pool": state.pseudo.pool, "by": by}
        return facts

    def cross(self, state: State) -> list[Crossing]:
        """Return where each seed's prompt starts."""
        seeds = self.own.seeds
        if state.renewed:
            begun = [self.renewed(state, seed) for seed in seeds]
        elif state.mixture:
            begun = [self.mixed(state, seed) for seed in seeds]
        else:
            begun = list(self.study.cross(self.target, self.arm))
        there = state.renewed.of.added if state.renewed else 0
        if state.added > there:
            begun = [self.longer(c, state.added - there, seed) for c, seed in zip(begun, seeds, strict=True)]
        if state.pseudo:
            told = [self.labelled(state, seed)[1] for seed in seeds]
            begun = [replace(c, note=", ".join(filter(None, (c.note, t)))) for c, t in zip(begun, told, strict=True)]
        return begun

    def saved(self, state: State, seed: int) -> SavedPrompt:
        """Return the prompt that validation chose in a state's training."""
        return files.load(prompt_folder(self.lesson(state).stage, seed, "best"))

    def mixed(self, state: State, seed: int) -> Crossing:
        """Return a mixture of source prompts."""
        shores = Shores(self.study, self.target, self.arm)
        prompts = {name: shores.saved(name, seed, "best") for name, _ in state.mixture}
        told = ", ".join(f"{share:.3g} {name}" for name, share in state.mixture)
        return Crossing(combined(prompts, dict(state.mixture)), tuple(prompts), f"mixed of {told}")

    def renewed(self, state: State, seed: int) -> Crossing:
        """Return a trained prompt with its least important tokens drawn anew."""
        assert state.renewed is not None
        of, saved = state.renewed.of, self.saved(state.renewed.of, seed)
        tokens = saved.injection.tokens
        assert tokens is not None
        count = math.ceil(round(state.renewed.share * tokens.shape[1], 6))
        if not count:
            return Crossing(saved.injection, saved.card.parents, "on from the trained prompt")
        self.materials.bind(self.domain)
        train, _ = self.materials.few(self.domain, seed, self.own.shots, self.own.validation_shots)
        worth = measured(self.materials.backbone, saved.injection, train, 1)[:, 0]
        least = worth.argsort(stable=True)[:count]
        drawn = tokens.clone()
        drawn[0, least] = self.drawn(count, seed, "renewed", self.lesson(of).stage.digest)
        places = ", ".join(map(str, sorted(least.tolist())))
        start = replace(saved.injection, tokens=drawn)
        return Crossing(start, saved.card.parents, f"on from the trained prompt, its tokens {places} drawn anew")

    def longer(self, crossing: Crossing, count: int, seed: int) -> Crossing:
        """Return a start with fresh tokens behind its own."""
        start = crossing.start
        baked = start.bake() if isinstance(start, PromptModule) else start
        assert isinstance(baked, Injection)
        assert baked.tokens is not None
        fresh = self.drawn(count, seed, "added", baked.tokens.shape[1]).to(baked.tokens)
        longer = replace(baked, tokens=torch.cat([baked.tokens, fresh.unsqueeze(0)], dim=1))
        return replace(crossing, start=longer, note=", ".join(filter(None, (crossing.note, f"{count} tokens more"))))

    def drawn(self, count: int, seed: int, *names: str | int) -> torch.Tensor:
        """Return fresh virtual tokens `[count, H]` as the recipe's prompt starts them."""
        found: list[torch.Tensor] = []
        while sum(map(len, found)) < count:
            fresh = self.study.drawn(self.domain, derive(seed, *names, len(found))).bake()
            assert fresh.tokens is not None
            found.append(fresh.tokens[0])
        return torch.cat(found)[:count]

    def labelled(self, state: State, seed: int) -> tuple[Rows, str]:
        """Return the rows of the pool that a state's labels are sure of, and how they came about in words.

        Train rows that the seed may not see and unlabelled rows are the pool; validation rows set the temperature.
        """
        how = state.pseudo
        assert how is not None
        if (how, seed) not in self.labels:
            materials, shots = self.materials, self.own.shots
            materials.bind(self.domain)
            train, looked = materials.few(self.domain, seed, shots, self.own.validation_shots)
            pool = self.domain.pool(shots, derive(seed, "shots"))
            order = torch.randperm(len(pool), generator=generator(seed, "pool", self.target))[: how.pool]
            rows = materials.rows(pool.select(order.tolist()))
            prompt = HeldPrompt(self.saved(how.by, seed).injection)
            bank = Bank({"validation": prompt, "pool": prompt}).to(materials.backbone.device)
            sure, told = probabilities(materials.backbone, bank, [looked, rows], materials.accelerator)
            heat = temperature(sure, looked.labels)
            most = min(train.labels.count(c) for c in range(len(self.domain.classes)))
            chosen = confident(tempered(told, heat), how.confidence, most)
            labelled = Rows([rows.ids[i] for i, _ in chosen], [label for _, label in chosen])
            self.labels[how, seed] = labelled, f"{len(chosen)} rows labelled at temperature {heat:.3g}"
        return self.labels[how, seed]
