"""DePT: a short soft prompt, and a low-rank matrix added to the text's embeddings by place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import Init, begin, given, require
from softbridge.prompts.residual import uniform


class DeptPrompt(PromptModule):
    """Hold a short prompt and the two factors of what is added to the text.

    Arguments:
        tokens: `[P, H]` the short prompt.
        left: `[T, R]` the factor over places.
        right: `[R, H]` the factor over the width; zeros add nothing.
        base: `[T, H]` a constant that is added too, or None: what an earlier training has added.
    """

    base: torch.Tensor | None
    pace: Mapping[str, float] = MappingProxyType({"left": 0.1, "right": 0.1})

    def __init__(
        self, tokens: torch.Tensor, left: torch.Tensor, right: torch.Tensor, base: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        self.tokens = torch.nn.Parameter(tokens.detach().float().clone())
        self.left, self.right = torch.nn.Parameter(left), torch.nn.Parameter(right)
        self.register_buffer("base", None if base is None else base.detach().float().clone())

    def forward(self) -> Injection:
        """Return tokens and offset."""
        offset = self.left @ self.right / math.sqrt(self.left.shape[1])
        offset = offset if self.base is None else offset + self.base
        return Injection(self.tokens.unsqueeze(0), offset=offset.unsqueeze(0))


@dataclass(frozen=True)
class Dept:
    """Learn a short prompt and an offset by place: the input is `[P_s; E(x) + A B / sqrt(R)]`, A `[T, R]`, B `[R, H]`.

    B starts at zero, so that training starts at the plain short prompt. Row i is added to the text's i-th token,
    wherever in the batch that stands. A and B learn at a tenth of the learning rate (the paper: 5e-4 to 5e-3 beside
    0.3 to 0.5). A prompt that goes on from `start` keeps the offset it brings.

    *Reference*: Shi, Lipani. DePT: Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning. ICLR 2024.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        rank: R, from 1.
        init: where the tokens start, as for `soft`.
        text: the text for `init: text`.
        scale: the root mean square of the start, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50), rows=6)
        >>> made = Dept(length=3, rank=2).build(space, torch.Generator().manual_seed(0)).bake()
        >>> made.tokens.shape, made.offset.shape, float(made.offset.abs().sum())
        (torch.Size([1, 3, 8]), torch.Size([1, 6, 8]), 0.0)
    """

    length: int = 10
    rank: int = 8
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "dept"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens", "offset"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Shi, Lipani. DePT: Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning. ICLR 2024."
    )
    bibtex: ClassVar[str] = """@inproceedings{shi2024dept,
  title = {{DePT}: Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning},
  author = {Shi, Zhengxiang and Lipani, Aldo},
  booktitle = {ICLR},
  year = {2024}
}"""

    def __post_init__(self) -> None:
        require(self)
        if self.rank < 1:
            raise PromptError(f"the rank is {self.rank}", "a whole number from 1", "write rank: 8")

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> DeptPrompt:
        """Return a new prompt, or one that goes on from `start`."""
        tokens = begin(self, space, generator) if start is None else given(start, space)
        left = uniform((space.rows, self.rank), self.rank, generator)
        brought = None if start is None or start.offset is None else start.offset[0]
        if brought is not None and brought.shape != (space.rows, space.width):
            raise PromptError(
                f"the given prompt adds to {brought.shape[0]} places",
                f"as many as the backbone's max_length, {space.rows}",
                "run the backbone with the max_length that the prompt was trained with",
            )
        return DeptPrompt(tokens, left, torch.zeros(self.rank, space.width), brought)
