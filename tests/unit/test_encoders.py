"""Encoders beyond BERT and RoBERTa: whether their rows stand in one, and what a prefix comes to there."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    MobileBertConfig,
    MobileBertModel,
    MPNetConfig,
    MPNetModel,
)

from softbridge.batch import Rows
from softbridge.errors import BackboneError
from softbridge.prompts.prefix import Prefix
from softbridge.seeding import generator
from tests import pico

TOLD = {**pico.SIZES, **pico.LONG, "vocab_size": len(pico.WORDS) + 1, "initializer_range": 0.2}
NARROW = {**TOLD, "embedding_size": 16}
OWN = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
MADE = {
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**{**TOLD, **OWN})),
    "electra": lambda: ElectraModel(ElectraConfig(**NARROW)),
    "albert": lambda: AlbertModel(AlbertConfig(**NARROW)),
    "mpnet": lambda: MPNetModel(MPNetConfig(**TOLD)),
    "mobilebert": lambda: MobileBertModel(MobileBertConfig(**NARROW, intra_bottleneck_size=16)),
}


def encoder(name):
    torch.manual_seed(0)
    return pico.of_kind("sentence", MADE[name]().eval())


@pytest.mark.parametrize("name", MADE)
def test_rows_stand_in_one_where_a_block_mixes_places_by_attention_alone(name):
    """ALBERT has one block for all layers, MPNet its own attention, and MobileBERT reads a token's neighbours."""
    backbone = encoder(name)
    before = backbone.model.config._attn_implementation
    assert backbone.packs == (name in ("distilbert", "electra"))
    assert backbone.packs or backbone.model.config._attn_implementation == before


@pytest.mark.parametrize("name", MADE)
def test_a_prefix_reaches_every_layer_or_is_refused(name):
    backbone = encoder(name)
    batch = backbone.batch(Rows([[5, 6], [7]], [0, 0]))
    bare = backbone.score(batch, None)
    if name in ("albert", "mpnet"):
        with pytest.raises(BackboneError, match=r"choose (another prompt|a prompt that enters at the input)"):
            Prefix(3).build(backbone.space(), generator(0, "init"))
        return
    made = Prefix(3).build(backbone.space(), generator(0, "init")).bake().pick(torch.zeros(2, dtype=torch.long))
    assert backbone.score(batch, made).shape == bare.shape
    assert not torch.allclose(backbone.score(batch, made), bare)
