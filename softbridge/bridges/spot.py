"""SPoT: the source prompt is where training on the target starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import near_source, ranked, told
from softbridge.bridges.sums import combined
from softbridge.errors import BridgeError


@dataclass(frozen=True)
class Spot:
    """Start the target's training from one source prompt, given or chosen by similarity of task embeddings.

    `P_t <- P_s`, with `s = argmax_s sim(E_s, E_t)`, where E is a prompt after a fixed number of steps on its task.

    *Reference*: Vu, Lester, Constant, Al-Rfou, Cer. SPoT: Better Frozen Model Adaptation through Soft Prompt
    Transfer. ACL 2022.

    Arguments:
        source: the source domain; left out, the only one, or else the most similar one.
        similarity: how task embeddings are compared, where the source is to be chosen.
        top: k, how many of the most similar sources are used, from 1.
        how: what the top k come to: `average`, their prompts' mean weighted by similarity (a negative similarity
            weighs 0); `mixture`, a prompt trained anew on the rows of the k sources; `best`, k trainings on the
            target, of which validation keeps one.
    """

    source: str | None = None
    similarity: Literal["cosine_of_means", "per_token_cosine"] = "per_token_cosine"
    top: int = 1
    how: Literal["average", "mixture", "best"] = "average"

    def __post_init__(self) -> None:
        if self.top < 1:
            raise BridgeError(f"top is {self.top}", "a number of sources, from 1", "write top: 3")

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
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target; the best of several has been."""
        return self.top == 1 or self.how != "best"

    @property
    def reads_rows(self) -> bool:
        """Return whether it trains on the sources' rows."""
        return self.top > 1 and self.how == "mixture"

    def embeds_target(self, sources: int) -> bool:
        """Where sources are to be chosen among several."""
        return self.source is None and sources > 1

    def cross(self, shore: Shore) -> Crossing:
        """Return the chosen source's prompt, or what the top k come to."""
        if self.top == 1 or not self.embeds_target(len(shore.sources)):
            source, note = near_source(shore, self.source, self.similarity)
            return Crossing(shore.sources[source].each(torch.clone), (source,), note)
        close = ranked(shore, self.similarity)
        shown, first = f"by {self.similarity}: {told(close)}", tuple(close)[: self.top]
        if self.how == "mixture":
            return Crossing(shore.mixture(first), first, f"trained on the rows of {' and '.join(first)}, {shown}")
        if self.how == "average":
            weights = shares([close[name] for name in first])
            said = told(dict(zip(first, weights, strict=True)))
            return Crossing(combined(shore.sources, dict(zip(first, weights, strict=True))), first, f"{said}, {shown}")
        reached = {name: shore.adapted(name) for name in first}
        best = min(reached, key=lambda name: reached[name][1])
        losses = told({name: loss for name, (_, loss) in reached.items()})
        return Crossing(reached[best][0], (best,), f"the best of {losses} validation loss, {shown}")


def shares(similarities: Sequence[float]) -> list[float]:
    """Return SPoT's weights `sim_r / sum_l sim_l`, where a negative similarity counts 0; all alike where none is above.

    Example:
        >>> shares([0.3, 0.1, -0.2]), shares([-0.1, -0.3])
        ([0.75, 0.25, 0.0], [0.5, 0.5])
    """
    above = [max(0.0, value) for value in similarities]
    total = sum(above)
    return [round(value / total, 12) if total else 1 / len(above) for value in above]
