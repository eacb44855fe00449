"""Relative encoding: a prompt is told by its cosines to shared words, and sought again in the target's space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch.nn import functional

from softbridge.bridges.base import Abroad, Crossing, Shore
from softbridge.bridges.choosing import paired_source, pairing
from softbridge.bridges.vocabularies import common
from softbridge.errors import BridgeError
from softbridge.injection import Injection


@dataclass(frozen=True)
class Relative:
    """Seek the prompt whose cosines to the shared words in the target model are those of the source prompt in its own.

    `r(v) = [cos(v, a_1) .. cos(v, a_m)]`, `P_t = argmax_v mean_p cos(r_t(v_p), mean_s r_s(P_s,p))`; at each step v is
    brought to the mean and the deviation of the target's word embeddings. s is one source on one model, every source,
    every source model, or both. No labels of the target are read, unless `choose` says so.

    *Reference*: Wu, Wu, Mou. Zero-Shot Continuous Prompt Transfer: Generalizing Task Semantics Across Language Models.
    ICLR 2024.

    Arguments:
        source: the source domain; left out, the target's own data on the other model, or the only one.
        every: whether the encodings of all sources are averaged, instead.
        every_model: whether the encodings on all models that `source_backbone` lists are averaged, with words that all
            of them share as anchors; else the first is read.
        anchors: m, how many shared words, at least 2; all where there are fewer.
        top: how many of the largest cosines of each token count; all when left out.
        steps: steps of Adam.
        rate: its learning rate.
        choose: `last` takes the last step; `validation` takes, of every 50th, the one with the least validation loss on
            the target, which is what the published code does with test accuracy: it is no longer zero-shot.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    every: bool = False
    every_model: bool = False
    anchors: int = 8192
    top: int | None = None
    steps: int = 500
    rate: float = 5e-3
    choose: Literal["last", "validation"] = "last"
    train: bool = False

    def __post_init__(self) -> None:
        if self.anchors < 2 or self.steps < 1 or (self.top is not None and self.top < 1):
            seen = f"anchors is {self.anchors}, steps is {self.steps}, top is {self.top}"
            raise BridgeError(seen, "anchors from 2, steps and top from 1", "change it")

    name: ClassVar[str] = "relative"
    reference: ClassVar[str] = (
        "Wu, Wu, Mou. Zero-Shot Continuous Prompt Transfer: Generalizing Task Semantics Across Language Models. "
        "ICLR 2024."
    )
    bibtex: ClassVar[str] = """@inproceedings{wu2024zeroshot,
  title = {Zero-Shot Continuous Prompt Transfer: Generalizing Task Semantics Across Language Models},
  author = {Wu, Zijun and Wu, Yongkang and Mou, Lili},
  booktitle = {Proceedings of ICLR},
  year = {2024}
}"""
    averages: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (2,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the prompt that was found."""
        names = tuple(shore.sources) if self.every else (paired_source(shore, self.source),)
        models, begun = self.anchored(shore), shore.fresh().bake().tokens
        assert begun is not None
        pair, wanted = models[0].pair, encoded(models, names)
        found = self.sought(begun[0].float(), kept(wanted, self.top), pair.target)
        if self.choose == "validation":
            losses = shore.losses([Injection(each.unsqueeze(0)) for each in found])
            found = [found[losses.index(min(losses))]]
        reached = encoded_alike(found[-1], kept(wanted, self.top), pair.target).item()
        on = f" on {len(models)} models" if len(models) > 1 else ""
        note = f"from {' and '.join(names)}{on}, {len(pair.words)} anchors, cosine {reached:.3f}, by {self.choose}"
        return Crossing(Injection(found[-1].unsqueeze(0)), names, note)

    def anchored(self, shore: Shore) -> list[Abroad]:
        """Return what is carried from each source model, with the anchors in place of all shared words."""
        first = Abroad(shore.sources, pairing(shore))
        models = [first, *shore.further()] if self.every_model else [first]
        pairs = common([one.pair for one in models])
        return [Abroad(one.sources, pair.part(0, self.anchors, 2)) for one, pair in zip(models, pairs, strict=True)]

    def sought(self, start: torch.Tensor, wanted: torch.Tensor, anchors: torch.Tensor) -> Sequence[torch.Tensor]:
        """Return the prompts at every 50th step, and at the last."""
        free = start.clone().requires_grad_()
        optimiser, found = torch.optim.Adam([free], lr=self.rate), []
        for step in range(1, self.steps + 1):
            optimiser.zero_grad()
            (1 - encoded_alike(standing(free, anchors), wanted, anchors)).backward()
            optimiser.step()
            if step % 50 == 0 or step == self.steps:
                found.append(standing(free, anchors).detach().clone())
        return found


def tokens(prompt: Injection) -> torch.Tensor:
    """Return a source prompt's virtual tokens `[P, H_s]`."""
    assert prompt.tokens is not None
    return prompt.tokens[0].float()


def encoded(models: Sequence[Abroad], names: Sequence[str]) -> torch.Tensor:
    """Return the mean encoding `[P, m]` of sources over models."""
    told = [relative(tokens(one.sources[name]), one.pair.source) for one in models for name in names]
    return torch.stack(told).mean(0)


def relative(vectors: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Return the cosines `[P, m]` of vectors `[P, H]` to anchors `[m, H]`."""
    return functional.normalize(vectors, dim=-1) @ functional.normalize(anchors, dim=-1).T


def kept(wanted: torch.Tensor, top: int | None) -> torch.Tensor:
    """Return the encoding with all but each token's `top` largest cosines set to 0."""
    if top is None or top >= wanted.shape[1]:
        return wanted
    return torch.zeros_like(wanted).scatter(1, (best := wanted.topk(top, dim=1)).indices, best.values)


def encoded_alike(vectors: torch.Tensor, wanted: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Return the mean over tokens of the cosine between their encoding and the wanted one, where that is not 0."""
    seen = relative(vectors, anchors) * (wanted != 0)
    return functional.cosine_similarity(seen, wanted, dim=-1).mean()


def standing(vectors: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Return each vector with the mean and the deviation of the words' embeddings."""
    centred = (vectors - vectors.mean(-1, keepdim=True)) / vectors.std(-1, keepdim=True)
    return centred * words.std() + words.mean()
