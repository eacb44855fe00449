"""SESoM: the model answers once with each source prompt, and each text weighs the answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from softbridge.bridges.attempt import require_mixing
from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.mixtures import MixedPrompt, only_tokens


@dataclass(frozen=True)
class Ensemble:
    """Mix the scores of S source-prompted models: `z(x) = sum_s a_s(x) z(x; P_s)`; only the attention is trained.

    a is `attempt`'s attention over the sources. (The paper's keys are made from the models' outputs; ours are the
    prompts, so that the weights are known before the models run.) S passes a row.

    *Reference*: Peng, Xing, Choubey, Wu, Xiong. Model Ensemble Instead of Prompt Fusion: a Sample-specific Knowledge
    Transfer Method for Few-shot Prompt Tuning. ICLR 2023.

    Arguments:
        rank: the width of the query's network, from 1.
        temperature: T, above 0; left out, `e H`, which begins near the plain mean.
        pace: the network's share of the learning rate, above 0.
    """

    rank: int = 100
    temperature: float | None = None
    pace: float = 1.0

    name: ClassVar[str] = "ensemble"
    reference: ClassVar[str] = (
        "Peng, Xing, Choubey, Wu, Xiong. Model Ensemble Instead of Prompt Fusion: a Sample-specific Knowledge Transfer "
        "Method for Few-shot Prompt Tuning. ICLR 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{peng2023sesom,
  title = {Model Ensemble Instead of Prompt Fusion: a Sample-specific Knowledge Transfer Method for Few-shot Prompt
    Tuning},
  author = {Peng, Xiangyu and Xing, Chen and Choubey, Prafulla Kumar and Wu, Chien-Sheng and Xiong, Caiming},
  booktitle = {Proceedings of ICLR},
  year = {2023},
  eprint = {2210.12587},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_mixing(self.rank, self.temperature, self.pace)

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the module over the sources."""
        frozen = only_tokens(shore.sources)
        heat = self.temperature or math.e * frozen.shape[-1]
        module = MixedPrompt(frozen, None, self.rank, heat, shore.generator, self.pace)
        return Crossing(module, tuple(shore.sources), f"answers of {', '.join(shore.sources)}")
