"""How many rows go through a backbone together: what is padded costs time, and what stands in a pass costs memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, cut
from softbridge.injection import Injection

# Positions of one pass: memory bounds it, and beyond this size a CPU gained nothing (benchmarks/speed/NOTES.md).
POSITIONS = {"cpu": 1024}
POSITIONS_GPU = 65536
TOKENS_GPU = 8192  # of which any may be asked for over the whole vocabulary


def pass_positions(device: torch.device, asked: bool = False) -> int:
    """Return how many positions one pass should hold on a device.

    Arguments:
        device: the device.
        asked: whether rows are asked for tokens, each of which is scored over the whole vocabulary.
    """
    return POSITIONS.get(device.type, TOKENS_GPU if asked else POSITIONS_GPU)


def passes(
    backbone: Backbone, rows: Rows, prompt: Injection | None, owner: Sequence[int], least: int = 1
) -> list[list[int]]:
    """Return the rows of each pass: similar lengths together and, where a prompt is computed once a pass, its rows.

    Arguments:
        backbone: the frozen backbone; where it is causal and runs rows unpadded, a prompt that they share stands once.
        rows: B rows.
        prompt: what enters, baked, of any member; or None.
        owner: each row's member.
        least: about as many passes there are to be at least.
    """
    slots, sizes = prompt.slots if prompt else 0, [rows.length(i) for i in range(len(rows))]
    free = backbone.unpadded(prompt, max(sizes, default=0))
    shared = free and backbone.shares and prompt is not None and prompt.mix_keys is None
    bearing = {member: i for i, member in enumerate(owner)} if shared else {}  # one row of each member bears its prompt
    lengths = [size + slots * (not shared or bearing[owner[i]] == i) for i, size in enumerate(sizes)]
    positions = pass_positions(backbone.device, bool(rows.told))
    if least > 1:
        positions = min(positions, max(1, sum(lengths) // least))
    return list(cut(lengths, positions, owner if backbone.shares else (), padded=not free))
