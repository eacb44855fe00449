"""A causal language model: a class's score is the log-likelihood of its label words after the text.

The join is `[padding; prompt; text]` with positions counted from the prompt's first token, so that a row in a
left-padded batch equals the same row alone. Only the hidden state at the label position, gathered into a contiguous
`[B, H]`, meets the head, and only the head's rows of the label words where each class is one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch

from softbridge.backbones.base import ABOVE, INPUT, Backbone
from softbridge.backbones.entrances import last_states
from softbridge.backbones.generation import accompanied, ends, replayed, writing
from softbridge.backbones.heads import answers
from softbridge.backbones.mixing import refuse_mixing
from softbridge.backbones.packed import GROUP_PLACES, agree, packed_states, saves, trial
from softbridge.batch import Batch, Rows
from softbridge.errors import BackboneError
from softbridge.injection import Injection, shared

WITHOUT_BLANKS = "\u2e80"  # the first of the scripts of East Asia


class CausalBackbone(Backbone):
    """Score a text by `log p(label words of y | x)`.

    When every class is one token of its own, the scores are the head's rows of these tokens: their softmax equals
    the softmax of the log-likelihoods, because the normaliser over the vocabulary is the same for all classes.
    Otherwise each class's tokens are appended and their log-likelihoods summed.
    """

    kind: ClassVar[str] = "causal"
    side: ClassVar[str] = "left"
    loader: ClassVar[str] = "AutoModelForCausalLM"
    shares: ClassVar[bool] = True
    takes: ClassVar[frozenset[str]] = INPUT | ABOVE
    writes: ClassVar[bool] = True

    def bind(self, words: Sequence[str]) -> None:
        """Tokenise the label words once."""
        self.words = tuple(words)
        self.answers = answers(words, self.word_ids)
        self.single = all(len(ids) == 1 for ids in self.answers)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return token ids, cut to `max_length` at the text's start so that the template's end stays."""
        ids = self.tokenizer(list(texts))["input_ids"]
        return [row[-self.spec.max_length :] or [self.pad_id] for row in ids]

    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the last block's states `[B, H]` where the label words follow."""
        return self.hidden(batch.input_ids, batch.mask, self.settled(batch, prompt))[:, -1].float()

    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores `[B, C]`."""
        self.require_words()
        if self.single:
            rows = torch.tensor([ids[0] for ids in self.answers], device=self.device)
            head = self.model.get_output_embeddings()
            last = self.hidden(batch.input_ids, batch.mask, prompt)[:, -1].contiguous()
            bias = None if getattr(head, "bias", None) is None else head.bias[rows].float()
            return torch.nn.functional.linear(last.float(), head.weight[rows].float(), bias)
        return torch.stack([self.likelihood(batch, prompt, ids) for ids in self.answers], dim=1)

    def likelihood(self, batch: Batch, prompt: Injection | None, answer: Sequence[int]) -> torch.Tensor:
        """Return `sum_l log p(answer_l | x, answer_<l)`, `[B]`."""
        told = torch.tensor(answer, device=self.device).expand(len(batch), -1)
        input_ids = torch.cat([batch.input_ids, told[:, :-1]], dim=1)
        mask = torch.cat([batch.mask, torch.ones_like(told[:, :-1])], dim=1)
        states = self.hidden(input_ids, mask, prompt)[:, -len(answer) :]
        logits = self.model.get_output_embeddings()(states.reshape(-1, states.shape[-1])).float()
        taken = torch.log_softmax(logits, dim=-1).gather(1, told.reshape(-1, 1))
        return taken.view(len(batch), -1).sum(1)

    def asked(self, rows: Rows, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores of the tokens `told` behind the text, each after those before it."""
        whole = self.batch(Rows([[*ids, *told] for ids, told in zip(rows.ids, rows.told, strict=True)], rows.labels))
        prompt = self.settled(self.batch(rows), prompt)  # mixed by the text, and not by what is asked for
        states = self.hidden(whole.input_ids, whole.mask, prompt)[:, -whole.mask.shape[1] :]
        begins = whole.mask.shape[1] - torch.tensor([len(told) for told in rows.told], device=self.device)
        there = torch.arange(whole.mask.shape[1], device=self.device) >= begins.unsqueeze(1)
        said = self.model.get_output_embeddings()(states[:, :-1][there[:, 1:]])  # nothing of V where nothing is asked
        return said, whole.input_ids[there], there.nonzero()[:, 0]

    def answer_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the answers' tokens, as they stand behind the text, and the end token."""
        return [[*self.word_ids(apart(text)), self.end][: self.spec.max_length] for text in texts]

    @cached_property
    def end(self) -> int:
        """Return the token that ends an answer: the tokenizer's own where the model stops there."""
        own, known = self.tokenizer.eos_token_id, ends(self.model)
        if not known:
            raise BackboneError(
                f"the model '{self.spec.name}' does not say which token ends a text",
                "eos_token_id in its generation_config.json or config.json",
                "add it to the model's files",
            )
        return own if own in known else known[0]

    def hidden(self, input_ids: torch.Tensor, mask: torch.Tensor, prompt: Injection | None) -> torch.Tensor:
        """Return the last block's states of the joined rows, `[B, P + T, H]`, or `[B, T, H]` without the prompt's."""
        states, longest, once = self.read(input_ids, mask, prompt), mask.shape[1], saves(prompt, len(mask))
        if once and self.packable(prompt, longest):
            inputs = behind(states, mask, prompt.slots if prompt else 0)
        elif self.unpadded(prompt, longest) and not mask.all():
            inputs = join(states, mask, prompt)
        else:
            return self.padded(states, mask, prompt)
        group = GROUP_PLACES.get(self.device.type)
        return packed_states(self.model.base_model, {**inputs, "use_cache": False}, prompt, group)

    def padded(self, states: torch.Tensor, mask: torch.Tensor, prompt: Injection | None) -> torch.Tensor:
        """Return the last block's states `[B, P + T, H]` of texts' states `[B, T, H]`, run with their padding."""
        return last_states(self.model.base_model, {**join(states, mask, prompt), "use_cache": False}, prompt)

    @cached_property
    def packs(self) -> bool:
        """Say whether this model comes to the same states when its rows are packed; it is tried once."""
        states, mask, prompt = trial(self.table, self.side)
        inputs, there = {**behind(states, mask, prompt.slots), "use_cache": False}, mask.bool()
        return agree(
            self.model.base_model,
            lambda: packed_states(self.model.base_model, inputs, prompt, 12)[there],
            lambda: self.padded(states, mask, prompt)[:, prompt.slots :][there],
        )

    def generate(self, batch: Batch, prompt: Injection | None, **settings: Any) -> list[list[int]]:
        """Go on from each row; the prompt stands where it stood when it was trained."""
        refuse_mixing(prompt)
        settings |= {"pad_token_id": self.pad_id, "synced_gpus": self.sharded}
        if prompt is not None and (beyond_input(prompt) or settings.get("use_cache") is False):
            said = {"attention_mask": batch.mask, **settings, "use_cache": False}
            with (
                writing(self.model),
                replayed(self.model, lambda ids, mask: self.hidden(ids, mask, shared(prompt, ids))),
            ):
                written = self.model.generate(batch.input_ids, **said)
            return self.cut(written[:, batch.input_ids.shape[1] :])
        known = shared(prompt, batch.input_ids)
        inputs = join(self.read(batch.input_ids, batch.mask, known), batch.mask, known)
        inputs.pop("position_ids")  # generate counts them itself, from the mask
        with writing(self.model), accompanied(self.model.base_model, prompt):
            return self.cut(self.model.generate(**inputs, **settings))


def apart(answer: str) -> str:
    """Return an answer with the blank that parts it from the text; Chinese and its neighbours write none.

    Example:
        >>> apart("72"), apart("七十二")
        (' 72', '七十二')
    """
    return answer if answer >= WITHOUT_BLANKS else f" {answer}"


def join(states: torch.Tensor, mask: torch.Tensor, prompt: Injection | None) -> dict[str, torch.Tensor]:
    """Return a model's inputs for `[padding; prompt; text]`, from the texts' states `[B, T, H]`."""
    if prompt is not None and prompt.tokens is not None:
        states, mask = insert(states, mask, prompt.tokens.to(states.dtype))
    return behind(states, mask, prompt.length if prompt is not None and prompt.keys is not None else 0)


def behind(states: torch.Tensor, mask: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
    """Return a model's inputs for rows whose places are counted from behind so many."""
    return {"inputs_embeds": states, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp_min(0) + length}


def beyond_input(prompt: Injection) -> bool:
    """Say whether a prompt reaches every token of the text, also those that are still to be written."""
    return bool(prompt.block) or prompt.offset is not None or prompt.down is not None


def insert(states: torch.Tensor, mask: torch.Tensor, virtual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Put virtual tokens between the padding and the text of left-padded rows.

    Arguments:
        states: `[B, T, H]` the text's embeddings.
        mask: `[B, T]`, zeros first.
        virtual: `[B, P, H]`.

    Returns:
        `[B, P + T, H]` and its mask.

    Example:
        >>> text, mask = torch.tensor([[[0.0], [7.0]]]), torch.tensor([[0, 1]])
        >>> joined, seen = insert(text, mask, torch.tensor([[[1.0], [2.0]]]))
        >>> joined.flatten().tolist(), seen.tolist()
        ([0.0, 1.0, 2.0, 7.0], [[0, 1, 1, 1]])
    """
    rows, length, width = virtual.shape
    padding = (mask == 0).sum(1, keepdim=True)
    order = torch.arange(length + mask.shape[1], device=mask.device).expand(rows, -1)
    # In [prompt; text] a padding slot j comes from P + j, a prompt slot from j - padding, a text slot from itself.
    source = torch.where(order < padding, order + length, torch.where(order < padding + length, order - padding, order))
    joined = torch.cat([virtual, states], dim=1).gather(1, source.unsqueeze(-1).expand(-1, -1, width))
    seen = torch.cat([mask.new_ones(rows, length), mask], dim=1).gather(1, source)
    return joined, seen
