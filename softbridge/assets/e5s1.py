"""Read the E5S1 file, which holds an E5 encoder's four-bit weights and its tokenizer in one piece.

After the header come the tokenizer's pieces, a table of character normalisations (left out: NFKC stands for it), the
tensors' directory and their bytes. Numbers are little-endian.
"""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

# torch, tokenizers and transformers are imported inside: `softbridge assets ls` must answer at once.

HEADER = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
BLOCK = 32  # weights under one scale
NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Reader:
    """Read numbers one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Return the next numbers, in `struct`'s notation."""
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        self.at += count
        return self.data[self.at - count : self.at]


class Contents(NamedTuple):
    """What the file holds."""

    config: dict[str, Any]
    pieces: list[tuple[str, float]]
    special: dict[str, str]
    tensors: dict[str, np.ndarray]


def read(data: bytes) -> Contents:
    """Return what an E5S1 file holds, its weights as float32.

    Raises:
        ValueError: when the bytes do not begin as such a file does.
    """
    reader = Reader(data)
    magic, version, *sizes = reader.take("4sI7i")
    if (magic, version) != (b"E5S1", 1):
        raise ValueError(f"this is no E5S1 file of version 1: it begins with {magic!r}, version {version}")
    epsilon, _ = reader.take("fi")
    config = dict(zip((*HEADER, "max_position_embeddings", "type_vocab_size"), sizes, strict=True))
    pieces, special = _pieces(reader)
    _, size = reader.take("2i")
    reader.bytes(size)
    tensors = {}
    for _ in range(reader.take("i")[0]):
        name = reader.bytes(reader.take("H")[0]).decode()
        packed, count, start, size = reader.take("BIQQ")
        tensors[name] = (_unpacked if packed else _floats)(data[start : start + size], count)
    return Contents(config | {"layer_norm_eps": epsilon}, pieces, special, tensors)


def _pieces(reader: Reader) -> tuple[list[tuple[str, float]], dict[str, str]]:
    count, *special = reader.take("5i")
    (size,) = reader.take("Q")
    ends = reader.take(f"{count + 1}I")
    scores = reader.take(f"{count}f")
    text = reader.bytes(size)
    words = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
    return list(zip(words, scores, strict=True)), {name: words[i] for name, i in zip(SPECIAL, special, strict=True)}


def _floats(data: bytes, count: int) -> np.ndarray:
    return np.frombuffer(data, np.float32, count)


def _unpacked(data: bytes, count: int) -> np.ndarray:
    """Return Q4_0 weights: per block one float16 scale and 16 bytes, the low halves first; `(q - 8) * scale`."""
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "u1", BLOCK // 2)]), count // BLOCK)
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32) - 8
    return (q * blocks["scale"].astype(np.float32)[:, None]).reshape(count)


def convert(source: Path, target: Path) -> None:
    """Save an E5S1 file as an ordinary BERT model's folder in float16, with its tokenizer.

    Arguments:
        source: the `.bin` file.
        target: the folder to write to; it holds `model.safetensors`, `config.json`, and the tokenizer.
    """
    import torch
    from transformers import BertConfig, BertModel

    contents = read(source.read_bytes())
    model = BertModel(BertConfig(**contents.config), add_pooling_layer=False)
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    named = {_name(name): torch.tensor(values) for name, values in contents.tensors.items()}
    weights: dict[str, torch.Tensor] = {name: values.view(shapes[name]) for name, values in named.items()}
    model.load_state_dict(weights, strict=True)
    model.half().save_pretrained(target)
    _save_tokenizer(contents, target)


def _name(short: str) -> str:
    """Return transformers' name of a tensor.

    Example:
        >>> _name("l3.aln.b"), _name("emb.word")
        ('encoder.layer.3.attention.output.LayerNorm.bias', 'embeddings.word_embeddings.weight')
    """
    if short in NAMES:
        return NAMES[short]
    part, _, kind = short.rpartition(".")
    layer, _, rest = part.partition(".")
    inner = NAMES[part] if part in NAMES else f"encoder.layer.{layer[1:]}.{NAMES[rest]}"
    return f"{inner}.{'weight' if kind == 'w' else 'bias'}"


def _save_tokenizer(contents: Contents, target: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [word for word, _ in contents.pieces]
    special = contents.special
    tokenizer = Tokenizer(models.Unigram(contents.pieces, unk_id=words.index(special["unk_token"])))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    ends = [(special[name], words.index(special[name])) for name in ("bos_token", "eos_token")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{ends[0][0]} $A {ends[1][0]}", special_tokens=ends
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=contents.config["max_position_embeddings"],
        cls_token=special["bos_token"],
        sep_token=special["eos_token"],
        **special,
    )
    fast.save_pretrained(target)
