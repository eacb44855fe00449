"""An E5S1 file made here by the format's description becomes a BERT folder with these weights and this tokenizer."""

import struct

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from softbridge.assets import e5s1
from softbridge.assets.convert import CONVERTERS

WIDTH, WORDS = 32, ["<s>", "<pad>", "</s>", "<unk>", "\u2581good", "\u2581", "d", "<mask>"]
WEIGHTS = ["q", "k", "v", "ao", "fi", "fo"]


def shapes():
    """Return the short name and the shape of each tensor of one layer of width 32."""
    yield from [("emb.word", (len(WORDS), WIDTH)), ("emb.pos", (8, WIDTH)), ("emb.type", (2, WIDTH))]
    wide = {"fi": (2 * WIDTH, WIDTH), "fo": (WIDTH, 2 * WIDTH)}
    yield from [(f"l0.{name}.w", wide.get(name, (WIDTH, WIDTH))) for name in WEIGHTS]
    yield from [(f"l0.{name}.b", wide.get(name, (WIDTH, WIDTH))[:1]) for name in WEIGHTS]
    yield from [(f"{name}.{end}", (WIDTH,)) for name in ("emb.ln", "l0.aln", "l0.oln") for end in "wb"]


def packed(values):
    """Return Q4_0 bytes of whole numbers in -8..7 times a scale of a half, one block of 32 after the other."""
    q = (values.reshape(-1, 32) * 2 + 8).astype(np.uint8)
    return b"".join(np.float16(0.5).tobytes() + (row[:16] | row[16:] << 4).tobytes() for row in q)


@pytest.fixture
def made(tmp_path):
    """Return the file and its weights."""
    draw = np.random.default_rng(0)
    weights = {name: draw.integers(-8, 8, shape) / 2 for name, shape in shapes()}
    text = "".join(WORDS).encode()
    ends = np.cumsum([0, *(len(word.encode()) for word in WORDS)]).tolist()
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, 2 * WIDTH, len(WORDS), 8, 2, 1e-12, 32)
    head += struct.pack(f"<5iQ{len(ends)}I{len(WORDS)}f", len(WORDS), 0, 2, 1, 3, len(text), *ends, *range(len(WORDS)))
    head += text + struct.pack("<2i", 1, 3) + b"xyz" + struct.pack("<i", len(weights))
    bodies = {n: packed(w) if w.ndim == 2 and "l0" in n else w.astype("<f4").tobytes() for n, w in weights.items()}
    start = len(head) + sum(2 + len(name) + 21 for name in weights)
    for name, body in bodies.items():
        is_packed = weights[name].ndim == 2 and "l0" in name
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", is_packed, weights[name].size, start, len(body))
        start += len(body)
    (tmp_path / "e5.bin").write_bytes(head + b"".join(bodies.values()))
    return tmp_path / "e5.bin", weights


def test_the_folder_loads_with_the_weights_and_the_tokenizer(made, tmp_path):
    source, weights = made
    CONVERTERS["e5s1"](source, tmp_path / "model")
    model = AutoModel.from_pretrained(tmp_path / "model", dtype=torch.float32, add_pooling_layer=False)
    layer = model.encoder.layer[0]
    assert torch.equal(layer.attention.self.query.weight, torch.tensor(weights["l0.q.w"]).float())
    assert torch.equal(layer.output.dense.weight, torch.tensor(weights["l0.fo.w"]).float())
    assert torch.equal(layer.output.LayerNorm.bias, torch.tensor(weights["l0.oln.b"]).float())
    assert model.config.layer_norm_eps == pytest.approx(1e-12)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer("good good")["input_ids"] == [0, 4, 4, 2]
    assert (tokenizer.pad_token, tokenizer.model_max_length) == ("<pad>", 8)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="no E5S1 file of version 1"):
        e5s1.read(b"GGUF" + bytes(80))
