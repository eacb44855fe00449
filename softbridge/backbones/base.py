"""A frozen pretrained model that a prompt enters, and that scores the classes of a text."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch

from softbridge.backbones.entrances import keys_and_values, states_below
from softbridge.backbones.generation import ends, mute
from softbridge.backbones.heads import ordinary_tokens
from softbridge.backbones.kept import Kept
from softbridge.backbones.mixing import attend, mixed, spread
from softbridge.backbones.packed import GROUP_PLACES, local
from softbridge.backbones.sharding import size, whole
from softbridge.batch import Batch, Rows, pad
from softbridge.errors import BackboneError
from softbridge.injection import Injection, Space, altered

Kind = Literal["sentence", "causal", "masked", "seq2seq", "encoder_classifier", "decoder_classifier"]


MIX = frozenset({"mix_keys", "mix_values", "query_down", "query_up", "query_norm"})
INPUT = frozenset({"tokens", "offset", "down", "down_bias", "up", "up_bias"}) | MIX  # what enters at the input
ABOVE = frozenset({"keys", "values", "block"})  # what enters above it


@dataclass(frozen=True)
class BackboneSpec:
    """Name a backbone and how it is to be run: the recipe's `backbone` keys.

    Arguments:
        name: a catalogue name (`softbridge assets ls`), a folder, or a hub id `org/name`.
        revision: the hub revision.
        hub: take a catalogue model from the model hub, at the catalogue's revision, instead of the package index.
        kind: a name of `softbridge ls backbones`; found from the model's own configuration when absent.
        temperature: divides the cosines of a sentence encoder, above 0.
        pooling: what an encoder classifier's head reads: the mean over the text's tokens, or [CLS].
        max_length: tokens a text is cut to, special tokens included, from 4.
        precision: `auto` measures once per device which is fastest.
        attention: `auto` measures once per device which is fastest.
        device: `auto`, `cpu`, `cuda`, `mps`.
        checkpointing: compute a block's inner states again on the way back: less memory, more time, the same numbers.
        bits: load weights in 4 or 8 bits, with the package bitsandbytes.
        device_map: `auto` spreads a model over all devices, as accelerate does it.
    """

    name: str
    revision: str | None = None
    hub: bool = False
    kind: Kind | None = None
    temperature: float = 0.05
    pooling: Literal["mean", "cls"] = "mean"
    max_length: int = 128
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    attention: Literal["auto", "sdpa", "eager", "matmul"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    checkpointing: bool = False
    bits: Literal[4, 8] | None = None
    device_map: Literal["auto"] | None = None

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise BackboneError(f"temperature is {self.temperature}", "a number above 0", "write temperature: 0.05")
        if self.max_length < 4:
            raise BackboneError(f"max_length is {self.max_length}", "a whole number from 4", "write max_length: 128")
        if self.device_map and self.device != "auto":
            raise BackboneError(
                f"device is {self.device}, and device_map is {self.device_map}",
                "one device, or a model that is spread over all",
                "leave one of the two out",
            )


class Backbone(ABC):
    """Hold a frozen model and its tokenizer, join prompts to texts, and score classes.

    Arguments:
        model: a transformers model; it is put into evaluation mode (no dropout) and frozen.
        tokenizer: its tokenizer.
        spec: how it is run.
    """

    kind: ClassVar[str]
    side: ClassVar[str]
    loader: ClassVar[str]  # the transformers class that loads it
    takes: ClassVar[frozenset[str]] = INPUT
    shares: ClassVar[bool] = False  # whether a prompt is computed once for the rows that have it
    writes: ClassVar[bool] = False  # whether it can answer with free text
    chosen: str = "as the recipe says"
    moving: bool = False  # whether the weights are trained, so that nothing that was computed once with them holds
    sharded: bool = False  # whether the processes of a launch hold parts, and must run the model equally often
    hub_id: str = ""
    revision: str = ""

    def __init__(self, model: Any, tokenizer: Any, spec: BackboneSpec) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.spec = replace(spec, kind=self.kind)  # type: ignore[arg-type]
        self.attends = model.config._attn_implementation  # as it was chosen; a prompt may open it later
        self.words: tuple[str, ...] = ()
        self.kept = Kept()
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id

    @abstractmethod
    def bind(self, words: Sequence[str]) -> None:
        """Set the task's classes by their label words or descriptions, and compute once what they need."""

    def score(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores, of what a mixing prompt comes to on each row.

        Arguments:
            batch: B rows.
            prompt: what enters, for each row; or None.

        Returns:
            `[B, C]` in float32; their softmax is `p(y | x)`.
        """
        if prompt is None or not prompt.votes:
            return self.scores(batch, self.settled(batch, prompt))
        weights = self.attention(batch, prompt)
        many = weights.shape[1]
        every = torch.arange(len(batch), device=self.device).repeat_interleave(many)
        each = self.scores(batch.take(every), spread(prompt, many))
        return (weights.unsqueeze(-1) * each.view(len(batch), many, -1)).sum(1)

    @abstractmethod
    def scores(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return the classes' scores `[B, C]` with a prompt that mixes nothing."""

    @abstractmethod
    def vectors(self, batch: Batch, prompt: Injection | None) -> torch.Tensor:
        """Return what the classes are read from, `[B, H]` in float32."""

    def attention(self, batch: Batch, prompt: Injection) -> torch.Tensor:
        """Return the weights `[B, M]` of the prompts that are mixed."""
        return attend(self.embed(batch.input_ids), batch.mask, prompt)

    def settled(self, batch: Batch, prompt: Injection | None) -> Injection | None:
        """Return the prompt of each row, where several are mixed into one."""
        if prompt is None or prompt.mix_values is None:
            return prompt
        return mixed(prompt, self.attention(batch, prompt))

    def reading(self) -> tuple[Any, int]:
        """Return the part of the model that classes are read from, and the slot in it of a text of one token."""
        return self.model.base_model, -1

    @abstractmethod
    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return token ids with the special tokens the backbone wants, cut to `max_length`."""

    def asked(self, rows: Rows, prompt: Injection | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the vocabulary's scores at every token that the rows are asked for, the tokens, and their rows.

        Arguments:
            rows: B rows; what each is asked for has the form of this kind of backbone.
            prompt: what enters, for each row; or None.

        Returns:
            `[A, V]`, `[A]` and `[A]`, row after row.
        """
        raise BackboneError(f"{self.kind} backbones say no words", "a model with a head over words", "ask for labels")

    def answer_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return what rows are asked for whose answers are free text: these and their end, cut to `max_length`.

        Raises:
            BackboneError: when models of this kind write no text.
        """
        raise mute(self.spec.name, self.kind)

    def generate(self, batch: Batch, prompt: Injection | None, **settings: Any) -> list[list[int]]:
        """Go on from each row with the prompt in it, and return the new tokens' ids.

        Arguments:
            batch: B rows, padded on the backbone's side.
            prompt: the injection of one row, which all rows share; or None.
            settings: what the model's own `generate` takes: `max_new_tokens`, `do_sample`, `num_beams`, `use_cache`,
                `cache_implementation`, ...

        Returns:
            B lists (times `num_return_sequences`), up to the first end token.

        Raises:
            BackboneError: when models of this kind write no text.
        """
        raise mute(self.spec.name, self.kind)

    def cut(self, written: torch.Tensor) -> list[list[int]]:
        """Return rows of new token ids without what follows the first end token."""
        rows, stops = written.tolist(), {*ends(self.model), self.pad_id}
        return [row[: next((i for i, token in enumerate(row) if token in stops), len(row))] for row in rows]

    @property
    def config(self) -> Any:
        """Return the configuration of the model's text part."""
        return self.model.config.get_text_config()

    @property
    def table(self) -> torch.Tensor:
        """Return the frozen word embeddings `[V, H]`."""
        return self.model.get_input_embeddings().weight

    @property
    def device(self) -> torch.device:
        """Return the device that the model is on."""
        return self.table.device

    def embed(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return the tokens' embeddings as the first block reads them, `[B, T, H]`."""
        return self.model.get_input_embeddings()(input_ids)

    @property
    def packs(self) -> bool:
        """Say whether this model comes to the same states when its rows stand in one."""
        return False

    def packable(self, prompt: Injection | None, longest: int) -> bool:
        """Say whether texts of up to so many tokens can stand in one row; `eager` is the model's own attention."""
        slots = prompt.slots if prompt else 0
        return self.attends != "eager" and not local(self.config, slots + longest) and self.packs

    def unpadded(self, prompt: Injection | None, longest: int) -> bool:
        """Say whether texts of up to so many tokens run without padding outside attention on this device."""
        return self.device.type in GROUP_PLACES and self.packable(prompt, longest)

    @property
    def first_position(self) -> int:
        """Return the first token's position."""
        return 0

    def read(self, input_ids: torch.Tensor, mask: torch.Tensor, prompt: Injection | None) -> torch.Tensor:
        """Return the text's states `[B, T, H]` where the prompt enters, with what the prompt adds to embeddings."""
        if prompt is not None and prompt.block:
            return self.below(input_ids, mask, prompt)
        states = self.embed(input_ids)
        if prompt is None or prompt.offset is prompt.down is None:
            return states
        return altered(states, mask, prompt)

    def below(self, input_ids: torch.Tensor, mask: torch.Tensor, prompt: Injection) -> torch.Tensor:
        """Return the text's states `[B, T, H]` before the prompt's block: no prompt is in them, so rows are kept.

        Every row is computed alone, so that what is kept does not depend on which rows came together.
        """
        states = torch.zeros(*input_ids.shape, self.table.shape[1], device=self.device, dtype=self.table.dtype)
        for i, (ids, seen) in enumerate(zip(input_ids, mask.bool(), strict=True)):
            states[i, seen] = self.row_below(tuple(ids[seen].tolist()), prompt.block, prompt.length)
        return states

    def row_below(self, ids: tuple[int, ...], block: int, length: int) -> torch.Tensor:
        """Return one row's states `[T, H]` before a block, behind P places that are the prompt's."""
        key = (ids, block, length)
        states = self.kept.get(key)
        if states is None:
            row = torch.tensor([ids], device=self.device)
            positions = torch.arange(len(ids), device=self.device).unsqueeze(0) + length + self.first_position
            inputs = {"inputs_embeds": self.embed(row), "attention_mask": torch.ones_like(row)}
            states = states_below(self.model.base_model, block, {**inputs, "position_ids": positions})[0]
            self.kept.put(key, states)
        return states

    def batch(self, rows: Rows) -> Batch:
        """Pad rows on the backbone's side and move them to its device."""
        return pad(rows, self.pad_id, self.side, self.spec.max_length).to(self.device)

    def space(self) -> Space:
        """Return what a prompt may know of this backbone."""
        config, every = self.config, torch.arange(len(self.table), device=self.device)
        heads = config.num_attention_heads
        return Space(
            table=self.embed(every).detach().float().cpu(),  # not `table`: some models scale what they look up
            tokenise=self.word_ids,
            common=ordinary_tokens(self.tokenizer),
            labels=self.words,
            layers=config.num_hidden_layers,
            groups=getattr(config, "num_key_value_heads", None) or heads,
            depth=getattr(config, "head_dim", None) or config.hidden_size // heads,
            rows=self.spec.max_length,
            cache=self.cache,
            states=lambda ids, block: self.row_below(tuple(ids), block, 0).float().cpu().clone(),
        )

    def cache(self, ids: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values `[K, G, P, D]` of a text's P tokens."""
        row = torch.tensor([list(ids)], device=self.device)
        inputs = {"inputs_embeds": self.embed(row), "attention_mask": torch.ones_like(row)}
        return keys_and_values(self.model.base_model, inputs)

    def word_ids(self, text: str) -> list[int]:
        """Return a text's token ids without special tokens."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def fingerprint(self) -> str:
        """Return the sha256 over all weights; equal before and after training, because the backbone is frozen."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict(keep_vars=True).items()):
            digest.update(name.encode())
            digest.update(whole(tensor).detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @cached_property
    def special(self) -> frozenset[int]:
        """Return the ids that stand for no text."""
        return frozenset(self.tokenizer.all_special_ids)

    @cached_property
    def tokenizer_hash(self) -> str:
        """Return the sha256 over the vocabulary, in the order of the ids."""
        words = sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return hashlib.sha256("\n".join(word for word, _ in words).encode()).hexdigest()

    def require_words(self) -> None:
        """Raise where no classes were bound yet."""
        if not self.words:
            raise BackboneError("the backbone has no classes", "label words", "call backbone.bind(words) first")

    def describe(self) -> dict[str, Any]:
        """Return what a record says of this backbone."""
        return {
            "name": self.spec.name,
            "hub_id": self.hub_id,
            "revision": self.revision,
            "kind": self.kind,
            "parameters": sum(size(p) for p in self.model.parameters()),
            "precision": str(self.table.dtype).removeprefix("torch."),
            "attention": self.attends,
            "chosen": self.chosen,
        }
