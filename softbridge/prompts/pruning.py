"""XPrompt: which virtual tokens, and which pieces of them, a trained prompt can do without."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.shapes import check


def importance(tokens: torch.Tensor, gradients: torch.Tensor, pieces: int = 1) -> torch.Tensor:
    """Return how much the loss would feel a piece's gate: `I = 1/B * sum_b |dL_b / d gamma|` at `gamma = 1`.

    A gate multiplies its piece, so `dL_b / d gamma = sum_h (dL_b / dP_h) P_h` over the piece's elements.

    *Reference*: Ma, Zhang, et al. XPrompt. EMNLP 2022. The gates and their importance.

    Arguments:
        tokens: `[P, H]` the prompt.
        gradients: `[B, P, H]` each row's `dL_b / dP`.
        pieces: how many equal pieces a token is cut into, a divisor of H; 1 is the whole token.

    Returns:
        `[P, pieces]`, from 0.

    Raises:
        PromptError: when the shapes do not fit, or the pieces do not divide H.

    Example:
        >>> gradients = torch.tensor([[[1.0, 0.0]], [[-1.0, 2.0]]])
        >>> importance(torch.tensor([[3.0, 1.0]]), gradients), importance(torch.tensor([[3.0, 1.0]]), gradients, 2)
        (tensor([[2.]]), tensor([[3., 1.]]))
    """
    sizes = check(tokens, "P H", "the prompt")
    check(gradients, "B P H", "the gradients", **sizes)
    if pieces < 1 or sizes["H"] % pieces:
        raise PromptError(
            f"{pieces} pieces of a token that is {sizes['H']} wide",
            "a number of pieces that divides the width",
            f"write pieces: {math.gcd(sizes['H'], 16)}",
        )
    felt = (gradients * tokens).unflatten(2, (pieces, -1)).sum(3)
    return felt.abs().mean(0)


def best(scores: torch.Tensor, share: float) -> torch.Tensor:
    """Mark the best share of each row's scores: the `ceil(share * n)` largest, earlier ones first among equals.

    Arguments:
        scores: `[.., n]`.
        share: above 0, up to 1.

    Returns:
        `[.., n]` of booleans.

    Example:
        >>> best(torch.tensor([0.1, 0.9, 0.5, 0.5]), 0.5)
        tensor([False,  True,  True, False])
    """
    count = math.ceil(round(share * scores.shape[-1], 6))  # 0.1 * 30 is 3.0000000000000004
    order = scores.argsort(dim=-1, descending=True, stable=True)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order[..., :count], True)


@dataclass(frozen=True)
class Prune:
    """Keep the best tokens of a trained prompt, and the best pieces of these; the others are zero for good.

    `P' = gamma o P` with `gamma` 0 or 1: first whole tokens by their importance, then, with these gone, the pieces of
    each token that stays. What stays goes back to earlier values and trains again. A token that goes keeps its place
    as a zero vector, because that is what its importance measures.

    *Reference*: Ma, Zhang, et al. XPrompt: Exploring the Extreme of Prompt Tuning. EMNLP 2022.

    Arguments:
        tokens: the share of the tokens that stay, above 0, up to 1.
        pieces: how many equal pieces a token is cut into, a divisor of the backbone's width.
        share: the share of a token's pieces that stay, above 0, up to 1.

    Raises:
        PromptError: when a number is out of its range.

    Example:
        >>> prompt = torch.tensor([[1.0, 1.0], [2.0, 1.0]])
        >>> def measure(tokens, pieces):
        ...     return importance(tokens, torch.ones(1, 2, 2), pieces)
        >>> Prune(tokens=0.5, pieces=2, share=0.5).mask(prompt, measure)
        tensor([[False, False],
                [ True, False]])
    """

    tokens: float = 0.5
    pieces: int = 16
    share: float = 0.5

    name: ClassVar[str] = "prune"
    reference: ClassVar[str] = "Ma, Zhang, et al. XPrompt: Exploring the Extreme of Prompt Tuning. EMNLP 2022."
    bibtex: ClassVar[str] = """@inproceedings{ma2022xprompt,
  title = {{XPrompt}: Exploring the Extreme of Prompt Tuning},
  author = {Ma, Fang and Zhang, Chen and others},
  booktitle = {Proceedings of EMNLP},
  year = {2022}
}"""

    def __post_init__(self) -> None:
        if not 0 < self.tokens <= 1 or not 0 < self.share <= 1 or self.pieces < 1:
            raise PromptError(
                f"tokens is {self.tokens}, pieces {self.pieces}, share {self.share}",
                "shares above 0 and up to 1, and at least one piece",
                "write tokens: 0.5, pieces: 16 and share: 0.5, or remove them",
            )

    def mask(self, tokens: torch.Tensor, measure: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
        """Decide which elements of a trained prompt stay.

        Arguments:
            tokens: `[P, H]` the trained prompt.
            measure: a prompt `[P, H]` and a number of pieces to the `importance` `[P, pieces]` on the task's rows.

        Returns:
            `[P, H]` of booleans, True where an element stays.
        """
        stay = best(measure(tokens, 1)[:, 0], self.tokens)
        left = tokens * stay.unsqueeze(1)
        pieces = best(measure(left, self.pieces), self.share) & stay.unsqueeze(1)
        return pieces.repeat_interleave(tokens.shape[1] // self.pieces, dim=1)


class PrunedPrompt(PromptModule):
    """Hold virtual tokens of which some elements are zero, whatever the optimiser does.

    Arguments:
        tokens: `[P, H]` where they start.
        mask: `[P, H]` True where an element stays.
        block: the index of the block that they enter before.
    """

    mask: torch.Tensor

    def __init__(self, tokens: torch.Tensor, mask: torch.Tensor, block: int = 0) -> None:
        super().__init__()
        check(mask, "P H", "the mask", **check(tokens, "P H", "the prompt"))
        self.register_buffer("mask", mask.clone())
        self.tokens = torch.nn.Parameter(tokens.detach().float() * mask)
        self.block = block

    def forward(self) -> Injection:
        """Return the virtual tokens; an element that went is zero and has no gradient."""
        return Injection(torch.where(self.mask, self.tokens, 0.0).unsqueeze(0), block=self.block)
