"""The defining properties of the bridges that mix by attention (attempt, ensemble, snapshots) or add to the loss."""

import dataclasses
import math

import pytest
import torch

from softbridge.backbones.mixing import attend
from softbridge.batch import Rows
from softbridge.bridges.attempt import Attempt
from softbridge.bridges.base import Shore
from softbridge.bridges.ensemble import Ensemble
from softbridge.bridges.mixtures import MixedPrompt
from softbridge.bridges.panda import Panda
from softbridge.bridges.proximal import Proximal
from softbridge.bridges.snapshots import Snapshots
from softbridge.errors import BackboneError
from softbridge.injection import Injection, shared
from softbridge.losses.distillation import divergence, squared
from softbridge.prompts.soft import SoftPrompt
from tests import pico

TEXTS = ["good w1 w2 w3 w4 w5 fine", "bad w9"]


@pytest.fixture(scope="module", params=["sentence", "llama", "seq2seq t5", "masked bert", "encoder_classifier bert"])
def backbone(request):
    return pico.BACKBONES[request.param]()


def prompts(backbone, count=3, seed=0):
    draw, width = torch.Generator().manual_seed(seed), backbone.table.shape[1]
    return [Injection(0.5 * torch.randn(1, 4, width, generator=draw)) for _ in range(count)]


def shore(backbone):
    *sources, fresh = prompts(backbone, 4)
    named = {f"s{i}": prompt for i, prompt in enumerate(sources)}
    begun = fresh.tokens[0]
    draw = torch.Generator().manual_seed(1)
    series = {name: prompts(backbone, 3, 7 + i) for i, name in enumerate(named)}
    return Shore(named, named, lambda: SoftPrompt(begun), None, draw, None, series.__getitem__, None, None, None)


def headed(backbone, prompt, seed=3):
    """Give a prompt the head that a classifier reads."""
    width = backbone.space().head
    if width is None:
        return prompt
    head = torch.randn(1, 2, width, generator=torch.Generator().manual_seed(seed))
    return dataclasses.replace(prompt, head=head, head_bias=torch.zeros(1, 2))


def batch(backbone, texts=TEXTS):
    return backbone.batch(Rows(backbone.tokenise(texts), [0] * len(texts)))


def warm(module):
    """Let the attention prefer somebody clearly."""
    with torch.no_grad():
        module.temperature = 3.0
    return module


@pytest.mark.parametrize("bridge", [Attempt(), Ensemble(), Snapshots(count=2)], ids=lambda b: b.name)
def test_attention_sums_to_one_and_a_row_is_the_same_alone_and_in_a_batch(bridge, backbone):
    prompt = headed(backbone, warm(bridge.cross(shore(backbone)).start).bake())
    both = batch(backbone)
    weights = backbone.attention(both, shared(prompt, both.input_ids))
    assert weights.shape == (2, {"attempt": 4, "ensemble": 3, "snapshots": 7}[bridge.name])
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert weights.std(1).min() > 1e-3, "nobody is preferred: the test would show nothing"
    together = backbone.score(both, shared(prompt, both.input_ids))
    for i, text in enumerate(TEXTS):
        one = batch(backbone, [text])
        torch.testing.assert_close(backbone.attention(one, prompt)[0], weights[i], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(backbone.score(one, prompt)[0], together[i], atol=1e-4, rtol=1e-4)


def test_a_mixture_is_of_the_sources_or_of_their_last_checkpoints_and_the_fresh_prompt():
    backbone = pico.BACKBONES["sentence"]()
    there = shore(backbone)
    sources = torch.cat([prompt.tokens for prompt in there.sources.values()])
    last = torch.cat([prompt.tokens for name in there.sources for prompt in there.snapshots(name)[-2:]])
    fresh, heat = there.fresh().bake().tokens[0], math.e * sources.shape[-1]
    wanted = {Attempt(): (sources, fresh), Ensemble(): (sources, None), Snapshots(count=2): (last, fresh)}
    for bridge, (frozen, own) in wanted.items():
        module = bridge.cross(there).start
        assert torch.equal(module.frozen, frozen), bridge.name
        assert own is None if module.own is None else torch.equal(module.own, own), bridge.name
        assert module.temperature == heat


def test_attempt_over_prompts_of_zeros_is_the_prompt_alone(backbone):
    own = prompts(backbone, 1)[0].tokens[0]
    made = MixedPrompt(torch.zeros(2, *own.shape), own, 5, 3.0, torch.Generator().manual_seed(0))
    rows = batch(backbone)
    injection = shared(headed(backbone, made.bake()), rows.input_ids)
    weight = backbone.attention(rows, injection)[:, 2]
    plain = headed(backbone, Injection(own + torch.einsum("b,ph->bph", weight, own)))
    plain = (
        plain
        if plain.head is None
        else dataclasses.replace(plain, head=plain.head.expand(2, -1, -1), head_bias=plain.head_bias.expand(2, -1))
    )
    torch.testing.assert_close(backbone.score(rows, injection), backbone.score(rows, plain))


def test_an_ensemble_of_one_prompt_is_that_prompt_and_of_several_their_weighted_answers(backbone):
    rows, three = batch(backbone), prompts(backbone, 3)
    draw = torch.Generator().manual_seed(0)
    alone = headed(backbone, MixedPrompt(three[0].tokens, None, 5, 3.0, draw).bake())
    expected = backbone.score(rows, shared(headed(backbone, three[0]), rows.input_ids))
    torch.testing.assert_close(backbone.score(rows, shared(alone, rows.input_ids)), expected)
    many = headed(backbone, MixedPrompt(torch.cat([p.tokens for p in three]), None, 5, 3.0, draw).bake())
    many = shared(many, rows.input_ids)
    each = torch.stack([backbone.score(rows, shared(headed(backbone, p), rows.input_ids)) for p in three], 1)
    expected = (backbone.attention(rows, many).unsqueeze(-1) * each).sum(1)
    torch.testing.assert_close(backbone.score(rows, many), expected, atol=1e-5, rtol=1e-5)


def test_only_the_attention_of_an_ensemble_learns_and_the_sources_never_move(backbone):
    module = Ensemble().cross(shore(backbone)).start
    assert {name for name, _ in module.named_parameters()} == {"down", "up", "norm"}
    module = Attempt(pace=0.5).cross(shore(backbone)).start
    assert {name for name, _ in module.named_parameters()} == {"own", "down", "up", "norm"}
    assert {share: len(ps) for share, ps in module.groups().items()} == {1.0: 1, 0.5: 3}
    before = module.frozen.clone()
    rows = batch(backbone)
    injection = headed(backbone, module())
    backbone.score(rows, injection.pick(torch.zeros(2, dtype=torch.long))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    assert torch.equal(module.frozen, before)


def test_text_is_not_written_with_a_prompt_that_each_text_mixes():
    backbone = pico.BACKBONES["llama"]()
    with pytest.raises(BackboneError, match="mixed anew"):
        backbone.generate(batch(backbone), Attempt().cross(shore(backbone)).start.bake(), max_new_tokens=2)


def test_distillation_from_oneself_is_zero():
    scores = torch.randn(5, 3)
    assert divergence(scores, scores).abs().max() < 1e-6
    assert squared(scores, scores).abs().max() == 0
    torch.testing.assert_close(divergence(scores, scores + 7.0), torch.zeros(5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ["paper", "code"])
def test_panda_taught_by_itself_adds_nothing_and_by_another_something(form, backbone):
    rows, (one, other, *_) = batch(backbone), [headed(backbone, p) for p in prompts(backbone)]
    there = dataclasses.replace(shore(backbone), sources={"s0": one})
    crossing = Panda(form=form).cross(there)
    mine = shared(one, rows.input_ids)
    assert crossing.term(backbone, rows, mine, backbone.score(rows, mine)).abs().max() < 1e-5
    theirs = shared(other, rows.input_ids)
    scores = backbone.score(rows, theirs)
    added = crossing.term(backbone, rows, theirs, scores)
    assert (added > 1e-6).all()
    taught = backbone.score(rows, mine)
    if form == "code":
        expected = (scores - taught).square().mean(1) / 2
    else:
        near = torch.nn.functional.cosine_similarity(
            backbone.vectors(rows, mine), backbone.vectors(rows, theirs), dim=-1
        ).mean()
        p = taught.softmax(-1)
        expected = near * (p * (p.log() - scores.log_softmax(-1))).sum(1)
    torch.testing.assert_close(added, expected, atol=1e-5, rtol=1e-4)


def test_proximal_of_strength_zero_is_spot_and_the_pull_is_the_squared_distance():
    backbone = pico.BACKBONES["sentence"]()
    one, other, _ = prompts(backbone)
    there = dataclasses.replace(shore(backbone), sources={"s0": one})
    rows = batch(backbone)
    prompt = shared(other, rows.input_ids)
    scores = backbone.score(rows, prompt)
    assert Proximal(strength=0.0).cross(there).term(backbone, rows, prompt, scores).abs().max() == 0
    pull = Proximal(strength=0.5).cross(there).term(backbone, rows, prompt, scores)
    torch.testing.assert_close(pull, torch.full((2,), float(0.5 * (other.tokens - one.tokens).square().sum())))


def test_the_maximum_never_reads_padding():
    """The published code does."""
    parts = {"mix_keys": torch.eye(2)[None], "query_down": torch.eye(2)[None], "query_up": torch.eye(2)[None]}
    prompt = Injection(**parts, query_norm=torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]))
    text = torch.tensor([[[1.0, 3.0], [99.0, -99.0]]])
    seen = attend(text, torch.tensor([[1, 0]]), prompt)
    torch.testing.assert_close(seen, attend(text[:, :1], torch.tensor([[1]]), prompt))
    assert seen.argmax() == 1
    assert attend(text, torch.tensor([[1, 1]]), prompt).argmax() == 0
