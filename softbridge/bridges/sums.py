"""Sums of prompts, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from softbridge.errors import BridgeError
from softbridge.injection import Injection


def combined(prompts: Mapping[str, Injection], weights: Mapping[str, float]) -> Injection:
    """Return `sum_s w_s P_s` over the parts that all prompts have.

    Arguments:
        prompts: prompts by name, of one shape.
        weights: the names to sum, with their weights.

    Raises:
        BridgeError: when two of them have different parts or shapes.

    Example:
        >>> import torch
        >>> both = {"a": Injection(torch.ones(1, 1, 2)), "b": Injection(torch.full((1, 1, 2), 4.0))}
        >>> combined(both, {"a": 2.0, "b": -0.5}).tokens.tolist()
        [[[0.0, 0.0]]]
    """
    shapes = {name: {part: tuple(t.shape) for part, t in prompts[name].parts.items()} for name in weights}
    if len({str(sorted(shape.items())) for shape in shapes.values()}) > 1:
        raise BridgeError(
            f"prompts of different shapes are to be summed: {shapes}",
            "prompts of the same parts and shapes",
            "train the sources with the same prompt kind and length",
        )
    first = prompts[next(iter(weights))]
    parts: dict[str, Any] = {
        part: sum(weight * prompts[name].parts[part] for name, weight in weights.items()) for part in first.parts
    }
    return Injection(**parts, block=first.block)


def difference(prompt: Injection, start: Injection) -> Injection:
    """Return `P - P_0`, a task prompt vector; a head, which has no common start, is left out."""
    kept: dict[str, Any] = {
        part: t - start.parts[part] for part, t in prompt.parts.items() if part not in ("head", "head_bias")
    }
    return Injection(**kept, block=prompt.block)
