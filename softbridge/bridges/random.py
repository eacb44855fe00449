"""A random prompt as long as the source prompt's vectors: is it the knowledge, or only the norm?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import only_source
from softbridge.injection import Injection


@dataclass(frozen=True)
class Random:
    """Start from random vectors, each scaled to the norm of the source prompt's: the control of matched norm.

    `p_i = z_i * ||s_i|| / ||z_i||`, z normal, s the source prompt. From another model, norms are measured in the mean
    norm of the words that both share.

    Arguments:
        source: the source domain whose norms are taken; left out, the mean of all sources' norms.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    train: bool = True

    name: ClassVar[str] = "random"
    reference: ClassVar[str] = "a control of softbridge's: random direction, the source prompt's norms"
    bibtex: ClassVar[str] = ""
    averages: ClassVar[bool] = True  # over the sources, where none is named
    models: ClassVar[tuple[int, ...]] = (1, 2)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return random vectors of the source prompt's norms, or of the sources' mean norms."""
        names = [only_source(self.source, shore.sources)] if self.source else list(shore.sources)
        prompts = [shore.sources[name] for name in names]

        def matched(part: str) -> torch.Tensor:
            norms = torch.stack([prompt.parts[part].norm(dim=-1, keepdim=True) for prompt in prompts]).mean(0)
            width, scale = prompts[0].parts[part].shape[-1], 1.0
            if shore.pair is not None:
                pair = shore.pair()
                width, scale = (
                    pair.target.shape[1],
                    float(pair.target.norm(dim=1).mean() / pair.source.norm(dim=1).mean()),
                )
            noise = torch.randn((*norms.shape[:-1], width), generator=shore.generator)
            return noise * norms * scale / noise.norm(dim=-1, keepdim=True)

        start = Injection(**{part: matched(part) for part in prompts[0].parts}, block=prompts[0].block)
        return Crossing(start, (), f"random, with the norms of {' and '.join(names)}")
