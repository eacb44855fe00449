"""Snapshot ensemble: each text chooses among several checkpoints of the source prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.attempt import require_mixing
from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.mixtures import MixedPrompt, only_tokens
from softbridge.errors import BridgeError


@dataclass(frozen=True)
class Snapshots:
    """Mix several checkpoints of each source prompt by attention, beside a target prompt, as `attempt` mixes sources.

    The checkpoints are the last `count` looks at validation of each source's training.

    *Reference*: Snapshot Prompt Ensemble for Parameter-Efficient Soft Prompt Transfer. OpenReview JZTkz5jo3j. (Its code
    was not published; the attention is `attempt`'s.)

    Arguments:
        count: checkpoints of each source, from 1.
        rank: the width of the query's network, from 1.
        temperature: T, above 0; left out, `e H`.
        pace: the network's share of the learning rate, above 0.
    """

    count: int = 3
    rank: int = 100
    temperature: float | None = None
    pace: float = 1.0

    name: ClassVar[str] = "snapshots"
    reference: ClassVar[str] = (
        "Snapshot Prompt Ensemble for Parameter-Efficient Soft Prompt Transfer. OpenReview JZTkz5jo3j."
    )
    bibtex: ClassVar[str] = """@misc{snapshotprompts,
  title = {Snapshot Prompt Ensemble for Parameter-Efficient Soft Prompt Transfer},
  howpublished = {OpenReview},
  url = {https://openreview.net/forum?id=JZTkz5jo3j}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    reads_rows: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_mixing(self.rank, self.temperature, self.pace)
        if self.count < 1:
            raise BridgeError(f"count is {self.count}", "a number of checkpoints, from 1", "write count: 3")

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the module over the checkpoints and a fresh prompt."""
        own = shore.fresh().bake().tokens
        assert own is not None
        taken = [only_tokens(dict(enumerate(shore.snapshots(name)[-self.count :]))) for name in shore.sources]  # type: ignore[arg-type]
        heat = self.temperature or math.e * own.shape[-1]
        module = MixedPrompt(torch.cat(taken), own[0], self.rank, heat, shore.generator, self.pace)
        counts = ", ".join(f"{len(t)} of {name}" for name, t in zip(shore.sources, taken, strict=True))
        return Crossing(module, tuple(shore.sources), f"checkpoints: {counts}")
