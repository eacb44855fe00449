"""Save several prompts of one shape in one safetensors file, in order, and load them back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from softbridge import whole
from softbridge.injection import Injection, one_row


def save_series(file: Path, prompts: Sequence[Injection]) -> None:
    """Save prompts, oldest first.

    Arguments:
        file: where they go; its folder is made.
        prompts: baked prompts of one row, of one shape.
    """
    parts = {name: torch.cat([p.parts[name] for p in prompts]).contiguous() for name in prompts[0].parts}
    whole.write(file, save(parts, metadata={"block": str(prompts[0].block)}))


def load_series(file: Path) -> list[Injection]:
    """Load the prompts that `save_series` saved."""
    with safe_open(file, "pt") as held:
        parts = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118
        block = int((held.metadata() or {}).get("block", 0))
    count = len(next(iter(parts.values())))
    return [one_row({name: part[i] for name, part in parts.items()}, block) for i in range(count)]
