"""Score prompts on rows: many prompts and many rows in few large passes, in inference mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, together, turns
from softbridge.evaluation.answers import costs, surprised
from softbridge.evaluation.metrics import METRICS, judge
from softbridge.evaluation.passes import passes
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank

Read = Callable[[Rows, Injection | None], torch.Tensor]


def evaluate(
    backbone: Backbone,
    bank: Bank | None,
    rows: Sequence[Rows],
    names: Sequence[str] = (),
    accelerator: Accelerator | None = None,
) -> list[dict[str, float]]:
    """Return each member's `loss` and the named metrics; of free answers the loss and the perplexity.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        bank: N prompts, or None for no prompt.
        rows: each member's rows; a member without any has no scores.
        names: keys of `METRICS`.
        accelerator: shares the passes among its processes.
    """
    if any(part.told for part in rows):
        told = passed(backbone, bank, rows, lambda some, prompt: costs(backbone, some, prompt)[:, None], 1, accelerator)
        return [surprised(cost[:, 0], part) if len(part) else {} for cost, part in zip(told, rows, strict=True)]
    chances = probabilities(backbone, bank, rows, accelerator)
    return [scores(c, part.labels, names) if len(part) else {} for c, part in zip(chances, rows, strict=True)]


def probabilities(
    backbone: Backbone, bank: Bank | None, rows: Sequence[Rows], accelerator: Accelerator | None = None
) -> list[np.ndarray]:
    """Return `p(y | x)` of each member's rows.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        bank: N prompts, or None for no prompt.
        rows: each member's rows; one entry without a bank.
        accelerator: shares the passes among its processes.

    Returns:
        N arrays `[rows, C]`, in the rows' own order.
    """

    def read(some: Rows, prompt: Injection | None) -> torch.Tensor:
        return backbone.score(backbone.batch(some), prompt).softmax(-1)

    return passed(backbone, bank, rows, read, len(backbone.words), accelerator)


def passed(
    backbone: Backbone,
    bank: Bank | None,
    rows: Sequence[Rows],
    read: Read,
    width: int,
    accelerator: Accelerator | None = None,
) -> list[np.ndarray]:
    """Return what is read of each member's rows, N arrays `[rows, width]`.

    Arguments:
        backbone: the frozen backbone.
        bank: N prompts, or None for no prompt.
        rows: each member's rows; one entry without a bank.
        read: rows and the prompt of each to `[B, width]`.
        width: how many numbers are read of a row.
        accelerator: shares the passes among its processes.
    """
    owner = [member for member, part in enumerate(rows) for _ in range(len(part))]
    every = together(rows)
    groups = passes(backbone, every, None if bank is None else bank[0].bake(), owner)
    index, count = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    found = torch.zeros(len(every), width)
    with torch.inference_mode():
        for group, counts in turns(lambda i: groups[i::count], index, count, backbone.sharded):
            prompt = None if bank is None else bank(torch.tensor([owner[i] for i in group], device=backbone.device))
            said = read(every.take(group), prompt).float().cpu()
            if counts:
                found[group] = said
    if count > 1 and accelerator:
        found = accelerator.reduce(found.to(accelerator.device), "sum").cpu()
    return [part.numpy() for part in found.split([len(part) for part in rows])]


def scores(chances: np.ndarray, labels: Sequence[int], names: Sequence[str] = tuple(METRICS)) -> dict[str, float]:
    """Return the named metrics and `loss`, the mean of `-log p(y | x)`.

    Example:
        >>> round(scores(np.array([[0.5, 0.5]]), [1], ["accuracy"])["loss"], 4)
        0.6931
    """
    told = np.maximum(chances[np.arange(len(labels)), list(labels)], 1e-12)
    return {"loss": float(-np.log(told).mean()), **judge(chances, labels, names)}
