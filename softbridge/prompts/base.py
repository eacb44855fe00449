"""The contract of a prompt kind, and of the module that it builds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch

from softbridge.injection import Injection, Space


class PromptModule(torch.nn.Module, ABC):
    """Hold one prompt's trainable parameters, in float32 whatever the backbone's precision.

    A kind of prompt overrides `forward`, which the engine differentiates through. `pace` gives parameters whose names
    begin alike their own share of the plan's learning rate.
    """

    pace: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def forward(self) -> Injection:
        """Return the injection of this prompt for one row."""

    def bake(self) -> Injection:
        """Return the plain tensors that the parameters stand for now, for one row."""
        with torch.no_grad():
            return self().each(lambda part: part.detach().clone())

    def groups(self) -> dict[float, list[torch.nn.Parameter]]:
        """Return the trainable parameters by their share of the learning rate."""
        shares: dict[float, list[torch.nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            share = next((s for start, s in self.pace.items() if name.startswith(start)), 1.0)
            shares.setdefault(share, []).append(parameter)
        return shares


@runtime_checkable
class PromptKind(Protocol):
    """Describe a kind of prompt: a frozen dataclass whose fields are the recipe's keys.

    `makes` names what its injections have: parts of `injection.PARTS`, and `block` where tokens enter above the input.
    `plan` holds what of `training` this kind starts from where a recipe is silent and softbridge's own default does not
    suit it; `on`, where a kind has it, what differs by the kind of backbone.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]
    makes: ClassVar[frozenset[str]]
    plan: ClassVar[Mapping[str, Any]]

    @property
    def length(self) -> int:
        """Return P, the number of virtual tokens."""
        ...

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> PromptModule:
        """Return a new prompt for this space, drawn with this generator; with `start`, one that begins as it is.

        Where a kind's own form cannot reach `start` exactly, the prompt is a plain one that can.
        """
        ...


def usual_plan(kind: PromptKind, backbone: str | None) -> dict[str, Any]:
    """Return what of `training` a kind of prompt starts from where a recipe is silent.

    Arguments:
        kind: the kind of prompt.
        backbone: the kind of backbone; None where it is not known yet.
    """
    differing: Mapping[str, Mapping[str, Any]] = getattr(kind, "on", {})
    return {**kind.plan, **differing.get(backbone or "", {})}
