"""Keys and values in every layer, and tokens before a later block: what PEFT computes, padding, checkpointing."""

import pytest
import torch
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from softbridge.backbones.attention import register
from softbridge.backbones.entrances import blocks
from softbridge.batch import Rows
from softbridge.errors import BackboneError, PromptError
from softbridge.injection import Injection
from softbridge.prompts.card import Card
from softbridge.prompts.files import load, save
from softbridge.prompts.late import Late
from softbridge.prompts.prefix import Prefix
from softbridge.seeding import generator
from tests import pico

SIZES = {"vocab_size": len(pico.WORDS), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {**SIZES, **SPECIAL, "intermediate_size": 64, "num_key_value_heads": 2, "initializer_range": 0.2}


def of(config, model):
    torch.manual_seed(0)
    return pico.causal(model(config).eval())


CAUSAL = {
    "llama": pico.causal,
    "gpt2": lambda: pico.causal(pico.gpt2()),
    "qwen2": lambda: of(Qwen2Config(**GROUPED), Qwen2ForCausalLM),
    "gemma": lambda: of(GemmaConfig(**GROUPED, head_dim=8), GemmaForCausalLM),
    "opt": lambda: of(
        OPTConfig(**SIZES, **SPECIAL, ffn_dim=64, word_embed_proj_dim=32, init_std=0.2, max_position_embeddings=64),
        OPTForCausalLM,
    ),
    "gpt-neox": lambda: of(
        GPTNeoXConfig(**SIZES, **SPECIAL, intermediate_size=64, initializer_range=0.2, max_position_embeddings=64),
        GPTNeoXForCausalLM,
    ),
}
KINDS = {"prefix": Prefix(length=3), "late": Late(length=3, block=1)}


@pytest.fixture(params=CAUSAL)
def causal(request):
    return CAUSAL[request.param]()


def rows(backbone, count=5):
    texts, _ = pico.texts(count, 3)
    return Rows(backbone.tokenise(texts), [0] * count)


def built(kind, backbone):
    made = KINDS[kind].build(backbone.space(), generator(0, "init"))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(1, "noise")))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_causal_family_hears_it_and_padding_does_not_matter(kind, causal):
    made, every = built(kind, causal).bake(), rows(causal)
    together = causal.score(causal.batch(every), made.pick(torch.zeros(5, dtype=torch.long)))
    assert (together - causal.score(causal.batch(every), None)).abs().max() > 1e-3
    alone = torch.cat([causal.score(causal.batch(every.take([i])), made) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_prefix_is_what_peft_computes(causal, tmp_path):
    from peft import PeftModel

    made = built("prefix", causal).bake()
    config = causal.config
    card = Card(
        "org/pico", None, "causal", config.num_hidden_layers, config.num_attention_heads, "f00d", 3, 32, "text", 0
    )
    save(tmp_path / "prefix", made, card)
    assert torch.equal(load(tmp_path / "prefix").injection.keys, made.keys)
    every = rows(causal)
    ours = causal.score(causal.batch(every), made.pick(torch.zeros(5, dtype=torch.long)))
    words = [ids[0] for ids in causal.answers]
    peft = PeftModel.from_pretrained(causal.model, tmp_path / "prefix").eval()
    for i, ids in enumerate(every.ids):
        theirs = peft(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0, -1, words]
        torch.testing.assert_close(ours[i], theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "gpt2", "sentence"])
def test_gradients_arrive_under_gradient_checkpointing(kind, family):
    """A checkpointed block runs a second time on the way back, and must meet the same prompt there."""
    gradients = []
    for checkpointed in (False, True):
        backbone = CAUSAL[family]() if family in CAUSAL else pico.sentence()
        made = built(kind, backbone)
        if checkpointed:
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
            backbone.model.train()  # transformers checkpoints only then; the pico models' dropout is switched off below
            for part in backbone.model.modules():
                if isinstance(part, torch.nn.Dropout):
                    part.p = 0.0
            for part in blocks(backbone.model.base_model).modules():
                for name in ("attention_dropout", "dropout", "attn_dropout", "dropout_prob"):
                    if isinstance(getattr(part, name, None), float):
                        setattr(part, name, 0.0)
        pick = torch.zeros(5, dtype=torch.long)
        backbone.score(backbone.batch(rows(backbone)), made().pick(pick))[:, 0].sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in made.parameters()]))
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ["eager", "sdpa", "softbridge_matmul"])
def test_every_attention_computes_the_same(attention):
    backbone, plain = pico.causal(), pico.causal()
    register()
    backbone.model.set_attn_implementation(attention)
    made, pick = built("prefix", plain).bake(), torch.zeros(5, dtype=torch.long)
    found = backbone.score(backbone.batch(rows(backbone)), made.pick(pick))
    torch.testing.assert_close(found, plain.score(plain.batch(rows(plain)), made.pick(pick)), atol=1e-5, rtol=1e-4)


def test_an_opened_model_computes_without_a_prompt_what_it_did():
    backbone = pico.causal()
    before = backbone.score(backbone.batch(rows(backbone)), None)
    backbone.score(backbone.batch(rows(backbone).take([0])), built("prefix", backbone).bake())
    torch.testing.assert_close(backbone.score(backbone.batch(rows(backbone)), None), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_prefix_of_a_text_s_own_keys_is_the_text(family):
    """The defining property: with a text's keys and values as prefix, a row reads as if the text stood before it."""
    backbone = CAUSAL[family]()
    every = rows(backbone, 1)
    before, after = every.ids[0][:3], every.ids[0][3:]
    keys, values = backbone.cache(before)
    made = Injection(keys=keys.unsqueeze(0), values=values.unsqueeze(0))
    whole = backbone.score(backbone.batch(every), None)
    split = backbone.score(backbone.batch(Rows([after], [0])), made)
    torch.testing.assert_close(split, whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "sentence"])
def test_below_a_late_prompt_nothing_knows_of_it_and_rows_are_computed_once(family):
    backbone = CAUSAL[family]() if family in CAUSAL else pico.sentence()
    batch, made = backbone.batch(rows(backbone)), built("late", backbone).bake()
    pick = torch.zeros(5, dtype=torch.long)
    first = backbone.read(batch.input_ids, batch.mask, made.pick(pick))
    other = made.each(lambda part: part + 1).pick(pick)
    assert torch.equal(backbone.read(batch.input_ids, batch.mask, other), first)
    assert backbone.packs  # which is found out by running the model, once
    ran = []
    handle = blocks(backbone.model.base_model)[0].register_forward_pre_hook(lambda *_: ran.append(1))
    backbone.score(batch, other)
    handle.remove()
    assert not ran, "the block below ran again"


def test_reparameterised_prefixes_start_where_the_plain_one_does():
    backbone = pico.causal()
    plain, through = (
        Prefix(length=3, reparameterise=r).build(backbone.space(), generator(0, "init")).bake() for r in (False, True)
    )
    torch.testing.assert_close(through.keys, plain.keys, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("init", ["text", "random", "zero"])
def test_every_start_of_a_prefix(init):
    backbone = pico.causal()
    made = Prefix(length=3, init=init).build(backbone.space(), generator(0, "init")).bake()
    assert made.keys.shape == (1, 2, 2, 3, 8)
    assert (made.keys.abs().max() == 0) == (init == "zero")


def test_starts_that_do_not_fit_are_refused():
    backbone = pico.causal()
    tokens = Injection(torch.ones(1, 3, 32))
    with pytest.raises(PromptError, match="keys and values in every layer"):
        Prefix(length=3).build(backbone.space(), generator(0), tokens)
    with pytest.raises(PromptError, match="virtual tokens before block 1"):
        Late(length=3, block=1).build(backbone.space(), generator(0), tokens)
    with pytest.raises(PromptError, match="has 2 blocks"):
        Late(length=3, block=2).build(backbone.space(), generator(0))
    with pytest.raises(BackboneError, match="from 1 to 1"):
        backbone.score(backbone.batch(rows(backbone)), Injection(torch.ones(5, 3, 32), block=7))
