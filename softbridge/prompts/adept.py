"""ADePT: a short soft prompt, and a small network whose output is added to every token of the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space, one_row
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import Init, begin, given, require
from softbridge.prompts.residual import uniform


class AdeptPrompt(PromptModule):
    """Hold a short prompt and the network.

    Arguments:
        tokens: `[P, H]` the short prompt.
        network: `down [R, H]`, `down_bias [R]`, `up [H, R]`, `up_bias [H]`.
    """

    pace: Mapping[str, float] = MappingProxyType({"down": 0.1, "up": 0.1})

    def __init__(self, tokens: torch.Tensor, network: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.tokens = torch.nn.Parameter(tokens.detach().float().clone())
        self.down = torch.nn.Parameter(network["down"].detach().float().clone())
        self.down_bias = torch.nn.Parameter(network["down_bias"].detach().float().clone())
        self.up = torch.nn.Parameter(network["up"].detach().float().clone())
        self.up_bias = torch.nn.Parameter(network["up_bias"].detach().float().clone())

    def forward(self) -> Injection:
        """Return tokens and network."""
        return one_row(dict(self.named_parameters()))


@dataclass(frozen=True)
class Adept:
    """Learn a short prompt and a network shared by all tokens: `e -> e + W_2 relu(W_1 e + b_1) + b_2`.

    Unlike DePT's, the offset depends on the token and not on its place. W_2 and the biases start at zero, so that
    training starts at the plain short prompt; the network learns at a tenth of the learning rate (ours).

    *Reference*: ADePT: Adaptive Decomposed Prompt Tuning for Parameter-Efficient
    Fine-tuning. ICLR 2025. arXiv 2501.03291.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        rank: R, the network's inner width, from 1.
        init: where the tokens start, as for `soft`.
        text: the text for `init: text`.
        scale: the root mean square of the start, in units of the word embeddings' own.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> made = Adept(length=3, rank=2).build(space, torch.Generator().manual_seed(0)).bake()
        >>> sorted(made.parts)
        ['down', 'down_bias', 'tokens', 'up', 'up_bias']
    """

    length: int = 10
    rank: int = 8
    init: Init = "vocabulary"
    text: str | None = None
    scale: float = 1.0

    name: ClassVar[str] = "adept"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens", "down", "down_bias", "up", "up_bias"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "ADePT: Adaptive Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning. ICLR 2025. arXiv 2501.03291."
    )
    bibtex: ClassVar[str] = """@inproceedings{adept2025,
  title = {{ADePT}: Adaptive Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning},
  booktitle = {ICLR},
  year = {2025},
  note = {arXiv:2501.03291}
}"""

    def __post_init__(self) -> None:
        require(self)
        if self.rank < 1:
            raise PromptError(f"the rank is {self.rank}", "a whole number from 1", "write rank: 8")

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> AdeptPrompt:
        """Return a new prompt, or one that goes on from `start`."""
        tokens = begin(self, space, generator) if start is None else given(start, space)
        if start is not None and start.down is not None:
            return AdeptPrompt(tokens, {name: part[0] for name, part in start.parts.items()})
        width = space.width
        down = uniform((self.rank, width), width, generator)
        zeros = {"down_bias": self.rank, "up_bias": width}
        network = {"down": down, "up": torch.zeros(width, self.rank)}
        return AdeptPrompt(tokens, network | {name: torch.zeros(size) for name, size in zeros.items()})
