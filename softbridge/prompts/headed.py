"""A linear head beside the prompt, for backbones that read their classes from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule


class HeadedPrompt(PromptModule):
    """Hold a prompt, and train a linear head `logits = W h + b` beside it.

    Arguments:
        prompt: the prompt.
        weight: `[C, H]` where W starts.
        bias: `[C]` where b starts.
    """

    def __init__(self, prompt: PromptModule, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.prompt = prompt
        self.weight = torch.nn.Parameter(weight.detach().float().clone())
        self.bias = torch.nn.Parameter(bias.detach().float().clone())

    @property
    def pace(self) -> Mapping[str, float]:  # type: ignore[override]
        """Return the prompt's own shares."""
        return {f"prompt.{start}": share for start, share in self.prompt.pace.items()}

    def forward(self) -> Injection:
        """Return the prompt's injection with the head."""
        return replace(self.prompt(), head=self.weight.unsqueeze(0), head_bias=self.bias.unsqueeze(0))


def headed(
    prompt: PromptModule, space: Space, generator: torch.Generator, start: Injection | None = None
) -> PromptModule:
    """Return the prompt with a head where the backbone wants one; `start` brings a head that was learned before.

    A new head is drawn from a normal distribution of deviation 0.02, as BERT's is.
    """
    if space.head is None:
        return prompt
    if start is not None and start.head is not None:
        return with_head(prompt, start)
    weight = 0.02 * torch.randn(len(space.labels), space.head, generator=generator)
    return HeadedPrompt(prompt, weight, torch.zeros(len(space.labels)))


def with_head(prompt: PromptModule, start: Injection) -> PromptModule:
    """Return the prompt with the head of `start` beside it, where that has one."""
    if start.head is None or start.head_bias is None:
        return prompt
    return HeadedPrompt(prompt, start.head[0], start.head_bias[0])
