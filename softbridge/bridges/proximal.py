"""Proximal: the source prompt is where training starts, and pulls the prompt back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Batch
from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import near_source
from softbridge.errors import BridgeError
from softbridge.injection import Injection


@dataclass(frozen=True)
class Pull:
    """Pull a prompt to an anchor: `mu ||P - P_s||^2`."""

    anchor: Injection
    strength: float

    @property
    def formula(self) -> str:
        """Return the term for records."""
        return f"anchor_l2: {self.strength:g} ||P - P_s||^2"

    def __call__(self, backbone: Backbone, rows: Batch, prompt: Injection, scores: torch.Tensor) -> torch.Tensor:
        """Return `[B]`, the same for every row of one prompt."""
        total = torch.zeros(len(rows), device=scores.device)
        for part, aim in self.anchor.parts.items():
            total = total + (prompt.parts[part] - aim.to(scores.device)).square().flatten(1).sum(1)
        return self.strength * total


@dataclass(frozen=True)
class Proximal:
    """Start from one source prompt, and pull the prompt back to it: `L = L_fine + mu ||P - P_s||^2`.

    A baseline of softbridge's own beside distillation: no paper that it knows of uses the pull alone.

    Arguments:
        source: the source domain; left out, the only one, or else the most similar one.
        similarity: how task embeddings are compared, where the source is to be chosen.
        strength: mu, from 0; 0 is `spot`.
    """

    source: str | None = None
    similarity: Literal["cosine_of_means", "per_token_cosine"] = "per_token_cosine"
    strength: float = 0.1

    name: ClassVar[str] = "proximal"
    reference: ClassVar[str] = "a baseline of softbridge's: an L2 pull to the source prompt"
    bibtex: ClassVar[str] = ""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise BridgeError(f"strength is {self.strength}", "a number from 0", "write strength: 0.1")

    def embeds_target(self, sources: int) -> bool:
        """Where the source is to be chosen among several."""
        return self.source is None and sources > 1

    def cross(self, shore: Shore) -> Crossing:
        """Return the source prompt and the pull to it."""
        source, note = near_source(shore, self.source, self.similarity)
        prompt = shore.sources[source]
        return Crossing(prompt.each(torch.clone), (source,), note, Pull(prompt, self.strength))
