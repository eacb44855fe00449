"""Virtual tokens as learned mixtures of fixed word embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import given, vocabulary
from softbridge.prompts.soft import SoftPrompt
from softbridge.shapes import check


class SuperpositionPrompt(PromptModule):
    """Hold the weights with which fixed embeddings are mixed.

    Arguments:
        basis: `[m, H]` the embeddings, which stay.
        length: P, up to m; token i starts at embedding i.
    """

    basis: torch.Tensor

    def __init__(self, basis: torch.Tensor, length: int) -> None:
        super().__init__()
        check(basis, "m H", "the basis")
        self.register_buffer("basis", basis.detach().float().clone())
        self.weights = torch.nn.Parameter(torch.eye(length, basis.shape[0]))

    def forward(self) -> Injection:
        """Return the mixtures."""
        return Injection((self.weights @ self.basis).unsqueeze(0))


@dataclass(frozen=True)
class Superposition:
    """Learn each virtual token as a mixture of sampled word embeddings: `P = W E_S`, E_S `[m, H]` fixed, W `[P, m]`.

    W starts at the first P rows of the identity, so that the prompt starts at words. A prompt that goes on from `start`
    is a plain soft prompt, because E_S need not span it.

    *Reference*: Ali Sadraei Javaheri, Asgari, McHardy, Rabiee. SuperPos-Prompt: Enhancing Soft Prompt Tuning of
    Language Models with Superposition of Multi Token Embeddings. 2024. arXiv 2406.05279.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        basis: m, the number of word embeddings, from P.
        scale: the basis' root mean square, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(200, 8), lambda text: [1, 2], range(200))
        >>> Superposition(length=3).build(space, torch.Generator().manual_seed(0)).bake().tokens.shape
        torch.Size([1, 3, 8])
    """

    length: int = 20
    basis: int = 128
    scale: float = 1.0

    name: ClassVar[str] = "superposition"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Ali Sadraei Javaheri, Asgari, McHardy, Rabiee. SuperPos-Prompt: Enhancing Soft Prompt Tuning of Language "
        "Models with Superposition of Multi Token Embeddings. 2024. arXiv 2406.05279."
    )
    bibtex: ClassVar[str] = """@article{sadraei2024superpos,
  title = {{SuperPos-Prompt}: Enhancing Soft Prompt Tuning of Language Models with Superposition of Multi Token
    Embeddings},
  author = {Ali Sadraei Javaheri, Mohammad and Asgari, Ehsaneddin and McHardy, Alice C. and Rabiee, Hamid R.},
  journal = {arXiv:2406.05279},
  year = {2024}
}"""

    def __post_init__(self) -> None:
        if not 1 <= self.length <= self.basis:
            raise PromptError(
                f"a prompt of length {self.length} is to be mixed from {self.basis} embeddings",
                "a length from 1, and at least as many embeddings",
                "raise basis",
            )
        if not self.scale > 0:
            raise PromptError(f"scale is {self.scale}", "a number above 0", "write scale: 1.0")

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> PromptModule:
        """Return a new prompt, or a plain one that goes on from `start`."""
        if start is not None:
            return SoftPrompt(given(start, space))
        return SuperpositionPrompt(vocabulary(space, self.basis, generator, scale=self.scale), self.length)
