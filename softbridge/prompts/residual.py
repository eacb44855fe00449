"""Residual prompt tuning: each virtual token plus a small network's output."""

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
from softbridge.prompts.initialisers import Init, begin, given, require, rms


class ResidualPrompt(PromptModule):
    """Hold virtual tokens and the networks that are added to them.

    Arguments:
        tokens: `[P, H]` where they start.
        bottleneck: the networks' inner width.
        networks: 1 shared by all tokens, or P.
        layer_norm: whether a network's output is normalised.
        exact: whether the networks' output starts at zero, so that the prompt starts at `tokens`.
        generator: draws the networks.
    """

    def __init__(
        self,
        tokens: torch.Tensor,
        bottleneck: int,
        networks: int,
        layer_norm: bool,
        exact: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        width = tokens.shape[1]
        self.tokens = torch.nn.Parameter(tokens.detach().float().clone())
        self.down = torch.nn.Parameter(uniform((networks, width, bottleneck), width, generator))
        self.up = torch.nn.Parameter(uniform((networks, bottleneck, width), bottleneck, generator))
        self.norm = torch.nn.LayerNorm(width) if layer_norm else None
        with torch.no_grad():
            if self.norm is not None:
                self.norm.weight.fill_(0.0 if exact else float(rms(tokens)))
            elif exact:
                self.up.zero_()

    def added(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the networks' output `[P, H]`."""
        inner = torch.relu(tokens.unsqueeze(1) @ self.down)
        made = (inner @ self.up).squeeze(1)
        return made if self.norm is None else self.norm(made)

    def forward(self) -> Injection:
        """Return tokens plus network."""
        return Injection((self.tokens + self.added(self.tokens)).unsqueeze(0))


@dataclass(frozen=True)
class Residual:
    """Learn virtual tokens with a skip connection round a network: `p'_i = p_i + phi(p_i)`, then keep only p'.

    `phi(p) = [LayerNorm] W_up relu(W_down p)`, W_down `[b, H]`, W_up `[H, b]`. LayerNorm's weight starts at the tokens'
    root mean square (the paper has 1, which hides the tokens where embeddings are small). A prompt that goes on from
    `start` begins there exactly: LayerNorm's weight, or W_up without one, starts at zero.

    *Reference*: Razdaibiedina, Mao, Hou, Khabsa, Lewis, Ba, Almahairi. Residual Prompt Tuning: Improving Prompt Tuning
    with Residual Reparameterization. Findings of ACL 2023.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        bottleneck: b, the network's inner width, from 1.
        shared: one network for all tokens, or one for each.
        layer_norm: whether the network's output is normalised.
        init: where the tokens start, as for `soft`.
        text: the text for `init: text`.
        scale: the root mean square of the start, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> Residual(length=3).build(space, torch.Generator().manual_seed(0)).bake().tokens.shape
        torch.Size([1, 3, 8])
    """

    length: int = 10
    bottleneck: int = 64
    shared: bool = True
    layer_norm: bool = False
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "residual"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({"learning_rate": 0.003})
    reference: ClassVar[str] = (
        "Razdaibiedina, Mao, Hou, Khabsa, Lewis, Ba, Almahairi. Residual Prompt Tuning: Improving Prompt Tuning with "
        "Residual Reparameterization. Findings of ACL 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{razdaibiedina2023residual,
  title = {Residual Prompt Tuning: Improving Prompt Tuning with Residual Reparameterization},
  author = {Razdaibiedina, Anastasia and Mao, Yuning and Hou, Rui and Khabsa, Madian and Lewis, Mike and
    Ba, Jimmy and Almahairi, Amjad},
  booktitle = {Findings of ACL},
  year = {2023}
}"""

    def __post_init__(self) -> None:
        require(self)
        if self.bottleneck < 1:
            raise PromptError(f"the bottleneck is {self.bottleneck}", "a whole number from 1", "write bottleneck: 64")

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> ResidualPrompt:
        """Return a new prompt, or one that goes on from `start`."""
        tokens = begin(self, space, generator) if start is None else given(start, space)
        networks = 1 if self.shared else tokens.shape[0]
        return ResidualPrompt(tokens, self.bottleneck, networks, self.layer_norm, start is not None, generator)


def uniform(shape: tuple[int, ...], width: int, generator: torch.Generator) -> torch.Tensor:
    """Return weights drawn as torch draws a linear layer's: uniform in +-1 / sqrt(width of its input)."""
    return (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(width)
