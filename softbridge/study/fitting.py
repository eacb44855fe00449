"""Fit what a bridge between two models learns before the target is reached: short loops of Adam, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows
from softbridge.bridges.post import Matching
from softbridge.domains.domain import OpenDomain
from softbridge.injection import Injection
from softbridge.losses.distillation import shifts
from softbridge.losses.supervised import cross_entropy
from softbridge.prompts.base import PromptModule
from softbridge.study.materials import Materials

BATCH = 8


def scored(backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
    """Return class scores `[B, C]` of rows that share a prompt."""
    each = torch.zeros(len(rows), dtype=torch.long, device=backbone.device)
    there = prompt.each(lambda part: part.to(backbone.device)).pick(each) if prompt else None
    return backbone.score(backbone.batch(rows), there)


def tune(
    materials: Materials,
    modules: Mapping[str, PromptModule],
    domains: Mapping[str, OpenDomain],
    steps: int,
    rate: float,
    generator: torch.Generator,
) -> None:
    """Train what the modules share on the labelled rows of their domains, one domain after the other.

    Arguments:
        materials: the target model's.
        modules: a prompt a domain.
        domains: the domains by name.
        steps: optimiser steps in all.
        rate: Adam's learning rate.
        generator: draws the rows.
    """
    names = list(modules)
    rows = {name: materials.rows(domains[name].train) for name in names}
    weights = {id(p): p for module in modules.values() for p in module.parameters()}
    optimiser = torch.optim.Adam(weights.values(), lr=rate)
    for step in range(steps):
        name = names[step % len(names)]
        materials.bind(domains[name])
        batch = rows[name].take(torch.randint(len(rows[name]), (BATCH,), generator=generator).tolist())
        optimiser.zero_grad()
        scores = scored(materials.backbone, batch, modules[name]())
        cross_entropy(scores, torch.tensor(batch.labels, device=scores.device)).mean().backward()
        optimiser.step()


def match(
    here: Materials,
    there: Materials,
    module: PromptModule,
    prompt: Injection,
    matching: Matching,
    domain: OpenDomain,
    public: OpenDomain,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Train a prompt so that it changes the target model's answers as the source prompt changes the source model's.

    Arguments:
        here: the target model's materials.
        there: the source model's materials.
        module: the prompt that trains.
        prompt: the source prompt.
        matching: how.
        domain: the target, whose classes both models score.
        public: the domain whose texts are used.
        generator: draws the texts.

    Returns:
        The mean loss over all texts before and after.
    """
    here.bind(domain)
    there.bind(domain)
    chosen = torch.randperm(len(public.train), generator=generator)[: matching.texts].tolist()
    texts = public.train.select(chosen)
    ours, theirs = here.rows(texts), there.rows(texts)
    with torch.inference_mode():
        without, bare = answers(there.backbone, theirs, None), answers(here.backbone, ours, None)
        told = answers(there.backbone, theirs, prompt)
    told, without, bare = (scores.clone().to(here.backbone.device) for scores in (told, without, bare))

    def loss(said: torch.Tensor, at: list[int]) -> torch.Tensor:
        return shifts(told[at], without[at], said, bare[at], matching.weight, matching.temperature)

    def now() -> float:
        with torch.inference_mode():
            return float(loss(answers(here.backbone, ours, module.bake()), list(range(len(ours)))).mean())

    before, optimiser = now(), torch.optim.Adam(module.parameters(), lr=matching.rate)
    for _ in range(matching.steps):
        at = torch.randint(len(ours), (BATCH,), generator=generator).tolist()
        optimiser.zero_grad()
        loss(scored(here.backbone, ours.take(at), module()), at).mean().backward()
        optimiser.step()
    return before, now()


def answers(backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
    """Return class scores `[N, C]` of many rows."""
    parts = [list(range(i, min(i + 32, len(rows)))) for i in range(0, len(rows), 32)]
    return torch.cat([scored(backbone, rows.take(part), prompt) for part in parts])
