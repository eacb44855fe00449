"""The contract of a prompt kind, and of the module that it builds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, runtime_checkable

import torch

from softbridge.injection import Space, Tokens


class PromptModule(torch.nn.Module, ABC):
    """Hold one prompt's trainable parameters, in float32 whatever the backbone's precision.

    A kind of prompt overrides `bake`; `forward` is what the engine differentiates through.
    """

    block: int = 0

    def forward(self) -> Tokens:
        """Return the injection of this prompt for one row: `[1, P, H]`."""
        return Tokens(self.bake().unsqueeze(0), self.block)

    @abstractmethod
    def bake(self) -> torch.Tensor:
        """Return the virtual tokens `[P, H]` that the parameters stand for."""


@runtime_checkable
class PromptKind(Protocol):
    """Describe a kind of prompt: a frozen dataclass whose fields are the recipe's keys."""

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]

    @property
    def length(self) -> int:
        """Return P, the number of virtual tokens."""
        ...

    def build(self, space: Space, generator: torch.Generator) -> PromptModule:
        """Return a new prompt for this space, drawn with this generator."""
        ...

    def hold(self, tokens: torch.Tensor) -> PromptModule:
        """Return a prompt that starts from these virtual tokens `[P, H]`."""
        ...
