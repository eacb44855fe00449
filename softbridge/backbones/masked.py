"""A masked language model: a class's score is the log-likelihood of its label words at the mask.

The template says where the mask stands: `{text} It was {mask}.`; a text without `{mask}` gets one at its end. The
prompt joins as it joins a sentence encoder. Only the states at the mask meet the model's head.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from transformers.modeling_outputs import BaseModelOutput

from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.heads import answers, before_head, likelihood, logits
from softbridge.backbones.sentence import SentenceBackbone
from softbridge.batch import MASK, Batch, Rows, pad
from softbridge.errors import BackboneError
from softbridge.injection import Injection


class MaskedBackbone(SentenceBackbone):
    """Score a text by `log p(label words of y at the mask | x)`.

    Where every class is one token, the scores are the head's rows of these tokens. A class of L tokens reads the text
    with L masks, and its score is `sum_l log p(y_l | x)`. A label word is taken as after a blank.

    *Reference*: Schick, Schütze. Exploiting Cloze Questions for Few Shot Text Classification and Natural Language
    Inference. EACL 2021.
    """

    kind: ClassVar[str] = "masked"
    loader: ClassVar[str] = "AutoModelForMaskedLM"

    def __init__(self, model: Any, tokenizer: Any, spec: BackboneSpec) -> None:
        super().__init__(model, tokenizer, spec)
        if tokenizer.mask_token_id is None:
            raise BackboneError(
                f"the tokenizer of '{spec.name}' has no mask token",
                "a masked language model's tokenizer",
                "choose a model that was trained with masks, or another backbone.kind",
            )
        self.top = without_body(model)

    def bind(self, words: Sequence[str]) -> None:
        """Tokenise the label words once."""
        self.words = tuple(words)
        self.answers = answers(words, self.word_after_blank)

    def word_after_blank(self, word: str) -> list[int]:
        """Return a label word's tokens as they are inside a text: byte-level vocabularies keep the blank before."""
        ids = self.word_ids(f" {word.strip()}")
        blank = len(ids) > 1 and not self.tokenizer.decode(ids[:1]).strip()
        return ids[1:] if blank else ids

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `[CLS] text [SEP]` ids with one mask, cut to `max_length` at the ends that are farther from it."""
        return [self.around_mask(text) for text in texts]

    def around_mask(self, text: str) -> list[int]:
        """Return one text's ids."""
        left, *rest = text.split(MASK)
        if len(rest) > 1:
            raise BackboneError(
                f"a text has {len(rest)} masks: '{text[:60]}'", f"one {MASK} at most", "mend the template"
            )
        # The blank before a mask belongs to the word that is masked.
        before, after = (self.plain_ids(part) for part in (left.rstrip(), "".join(rest)))
        first, *last = self.tokenizer("")["input_ids"]
        longest = max((len(told) for told in self.answers), default=1) if self.words else 1
        room = max(self.spec.max_length - 1 - len(last) - longest, 0)
        ends = min(len(after), max(room - len(before), room // 2))
        starts = before[max(len(before) - (room - ends), 0) :]
        return [first, *starts, self.tokenizer.mask_token_id, *after[:ends], *last]

    def plain_ids(self, text: str) -> list[int]:
        """Return a text's ids; one that spells the tokenizer's own mask token has no mask by that."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [token for token in ids if token != self.tokenizer.mask_token_id]

    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the states `[B, H]` at the mask, as the head reads them."""
        return self.at_masks(batch, self.settled(batch, prompt), 1)[:, 0].float()

    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores `[B, C]`."""
        self.require_words()
        if all(len(told) == 1 for told in self.answers):
            return logits(self.model, self.at_masks(batch, prompt, 1)[:, 0], [told[0] for told in self.answers])
        states = {count: self.at_masks(batch, prompt, count) for count in sorted({len(told) for told in self.answers})}
        return torch.stack([likelihood(self.model, states[len(told)], told) for told in self.answers], dim=1)

    def at_masks(self, batch: Batch, prompt: Injection | None, count: int) -> torch.Tensor:
        """Return what the head reads at each of `count` masks, `[B, count, H]`."""
        batch, place = self.widen(batch, count)
        hidden, text = self.hidden(batch, prompt)
        order = text.cumsum(1) * text - 1  # the place in the text of what stands in a slot
        slot = (order == place.unsqueeze(1)).int().argmax(1)
        index = slot.unsqueeze(1) + torch.arange(count, device=slot.device)
        states = hidden.gather(1, index.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
        return before_head(self.top, inputs_embeds=states)

    def asked(self, rows: Rows, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores of what a row is asked for; `told` has as many ids as the row, -1 where it asks nothing."""
        batch = self.batch(rows)
        hidden, text = self.hidden(batch, self.settled(batch, prompt))
        there = batch.mask.bool()
        every = pad(Rows(rows.told, rows.labels), -1, self.side, self.spec.max_length).input_ids.to(self.device)[there]
        wanted = every >= 0
        states = before_head(self.top, inputs_embeds=hidden[text.bool()][wanted].unsqueeze(0))[0]
        return logits(self.model, states), every[wanted], there.nonzero()[:, 0][wanted]

    def widen(self, batch: Batch, count: int) -> tuple[Batch, torch.Tensor]:
        """Return the batch with `count` masks where one stands, and `[B]` the place of the first."""
        there = batch.input_ids == self.tokenizer.mask_token_id
        if not there.any(1).all():
            raise BackboneError("a row has no mask", "rows of backbone.tokenise", "tokenise the texts again")
        place = there.int().argmax(1)
        if count == 1:
            return batch, place
        order = torch.arange(batch.mask.shape[1] + count - 1, device=place.device).expand(len(batch), -1)
        start = place.unsqueeze(1)
        source = torch.where(order < start, order, (order - count + 1).clamp_min(start))
        return Batch(batch.input_ids.gather(1, source), batch.mask.gather(1, source), batch.labels), place


class Given(torch.nn.Module):
    """Stand in a model's place, and return the states that are given."""

    def forward(self, *args: Any, inputs_embeds: torch.Tensor, **kwargs: Any) -> BaseModelOutput:
        """Return the given states as the last block's."""
        return BaseModelOutput(last_hidden_state=inputs_embeds)


def without_body(model: Any) -> Any:
    """Return the model's own head as a model that reads last states; all weights are shared."""
    top = copy.copy(model)
    top._modules = {**model._modules, model.base_model_prefix: Given()}
    return top
