"""Score prompts on rows: many prompts and many rows in few large passes, in inference mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, cut, turns
from softbridge.evaluation.metrics import METRICS, judge
from softbridge.prompts.bank import Bank

# Positions of one pass: memory bounds it, and beyond this size a CPU gained nothing (benchmarks/speed/NOTES.md).
PASS_POSITIONS = {"cpu": 1024}
PASS_POSITIONS_GPU = 65536


def pass_positions(device: torch.device) -> int:
    """Return how many positions one pass should hold on a device."""
    return PASS_POSITIONS.get(device.type, PASS_POSITIONS_GPU)


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
    owner = [member for member, part in enumerate(rows) for _ in range(len(part))]
    every = Rows([ids for part in rows for ids in part.ids], [y for part in rows for y in part.labels])
    length = 0 if bank is None else bank[0].bake().slots
    lengths = [len(ids) + length for ids in every.ids]
    passes = list(cut(lengths, pass_positions(backbone.device), owner if backbone.shares else ()))
    index, count = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    chances = torch.zeros(len(every), len(backbone.words))
    with torch.inference_mode():
        for group, counts in turns(lambda i: passes[i::count], index, count, backbone.sharded):
            tokens = None if bank is None else bank(torch.tensor([owner[i] for i in group], device=backbone.device))
            said = backbone.score(backbone.batch(every.take(group)), tokens).softmax(-1).cpu()
            if counts:
                chances[group] = said
    if count > 1 and accelerator:
        chances = accelerator.reduce(chances.to(accelerator.device), "sum").cpu()
    return [part.numpy() for part in chances.split([len(part) for part in rows])]


def scores(chances: np.ndarray, labels: Sequence[int], names: Sequence[str] = tuple(METRICS)) -> dict[str, float]:
    """Return the named metrics and `loss`, the mean of `-log p(y | x)`.

    Example:
        >>> round(scores(np.array([[0.5, 0.5]]), [1], ["accuracy"])["loss"], 4)
        0.6931
    """
    told = np.maximum(chances[np.arange(len(labels)), list(labels)], 1e-12)
    return {"loss": float(-np.log(told).mean()), **judge(chances, labels, names)}
