"""Rows without padding, and a causal prompt computed once for those that share it, come to what padded rows do."""

import pytest
import torch
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, MistralConfig, MistralForCausalLM

from softbridge.backbones import packed
from softbridge.batch import Rows
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.headed import headed
from softbridge.prompts.late import Late
from softbridge.prompts.prefix import Prefix
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from tests import pico

CAUSAL = [name for name in pico.BACKBONES if "llama" in name or "gpt2" in name]
PADDED = ("seq2seq", "modernbert")  # their attention counts its own places, or sees the nearest few alone
FAMILIES = [name for name in pico.BACKBONES if not any(part in name for part in PADDED)]
KINDS = {"soft": Soft(4), "late": Late(4, block=1), "prefix": Prefix(3), "longer than its texts": Soft(13)}


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setitem(packed.GROUP_PLACES, "cpu", 40)


def bank_of(backbone, kind, members=2):
    space = backbone.space()
    draws = [generator(i, "packed") for i in range(members)]
    return Bank({str(i): headed(kind.build(space, d), space, d) for i, d in enumerate(draws)})


def both_ways(backbone, kind, monkeypatch):
    """Return the places that the model computed, the scores and the gradients, packed and padded."""
    bank, draw = bank_of(backbone, kind), torch.Generator().manual_seed(1)
    rows = Rows(backbone.tokenise(pico.texts(12, 0)[0]), [0] * 12)
    owner, places = torch.randint(2, (12,), generator=draw), []
    backbone.score(backbone.batch(rows), bank(owner))  # which also finds out whether the two agree
    handle = backbone.model.base_model.register_forward_pre_hook(
        lambda module, given, told: places.append(told["inputs_embeds"].shape[:2].numel()), with_kwargs=True
    )
    found = []
    for packs in (True, False):
        monkeypatch.setitem(backbone.__dict__, "packs", packs)
        bank.zero_grad()
        scores = backbone.score(backbone.batch(rows), bank(owner))
        scores.square().sum().backward()
        found.append((places.pop(), scores.detach(), [p.grad.clone() for p in bank.parameters()]))
    handle.remove()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_are_padded_rows(family, kind, monkeypatch):
    backbone = pico.BACKBONES[family]()
    packed, padded = both_ways(backbone, KINDS[kind], monkeypatch)
    assert packed[0] < padded[0]
    torch.testing.assert_close(packed[1], padded[1], rtol=1e-5, atol=1e-5)
    for a, b in zip(packed[2], padded[2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1.0, b.abs().max().item()))


def test_where_nearby_places_are_all_a_local_encoder_packs_too(monkeypatch):
    backbone = pico.of_kind("masked", pico.modernbert(local=128))
    assert backbone.packs
    once, padded = both_ways(backbone, Soft(4), monkeypatch)
    assert once[0] < padded[0]
    torch.testing.assert_close(once[1], padded[1], rtol=1e-5, atol=1e-5)


def test_values_of_another_width_than_queries_pack():
    torch.manual_seed(0)
    latent = {"kv_lora_rank": 8, "q_lora_rank": None, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 12}
    dense = {"first_k_dense_replace": 2, "n_routed_experts": 2, "num_experts_per_tok": 1, "n_shared_experts": 1}
    config = DeepseekV2Config(
        **pico.SIZES, **pico.TOKENS, num_key_value_heads=2, moe_intermediate_size=16, **latent, **dense
    )
    assert pico.causal(DeepseekV2ForCausalLM(config).eval()).packs


@pytest.mark.parametrize("family", ["llama", "sentence"])
def test_a_row_in_bfloat16_has_few_sizes(family, monkeypatch):
    backbone = pico.BACKBONES[family]()
    backbone.model.to(torch.bfloat16)
    backbone.bind(["negative", "positive"])
    (places, scores, _), padded = both_ways(backbone, Soft(4), monkeypatch)
    assert places % 64 == 0
    torch.testing.assert_close(scores, padded[1], rtol=0.05, atol=0.1)


@pytest.mark.parametrize("family", ["llama", "sentence"])
def test_eager_attention_is_the_model_s_own(family, monkeypatch):
    backbone = pico.BACKBONES[family]()
    backbone.model.set_attn_implementation("eager")
    backbone.attends = "eager"
    (places, *_), padded = both_ways(backbone, Soft(4), monkeypatch)
    assert places == padded[0]
    assert backbone.model.config._attn_implementation == "eager"


@pytest.mark.parametrize("family", ["llama", "sentence"])
def test_places_that_fill_a_row_up_change_nothing(family, monkeypatch):
    (bare, *_), _ = both_ways(pico.BACKBONES[family](), Soft(4), monkeypatch)
    monkeypatch.setitem(packed.FULL, ("cpu", torch.float32), 64)
    full, padded = both_ways(pico.BACKBONES[family](), Soft(4), monkeypatch)
    assert bare < full[0] == -(-bare // 64) * 64
    torch.testing.assert_close(full[1], padded[1], rtol=1e-5, atol=1e-5)
    for a, b in zip(full[2], padded[2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", pico.BACKBONES)
def test_which_families_agree_is_found_out(family):
    assert pico.BACKBONES[family]().packs == (family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_takes_one_place_and_a_causal_prompt_stands_there_once(family, monkeypatch):
    backbone = pico.BACKBONES[family]()
    (places, *_), _ = both_ways(backbone, Soft(4), monkeypatch)
    tokens = sum(map(len, backbone.tokenise(pico.texts(12, 0)[0])))
    assert places == tokens + 4 * (2 if family in CAUSAL else 12)


@pytest.mark.parametrize("family", ["llama", "sentence"])
def test_a_model_that_comes_to_something_else_is_found_out(family, monkeypatch):
    monkeypatch.setattr(packed, "seen", lambda there, ahead, dtype, causal: None)
    backbone = pico.BACKBONES[family]()
    before = backbone.model.config._attn_implementation
    assert not backbone.packs
    assert backbone.model.config._attn_implementation == before


def test_attention_to_the_nearest_places_runs_padded(monkeypatch):
    torch.manual_seed(0)
    config = MistralConfig(**pico.SIZES, **pico.TOKENS, num_key_value_heads=1, sliding_window=40)
    backbone = pico.causal(MistralForCausalLM(config).eval())
    assert packed.local(backbone.config, 21)
    assert not packed.local(backbone.config, 20)
    monkeypatch.setitem(backbone.__dict__, "packs", True)
    monkeypatch.setattr("softbridge.backbones.causal.packed_states", lambda *_: pytest.fail("it was packed"))
    rows = Rows([[5] * 17] * 4, [0] * 4)
    backbone.score(backbone.batch(rows), bank_of(backbone, Soft(4), 1)(torch.zeros(4, dtype=torch.long)))


def test_a_prompt_mixed_for_each_text_is_no_longer_shared():
    shapes = {"tokens": (3, 32), "mix_keys": (1, 32), "mix_values": (1, 3, 32), "query_norm": (2, 32)}
    shapes |= {"query_down": (1, 32), "query_up": (32, 1)}
    prompt = Injection(**{n: torch.ones(2, *shape) for n, shape in shapes.items()}, member=torch.zeros(2))
    backbone = pico.causal()
    assert not packed.saves(prompt, 2)
    assert backbone.settled(backbone.batch(Rows([[5], [6]], [0, 0])), prompt).member is None
