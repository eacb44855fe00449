"""An encoder-decoder: a class's score is the decoder's log-likelihood of its label words.

The prompt stands before the text on the encoder's side, and nowhere else, so every virtual token is read. Rows are
padded on the right: the prompt's places, counted (BART) or relative (T5), are those of a row alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import count, takewhile
from typing import Any, ClassVar

import torch
from transformers.modeling_outputs import BaseModelOutput

from softbridge.backbones.base import Backbone
from softbridge.backbones.generation import writing
from softbridge.backbones.heads import answers, before_head, likelihood, logits
from softbridge.backbones.mixing import refuse_mixing
from softbridge.batch import Batch, Rows, pad
from softbridge.errors import BackboneError
from softbridge.injection import Injection, shared


class Seq2SeqBackbone(Backbone):
    """Score a text by `log p(label words of y | x)` of the decoder.

    Where every class is one token, the scores are the head's rows of these tokens; otherwise each class's
    log-likelihoods are summed. The decoder opens as it was trained to: with its start token, and with the special
    tokens that the tokenizer puts before a target (BART's `<s>`).

    *Reference*: Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021.
    """

    kind: ClassVar[str] = "seq2seq"
    side: ClassVar[str] = "right"
    loader: ClassVar[str] = "AutoModelForSeq2SeqLM"
    writes: ClassVar[bool] = True

    def bind(self, words: Sequence[str]) -> None:
        """Tokenise the label words once."""
        self.words = tuple(words)
        self.answers = answers(words, self.word_ids)
        self.opening = [self.start, *self.special_before(words[0], self.answers[0])]

    @cached_property
    def start(self) -> int:
        """Return the token that the decoder starts with."""
        start = self.model.generation_config.decoder_start_token_id
        start = self.model.config.decoder_start_token_id if start is None else start
        if start is None:
            raise BackboneError(
                f"the model '{self.spec.name}' does not say which token its decoder starts with",
                "decoder_start_token_id in its config.json or generation_config.json",
                "add it to the model's files",
            )
        return start

    @cached_property
    def sentinels(self) -> list[int]:
        """Return the tokens that stand for what was taken out of a text: T5's in their order, or the mask alone."""
        known = self.tokenizer.get_vocab()
        names = list(takewhile(known.__contains__, (f"<extra_id_{i}>" for i in count())))
        found = [known[name] for name in names] or [self.tokenizer.mask_token_id]
        if found == [None]:
            raise BackboneError(
                f"the tokenizer of '{self.spec.name}' has no token that stands for what was taken out of a text",
                "T5's <extra_id_0>, ..., or a mask token",
                "choose another backbone",
            )
        return found

    def special_before(self, word: str, told: Sequence[int]) -> list[int]:
        """Return the special tokens that stand before a target."""
        whole = self.tokenizer(text_target=word)["input_ids"]
        places = range(len(whole) - len(told) + 1)
        return whole[: next((i for i in places if whole[i : i + len(told)] == list(told)), 0)]

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return a text's ids with the encoder's special tokens, cut to `max_length`."""
        return self.tokenizer(list(texts), truncation=True, max_length=self.spec.max_length)["input_ids"]

    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the decoder's states `[B, H]` where the label words follow."""
        states, mask = self.encode(batch, self.settled(batch, prompt))
        return self.decode(states, mask, self.opening)[:, -1].float()

    def reading(self) -> tuple[Any, int]:
        """Return the decoder, and its first slot."""
        self.require_words()  # without them the decoder's opening is not known
        return self.model.get_decoder(), 0

    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores `[B, C]`; the encoder runs once for all of them."""
        self.require_words()
        states, mask = self.encode(batch, prompt)
        if all(len(told) == 1 for told in self.answers):
            last = self.decode(states, mask, self.opening)[:, -1]
            return logits(self.model, last, [told[0] for told in self.answers])
        each = []
        for told in self.answers:
            read = self.decode(states, mask, [*self.opening, *told[:-1]])[:, -len(told) :]
            each.append(likelihood(self.model, read, told))
        return torch.stack(each, dim=1)

    def asked(self, rows: Rows, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores of the decoder's tokens `told`, each after those before it."""
        batch = self.batch(rows)
        states, mask = self.encode(batch, self.settled(batch, prompt))
        answer = pad(Rows(rows.told, rows.labels), self.pad_id, "right").to(self.device)
        before = answer.input_ids.roll(1, 1)
        before[:, 0] = self.start
        read = self.decode(states, mask, before)
        there = answer.mask.bool()
        return logits(self.model, read[there]), answer.input_ids[there], there.nonzero()[:, 0]

    def answer_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return what the decoder is to say, with the special tokens that the tokenizer puts around a target."""
        return self.tokenizer(text_target=list(texts), truncation=True, max_length=self.spec.max_length)["input_ids"]

    def generate(self, batch: Batch, prompt: Injection | None, **settings: Any) -> list[list[int]]:
        """Answer each row; the prompt is read by the encoder, once."""
        refuse_mixing(prompt)
        inputs = self.join(batch, shared(prompt, batch.input_ids))
        with writing(self.model):
            written = self.model.generate(**inputs, **settings, synced_gpus=self.sharded)
        return self.cut(written[:, 1:])  # without the token that the decoder started with

    def encode(self, batch: Batch, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the encoder's states `[B, P + T, H]` of the joined rows, and their mask."""
        inputs = self.join(batch, prompt)
        return self.model.get_encoder()(**inputs).last_hidden_state, inputs["attention_mask"]

    def decode(self, states: torch.Tensor, mask: torch.Tensor, told: Sequence[int] | torch.Tensor) -> torch.Tensor:
        """Return what the head reads `[B, L, H]` after each token that the decoder was told, `[L]` or `[B, L]`."""
        return before_head(
            self.model,
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            decoder_input_ids=torch.as_tensor(told, device=mask.device).expand(len(mask), -1),
            use_cache=False,
        )

    def join(self, batch: Batch, prompt: Injection | None) -> dict[str, Any]:
        """Return the encoder's inputs for `[prompt; text; padding]`."""
        states, mask = self.read(batch.input_ids, batch.mask, prompt), batch.mask
        if prompt is not None and prompt.tokens is not None:
            virtual = prompt.tokens.to(states.dtype)
            states = torch.cat([virtual, states], dim=1)
            mask = torch.cat([mask.new_ones(virtual.shape[:2]), mask], dim=1)
        return {"inputs_embeds": states, "attention_mask": mask}
