"""MPT's form of a prompt: a shared prompt times a matrix of low rank."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import Init, begin, given, require
from softbridge.shapes import check

PACE = 4 / 3  # Wang et al.: the shared prompt moves at 0.3, its factors at 0.4


class DecomposedPrompt(PromptModule):
    """Hold a shared prompt and the matrix of low rank it is multiplied by, element by element.

    Arguments:
        shared: `[P, H]` the shared prompt.
        rank: R.
        generator: draws the factors beyond the first.
        pace: the factors' share of the learning rate, above 0.
    """

    def __init__(self, shared: torch.Tensor, rank: int, generator: torch.Generator, pace: float = PACE) -> None:
        super().__init__()
        self.pace = {"rows": pace, "columns": pace}
        length, width = check(shared, "P H", "the shared prompt").values()
        self.shared = torch.nn.Parameter(shared.detach().float().clone())
        drawn = torch.randn(length, rank - 1, generator=generator)  # factors that begin alike would stay alike
        self.rows = torch.nn.Parameter(torch.cat([torch.ones(length, 1), drawn], dim=1))
        self.columns = torch.nn.Parameter(torch.cat([torch.ones(1, width), torch.zeros(rank - 1, width)]))

    def forward(self) -> Injection:
        """Return the product."""
        return Injection((self.shared * (self.rows @ self.columns)).unsqueeze(0))


def sharing(
    shared: torch.Tensor, tasks: int, noise: float, pace: float, generator: torch.Generator
) -> list[DecomposedPrompt]:
    """Return prompts of rank 1 that hold one shared prompt, a parameter of all of them: `P_k = P* o (u_k v_k^T)`.

    Arguments:
        shared: `[P, H]` where P* starts.
        tasks: the number of prompts, from 1.
        noise: the deviation of what u and v start with beside 1, from 0.
        pace: the factors' share of the learning rate, above 0.
        generator: draws the noise.

    Example:
        >>> a, b = sharing(torch.ones(2, 3), 2, 0.0, 1.0, torch.Generator())
        >>> a.shared is b.shared, a.rows is b.rows, bool((a.bake().tokens == 1).all())
        (True, False, True)
    """
    prompts = [DecomposedPrompt(shared, 1, generator, pace) for _ in range(tasks)]
    for prompt in prompts:
        prompt.shared = prompts[0].shared
        for factor in (prompt.rows, prompt.columns):
            factor.data += noise * torch.randn(factor.shape, generator=generator)
    return prompts


def averaged(prompts: Sequence[DecomposedPrompt]) -> DecomposedPrompt:
    """Return a prompt of its own with the shared prompt of several and the means of their factors."""
    made = copy.deepcopy(prompts[0])
    made.rows.data = torch.stack([prompt.rows.data for prompt in prompts]).mean(0)
    made.columns.data = torch.stack([prompt.columns.data for prompt in prompts]).mean(0)
    return made


@dataclass(frozen=True)
class Decomposed:
    """Learn a prompt as a shared part times a part of low rank: `P = P* o (u v^T)`, u `[P, R]`, v `[H, R]`.

    The first columns of u and v start at one, and v's others at zero, so that P starts at P* (or at `start`) exactly:
    normal draws of deviation 0.02, as one library has them, would start the prompt some two thousand times smaller than
    its base.

    *Reference*: Wang, Panda, Karlinsky, Feris, Sun, Kim. Multitask Prompt Tuning Enables Parameter-Efficient Transfer
    Learning. ICLR 2023.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        rank: R, from 1, which is the paper's.
        init: where the shared prompt starts, as for `soft`.
        text: the text for `init: text`.
        scale: the root mean square of the start, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> made = Decomposed(length=3).build(space, torch.Generator().manual_seed(0))
        >>> bool((made.bake().tokens[0] == made.shared).all())
        True
    """

    length: int = 20
    rank: int = 1
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "decomposed"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Wang, Panda, Karlinsky, Feris, Sun, Kim. Multitask Prompt Tuning Enables Parameter-Efficient Transfer "
        "Learning. ICLR 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{wang2023multitask,
  title = {Multitask Prompt Tuning Enables Parameter-Efficient Transfer Learning},
  author = {Wang, Zhen and Panda, Rameswar and Karlinsky, Leonid and Feris, Rogerio and Sun, Huan and Kim, Yoon},
  booktitle = {ICLR},
  year = {2023}
}"""

    def __post_init__(self) -> None:
        require(self)
        if self.rank < 1:
            raise PromptError(f"rank is {self.rank}", "a whole number from 1", "write rank: 1")

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> DecomposedPrompt:
        """Return a new prompt, or one that goes on from `start`."""
        shared = begin(self, space, generator) if start is None else given(start, space)
        return DecomposedPrompt(shared, self.rank, generator)
