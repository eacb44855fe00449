"""Pruning a trained prompt: what is unimportant goes, what stays goes back and trains, what went stays zero."""

import pytest
import torch
from accelerate import Accelerator

from softbridge.batch import Rows
from softbridge.engine.plan import Plan
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts.pruning import Prune, PrunedPrompt, best, importance
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from softbridge.study.judging import judge_on
from softbridge.study.pruning import Candidate, measured, prune
from tests import pico


@pytest.fixture
def backbone():
    return pico.sentence()


def rows(backbone, count=12):
    texts, labels = pico.texts(count, 1)
    return Rows(backbone.tokenise(texts), [backbone.words.index(label) for label in labels])


def drawn(backbone, seed=0):
    return Soft(length=4).build(backbone.space(), generator(seed, "init")).bake()


def test_importance_is_the_mean_size_of_the_gate_s_gradient():
    """Golden by hand: dL_b/dgamma = sum over the piece of g * p."""
    tokens = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0]])
    gradients = torch.tensor([[[1.0, 1, 0, 0], [0, 0, 0, 0]], [[-1.0, 0, 1, 0], [0, 5, 5, 0]]])
    assert torch.equal(
        importance(tokens, gradients), torch.tensor([[2.5], [0.0]])
    )  # (3 + 2) / 2; zero gradient or value
    assert torch.equal(importance(tokens, gradients, 2), torch.tensor([[2.0, 1.5], [0.0, 0.0]]))
    with pytest.raises(PromptError, match="3 pieces"):
        importance(tokens, gradients, 3)


def test_the_importance_of_rows_does_not_depend_on_how_they_are_batched(backbone, monkeypatch):
    every, prompt = rows(backbone), drawn(backbone)
    whole = measured(backbone, prompt, every, 4)
    monkeypatch.setattr("softbridge.study.gradients.pass_positions", lambda device, asked: 20)
    torch.testing.assert_close(measured(backbone, prompt, every, 4), whole, atol=1e-5, rtol=1e-4)


def test_a_gate_s_gradient_is_what_autograd_says(backbone):
    """Importance against the definition: a gate on each token, differentiated row by row."""
    every, prompt = rows(backbone, 5), drawn(backbone)
    total = torch.zeros(4)
    for i in range(5):
        gate = torch.ones(4, requires_grad=True)
        batch = backbone.batch(every.take([i]))
        scores = backbone.score(batch, Injection(prompt.tokens * gate.view(1, 4, 1)))
        torch.nn.functional.cross_entropy(scores, batch.labels).backward()
        total += gate.grad.abs() / 5
    torch.testing.assert_close(measured(backbone, prompt, every, 1)[:, 0], total, atol=1e-5, rtol=1e-4)


def test_best_takes_a_share_and_settles_ties_by_place():
    assert best(torch.tensor([1.0, 1.0, 1.0, 0.0]), 0.5).tolist() == [True, True, False, False]
    assert best(torch.tensor([[1.0, 2.0], [4.0, 3.0]]), 0.1).tolist() == [[False, True], [True, False]]


def test_what_went_is_zero_after_training_and_what_stays_has_moved(backbone):
    every, trained, start = rows(backbone), drawn(backbone, 1), drawn(backbone, 0)
    how, plan = Prune(tokens=0.5, pieces=4, share=0.5), Plan(steps=4, batch=6, learning_rate=0.05)
    judge, accelerator = judge_on(backbone, [every], plan, Accelerator(cpu=True)), Accelerator(cpu=True)
    (pruned,) = prune(backbone, [Candidate("it", 0, trained, start, every)], how, plan, judge, accelerator)
    assert pruned.mask.any(1).sum() == 2
    assert pruned.mask.sum() == 2 * 16  # half of the tokens, half of their 32 elements
    last = pruned.trained.last.tokens[0]
    assert (last[~pruned.mask] == 0).all()
    assert (last != start.tokens[0])[pruned.mask].all()


def test_a_pruned_prompt_begins_at_what_stays_of_its_start():
    tokens, mask = torch.arange(6.0).view(2, 3), torch.tensor([[True, False, True], [False, True, False]])
    assert torch.equal(PrunedPrompt(tokens, mask).bake().tokens[0], tokens * mask)


def test_a_prompt_without_tokens_is_refused(backbone):
    prefix = Injection(keys=torch.ones(1, 2, 2, 3, 16), values=torch.ones(1, 2, 2, 3, 16))
    candidate = Candidate("it", 0, prefix, prefix, rows(backbone))
    with pytest.raises(PromptError, match="has keys, values"):
        prune(backbone, [candidate], Prune(), Plan(steps=1), lambda *_: {}, Accelerator(cpu=True))


@pytest.mark.parametrize("keys", [{"tokens": 0}, {"share": 1.5}, {"pieces": 0}])
def test_shares_that_cannot_be_are_refused(keys):
    with pytest.raises(PromptError, match="shares above 0"):
        Prune(**keys)
