"""RMSNorm of a frozen model in bfloat16 on a CPU, in few passes over memory: as transformers writes it, it costs as
much as all of a small block's matrix products.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

PLACES = 128  # computed at once: what is held of them in float32 stays in a core's cache
SAME = 0.01  # of the norm: rounding to bfloat16 comes to a fifth of it, weights of 1 + w to far more


class Rms(torch.autograd.Function):
    """Compute `y = w x / sqrt(mean(x^2) + eps)` in float32, rounded as transformers rounds it; w is not trained.

    `dL/dx = r (u - n mean(u n))`, r the reciprocal root, `n = r x` and `u = w dL/dy`.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        """Return the states `[..., H]`, normed."""
        places = states.reshape(-1, states.shape[-1])
        made, roots = torch.empty_like(places), places.new_empty(len(places), 1, dtype=torch.float32)
        for some, root, out in zip(*(part.split(PLACES) for part in (places, roots, made)), strict=True):
            wide = some.float()
            norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
            root.copy_(norm.square_().div_(wide.shape[-1]).add_(eps).rsqrt_())
            out.copy_(wide.mul_(root)).mul_(weight)
        ctx.save_for_backward(places, roots, weight)
        return made.view(states.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
        """Return the gradient of the states."""
        places, roots, weight = ctx.saved_tensors
        given = gradient.reshape(places.shape)
        made, scale = torch.empty_like(places), weight.float()
        for some, root, grad, out in zip(*(p.split(PLACES) for p in (places, roots, given, made)), strict=True):
            normed, wide = some.float().mul_(root), grad.float().mul_(scale)
            along = torch.linalg.vecdot(wide, normed).unsqueeze(-1).div_(-normed.shape[-1])
            out.copy_(wide.addcmul_(normed, along).mul_(root))
        return made.view(gradient.shape), None, None


class Quick(nn.Module):
    """Stand before an RMSNorm's class, and compute it by `Rms` where that may be."""

    weight: torch.Tensor

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return the states, normed."""
        kinds = {states.dtype, self.weight.dtype}
        if kinds == {torch.bfloat16} and states.device.type == "cpu" and not self.weight.requires_grad:
            made: torch.Tensor = Rms.apply(states, self.weight, epsilon(self))
        else:
            made = super().forward(states)
        return made


@cache
def quick(norm: type) -> type:
    """Return an RMSNorm's class with `Quick` before it."""
    return type(f"Quick{norm.__name__}", (Quick, norm), {})


def epsilon(module: Any) -> float:
    """Return what an RMSNorm adds to the mean square; transformers has two names for it."""
    return float(getattr(module, "variance_epsilon", None) or module.eps)


def quicken(model: nn.Module) -> None:
    """Compute a model's RMSNorms by `Rms`, those that come to the same."""
    for module in model.modules():
        old: Any = type(module)
        named = old.__name__.endswith("RMSNorm") or hasattr(module, "variance_epsilon")  # the second is T5's
        if named and not isinstance(module, Quick) and hasattr(module, "weight"):
            module.__class__ = quick(old)
            if not alike(module, old):
                module.__class__ = old


@torch.no_grad()
def alike(module: Any, old: Any) -> bool:
    """Say whether a norm comes to what its old class makes of drawn states."""
    draw = torch.Generator().manual_seed(0)
    states = (torch.randn(4, len(module.weight), generator=draw) + 1).to(module.weight)
    wanted = old.forward(module, states).float()
    return bool((module(states).float() - wanted).norm() <= SAME * wanted.norm())
