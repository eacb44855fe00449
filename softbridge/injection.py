"""What a prompt puts into a backbone, and what it may know of the backbone: the seam between two rooms.

A prompt *makes* an injection, a backbone *joins* it. Backbones know no prompt class; prompts know no backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tokens:
    """Hold virtual tokens that enter before a block.

    Arguments:
        states: `[B, P, H]` in float32; the join casts them to the backbone's precision.
        block: the index k of the block they enter before; 0 is the input.
    """

    states: torch.Tensor
    block: int = 0


@dataclass(frozen=True)
class Space:
    """Tell a prompt what it may know of the backbone it enters.

    Arguments:
        table: `[V, H]` the frozen word embeddings, as the first block reads them.
        tokenise: a text to token ids, without special tokens.
        common: token ids of ordinary words, commonest first.
        labels: the label words or descriptions of the task, in class order.
    """

    table: torch.Tensor
    tokenise: Callable[[str], list[int]]
    common: Sequence[int]
    labels: Sequence[str] = ()

    @property
    def width(self) -> int:
        """Return H, the width of a virtual token."""
        return self.table.shape[1]
