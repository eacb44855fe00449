"""From one loss a row to one number. Only the engine reduces, and this is how."""

from __future__ import annotations

from typing import Literal

import torch

Normalise = Literal["all", "labelled"]


def mean(losses: torch.Tensor, labelled: torch.Tensor, normalise: Normalise = "all") -> torch.Tensor:
    """Return the labelled rows' summed loss over the number of rows: `1/N * sum_n L_n`.

    Arguments:
        losses: `[B]` losses.
        labelled: `[B]` bool, which rows have a label; the others count 0 in the sum.
        normalise: "all" takes N = B, the formula as it stands; "labelled" takes N = the labelled rows.

    Returns:
        A scalar; 0 where no row is labelled.

    Example:
        >>> losses, labelled = torch.tensor([1.0, 3.0, 9.0, 9.0]), torch.tensor([True, True, False, False])
        >>> mean(losses, labelled).item(), mean(losses, labelled, normalise="labelled").item()
        (1.0, 2.0)
    """
    count = len(losses) if normalise == "all" else labelled.sum().clamp(min=1)
    return losses.where(labelled, 0).sum() / count
