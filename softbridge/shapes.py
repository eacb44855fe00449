"""One alphabet for every tensor's shape, and the check at the public edge.

B rows            T tokens          P prompt length    H width
V vocabulary      N bank members    S sources          A anchors
R rank            L label tokens    K layers           D head width
C classes         F feed-forward neurons of a layer
"""

from __future__ import annotations

import torch

from softbridge.errors import PromptError


def check(tensor: torch.Tensor, shape: str, name: str, **sizes: int) -> dict[str, int]:
    """Check a tensor's shape against letters of the alphabet, and return the letters' sizes.

    Arguments:
        tensor: the tensor to check.
        shape: letters separated by blanks, e.g. `"P H"`.
        name: what the tensor is called in the message.
        sizes: the sizes that are already known, e.g. `H=384`.

    Raises:
        PromptError: when the number of axes or a known size differs.

    Example:
        >>> check(torch.zeros(4, 8), "P H", "prompt", H=8)
        {'P': 4, 'H': 8}
    """
    letters = shape.split()
    found = dict(zip(letters, tensor.shape, strict=False))
    wrong = [f"{k}={found[k]} instead of {v}" for k, v in sizes.items() if k in found and found[k] != v]
    if tensor.ndim != len(letters) or wrong:
        known = " ".join(f"{k}={sizes[k]}" if k in sizes else k for k in letters)
        raise PromptError(
            f"{name} has the shape {tuple(tensor.shape)}" + (f" ({', '.join(wrong)})" if wrong else ""),
            f"the shape [{known}]",
            "use a tensor made for this backbone, or another backbone",
        )
    return found
