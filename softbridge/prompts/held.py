"""A prompt that stays as it is: plain tensors, nothing to train."""

from __future__ import annotations

from softbridge.injection import PARTS, Injection
from softbridge.prompts.base import PromptModule


class HeldPrompt(PromptModule):
    """Hold a baked prompt, to score or to read it.

    Arguments:
        injection: the injection of one row.

    Example:
        >>> import torch
        >>> held = HeldPrompt(Injection(torch.zeros(1, 3, 8)))
        >>> held().tokens.shape, list(held.parameters())
        (torch.Size([1, 3, 8]), [])
    """

    def __init__(self, injection: Injection) -> None:
        super().__init__()
        self.block = injection.block
        for name, part in injection.parts.items():
            self.register_buffer(name, part.detach().float().clone())

    def forward(self) -> Injection:
        """Return the injection that was given."""
        return Injection(**{name: getattr(self, name) for name in PARTS if hasattr(self, name)}, block=self.block)
