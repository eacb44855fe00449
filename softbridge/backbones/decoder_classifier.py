"""A decoder with a linear head that is trained beside the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from softbridge.backbones.causal import CausalBackbone
from softbridge.backbones.heads import classify
from softbridge.batch import Batch, Rows
from softbridge.injection import Injection, Space


class DecoderClassifierBackbone(CausalBackbone):
    """Score a text by `W h + b`, h the last block's state of the text's last token.

    Rows are padded on the left, so that the last slot is the last token in every row. A model's own classifier looks
    for the last token by its id, which it cannot see where embeddings are handed in.

    *Reference*: Liu, Ji, Fu, Tam, Du, Yang, Tang. P-Tuning v2. ACL 2022.
    """

    kind: ClassVar[str] = "decoder_classifier"
    loader: ClassVar[str] = "AutoModel"
    writes: ClassVar[bool] = False  # its head is over classes
    takes: ClassVar[frozenset[str]] = CausalBackbone.takes | {"head", "head_bias"}

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
        return self.hidden(batch.input_ids, batch.mask, prompt)[:, -1].float()

    def space(self) -> Space:
        """Return what a prompt may know of this backbone; the head's width is found by pooling a text."""
        with torch.no_grad():
            width = self.pool(self.batch(Rows(self.tokenise(["a"]), [0])), None).shape[1]
        return replace(super().space(), head=width)
