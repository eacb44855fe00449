"""An encoder with a linear head that is trained beside the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from softbridge.backbones.heads import classify
from softbridge.backbones.sentence import SentenceBackbone
from softbridge.batch import Batch, Rows
from softbridge.injection import Injection, Space


class EncoderClassifierBackbone(SentenceBackbone):
    """Score a text by `W h + b`, h the mean of its tokens' states, or the state of [CLS].

    Both are read from the text's own slots: a model's own classifier would pool the first slot, which a prompt that
    stands first takes. The model's own pooler and classifier are not used.

    *Reference*: Liu, Ji, Fu, Tam, Du, Yang, Tang. P-Tuning v2. ACL 2022.
    """

    kind: ClassVar[str] = "encoder_classifier"
    takes: ClassVar[frozenset[str]] = SentenceBackbone.takes | {"head", "head_bias"}

    def bind(self, words: Sequence[str]) -> None:
        """Set the classes; a linear head counts them, and does not read their words."""
        self.words = tuple(words)

    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return what the head reads, `[B, H]`."""
        return self.pool(batch, self.settled(batch, prompt))

    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores `[B, C]`."""
        self.require_words()
        return classify(self.pool(batch, prompt), prompt, len(self.words))

    def pool(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return one vector a row, `[B, H]` in float32."""
        hidden, text = self.hidden(batch, prompt)
        if self.spec.pooling == "cls":
            first = text.int().argmax(1)
            return hidden[torch.arange(len(batch), device=hidden.device), first].float()
        weight = text.unsqueeze(-1).float()
        return (hidden.float() * weight).sum(1) / weight.sum(1)

    def space(self) -> Space:
        """Return what a prompt may know of this backbone; the head's width is found by pooling a text."""
        with torch.no_grad():
            width = self.pool(self.batch(Rows(self.tokenise(["a"]), [0])), None).shape[1]
        return replace(super().space(), head=width)
