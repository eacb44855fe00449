"""What pretraining reads: rows of text with what they are asked for, and how the answers are measured on held-out rows.

Labels are read in the semi-supervised form alone: of a target as many as the recipe's `shots` give each seed, whose
other train rows count as unlabelled. Held out are validation texts, and no test row is ever read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset

from softbridge.backbones.base import Backbone
from softbridge.batch import MASK, Rows, cut, turns
from softbridge.domains.domain import OpenDomain
from softbridge.domains.feeds import tokenise
from softbridge.engine.loop import Judge
from softbridge.engine.objectives import Objective, usual
from softbridge.engine.step import Work
from softbridge.errors import DataError
from softbridge.evaluation.passes import pass_positions
from softbridge.injection import Injection
from softbridge.losses.semisupervised import Normalise, divisor
from softbridge.losses.supervised import UNLABELLED
from softbridge.prompts.bank import Bank
from softbridge.recipe.preparing import Pretrain
from softbridge.seeding import derive, generator
from softbridge.study.designing import shores
from softbridge.study.judging import judge_on
from softbridge.study.materials import Materials, domain_facts
from softbridge.study.opening import resolve

Recast = Callable[[Work, int], Work]
TOGETHER = 32  # held-out rows that are each other's wrong answers


@dataclass(frozen=True)
class Task:
    """Hold what members learn before sources are learned.

    Arguments:
        name: the domains' names in one.
        domain: whose classes are bound, where labels are read.
        rows: each member's rows.
        judge: measures members on held-out rows.
        recast: turns a step's rows into what they are asked for.
        facts: what a record says of it: `loss`, `objective`, `normalise`, `labelled`.
    """

    name: str
    domain: OpenDomain | None
    rows: Sequence[Rows]
    judge: Judge
    recast: Recast | None
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """Hold what pretraining reads.

    Arguments:
        settings: the recipe's section.
        domains: the domains.
    """

    settings: Pretrain
    domains: Sequence[OpenDomain]

    @property
    def name(self) -> str:
        """Return the domains' names in one."""
        return "+".join(domain.name for domain in self.domains)


def reading(materials: Materials, settings: Pretrain) -> Reading:
    """Open what pretraining reads."""
    own = settings.domain
    found = [replace(own, label=own.label if settings.labels else None).open("pretrain.domain", resolve)] if own else []
    if settings.texts is None and own:
        return Reading(settings, found)
    named = [
        domain
        for domain in shores(materials).values()
        if settings.texts is None or domain.name.removesuffix(" (target)") in settings.texts
    ]
    return Reading(settings, [*named, *found])


def facts_of(materials: Materials, read: Reading) -> dict[str, Any]:
    """Return what decides pretraining's numbers, beside the backbone and the prompt."""
    recipe, settings = materials.recipe, read.settings
    asked = settings.objective or usual(materials.backbone.kind)
    return {
        **settings.facts(),
        "texts": [domain_facts(domain) for domain in read.domains],
        **({"shots": [recipe.shots, recipe.validation_shots], "targets": own(materials)} if settings.labels else {}),
        **({} if settings.labels else {"objective": {"name": asked.name, **vars(asked)}}),
    }


def own(materials: Materials) -> list[str]:
    """Return the targets' fingerprints."""
    return sorted(domain.fingerprint for domain in materials.targets.values())


def task(materials: Materials, read: Reading, backbone: Backbone, seeds: Sequence[int]) -> Task:
    """Return what pretraining teaches one member a seed.

    Arguments:
        materials: the study's.
        read: what is read.
        backbone: tokenises, and is asked.
        seeds: one member each.
    """
    settings = read.settings
    if settings.labels:
        return semi_supervised(materials, read, backbone, seeds)
    objective = settings.objective or usual(backbone.kind)
    texts, held = divided(read.domains, settings.held_out)
    rows, looked = (unlabelled(backbone, some) for some in (texts, held))
    orders = [derive(seed, "order", read.name) for seed in seeds]

    def recast(work: Work, step: int) -> Work:
        draws = [generator(orders[owner], "asked", step, place) for place, owner in enumerate(work.owner)]
        return replace(work, rows=asked(backbone, objective, work.rows, draws), objective=objective)

    fixed = asked(backbone, objective, looked, [generator(0, "held out", i) for i in range(len(looked))])
    judge = judge_texts(backbone, objective, fixed, materials.accelerator)
    facts = {"loss": settings.formula, "objective": objective.name}
    return Task(read.name, None, [rows] * len(seeds), judge, recast, facts)


def semi_supervised(materials: Materials, read: Reading, backbone: Backbone, seeds: Sequence[int]) -> Task:
    """Return what is taught by the labels that there are: rows without one are read, and count 0."""
    settings = read.settings
    backbone.bind(read.domains[0].words)
    sets = [partly(materials, read, backbone, seed) for seed in seeds]
    if not all(len(looked) for _, looked in sets):
        raise DataError(f"{read.name} has no validation rows", "labelled rows to choose by", "set validation above 0")
    judge = judge_on(backbone, [looked for _, looked in sets], settings.plan, materials.accelerator)
    labelled = sum(y != UNLABELLED for y in sets[0][0].labels)
    facts = {"loss": settings.formula, "normalise": settings.normalise, "labelled": labelled}
    recast = normalised(settings.normalise)
    return Task(read.name, read.domains[0], [rows for rows, _ in sets], judge, recast, facts)


def partly(materials: Materials, read: Reading, backbone: Backbone, seed: int) -> tuple[Rows, Rows]:
    """Return a seed's rows, labelled and not, and its labelled validation rows."""
    recipe, targets = materials.recipe, own(materials)
    train: list[Dataset] = []
    looked: list[Dataset] = []
    for domain in read.domains:
        target = domain.fingerprint in targets
        shots, few = (recipe.shots, recipe.validation_shots) if target else (read.settings.labelled, None)
        some, judged = domain.few(shots, derive(seed, "shots"), few)
        train += [some, domain.pool(shots, derive(seed, "shots"))]
        looked.append(judged)
    rows = []
    for parts in (train, looked):
        texts, labels = ([value for part in parts for value in part[key][:]] for key in ("text", "label"))
        rows.append(Rows(backbone.tokenise(texts) if texts else [], labels))
    return rows[0], rows[1]


def normalised(normalise: Normalise) -> Recast:
    """Return what divides each member's sum by all of a step's rows, or by the labelled ones."""

    def recast(work: Work, step: int) -> Work:
        rows = {i: work.owner.count(i) for i in set(work.owner)}  # type: ignore[attr-defined]
        labelled = [owner for owner, y in zip(work.owner, work.rows.labels, strict=True) if y != UNLABELLED]
        return replace(work, divisors={i: divisor(n, labelled.count(i), normalise) for i, n in rows.items()})

    return recast


def divided(domains: Sequence[OpenDomain], held_out: int) -> tuple[list[str], list[str]]:
    """Return the texts that are learned from, and those that are held out: validation's, or unlabelled where none are.

    Raises:
        DataError: when no text is left.
    """
    texts: list[str] = []
    held: list[str] = []
    for domain in domains:
        mine, others = [*domain.train["text"][:], *domain.unlabelled["text"][:]], domain.validation["text"][:]
        order = torch.randperm(len(others) or len(mine), generator=generator(0, "held out", domain.name)).tolist()
        if others:
            held += [others[i] for i in order[:held_out]]
            texts += mine
        else:
            held += [mine[i] for i in order[:held_out]]
            texts += [mine[i] for i in sorted(order[held_out:])]
    if not texts or not held:
        raise DataError(
            f"{len(texts)} texts are left to pretrain on, and {len(held)} are held out",
            "at least one of each",
            "name more texts, or lower held_out",
        )
    return texts, held


def unlabelled(backbone: Backbone, texts: Sequence[str]) -> Rows:
    """Return texts as rows; those with fewer than two words' tokens cannot be asked for anything."""
    mask = backbone.tokenizer.mask_token or ""
    ids = tokenise([text.replace(MASK, mask) for text in texts], backbone.tokenizer, backbone.spec.max_length)
    kept = [row for row in ids if sum(token not in backbone.special for token in row) > 1]
    if not kept:
        raise DataError(f"none of {len(texts)} texts has two tokens", "texts of several words", "bring other texts")
    return Rows(kept, [UNLABELLED] * len(kept))


def asked(backbone: Backbone, objective: Objective, rows: Rows, draws: Sequence[torch.Generator]) -> Rows:
    """Return rows as a model reads them, with what it is asked for."""
    made = [objective.ask(backbone, ids, draw) for ids, draw in zip(rows.ids, draws, strict=True)]
    return Rows([seen for seen, _ in made], rows.labels, [told for _, told in made])


def judge_texts(backbone: Backbone, objective: Objective, rows: Rows, accelerator: Accelerator) -> Judge:
    """Return the judge that measures members on held-out rows: the loss and, where it is of tokens, the perplexity."""

    def judge(bank: Bank, active: Sequence[int]) -> dict[int, dict[str, float]]:
        return {i: measured(backbone, objective, rows, bank[i].bake(), accelerator) for i in active}

    return judge


def measured(
    backbone: Backbone, objective: Objective, rows: Rows, prompt: Injection | None, accelerator: Accelerator
) -> dict[str, float]:
    """Return a prompt's loss on rows that were asked, the mean of L_n; and `exp` of the mean over their tokens."""
    index, count = accelerator.process_index, accelerator.num_processes
    many = range(len(rows))
    sizes = [len(ids) + len(told) for ids, told in zip(rows.ids, rows.told, strict=True)]
    groups = list(cut(sizes, pass_positions(backbone.device, asked=objective.counts)))
    if not objective.counts:
        groups = [list(many[i : i + TOGETHER]) for i in range(0, len(rows), TOGETHER)]
    losses = torch.zeros(len(rows))
    with torch.inference_mode():
        for group, counts in turns(lambda i: groups[i::count], index, count, backbone.sharded):
            each = None if prompt is None else prompt.pick(torch.zeros(len(group), dtype=torch.long))
            there = each if each is None else each.each(lambda part: part.to(backbone.device))
            told = objective.losses(backbone, rows.take(group), there).cpu()
            if counts:
                losses[group] = told
    if count > 1:
        losses = accelerator.reduce(losses.to(accelerator.device), "sum").cpu()
    found = {"loss": float(losses.double().mean())}
    if objective.counts:
        tokens = torch.tensor([sum(token != UNLABELLED for token in told) for told in rows.told]).double()
        found["perplexity"] = math.exp(min(float((losses.double() * tokens).sum() / tokens.sum()), 700.0))
    return found
