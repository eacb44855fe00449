"""Pico models and toy domains, made in memory: whole pipelines run in seconds, with no download."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.causal import CausalBackbone
from softbridge.backbones.sentence import SentenceBackbone
from softbridge.backbones.table import BACKBONES as KINDS

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


def word_tokenizer(form: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer of `WORDS` and `[MASK]`, one token each, that puts special tokens as a form says."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*WORDS, "[MASK]"])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single=form, special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]", eos_token="[SEP]", **special)


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TOKENS = {"vocab_size": len(WORDS) + 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LONG = {"max_position_embeddings": 64}


def masked_bert() -> BertForMaskedLM:
    """Return a BERT with its head for masked words."""
    torch.manual_seed(0)
    return BertForMaskedLM(BertConfig(**SIZES, **TOKENS, **LONG, initializer_range=0.2)).eval()


def roberta() -> RobertaForMaskedLM:
    """Return a RoBERTa: positions are counted from behind the padding's."""
    torch.manual_seed(0)
    return RobertaForMaskedLM(RobertaConfig(**SIZES, **TOKENS, **LONG, initializer_range=0.2)).eval()


def modernbert(local: int = 8) -> ModernBertForMaskedLM:
    """Return a ModernBERT: rotary positions, and a block of local attention, half of `local` tokens to each side."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        **{**SIZES, "num_hidden_layers": 3},
        **TOKENS,
        **LONG,
        cls_token_id=1,
        sep_token_id=2,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        local_attention=local,
        initializer_range=0.3,
        initializer_cutoff_factor=2.0,
    )
    return ModernBertForMaskedLM(config).eval()


def t5(tied: bool = True) -> T5ForConditionalGeneration:
    """Return a T5: relative positions, and where embeddings are tied a scaled decoder."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(WORDS) + 1,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
        tie_word_embeddings=tied,
        pad_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(config).eval()


def bart() -> BartForConditionalGeneration:
    """Return a BART whose embeddings are scaled: learned positions, and a decoder that opens with two tokens."""
    torch.manual_seed(0)
    config = BartConfig(
        **TOKENS,
        **LONG,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        init_std=0.2,
        scale_embedding=True,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    model = BartForConditionalGeneration(config).eval()
    model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(1))
    return model


def of_kind(
    kind: str, model: torch.nn.Module, words: tuple[str, ...] = ("negative", "positive"), **keys: object
) -> Backbone:
    """Return a pico backbone of a kind, bound to its classes."""
    form = {"seq2seq": "[CLS] $A [SEP]" if model.config.model_type == "bart" else "$A [SEP]"}
    told = tokenizer(False) if kind == "decoder_classifier" else word_tokenizer(form.get(kind, "[CLS] $A [SEP]"))
    backbone = KINDS[kind](model, told, BackboneSpec("pico", **{"max_length": 32, **keys}))
    backbone.bind(list(words))
    return backbone


# Every kind of backbone in its families.
BACKBONES: dict[str, Callable[[], Backbone]] = {
    "sentence": sentence,
    "llama": causal,
    "gpt2": lambda: causal(gpt2()),
    "masked bert": lambda: of_kind("masked", masked_bert()),
    "masked roberta": lambda: of_kind("masked", roberta()),
    "masked modernbert": lambda: of_kind("masked", modernbert()),
    "seq2seq t5": lambda: of_kind("seq2seq", t5()),
    "seq2seq bart": lambda: of_kind("seq2seq", bart()),
    "encoder_classifier bert": lambda: of_kind("encoder_classifier", bert()),
    "encoder_classifier roberta": lambda: of_kind("encoder_classifier", roberta().base_model, pooling="cls"),
    "encoder_classifier modernbert": lambda: of_kind("encoder_classifier", modernbert().base_model, pooling="cls"),
    "decoder_classifier llama": lambda: of_kind("decoder_classifier", llama().base_model),
    "decoder_classifier gpt2": lambda: of_kind("decoder_classifier", gpt2().base_model),
}


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
    made = {
        "sentence": (bert, lambda: tokenizer(True)),
        "causal": (llama, lambda: tokenizer(False)),
        "masked": (modernbert, lambda: word_tokenizer("[CLS] $A [SEP]")),
        "seq2seq": (t5, lambda: word_tokenizer("$A [SEP]")),
        "encoder_classifier": (bert, lambda: tokenizer(True)),
        "decoder_classifier": (llama, lambda: tokenizer(False)),
    }
    for part in made[kind]:
        part().save_pretrained(folder)
    return folder
