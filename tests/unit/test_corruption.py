"""Corruption and the losses of texts that are their own answer: defining properties, and golden numbers."""

import json
from pathlib import Path

import pytest
import torch

from softbridge.domains.corruption import UNASKED, drop_tokens, mask_tokens, take_spans
from softbridge.losses.selfsupervised import contrast, surprise
from softbridge.losses.semisupervised import divisor, mean
from softbridge.losses.supervised import cross_entropy

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pretraining.json").read_text())
CLS, SEP, MASK, VOCABULARY = 1, 2, 99, 90
TEXT = [CLS, *range(10, 70), SEP]
SENTINELS = list(range(200, 300))


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_what_is_asked_for_is_what_stood_there_and_nothing_else_changes():
    seen, told = mask_tokens(TEXT, draw(), MASK, VOCABULARY, {CLS, SEP}, 0.15)
    asked = [i for i, token in enumerate(told) if token != UNASKED]
    assert len(asked) == 9  # 0.15 * 60
    assert all(told[i] == TEXT[i] for i in asked)
    assert all(seen[i] == TEXT[i] for i in range(len(TEXT)) if i not in asked)
    assert {0, len(TEXT) - 1}.isdisjoint(asked)


def test_of_what_is_asked_for_eight_tenths_are_masked():
    fates = [0, 0, 0]
    for seed in range(200):
        seen, told = mask_tokens(TEXT, draw(seed), MASK, VOCABULARY, {CLS, SEP}, 0.5)
        for i, token in enumerate(told):
            if token != UNASKED:
                fates[0 if seen[i] == MASK else 1 if seen[i] != token else 2] += 1
    shares = [count / sum(fates) for count in fates]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def restored(left, answer):
    """Put the spans of an answer back where their sentinels stand."""
    spans, now = {}, None
    for token in answer:
        if token in SENTINELS:
            now = spans.setdefault(token, [])
        elif now is not None:
            now.append(token)
    return [t for token in left for t in (spans[token] if token in SENTINELS else [token])]


@pytest.mark.parametrize("length", [2, 3, 7, 60])
@pytest.mark.parametrize("rate", [0.15, 0.5, 1.0])
def test_the_answer_puts_the_text_together_again(length, rate):
    text = [*range(10, 10 + length), SEP]
    left, answer = take_spans(text, draw(length), SENTINELS, {CLS, SEP}, rate, 3)
    assert answer[-1] == left[-1] == SEP
    assert answer[-2] in SENTINELS
    assert restored(left, answer[:-1]) == text
    taken = sum(token < 100 for token in answer) - 1
    assert taken == min(max(1, round(rate * length)), length - 1)


def test_one_sentinel_asks_for_the_whole_text():
    left, answer = take_spans(TEXT, draw(), [MASK], {CLS, SEP}, 0.3, 3)
    assert answer == TEXT
    assert left.count(MASK) == 6  # 18 tokens in spans of 3
    assert len(left) == len(TEXT) - 18 + 6


def test_few_sentinels_make_few_spans():
    _, answer = take_spans(TEXT, draw(), SENTINELS[:3], {CLS, SEP}, 0.5, 1)
    assert [token for token in answer if token in SENTINELS] == SENTINELS[:3]


def test_a_dropped_token_is_gone_and_the_order_stays():
    left = drop_tokens(TEXT, draw(), {CLS, SEP}, 0.3)
    assert left == [*sorted(left[:-1]), SEP]
    assert set(left) < set(TEXT)
    assert left[0] == CLS
    kept = [len(drop_tokens(TEXT, draw(seed), {CLS, SEP}, 0.3)) - 2 for seed in range(200)]
    assert sum(kept) / len(kept) == pytest.approx(0.7 * 60, rel=0.03)
    assert drop_tokens(TEXT, draw(), {CLS, SEP}, 0.0) == TEXT


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda ids, g: mask_tokens(ids, g, MASK, VOCABULARY, {CLS, SEP}, 0.15),
        lambda ids, g: take_spans(ids, g, SENTINELS, {CLS, SEP}, 0.15, 3),
        lambda ids, g: drop_tokens(ids, g, {CLS, SEP}, 0.15),
    ],
    ids=["mask", "spans", "drop"],
)
def test_the_seed_decides_and_a_text_without_words_is_left_alone(corrupt):
    assert corrupt(TEXT, draw(3)) == corrupt(TEXT, draw(3))
    assert corrupt(TEXT, draw(3)) != corrupt(TEXT, draw(4))
    alone = corrupt([CLS, SEP], draw())
    assert (alone[0] if isinstance(alone, tuple) else alone) == [CLS, SEP]


# Golden numbers


def test_golden_surprise_of_each_text_and_l_pre_over_them():
    texts = GOLDEN["texts"]
    logits = torch.tensor([scores for text in texts for scores in text["logits"]])
    told = torch.tensor([token for text in texts for token in text["told"]])
    owner = torch.tensor([i for i, text in enumerate(texts) for _ in text["told"]])
    losses = surprise(logits, told, owner, len(texts))
    assert losses.tolist() == pytest.approx([text["loss"] for text in texts], rel=1e-5)
    assert mean(losses, torch.ones(3, dtype=torch.bool)).item() == pytest.approx(GOLDEN["self-supervised"], rel=1e-5)


def test_golden_contrast():
    case = GOLDEN["contrast"]
    losses = contrast(torch.tensor(case["views"]), torch.tensor(case["others"]), case["temperature"])
    assert losses.tolist() == pytest.approx(case["losses"], rel=1e-4)


@pytest.mark.parametrize("normalise", ["all", "labelled"])
def test_golden_semi_supervised(normalise):
    case = GOLDEN["semi"]
    logits, labels = torch.tensor(case["logits"], requires_grad=True), torch.tensor(case["labels"])
    loss = mean(cross_entropy(logits, labels), labels >= 0, normalise)
    assert loss.item() == pytest.approx(case[normalise], rel=1e-5)
    loss.backward()
    assert (logits.grad[labels < 0] == 0).all()
    assert (logits.grad[labels >= 0] != 0).all()
    assert divisor(len(labels), int((labels >= 0).sum()), normalise) == (8 if normalise == "all" else 3)


def test_a_row_is_its_own_nearest_where_its_two_views_are_one():
    views = torch.eye(6)
    assert contrast(views, views, 0.05).max() < contrast(views, views.roll(1, 0), 0.05).min()
    assert contrast(views[:1], views[1:2], 0.05).item() == 0
