"""The module that mixes frozen prompts by attention from the text; what each bridge hands it is the bridge's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.shapes import check

NETWORK = ("down", "up", "norm")  # the parameters that make a query of a text


class MixedPrompt(PromptModule):
    """Hold frozen prompts, the network of the query, and, to be added to their mixture, a prompt that is trained.

    Arguments:
        frozen: `[M, P, H]`.
        own: `[P, H]` the trained prompt, which is also mixed; None where the classes' scores are mixed instead.
        rank: R, the width of the query's network.
        temperature: divides the attention's logits, above 0.
        generator: draws the network.
        pace: the network's share of the learning rate.
    """

    frozen: torch.Tensor

    def __init__(
        self,
        frozen: torch.Tensor,
        own: torch.Tensor | None,
        rank: int,
        temperature: float,
        generator: torch.Generator,
        pace: float = 1.0,
    ) -> None:
        super().__init__()
        _, _, width = check(frozen, "M P H", "the prompts to mix").values()
        self.register_buffer("frozen", frozen.detach().float().clone())
        self.own = None if own is None else torch.nn.Parameter(own.detach().float().clone())
        self.down = torch.nn.Parameter(torch.randn(rank, width, generator=generator) / math.sqrt(width))
        self.up = torch.nn.Parameter(torch.randn(width, rank, generator=generator) / math.sqrt(rank))
        self.norm = torch.nn.Parameter(torch.stack([torch.ones(width), torch.zeros(width)]))
        self.temperature, self.share = temperature, pace

    def hold(self) -> MixedPrompt:
        """Let the network stay as it is from here on, and return this prompt."""
        for name in NETWORK:
            value = getattr(self, name).detach()
            delattr(self, name)
            self.register_buffer(name, value)
        return self

    @property
    def pace(self) -> Mapping[str, float]:  # type: ignore[override]
        """Return the network's share of the learning rate."""
        return dict.fromkeys(NETWORK, self.share)

    def forward(self) -> Injection:
        """Return the prompts, their keys, and the query's network."""
        values = self.frozen if self.own is None else torch.cat([self.frozen, self.own.unsqueeze(0)])
        parts: dict[str, Any] = {
            "mix_keys": values.amax(1) / self.temperature,
            "mix_values": values,
            "query_down": self.down,
            "query_up": self.up,
            "query_norm": self.norm,
        }
        tokens = None if self.own is None else self.own.unsqueeze(0)
        return Injection(tokens=tokens, **{name: part.unsqueeze(0) for name, part in parts.items()})


def only_tokens(prompts: Mapping[str, Injection]) -> torch.Tensor:
    """Return prompts' virtual tokens `[M, P, H]`, in order."""
    found = [prompt.tokens[0] for prompt in prompts.values() if prompt.tokens is not None]
    return torch.stack(found)
