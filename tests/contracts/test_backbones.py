"""What every backbone promises, and what today's libraries get wrong."""

from dataclasses import replace

import pytest
import torch

from softbridge.backbones.attention import register
from softbridge.backbones.entrances import OPEN_MATMUL
from softbridge.batch import Rows
from softbridge.injection import Injection
from tests import pico


@pytest.fixture(params=pico.BACKBONES)
def backbone(request):
    return pico.BACKBONES[request.param]()


def rows(backbone, count=6):
    texts, labels = pico.texts(count, seed=1)
    return Rows(backbone.tokenise(texts), [backbone.words.index(label) for label in labels])


def prompt(backbone, count, length=4):
    """Return virtual tokens, and a head where the backbone reads one; of length 0 the head alone, or nothing."""
    draw, space = torch.Generator().manual_seed(0), backbone.space()
    parts = {"tokens": torch.randn(1, length, space.width, generator=draw) * 0.3} if length else {}
    if space.head:
        parts |= {"head": torch.randn(1, 2, space.head, generator=draw), "head_bias": torch.randn(1, 2, generator=draw)}
    return Injection(**parts).each(lambda part: part.expand(count, *part.shape[1:])) if parts else None


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_row_in_a_padded_batch_equals_the_row_alone(backbone, length):
    every = rows(backbone)
    together = backbone.score(backbone.batch(every), prompt(backbone, len(every), length))
    for i in range(len(every)):
        alone = backbone.score(backbone.batch(every.take([i])), prompt(backbone, 1, length))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_the_prompt_changes_the_scores_and_gets_a_gradient_on_every_row(backbone):
    every = rows(backbone)
    made = prompt(backbone, len(every))
    states = made.tokens.clone().requires_grad_()
    scores = backbone.score(backbone.batch(every), replace(made, tokens=states))
    plain = backbone.score(backbone.batch(every), prompt(backbone, len(every), 0))
    assert (scores - plain).abs().max() > 1e-3
    scores[:, 0].sum().backward()
    assert (states.grad.abs().amax(-1) > 0).all(), "a virtual token without gradient would be a dead row"


def test_training_leaves_the_weights_alone(backbone):
    before = backbone.fingerprint()
    made = prompt(backbone, 6)
    states = made.tokens.clone().requires_grad_()
    backbone.score(backbone.batch(rows(backbone)), replace(made, tokens=states)).sum().backward()
    assert backbone.fingerprint() == before
    assert not any(p.requires_grad or p.grad is not None for p in backbone.model.parameters())


def test_a_changed_weight_changes_the_fingerprint(backbone):
    before = backbone.fingerprint()
    with torch.no_grad():
        next(backbone.model.parameters()).view(-1)[0] += 1
    assert backbone.fingerprint() != before


def test_a_bfloat16_backbone_keeps_the_prompt_in_float32(backbone):
    exact = backbone.score(backbone.batch(rows(backbone)), prompt(backbone, 6))
    backbone.model.to(torch.bfloat16)
    backbone.bind(backbone.words)
    made = prompt(backbone, 6)
    states = made.tokens.clone().requires_grad_()
    scores = backbone.score(backbone.batch(rows(backbone)), replace(made, tokens=states))
    scores.sum().backward()
    assert scores.dtype == states.grad.dtype == torch.float32
    assert (scores - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("words", [("negative", "positive"), ("bad poor", "good")])
def test_causal_scores_are_the_label_words_log_likelihood(words):
    backbone = pico.causal(words=words)
    texts = ["w1 w2 good w3", "w4"]
    every = Rows(backbone.tokenise(texts), [0, 0])
    got = backbone.score(backbone.batch(every), None).log_softmax(-1)
    want = torch.zeros(2, 2)
    for i, text in enumerate(texts):
        for c, word in enumerate(words):
            ids = torch.tensor([backbone.word_ids(text) + backbone.word_ids(word)])
            logp = backbone.model(input_ids=ids).logits[0].log_softmax(-1)
            told = backbone.word_ids(word)
            first = ids.shape[1] - len(told)
            want[i, c] = sum(logp[first + j - 1, token] for j, token in enumerate(told))
    torch.testing.assert_close(got, want.log_softmax(-1), atol=1e-5, rtol=1e-5)


def test_a_cut_text_keeps_its_end_for_a_causal_model():
    backbone = pico.causal()
    ids = backbone.tokenise([" ".join(pico.PLAIN)])[0]
    assert len(ids) == 32
    assert backbone.tokenizer.decode(ids).endswith("w39")


def test_the_matmul_attention_equals_the_fused_one(backbone):
    every, tokens = rows(backbone), prompt(backbone, 6)
    fused = backbone.score(backbone.batch(every), tokens)
    backbone.model.set_attn_implementation(register())
    torch.testing.assert_close(backbone.score(backbone.batch(every), tokens), fused, atol=1e-5, rtol=1e-5)
    assert backbone.model.config._attn_implementation in (register(), OPEN_MATMUL)
