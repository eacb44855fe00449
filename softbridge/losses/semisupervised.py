"""From one loss a row to one number where only some rows are labelled. Only the engine reduces, and this is how."""

from __future__ import annotations

from typing import Literal

import torch

Normalise = Literal["all", "labelled"]


def divisor(rows: int, labelled: int, normalise: Normalise = "all") -> int:
    """Return the N of `L_pre = 1/N * sum_n L_n`.

    Arguments:
        rows: how many rows there are.
        labelled: how many of them have a label.
        normalise: "all" counts every row, which is the formula as it stands; "labelled" those with a label.

    Example:
        >>> divisor(8, 2), divisor(8, 2, "labelled"), divisor(8, 0, "labelled")
        (8, 2, 1)
    """
    return rows if normalise == "all" else max(labelled, 1)


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
    return losses.where(labelled, 0).sum() / divisor(len(losses), int(labelled.sum()), normalise)
