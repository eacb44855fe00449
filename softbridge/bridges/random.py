"""A random prompt as long as the source prompt's vectors: is it the knowledge, or only the norm?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import only_source


@dataclass(frozen=True)
class Random:
    """Start from random vectors, each scaled to the norm of the source prompt's: the control of matched norm.

    `p_i = z_i * ||s_i|| / ||z_i||`, z normal, s the source prompt.

    Arguments:
        source: the source domain; may be left out where there is only one.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    train: bool = True

    name: ClassVar[str] = "random"
    reference: ClassVar[str] = "a control of softbridge's: random direction, the source prompt's norms"
    bibtex: ClassVar[str] = ""
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return random vectors of the source prompt's norms."""
        source = only_source(self.source, shore.sources)

        def matched(part: torch.Tensor) -> torch.Tensor:
            noise = torch.randn(part.shape, generator=shore.generator)
            return noise * part.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)

        return Crossing(shore.sources[source].each(matched), (), f"random, with the norms of {source}")
