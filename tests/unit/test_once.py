"""A causal prompt is computed once for the rows that share it, and comes to what it does joined to each row."""

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from softbridge.backbones import once
from softbridge.batch import Rows
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.headed import headed
from softbridge.prompts.late import Late
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from tests import pico

CAUSAL = ["llama", "gpt2", "decoder_classifier llama", "decoder_classifier gpt2"]
KINDS = {"soft": Soft(4), "late": Late(4, block=1), "longer than its texts": Soft(13)}


def bank_of(backbone, kind, members=2):
    space = backbone.space()
    draws = [generator(i, "once") for i in range(members)]
    return Bank({str(i): headed(kind.build(space, d), space, d) for i, d in enumerate(draws)})


def both_ways(backbone, kind, monkeypatch):
    """Return the places that the model computed, the scores and the gradients, with the prompt once and joined."""
    bank, draw = bank_of(backbone, kind), torch.Generator().manual_seed(1)
    rows = Rows(backbone.tokenise(pico.texts(12, 0)[0]), [0] * 12)
    owner = torch.randint(2, (12,), generator=draw)
    backbone.score(backbone.batch(rows), bank(owner))  # which also finds out whether the two agree
    found = []
    for agrees in (True, False):
        monkeypatch.setitem(backbone.__dict__, "agrees", agrees)
        bank.zero_grad()
        seen = []
        handle = backbone.model.base_model.register_forward_pre_hook(
            lambda module, given, told, seen=seen: seen.append(told["inputs_embeds"].shape[:2].numel()),
            with_kwargs=True,
        )
        scores = backbone.score(backbone.batch(rows), bank(owner))
        scores.square().sum().backward()
        handle.remove()
        found.append((sum(seen), scores.detach(), [p.grad.clone() for p in bank.parameters()]))
    return found


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_computed_once_is_the_prompt_in_each_row(family, kind, monkeypatch):
    backbone = pico.BACKBONES[family]()
    once, joined = both_ways(backbone, KINDS[kind], monkeypatch)
    assert once[0] < joined[0]
    torch.testing.assert_close(once[1], joined[1], rtol=1e-5, atol=1e-5)
    for a, b in zip(once[2], joined[2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", CAUSAL)
def test_each_family_is_found_to_agree(family):
    assert pico.BACKBONES[family]().agrees


def test_a_model_that_comes_to_something_else_is_found_out(monkeypatch):
    monkeypatch.setattr(once.Common, "before", lambda self, part: torch.cat([part[:, :, :1]] * 3 + [part], 2))
    assert not pico.causal().agrees


def test_attention_to_the_nearest_places_keeps_the_prompt_in_each_row():
    torch.manual_seed(0)
    config = MistralConfig(**pico.SIZES, **pico.TOKENS, num_key_value_heads=1, sliding_window=12)
    backbone = pico.causal(MistralForCausalLM(config).eval())
    assert backbone.once(12)
    assert not backbone.once(13)


@pytest.mark.parametrize(
    ("rows", "places", "length", "member", "worth"),
    [
        (8, 10, 6, [0] * 8, True),
        (2, 10, 6, [0, 0], True),
        (2, 10, 6, [0, 1], False),
        (4, 2, 20, [0, 0, 0, 1], True),
        (8, 10, 0, [0] * 8, False),
    ],
)
def test_it_is_done_where_it_saves_places(rows, places, length, member, worth):
    prompt = Injection(torch.zeros(rows, length, 4), member=torch.tensor(member))
    assert once.saves(prompt, rows, places) == worth
    assert not once.saves(Injection(prompt.tokens), rows, places)


def test_a_prompt_mixed_for_each_text_is_no_longer_shared():
    shapes = {"tokens": (3, 32), "mix_keys": (1, 32), "mix_values": (1, 3, 32), "query_norm": (2, 32)}
    shapes |= {"query_down": (1, 32), "query_up": (32, 1)}
    prompt = Injection(**{n: torch.ones(2, *shape) for n, shape in shapes.items()}, member=torch.zeros(2))
    backbone = pico.causal()
    assert backbone.settled(backbone.batch(Rows([[5], [6]], [0, 0])), prompt).member is None
