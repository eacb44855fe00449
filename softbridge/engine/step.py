"""One optimiser step of a bank: every member's own batch, cut into passes of similar length.

    L = sum over members of ( 1/batch * sum over the member's rows of (-log p(y | x, prompt) + the member's term) )

In pretraining y is the text's own, by an objective; rows without a label count 0, and in N or not. Where y is a free
answer, the sum is over its tokens, and divided by those of all the member's rows instead of the batch.

The sum keeps a member's gradient what it would be alone; so does clipping each member by its own norm.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Batch, Rows, turns
from softbridge.engine.objectives import Objective
from softbridge.evaluation.answers import costs
from softbridge.evaluation.passes import passes
from softbridge.injection import Injection
from softbridge.losses.supervised import UNLABELLED, cross_entropy
from softbridge.prompts.bank import Bank


class Term(Protocol):
    """Describe what a bridge adds to the loss of each row."""

    @property
    def formula(self) -> str:
        """Return the term's name and formula, for records."""
        ...

    def __call__(self, backbone: Backbone, rows: Batch, prompt: Injection, scores: torch.Tensor) -> torch.Tensor:
        """Return the rows' terms `[B]`, for their prompts and the classes' scores `[B, C]` with them."""
        ...


@dataclass(frozen=True)
class Work:
    """Hold the rows of one step, each with the member it belongs to.

    Arguments:
        rows: the rows of all members that still train.
        owner: each row's member index.
        terms: the members whose loss has a term of its own, by index.
        names: what each row is called where it is to be named.
        objective: what the rows are asked for; None asks for their labels, and passes over rows that have none.
        divisors: what a member's sum is divided by, where that is not the batch.
    """

    rows: Rows
    owner: Sequence[int]
    terms: Mapping[int, Term]
    names: Sequence[str] = ()
    objective: Objective | None = None
    divisors: Mapping[int, int] = field(default_factory=dict)

    @property
    def tokens(self) -> dict[int, int]:
        """Return how many tokens each member's rows are asked for, where these are free answers."""
        found: Counter[int] = Counter()
        for owner, told in zip(self.owner, self.rows.told, strict=bool(self.rows.told)):
            found[owner] += len(told)
        return found

    @property
    def counted(self) -> list[int]:
        """Return the rows that have a loss."""
        return [i for i, y in enumerate(self.rows.labels) if self.objective or y != UNLABELLED]


def backward(
    backbone: Backbone, bank: Bank, work: Work, batch: int, accumulation: int, accelerator: Accelerator
) -> torch.Tensor:
    """Add up the gradients of one step's rows that fall to this process; `share` adds up those of all processes.

    Arguments:
        backbone: the frozen backbone.
        bank: N prompts; their gradients are to be empty.
        work: the step's rows.
        batch: rows of one member, which its loss is averaged over.
        accumulation: the least number of passes.
        accelerator: shares the rows among its processes.

    Returns:
        losses `[2, N]` and, of them, the terms, of these rows, divided by `batch` or the member's own divisor.
    """
    losses = torch.zeros(2, len(bank), device=backbone.device)
    divisors = torch.tensor([work.divisors.get(i, batch) for i in range(len(bank))], device=backbone.device)
    for chosen, counts in own_passes(backbone, work, bank[0].bake(), accumulation, accelerator):
        owner = torch.tensor([work.owner[i] for i in chosen], device=backbone.device)
        each, added = row_losses(backbone, work, chosen, bank(owner), owner)
        each, added = each / divisors[owner], added / batch
        (each + added).sum().mul(counts).backward()
        losses.index_add_(1, owner, torch.stack([(each + added).detach(), added.detach()]) * counts)
    return losses


def own_passes(
    backbone: Backbone, work: Work, prompt: Injection, accumulation: int, accelerator: Accelerator
) -> Iterator[tuple[list[int], bool]]:
    """Yield the rows of each pass of this process, and whether they count (`turns`).

    Arguments:
        backbone: the frozen backbone.
        work: the step's rows.
        prompt: what enters, baked, of any member.
        accumulation: the least number of passes.
        accelerator: shares the rows among its processes.
    """
    count, members = accelerator.num_processes, sorted(set(work.owner))

    def part(index: int) -> list[list[int]]:
        if work.objective and not work.objective.counts:  # rows that answer each other stay together
            return [[i for i in work.counted if work.owner[i] == member] for member in members[index::count]]
        mine = work.counted[index::count]
        if backbone.sharded and work.terms:  # some rows' terms run the model too, so all processes run the same rows
            mine = [] if index else work.counted
        owner = [work.owner[i] for i in mine]
        groups = passes(backbone, work.rows.take(mine), prompt, owner, accumulation)
        return [[mine[i] for i in group] for group in groups]

    return turns(part, accelerator.process_index, count, backbone.sharded)


def row_losses(
    backbone: Backbone, work: Work, chosen: Sequence[int], prompts: Injection, owner: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of some rows by their labels, answers or the objective, `[B]`, and the terms beside, `[B]`."""
    taken = work.rows.take(chosen)
    if work.objective:
        each = work.objective.losses(backbone, taken, prompts)
        return each, torch.zeros_like(each)
    rows = backbone.batch(taken)
    if taken.told:
        each = costs(backbone, taken, prompts)
        return each, own_terms(backbone, rows, prompts, each, owner, work.terms)
    scores = backbone.score(rows, prompts)
    return cross_entropy(scores, rows.labels), own_terms(backbone, rows, prompts, scores, owner, work.terms)


def own_terms(
    backbone: Backbone,
    rows: Batch,
    prompts: Injection,
    scores: torch.Tensor,
    owner: torch.Tensor,
    terms: Mapping[int, Term],
) -> torch.Tensor:
    """Return each row's term `[B]`: its member's own, or 0."""
    added = torch.zeros(len(rows), device=scores.device)
    for index, term in terms.items():
        mine = (owner == index).nonzero().flatten()
        if len(mine):
            added = added.index_add(0, mine, term(backbone, rows.take(mine), prompts.pick(mine), scores[mine]))
    return added


def share(bank: Bank, active: Sequence[int], losses: torch.Tensor, accelerator: Accelerator) -> torch.Tensor:
    """Add the active members' gradients up over all processes, in one message, once a step; return the losses' sums."""
    if accelerator.num_processes == 1 or not active:
        return losses
    parameters = list({id(p): p for index in active for p in bank[index].parameters()}.values())
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
    total = accelerator.reduce(flat, "sum").split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, total, strict=True):
        parameter.grad = part.view_as(parameter).clone()
    return accelerator.reduce(losses, "sum")


def clip(bank: Bank, active: Sequence[int], largest: float | None) -> list[float]:
    """Scale each member's gradient down to the largest norm, every member by itself; return the norms there were."""
    most = math.inf if largest is None else largest
    return torch.stack([torch.nn.utils.clip_grad_norm_(bank[i].parameters(), most) for i in active]).tolist()
