"""Pico models and toy domains, made in memory: whole pipelines run in seconds, with no download."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.causal import CausalBackbone
from softbridge.backbones.sentence import SentenceBackbone

GOOD = ["good", "fine", "great", "lovely", "superb"]
BAD = ["bad", "poor", "awful", "sad", "dire"]
PLAIN = [f"w{i}" for i in range(40)]
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "positive", "negative", *GOOD, *BAD, *PLAIN]


def tokenizer(encoder: bool) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows `WORDS`, one token each."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if encoder:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    )


def bert() -> BertModel:
    """Return a BERT 32 wide with 2 blocks."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.2,
        max_position_embeddings=64,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def llama() -> LlamaForCausalLM:
    """Return a Llama 32 wide with 2 blocks and grouped queries."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


def gpt2() -> GPT2LMHeadModel:
    """Return a GPT-2 32 wide with 2 blocks: learned positions."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return GPT2LMHeadModel(config).eval()


def sentence(**keys: object) -> SentenceBackbone:
    """Return a pico sentence encoder bound to two classes."""
    backbone = SentenceBackbone(bert(), tokenizer(True), BackboneSpec("pico", **{"max_length": 32, **keys}))
    backbone.bind(["negative", "positive"])
    return backbone


def causal(model: torch.nn.Module | None = None, words: tuple[str, ...] = ("negative", "positive")) -> CausalBackbone:
    """Return a pico causal model bound to two classes."""
    backbone = CausalBackbone(model or llama(), tokenizer(False), BackboneSpec("pico", max_length=32))
    backbone.bind(list(words))
    return backbone


BACKBONES = {"sentence": sentence, "llama": causal, "gpt2": lambda: causal(gpt2())}


def texts(count: int, seed: int, length: tuple[int, int] = (3, 9)) -> tuple[list[str], list[str]]:
    """Return toy reviews and their labels: a good or a bad word among plain ones."""
    draw = random.Random(seed)
    rows, labels = [], []
    for i in range(count):
        label = "positive" if i % 2 else "negative"
        words = draw.choices(PLAIN, k=draw.randint(*length))
        words.insert(draw.randrange(len(words)), draw.choice(GOOD if i % 2 else BAD))
        rows.append(f"{' '.join(words)} w{i % 40}")
        labels.append(label)
    return rows, labels


def frame(count: int = 120, seed: int = 0) -> Dataset:
    """Return a toy domain's rows."""
    rows, labels = texts(count, seed)
    return Dataset.from_dict({"text": rows, "label": labels})


def save_backbone(folder: Path, kind: str = "sentence") -> Path:
    """Save a pico backbone as a folder that `from_pretrained` loads."""
    encoder = kind == "sentence"
    (bert() if encoder else llama()).save_pretrained(folder)
    tokenizer(encoder).save_pretrained(folder)
    return folder
