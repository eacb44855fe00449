"""The stage `design`: find the words that prompts start from; representative, concise, interpretable, and of low loss.

It reads the texts of train and unlabelled rows, without their labels, and labelled validation rows; never test rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from scipy.stats import rankdata

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows
from softbridge.domains.candidates import Candidate, Design, candidates
from softbridge.domains.domain import Domain, OpenDomain
from softbridge.domains.templates import Template
from softbridge.domains.terms import MINERS, Counts, Term, count, language, mine
from softbridge.evaluation.evaluator import probabilities, scores
from softbridge.injection import Injection, Space
from softbridge.prompts.bank import Bank
from softbridge.prompts.base import PromptKind
from softbridge.prompts.held import HeldPrompt
from softbridge.seeding import derive, generator
from softbridge.study.holding import holding
from softbridge.study.materials import Materials
from softbridge.study.opening import resolve
from softbridge.study.shelved import ShelvedDomain
from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher

BACKGROUND = "the background"
TOGETHER = "all domains"  # terms of each in turn
MOST_TERMS = 16  # of a domain and a miner

# The measures, and whether more is better.
MEASURES: Mapping[str, bool] = {
    "coverage": True,
    "tokens": False,
    "perplexity": False,
    "distance": False,
    "loss": False,
}


@dataclass(frozen=True)
class Scored:
    """Hold a candidate with its measures; one that cannot be had of this backbone is None.

    Arguments:
        candidate: the candidate.
        coverage: representative: the share of a domain's texts that hold one of its terms, mean over the domains.
        tokens: concise: how many tokens the text has.
        perplexity: interpretable: how surprised the backbone is by the text, where it is a language model.
        distance: interpretable: 1 minus the cosine of a virtual token to the nearest word embedding, their mean.
        loss: the validation loss with the prompt as it starts, mean over the domains.
        rank: the mean of its ranks by each measure, from 1.
    """

    candidate: Candidate
    coverage: float
    tokens: int
    perplexity: float | None
    distance: float | None
    loss: float | None = None
    rank: float = math.nan


def designed(kind: PromptKind) -> bool:
    """Say whether a kind of prompt starts from a designed text."""
    return getattr(kind, "init", "") == "design"


def propose(
    domains: Sequence[OpenDomain], background: OpenDomain | None, settings: Design, backbone: Backbone, kind: PromptKind
) -> list[Scored]:
    """Return the candidates of domains with what can be measured without labels, the best first.

    Arguments:
        domains: the opened domains; their train and unlabelled texts are read.
        background: what they are held against; the other domains where there is none.
        settings: what is tried.
        backbone: its tokenizer and embeddings measure.
        kind: the kind of prompt, with the length that a candidate must have room in.
    """
    corpora = {domain.name: texts(domain) for domain in domains} | (
        {BACKGROUND: texts(background)} if background else {}
    )
    counts, names = count(corpora), [domain.name for domain in domains]
    against = {name: [BACKGROUND] if background else [other for other in names if other != name] for name in names}
    # Alone there is nothing to set a domain apart from: its commonest words are left, which class_tfidf ranks.
    miners = [miner for miner in MINERS if miner == "class_tfidf" or len(corpora) > 1]
    mined = {(n, miner): mine(counts, n, against[n], miner, MOST_TERMS) for n in names for miner in miners}
    speaks = {name: language(corpora[name][:200]) for name in names}
    found = candidates(
        mined | ({(TOGETHER, miner): in_turn([mined[n, miner] for n in names]) for miner in miners if len(names) > 1}),
        speaks | {TOGETHER: speaks[names[0]]},
        {TOGETHER: domains[0].words} | {domain.name: domain.words for domain in domains},
        settings,
        lambda text: 0 < len(backbone.word_ids(text)) <= kind.length,
    )
    space = backbone.space()
    return ranked([measured(candidate, counts, names, backbone, kind, space) for candidate in found])


def in_turn(lists: Sequence[Sequence[Term]]) -> list[Term]:
    """Return the terms of several lists, from each in turn, each word once.

    Example:
        >>> plot, cast, soup = (Term(word, 1.0, 0.1) for word in ("plot", "cast", "soup"))
        >>> [term.word for term in in_turn([[plot, cast], [soup, plot]])]
        ['plot', 'soup', 'cast']
    """
    every = [term for some in zip_longest(*lists) for term in some if term is not None]
    found: dict[str, Term] = {}
    for term in every:
        found.setdefault(term.word, term)
    return list(found.values())


def texts(domain: OpenDomain) -> list[str]:
    """Return a domain's texts for mining: those of train and unlabelled rows, less what its template says."""
    found = [*domain.train["text"][:], *domain.unlabelled["text"][:]]
    for said, _ in Template.parse(domain.template).pieces:
        found = [text.replace(said, " ", 1) for text in found] if said.strip() else found
    return found


def measured(
    candidate: Candidate, counts: Counts, names: Sequence[str], backbone: Backbone, kind: PromptKind, space: Space
) -> Scored:
    """Return a candidate with the measures that need no labels."""
    coverage = sum(counts.coverage(candidate.terms, name) for name in names) / len(names)
    ids = backbone.word_ids(candidate.text)
    start = started(kind, candidate.text, space)
    away = None if start.tokens is None else distance(start.tokens[0], space.table)
    return Scored(candidate, coverage, len(ids), perplexity(backbone, ids), away)


def started(kind: PromptKind, text: str, space: Space) -> Injection:
    """Return a kind's prompt as it starts from a text."""
    return replace(kind, text=text).build(space, generator(0, "design")).bake()  # type: ignore[type-var, call-arg]


def distance(prompt: torch.Tensor, table: torch.Tensor) -> float:
    """Return how far virtual tokens are from words: `1/P * sum_j (1 - max_v cos(P_j, E_v))`.

    Arguments:
        prompt: `[P, H]`.
        table: `[V, H]` the word embeddings.

    Example:
        >>> round(distance(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.eye(2)), 4)
        0.1464
    """
    unit = torch.nn.functional.normalize
    near = unit(prompt.float(), dim=1) @ unit(table.float(), dim=1).T
    return float((1 - near.max(dim=1).values).mean().clamp_min(0))


def perplexity(backbone: Backbone, ids: Sequence[int]) -> float | None:
    """Return `exp(-1/n * sum_i log p(t_i | the others))`; None where the backbone is no language model.

    A causal model knows the tokens before, a masked one those on both sides (pseudo-perplexity: Salazar et al. 2020).

    Arguments:
        backbone: the backbone.
        ids: the text's n token ids.
    """
    tokenizer, model = backbone.tokenizer, backbone.model
    if backbone.kind == "causal":
        known = (tokenizer.bos_token_id, tokenizer.eos_token_id, backbone.pad_id)
        first = next(token for token in known if token is not None)
        rows = torch.tensor([[first, *ids]], device=backbone.device)
        with torch.inference_mode():
            chances = model(input_ids=rows).logits[0, :-1].float().log_softmax(-1)
    elif backbone.kind == "masked":
        first, *last = tokenizer("")["input_ids"]
        at = torch.arange(len(ids)) + 1
        rows = torch.tensor([[first, *ids, *last]] * len(ids), device=backbone.device)
        rows[torch.arange(len(ids)), at] = tokenizer.mask_token_id
        with torch.inference_mode():
            chances = model(input_ids=rows).logits[torch.arange(len(ids)), at].float().log_softmax(-1)
    else:
        return None
    told = chances.cpu()[torch.arange(len(ids)), torch.tensor(ids)]
    return math.exp(-float(told.mean()))


def judged(
    found: Sequence[Scored],
    rows: Mapping[str, tuple[OpenDomain, Rows]],
    backbone: Backbone,
    kind: PromptKind,
    accelerator: Accelerator | None = None,
) -> list[Scored]:
    """Return candidates with their validation loss, ranked anew; where classes are read from a head there is none yet.

    Arguments:
        found: the candidates.
        rows: each domain with the validation rows it is measured on.
        backbone: the backbone; it is bound to each domain's classes in turn.
        kind: the kind of prompt.
        accelerator: shares the passes among its processes.
    """
    if "head" in backbone.takes:
        return ranked(found)
    space, losses = backbone.space(), np.zeros(len(found))
    prompts = [HeldPrompt(started(kind, one.candidate.text, space)) for one in found]
    bank = Bank({str(i): prompt for i, prompt in enumerate(prompts)}).to(backbone.device)
    for domain, some in rows.values():
        backbone.bind(domain.words)
        chances = probabilities(backbone, bank, [some] * len(found), accelerator)
        losses += np.array([scores(c, some.labels, [])["loss"] for c in chances]) / len(rows)
    return ranked([replace(one, loss=float(loss)) for one, loss in zip(found, losses, strict=True)])


def ranked(found: Sequence[Scored], by: str = "ranks") -> list[Scored]:
    """Return candidates with their mean rank, the best first; equals share a rank, and the lower loss comes first.

    Arguments:
        found: the candidates.
        by: `ranks`, or `loss` alone.
    """
    columns = {name: [getattr(one, name) for one in found] for name in MEASURES}
    told = {name: values for name, values in columns.items() if None not in values}
    ranks = [rankdata([-v if MEASURES[name] else v for v in np.round(vs, 6)]) for name, vs in told.items()]
    mean = np.mean(ranks, axis=0)
    made = [replace(one, rank=float(rank)) for one, rank in zip(found, mean, strict=True)]
    first = (lambda one: one.loss or 0.0) if by == "loss" else (lambda one: one.rank)
    return sorted(made, key=lambda one: (first(one), one.loss or 0.0, one.candidate.text))


def opened_background(settings: Design) -> OpenDomain | None:
    """Return the background's texts, opened as a domain without labels."""
    return Domain(settings.background, label=None).open(BACKGROUND, resolve) if settings.background else None


def looked_at(domain: OpenDomain, backbone: Backbone, seed: int, few: int | None, most: int) -> Rows:
    """Return the validation rows that a seed may look at, some of each class.

    Arguments:
        domain: the domain.
        backbone: tokenises; it is bound to the domain's classes, because a mask's room depends on them.
        seed: the member's seed.
        few: validation rows a class that the member has; None for all.
        most: rows a class at most.
    """
    labels = domain.validation["label"][:]
    fewest = min(labels.count(index) for index in range(len(domain.classes)))
    each = min(most, fewest if few is None else few)
    some = domain.few(0, derive(seed, "shots"), each)[1]
    backbone.bind(domain.words)
    return Rows(backbone.tokenise(some["text"][:]), some["label"][:])


def shores(materials: Materials) -> dict[str, OpenDomain]:
    """Return the study's domains by fingerprint; a target that has another source's name is told apart by it."""
    found = {d.fingerprint: d for d in materials.sources.values() if not isinstance(d, ShelvedDomain)}
    for name, domain in materials.targets.items():
        taken = name in materials.sources and domain.fingerprint not in found
        found.setdefault(domain.fingerprint, replace(domain, name=f"{name} (target)") if taken else domain)
    return found


def carry_out(materials: Materials, stage: Stage, background: OpenDomain | None, watcher: Watcher) -> dict[str, Any]:
    """Carry the stage to its end, or take the result of a run that did.

    Each seed chooses by the validation rows that are its own; sources count once, a target that is also a source too.

    Returns:
        `texts`, the text of each seed, and `candidates`, the measures of each seed's candidates, the best first.
    """
    with holding(stage, materials.accelerator, watcher):
        return stage.result() if stage.finished else choose(materials, stage, background, watcher)


def choose(materials: Materials, stage: Stage, background: OpenDomain | None, watcher: Watcher) -> dict[str, Any]:
    """Score the candidates and choose each seed's text; return the stage's result."""
    recipe, backbone, domains = materials.recipe, materials.backbone, shores(materials)
    settings = recipe.design or Design()
    own = {domain.fingerprint for domain in materials.targets.values()}
    found = propose(list(domains.values()), background, settings, backbone, recipe.prompt)[: settings.candidates]
    chosen: dict[int, list[Scored]] = {}
    for seed in recipe.seeds:
        rows = {
            mark: (
                d,
                looked_at(d, backbone, seed, recipe.validation_shots if mark in own else None, settings.rows),
            )
            for mark, d in domains.items()
        }
        told = judged(found, rows, backbone, recipe.prompt, materials.accelerator)
        chosen[seed] = ranked(told, settings.choose_by)
        watcher.say(f"{stage.name}: seed {seed} starts from '{chosen[seed][0].candidate.text}'")
    materials.bound = ()
    result = {
        "texts": {str(seed): told[0].candidate.text for seed, told in chosen.items()},
        "candidates": {str(seed): [asdict(one) for one in told] for seed, told in chosen.items()},
    }
    if materials.accelerator.is_main_process:
        stage.finish(result)
    materials.accelerator.wait_for_everyone()
    return result


def alone(
    domains: Sequence[OpenDomain], settings: Design, backbone: Backbone, kind: PromptKind, seed: int = 0
) -> list[Scored]:
    """Return the candidates of domains with every measure, the best first, without a recipe.

    Arguments:
        domains: opened domains.
        settings: what is tried, and what the best is chosen by.
        backbone: the backbone.
        kind: the kind of prompt, with `init: design`.
        seed: chooses the validation rows.
    """
    found = propose(domains, opened_background(settings), settings, backbone, kind)[: settings.candidates]
    rows = {domain.name: (domain, looked_at(domain, backbone, seed, None, settings.rows)) for domain in domains}
    return ranked(judged(found, rows, backbone, kind), settings.choose_by)
