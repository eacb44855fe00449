"""A sentence encoder: a class's score is the cosine of the text to the class's description.

The join. An encoder reads order only from positions. The *slots* are `[[CLS]; prompt; text]`, so that whoever reads
slot 0 reads [CLS] and not a virtual token; the *positions* are those of `[prompt; [CLS]; text]`, so that a prompt
means the same in a PEFT adapter, which puts it first. The mean over tokens never reads a virtual token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch

from softbridge.backbones.base import ABOVE, INPUT, Backbone
from softbridge.backbones.entrances import last_states
from softbridge.backbones.packed import GROUP_PLACES, agree, packed_states, trial
from softbridge.batch import Batch, Rows
from softbridge.injection import Injection


class SentenceBackbone(Backbone):
    """Score a text by `cos(e(x), e(description of y)) / temperature`, e = mean over the text's tokens.

    *Reference*: Reimers, Gurevych. Sentence-BERT. EMNLP 2019.
    """

    kind: ClassVar[str] = "sentence"
    side: ClassVar[str] = "right"
    loader: ClassVar[str] = "AutoModel"
    takes: ClassVar[frozenset[str]] = INPUT | ABOVE
    labels: torch.Tensor
    described: Batch

    def bind(self, words: Sequence[str]) -> None:
        """Embed the classes' descriptions once, without a prompt."""
        self.words = tuple(words)
        self.described = self.batch(Rows(self.tokenise(words), [0] * len(words)))
        with torch.inference_mode():
            self.labels = self.encode(self.described, None)
        self.labels = self.labels.clone()  # out of inference mode, so that autograd may save it

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `[CLS] text [SEP]` ids, cut to `max_length`."""
        return self.tokenizer(list(texts), truncation=True, max_length=self.spec.max_length)["input_ids"]

    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the text's unit embeddings `[B, H]`."""
        return self.encode(batch, self.settled(batch, prompt))

    def reading(self) -> tuple[Any, int]:
        """Return the encoder, and the slot of a text of one token: [CLS]'s, or behind the prompt."""
        return self.model.base_model, 0 if self.before_prompt else -1

    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the cosines to the classes' descriptions over the temperature, `[B, C]`."""
        self.require_words()
        labels = self.encode(self.described, None) if self.moving else self.labels
        return self.encode(batch, prompt) @ labels.T / self.spec.temperature

    def encode(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return unit embeddings `[B, H]` in float32."""
        hidden, pooled = self.hidden(batch, prompt)
        hidden, weight = hidden.float(), pooled.unsqueeze(-1).float()
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp_min(1.0)
        return torch.nn.functional.normalize(mean, dim=-1)

    def hidden(self, batch: Batch, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the last block's states `[B, P + T, H]`, and 1 where a token of the text (or [CLS]) stands."""
        if prompt is None:
            inputs = {"input_ids": batch.input_ids, "attention_mask": batch.mask}
            return last_states(self.model.base_model, inputs, None), batch.mask
        inputs, pooled = self.join(self.read(batch.input_ids, batch.mask, prompt), batch.mask, prompt)
        if self.unpadded(prompt, batch.mask.shape[1]) and not batch.mask.all():
            group = GROUP_PLACES[self.device.type]
            return packed_states(self.model.base_model, inputs, prompt, group, causal=False), pooled
        return last_states(self.model.base_model, inputs, prompt), pooled

    def unpadded(self, prompt: Injection | None, longest: int) -> bool:
        """Say whether texts of up to so many tokens run without padding; without virtual tokens they do not."""
        return prompt is not None and prompt.length > 0 and super().unpadded(prompt, longest)

    @cached_property
    def packs(self) -> bool:
        """Say whether this model comes to the same states when its rows stand in one; it is tried once."""
        states, mask, prompt = trial(self.table, self.side)
        inputs, body = self.join(states, mask, prompt)[0], self.model.base_model
        there = inputs["attention_mask"].bool()
        return agree(
            body,
            lambda: packed_states(body, inputs, prompt, 20, causal=False)[there],
            lambda: last_states(body, inputs, prompt)[there],
        )

    def join(
        self, text: torch.Tensor, seen: torch.Tensor, prompt: Injection
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the model's inputs, and `[B, P + T]` 1 where a token of the text (or [CLS]) stands.

        Arguments:
            text: `[B, T, H]` the texts' states where the prompt enters.
            seen: `[B, T]` 1 where a token is.
            prompt: the injection of each row.
        """
        if prompt.tokens is None:
            inputs = {"inputs_embeds": text, "attention_mask": seen}
            if prompt.keys is not None:  # the text's places come behind the prompt's
                order = torch.arange(seen.shape[1], device=seen.device) + prompt.length
                inputs["position_ids"] = (order + self.first_position).expand_as(seen)
            return inputs, seen
        virtual = prompt.tokens.to(text.dtype)
        rows, length = virtual.shape[:2]
        first = self.before_prompt
        states = torch.cat([text[:, :first], virtual, text[:, first:]], dim=1)
        own = seen.new_ones(rows, length)
        mask = torch.cat([seen[:, :first], own, seen[:, first:]], dim=1)
        pooled = torch.cat([seen[:, :first], 0 * own, seen[:, first:]], dim=1)
        return {"inputs_embeds": states, "attention_mask": mask, "position_ids": self.positions(mask, length)}, pooled

    @property
    def before_prompt(self) -> int:
        """Return how many slots stand before the prompt: [CLS]'s, or none where attention is local.

        ModernBERT's local attention goes by slots and its rotation by positions, so there the two must not differ.
        """
        return 0 if "sliding_attention" in (getattr(self.config, "layer_types", None) or ()) else 1

    def positions(self, mask: torch.Tensor, length: int) -> torch.Tensor:
        """Return `[P, 0 .. P-1, P+1 ..]` for each row, behind the model's own offset (RoBERTa counts from 2)."""
        order = torch.arange(mask.shape[1], device=mask.device)
        if self.before_prompt:
            order[0], order[1 : length + 1] = length, torch.arange(length, device=mask.device)
        return (order + self.first_position).expand_as(mask)

    @cached_property
    def first_position(self) -> int:
        """Return the first token's position: behind that of padding, where the model's positions have one."""
        tables = (part for name, part in self.model.named_modules() if name.endswith("position_embeddings"))
        padding = getattr(next(tables, None), "padding_idx", None)
        return 0 if padding is None else padding + 1
