"""The optimisers and learning-rate schedules, one line each; every member has its own parameter groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from softbridge.engine.plan import Plan
from softbridge.prompts.bank import Bank

Groups = list[dict[str, Any]]


def adamw(groups: Groups, plan: Plan) -> torch.optim.Optimizer:
    """Return AdamW."""
    return torch.optim.AdamW(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay)


def adafactor(groups: Groups, plan: Plan) -> torch.optim.Optimizer:
    """Return Adafactor as prompt tuning uses it: no parameter scaling, no relative step."""
    from transformers import Adafactor  # imports transformers' whole trainer, seconds that AdamW need not pay

    fixed = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
    return Adafactor(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay, **fixed)


OPTIMISERS: dict[str, Callable[[Groups, Plan], torch.optim.Optimizer]] = {"adamw": adamw, "adafactor": adafactor}

# What is left of the learning rate after a share of the steps behind the warm-up.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1.0 + math.cos(math.pi * done)),
    "constant": lambda done: 1.0,
}


def factor(step: int, plan: Plan) -> float:
    """Return the share of the peak learning rate at a step: a linear rise, then the plan's schedule.

    The rise begins above 0, so that no step is spent at rest; a plan of few steps has none to spare.

    Example:
        >>> [factor(step, Plan(steps=6, warmup=1 / 3)) for step in range(6)]
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rise = plan.warmup_steps
    if step < rise:
        return (step + 1) / rise
    return SCHEDULES[plan.schedule]((step - rise) / max(1, plan.steps - rise))


def make(bank: Bank, plan: Plan) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """Return the optimiser over the bank's members, and its schedule; what members share moves as the first has it."""
    groups: Groups = []
    known: set[int] = set()
    for index in range(len(bank)):
        for share, parameters in bank[index].groups().items():
            own = [parameter for parameter in parameters if id(parameter) not in known]
            groups += [{"params": own, "lr": share * plan.learning_rate}] if own else []
            known |= {id(parameter) for parameter in own}
    optimiser = OPTIMISERS[plan.optimiser](groups, plan)
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: factor(step, plan))
