"""The soft prompt: P free vectors before the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import Init, begin, given, require
from softbridge.shapes import check


class SoftPrompt(PromptModule):
    """Hold P free virtual tokens.

    Arguments:
        tokens: `[P, H]` where they start.
    """

    def __init__(self, tokens: torch.Tensor) -> None:
        super().__init__()
        check(tokens, "P H", "the prompt")
        self.tokens = torch.nn.Parameter(tokens.detach().float().clone())

    def forward(self) -> Injection:
        """Return the virtual tokens."""
        return Injection(self.tokens.unsqueeze(0))


@dataclass(frozen=True)
class Soft:
    """Learn P virtual tokens before the text: `min_P CE(f([P; E(x)]), y)`.

    *Reference*: Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        init: where they start: `vocabulary` (words drawn from the commonest), `text` (a text's own tokens),
            `labels` (the label words' tokens) or `random` (normal).
        text: the text for `init: text`.
        scale: the root mean square of the start, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> Soft(length=3).build(space, torch.Generator().manual_seed(0)).bake().tokens.shape
        torch.Size([1, 3, 8])
    """

    length: int = 20
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "soft"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021."
    )
    bibtex: ClassVar[str] = """@inproceedings{lester2021power,
  title = {The Power of Scale for Parameter-Efficient Prompt Tuning},
  author = {Lester, Brian and Al-Rfou, Rami and Constant, Noah},
  booktitle = {Proceedings of EMNLP},
  year = {2021}
}"""

    def __post_init__(self) -> None:
        require(self)

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> SoftPrompt:
        """Return a new prompt, started as `init` says, or at `start`."""
        return SoftPrompt(begin(self, space, generator) if start is None else given(start, space))
