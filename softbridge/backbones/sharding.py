"""A frozen model whose blocks are shared out over the processes of a launch (FSDP).

Each process holds a part of every block's weights. When a block runs, all processes gather its weights, and let go of
them after it; so all of them must run the model's blocks equally often, in the same order. What stands outside the
blocks (embeddings, head, norms) is read by hand in many places, and is whole in each process.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers.modeling_layers import GradientCheckpointingLayer

from softbridge.errors import BackboneError


def shard(model: Any, mesh: DeviceMesh) -> None:
    """Keep this process's part of each block on its device, and the rest of the model whole; nothing is sent.

    *Reference*: Zhao et al. PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel. VLDB 2023.

    Arguments:
        model: a frozen model in memory, in the precision that it is to have.
        mesh: the processes, in one row.

    Raises:
        BackboneError: when no blocks are known.
    """
    blocks = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not blocks:
        raise BackboneError(
            f"the blocks of {type(model).__name__} are not known, and the launch shares them out",
            "a model that transformers builds of blocks",
            "launch with recipes/launch/gpus.yaml, which gives each process a whole copy",
        )
    for block in blocks:  # a block at a time, so that the device never holds the whole
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    rest = {weight for weight in model.parameters() if not isinstance(weight, DTensor)}
    for part in (*rest, *model.buffers()):
        part.data = part.data.to(mesh.device_type, copy=True)  # a copy, so that nothing holds on to the model's files
    for root in roots(model):  # which lets a block's weights come while the one before it computes
        fully_shard(root, mesh=mesh, ignored_params=rest)


def roots(model: Any) -> list[Any]:
    """Return the parts of a model that are called as one: its body, or encoder and decoder."""
    return [model.get_encoder(), model.get_decoder()] if model.config.is_encoder_decoder else [model.base_model]


def begin(backbone: Any) -> None:
    """Run a sharded backbone once; all processes do so together.

    What a block is gathered into is made at its first pass and used ever after: made in inference mode, it could never
    take part in training. And what a backbone tries once at its first need, a process could need before the others.
    """
    token = torch.zeros(1, 1, dtype=torch.long, device=backbone.device)
    config, told = backbone.model.config, {"input_ids": token}
    told |= {"decoder_input_ids": token} if config.is_encoder_decoder else {}
    with torch.no_grad():
        backbone.model.base_model(**told, **({"use_cache": False} if getattr(config, "use_cache", False) else {}))
    getattr(backbone, "packs", None)


def whole(weight: Any) -> Any:
    """Return a weight whole; where it is sharded, all processes ask for it together."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight
