"""RMSNorm in few passes: what transformers makes of the same states, and its gradient, up to rounding."""

import copy

import pytest
import torch
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.t5.modeling_t5 import T5LayerNorm

from softbridge.backbones.norms import Quick, quicken
from tests import pico


def states(rows=300, width=48):
    return torch.randn(3, rows // 3, width, generator=torch.Generator().manual_seed(0)) * 2 + 0.5


def made(norm, precision):
    """Return a norm of drawn weights, frozen."""
    module = norm(48)
    module.weight.data.normal_(1, 0.3, generator=torch.Generator().manual_seed(1))
    return module.to(precision).requires_grad_(False)


def through(module, given):
    """Return what a module makes of states, and the gradient of a drawn sum."""
    given = given.clone().requires_grad_()
    out = module(given)
    out.float().backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(2)))
    return out.detach().float(), given.grad.float()


@pytest.mark.parametrize("norm", [LlamaRMSNorm, T5LayerNorm])
def test_a_norm_and_its_gradient_are_those_of_float32_up_to_one_rounding(norm):
    given = states().bfloat16()
    module = made(norm, torch.bfloat16)
    exact = through(copy.deepcopy(module).float(), given.float())
    theirs = through(module, given)
    quicken(module)
    assert isinstance(module, Quick)
    ours = through(module, given)
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-6, rtol=2**-7)
    for here, wanted in zip(ours, exact, strict=True):
        assert (here - wanted).norm() < 3e-3 * wanted.norm()


def test_a_norm_that_computes_another_thing_stays_as_it_is():
    module = made(GemmaRMSNorm, torch.bfloat16)
    quicken(module)
    assert type(module) is GemmaRMSNorm


def test_in_float32_and_where_weights_are_trained_transformers_own_code_runs():
    for module in (made(LlamaRMSNorm, torch.float32), made(LlamaRMSNorm, torch.bfloat16).requires_grad_(True)):
        given = states().to(module.weight.dtype)
        theirs = copy.deepcopy(module)
        quicken(module)
        assert torch.equal(module(given), theirs(given))
        module(given).sum().backward() if module.weight.requires_grad else None
        assert (module.weight.grad is not None) == module.weight.requires_grad


def test_a_models_copy_has_norms_of_its_own():
    model = pico.llama().bfloat16().requires_grad_(False)
    quicken(model)
    other = copy.deepcopy(model)
    other.model.norm.weight.data.zero_()
    given = torch.full((1, 4), 5)
    assert other(given).logits.abs().max() == 0 < model(given).logits.abs().max()
    assert sum(isinstance(module, Quick) for module in model.modules()) == 5
