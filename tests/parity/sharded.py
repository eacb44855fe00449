"""Run in two processes by `test_sharded.py`: load pico backbones whole and sharded, and compare what they compute."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch.distributed import destroy_process_group, get_rank, init_process_group
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from softbridge.backbones import sharding
from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.loading import load
from softbridge.batch import Rows
from softbridge.injection import Injection

TEXTS = ["w1 good w2", "bad w3 w4 w5 w6", "fine"]


def computed(backbone: Backbone, prefix: bool) -> list[torch.Tensor]:
    """Return scores in inference mode and with gradients, and the gradients of a prompt."""
    backbone.bind(["negative", "positive"])
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0, 1, 1]))
    draw, space = torch.Generator().manual_seed(0), backbone.space()
    shape = (1, space.layers, space.groups, 2, space.depth) if prefix else (1, 2, space.table.shape[1])
    names = ("keys", "values") if prefix else ("tokens",)
    parts = {name: torch.randn(shape, generator=draw).requires_grad_() for name in names}
    head = {"head": torch.randn(1, 2, space.head, generator=draw), "head_bias": torch.zeros(1, 2)} if space.head else {}
    every = {name: part.expand(3, *part.shape[1:]) for name, part in (parts | head).items()}
    prompt = Injection(**every, member=torch.zeros(3, dtype=torch.long))
    with torch.inference_mode():
        looked = backbone.score(batch, prompt)
    scores = backbone.score(batch, prompt)
    scores.softmax(-1)[:, 0].sum().backward()
    return [looked, scores.detach(), *(part.grad for part in parts.values()), written(backbone, prompt)]


def written(backbone: Backbone, prompt: Injection) -> torch.Tensor:
    """Return what the backbone writes, of which a process may want more than another; nothing where it cannot."""
    if backbone.kind not in ("causal", "seq2seq") or backbone.spec.checkpointing:
        return torch.zeros(8)
    one, batch = prompt.pick(torch.zeros(1, dtype=torch.long)), backbone.batch(Rows(backbone.tokenise(TEXTS[:1]), [0]))
    told = backbone.generate(batch, one, max_new_tokens=2 + 3 * get_rank(), min_new_tokens=2)[0]
    return torch.tensor(told + [-1] * (8 - len(told)))


def held(weight: torch.Tensor) -> int:
    """Return how many numbers of a weight that is kept in parts are here."""
    return weight.to_local().numel() if isinstance(weight, DTensor) else weight.ds_tensor.numel() + weight.numel()


def compared(way: str, folder: Path, kind: str, prefix: bool, checkpointing: bool, precision: str) -> dict[str, float]:
    """Return how far a sharded backbone is from the whole one, and the share of the blocks that is held here."""
    told = {"precision": precision, "attention": "sdpa", "device": "cpu", "checkpointing": checkpointing}
    spec = BackboneSpec(str(folder), kind=kind, max_length=32, **told)
    one, other = load(spec), load(spec, shard=WAYS[way])
    sharding.begin(other)
    assert one.fingerprint() == other.fingerprint()
    parts = [weight for weight in other.model.parameters() if isinstance(weight, DTensor) or sharding.is_zero(weight)]
    whole, here = sum(sharding.size(part) for part in parts), sum(held(part) for part in parts)
    pairs = zip(computed(one, prefix), computed(other, prefix), strict=True)
    assert other.describe()["parameters"] == one.describe()["parameters"]
    return {
        "gap": max(float((a - b).abs().max()) for a, b in pairs),
        "held": here / whole,
        "blocks": whole / other.describe()["parameters"],
    }


if __name__ == "__main__":
    init_process_group("gloo")
    WAYS = {
        "fsdp": partial(sharding.fsdp, mesh=init_device_mesh("cpu", (2,))),
        "zero3": partial(sharding.zero3, device=torch.device("cpu")),
    }
    folder, way = Path(sys.argv[1]), sys.argv[2]  # a backbone of each kind, and what is to be compared
    made = [compared(way, folder / kind, kind, *how) for kind, *how in json.loads((folder / "asked.json").read_text())]
    (folder / f"told{get_rank()}.json").write_text(json.dumps(made))
    destroy_process_group()
