"""ATTEMPT: each text chooses its own mixture of frozen source prompts and the target's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.mixtures import MixedPrompt, only_tokens
from softbridge.errors import BridgeError


@dataclass(frozen=True)
class Attempt:
    """Add to the target's prompt an attention-weighted sum: `P(x) = P_t + sum_{j=1}^{S+1} a_j(x) P_j`.

    `a = softmax_j(max_tokens(P_j) . LN(W_up silu(W_down x^)) / T)`, x^ the maximum over the text's embeddings, over the
    S frozen sources and the target itself. The published code takes that maximum over padding too, so that a row's
    weights depend on its batch; here padding is masked.

    *Reference*: Asai, Salehi, Peters, Hajishirzi. ATTEMPT: Parameter-Efficient Multi-task Tuning via Attentional
    Mixtures of Soft Prompts. EMNLP 2022.

    Arguments:
        rank: the width of the query's network, from 1.
        temperature: T, above 0; left out, the paper's `e H`.
        pace: the network's share of the learning rate, above 0.
    """

    rank: int = 100
    temperature: float | None = None
    pace: float = 1.0

    name: ClassVar[str] = "attempt"
    reference: ClassVar[str] = (
        "Asai, Salehi, Peters, Hajishirzi. ATTEMPT: Parameter-Efficient Multi-task Tuning via Attentional Mixtures of "
        "Soft Prompts. EMNLP 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{asai2022attempt,
  title = {{ATTEMPT}: Parameter-Efficient Multi-task Tuning via Attentional Mixtures of Soft Prompts},
  author = {Asai, Akari and Salehi, Mohammadreza and Peters, Matthew E. and Hajishirzi, Hannaneh},
  booktitle = {Proceedings of EMNLP},
  year = {2022},
  eprint = {2205.11961},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_mixing(self.rank, self.temperature, self.pace)

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the module over the sources and a fresh prompt."""
        own = shore.fresh().bake().tokens
        assert own is not None
        heat = self.temperature or math.e * own.shape[-1]
        module = MixedPrompt(only_tokens(shore.sources), own[0], self.rank, heat, shore.generator, self.pace)
        return Crossing(module, tuple(shore.sources), f"attention over {', '.join(shore.sources)} and the target")


def require_mixing(rank: int, temperature: float | None, pace: float) -> None:
    """Raise BridgeError where the settings of an attention over prompts do not do."""
    if rank < 1 or (temperature is not None and temperature <= 0) or pace <= 0:
        raise BridgeError(
            f"rank {rank}, temperature {temperature}, pace {pace}",
            "a rank from 1, a temperature and a pace above 0",
            "write rank: 100, and leave the others out",
        )
