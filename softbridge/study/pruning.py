"""Prune trained prompts: measure what each token and piece is worth, take the rest away, go back, train again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows
from softbridge.engine.loop import Judge, Member, Trained, Training
from softbridge.engine.plan import Plan
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import HeadedPrompt
from softbridge.prompts.pruning import Prune, PrunedPrompt, importance
from softbridge.study.gradients import row_gradients

CAN_STAND = {"tokens", "head", "head_bias"}


@dataclass(frozen=True)
class Candidate:
    """Name a trained prompt that is to be pruned.

    Arguments:
        name: its name in the bank.
        seed: draws the order of its rows when it trains again.
        trained: the baked prompt whose tokens are measured.
        start: the baked prompt that what stays goes back to: where the training started, or `trained` itself.
        rows: its labelled rows, which it is measured on and trains again on.
    """

    name: str
    seed: int
    trained: Injection
    start: Injection
    rows: Rows


@dataclass(frozen=True)
class Pruned:
    """Hold what became of a candidate.

    Arguments:
        mask: `[P, H]` True where an element stayed.
        trained: what training it again came to.
    """

    mask: torch.Tensor
    trained: Trained


def prune(
    backbone: Backbone,
    candidates: Sequence[Candidate],
    how: Prune,
    plan: Plan,
    judge: Judge,
    accelerator: Accelerator,
    folder: Path | None = None,
) -> list[Pruned]:
    """Prune trained prompts, send what stays back to its start, and train it again as one bank.

    `P' = gamma o P_start`, then `min CE(f([gamma o P; E(x)]), y)`: an element that went is zero at every step.

    *Reference*: Ma, Zhang, et al. XPrompt: Exploring the Extreme of Prompt Tuning. EMNLP 2022.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        candidates: the trained prompts, all of one shape.
        how: what share of them stays.
        plan: how what stays trains again.
        judge: scores the bank's listed members on validation.
        accelerator: device and processes.
        folder: where the training keeps its checkpoint; None keeps nothing.

    Returns:
        Each candidate's mask and result, in the given order.

    Raises:
        PromptError: when a prompt has no virtual tokens or other parts beside them, or its start is of another shape.
    """
    masks = [mask_of(backbone, candidate, how) for candidate in candidates]
    members = [
        Member(candidate.name, candidate.seed, rewound(candidate, mask), candidate.rows)
        for candidate, mask in zip(candidates, masks, strict=True)
    ]
    trained = Training(backbone, members, plan, judge, accelerator, folder=folder).run()
    return [Pruned(mask, result) for mask, result in zip(masks, trained, strict=True)]


def mask_of(backbone: Backbone, candidate: Candidate, how: Prune) -> torch.Tensor:
    """Return `[P, H]`, True where an element of a trained prompt stays.

    Raises:
        PromptError: when the prompt cannot be pruned.
    """
    prompt = candidate.trained
    for which, injection in (("trained", prompt), ("start", candidate.start)):
        if injection.tokens is None or set(injection.parts) - CAN_STAND:
            raise PromptError(
                f"the {which} prompt of '{candidate.name}' has {', '.join(injection.parts) or 'no parts'}",
                "virtual tokens, and at most a head beside them",
                "prune a prompt of a kind that learns virtual tokens alone, such as soft",
            )
    assert prompt.tokens is not None

    def measure(tokens: torch.Tensor, pieces: int) -> torch.Tensor:
        return measured(backbone, replace(prompt, tokens=tokens.unsqueeze(0)), candidate.rows, pieces)

    return how.mask(prompt.tokens[0].detach().float().cpu(), measure)


def measured(backbone: Backbone, prompt: Injection, rows: Rows, pieces: int) -> torch.Tensor:
    """Return the importance of a prompt's pieces on labelled rows, averaged over the rows.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        prompt: a baked prompt of one row, with tokens `[1, P, H]`.
        rows: at least one labelled row.
        pieces: how many equal pieces a token is cut into.

    Returns:
        `[P, pieces]` on the CPU, from 0.

    Raises:
        PromptError: when there are no rows.
    """
    if not len(rows):
        raise PromptError("there are no rows to measure a prompt on", "at least one", "give the training rows")
    assert prompt.tokens is not None
    tokens, total = prompt.tokens[0].to(backbone.device), torch.zeros(())
    for gradients in row_gradients(backbone, prompt, rows):
        total = total + len(gradients) / len(rows) * importance(tokens, gradients, pieces).cpu()
    return total


def rewound(candidate: Candidate, mask: torch.Tensor) -> PromptModule:
    """Return what stays of a prompt, at the values of its start, with the start's head where there is one."""
    start = candidate.start
    assert start.tokens is not None
    prompt = PrunedPrompt(start.tokens[0].cpu(), mask, start.block)
    if start.head is None or start.head_bias is None:
        return prompt
    return HeadedPrompt(prompt, start.head[0], start.head_bias[0])
