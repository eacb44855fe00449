"""A soft prompt of low rank: the product of two thin matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import Init, begin, given, require, rms
from softbridge.prompts.soft import SoftPrompt

NOTHING = 1e-6  # of the largest singular value: below it is float32's rounding
NEAR = 1e-5  # of the tokens' root mean square: a product this close to `start` is `start`


class LowRankPrompt(PromptModule):
    """Hold two factors of a prompt.

    Arguments:
        tokens: `[P, H]`; the prompt starts at their best approximation of the rank.
        rank: R.
    """

    def __init__(self, tokens: torch.Tensor, rank: int) -> None:
        super().__init__()
        left, sizes, right = torch.linalg.svd(tokens.detach().double(), full_matrices=False)
        root = sizes[:rank].sqrt()
        # Two factors that are both zero get no gradient: a direction that the tokens do not use keeps its left one.
        spare = sizes[:rank] <= NOTHING * sizes[0]
        lead = root[0] if root[0] > 0 else torch.ones_like(root[0])
        self.left = torch.nn.Parameter((left[:, :rank] * torch.where(spare, lead, root)).float())
        self.right = torch.nn.Parameter((torch.where(spare, 0.0, root).unsqueeze(1) * right[:rank]).float())

    def forward(self) -> Injection:
        """Return the product."""
        return Injection((self.left @ self.right).unsqueeze(0))


@dataclass(frozen=True)
class LowRank:
    """Learn a prompt as a product of thin matrices: `P = A B`, A `[P, R]`, B `[R, H]`.

    It starts at the best approximation of rank R of what `init` gives (the paper draws A and B by chance; ours keeps
    the embeddings' scale). From `start` it goes on within float32's rounding; where that has a higher rank, a plain
    soft prompt goes on from it.

    *Reference*: Xiao, Xu, Li, Lu, Li. Decomposed Prompt Tuning via Low-Rank Reparameterization. Findings of EMNLP 2023.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        rank: R, from 1 to P.
        init: where the tokens start, as for `soft`.
        text: the text for `init: text`.
        scale: the root mean square of the start before the approximation, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> made = LowRank(length=5, rank=2).build(space, torch.Generator().manual_seed(0)).bake()
        >>> int(torch.linalg.matrix_rank(made.tokens[0]))
        2
    """

    length: int = 20
    rank: int = 8
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "low_rank"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Xiao, Xu, Li, Lu, Li. Decomposed Prompt Tuning via Low-Rank Reparameterization. Findings of EMNLP 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{xiao2023decomposed,
  title = {Decomposed Prompt Tuning via Low-Rank Reparameterization},
  author = {Xiao, Yao and Xu, Lu and Li, Jiaxi and Lu, Wei and Li, Xiaoli},
  booktitle = {Findings of EMNLP},
  year = {2023}
}"""

    def __post_init__(self) -> None:
        require(self)
        if not 1 <= self.rank <= self.length:
            raise PromptError(
                f"the rank is {self.rank} for a prompt of length {self.length}",
                "a whole number from 1 to the length",
                "lower rank, or raise length",
            )

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> PromptModule:
        """Return a new prompt, or one that goes on from `start`."""
        if start is None:
            return LowRankPrompt(begin(self, space, generator), self.rank)
        tokens = given(start, space)
        near = LowRankPrompt(tokens, self.rank)
        reached = near.bake().tokens
        assert reached is not None
        return near if (reached[0] - tokens).abs().max() <= NEAR * rms(tokens) else SoftPrompt(tokens)
