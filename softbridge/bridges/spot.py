"""SPoT: the source prompt is where training on the target starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import only_source
from softbridge.similarity.geometry import SIMILARITIES


@dataclass(frozen=True)
class Spot:
    """Start the target's training from one source prompt, given or chosen by similarity of task embeddings.

    `P_t <- P_s`, with `s = argmax_s sim(E_s, E_t)`, where E is a prompt after a fixed number of steps on its task.

    *Reference*: Vu, Lester, Constant, Al-Rfou, Cer. SPoT: Better Frozen Model Adaptation through Soft Prompt
    Transfer. ACL 2022.

    Arguments:
        source: the source domain; left out, the only one, or else the most similar one.
        similarity: how task embeddings are compared, where the source is to be chosen.
    """

    source: str | None = None
    similarity: Literal["cosine_of_means", "per_token_cosine"] = "per_token_cosine"

    name: ClassVar[str] = "spot"
    reference: ClassVar[str] = (
        "Vu, Lester, Constant, Al-Rfou, Cer. SPoT: Better Frozen Model Adaptation through Soft Prompt Transfer. "
        "ACL 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{vu2022spot,
  title = {{SPoT}: Better Frozen Model Adaptation through Soft Prompt Transfer},
  author = {Vu, Tu and Lester, Brian and Constant, Noah and Al-Rfou, Rami and Cer, Daniel},
  booktitle = {Proceedings of ACL},
  year = {2022}
}"""
    trains: ClassVar[bool] = True
    reads_sources: ClassVar[bool] = True

    def embeds_target(self, sources: int) -> bool:
        """Where the source is to be chosen among several."""
        return self.source is None and sources > 1

    def cross(self, shore: Shore) -> Crossing:
        """Return the chosen source's prompt."""
        if not self.embeds_target(len(shore.sources)):
            source = only_source(self.source, shore.sources)
            return Crossing(shore.sources[source].each(torch.clone), (source,), f"from {source}")
        target, measure = shore.embed_target().vectors()[0], SIMILARITIES[self.similarity]
        close = {name: float(measure(prompt.vectors()[0], target)) for name, prompt in shore.embeddings.items()}
        source = max(close, key=lambda name: close[name])
        shown = ", ".join(f"{name} {value:.3f}" for name, value in sorted(close.items(), key=lambda item: -item[1]))
        return Crossing(
            shore.sources[source].each(torch.clone), (source,), f"from {source}, by {self.similarity}: {shown}"
        )
