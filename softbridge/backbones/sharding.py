"""A frozen model whose blocks are shared out over the processes of a launch (FSDP, or DeepSpeed ZeRO-3).

Each process holds a part of every block's weights. When a block runs, all processes gather its weights, and let go of
them after it; so all of them must run the model's blocks equally often, in the same order. What stands outside the
blocks (embeddings, head, norms) is read by hand in many places, and is whole in each process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers.modeling_layers import GradientCheckpointingLayer

from softbridge.backbones.packed import GROUP_PLACES
from softbridge.errors import BackboneError

Shard = Callable[[Any], None]  # brings a frozen model to its device, of whose blocks each process keeps a part


def fsdp(model: Any, mesh: DeviceMesh) -> None:
    """Keep this process's part of each block on its device, and the rest of the model whole; nothing is sent.

    *Reference*: Zhao et al. PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel. VLDB 2023.

    Arguments:
        model: a frozen model in memory, in the precision that it is to have.
        mesh: the processes, in one row.

    Raises:
        BackboneError: when no blocks are known.
    """
    for block in blocks(model):  # a block at a time, so that the device never holds the whole
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    rest = {weight for weight in model.parameters() if not isinstance(weight, DTensor)}
    move((*rest, *model.buffers()), mesh.device_type)
    for root in roots(model):  # which lets a block's weights come while the one before it computes
        fully_shard(root, mesh=mesh, ignored_params=rest)


def zero3(model: Any, device: torch.device) -> None:
    """Do the same by DeepSpeed: the first process sends each weight, and every process keeps its part.

    DeepSpeed is given the blocks alone, as one list that is never run as a whole. So it gathers a block when it runs,
    keeps no record of their order, and fetches none ahead. It replaces torch's `linear`, for the whole process, by one
    that keeps no weight for the way back.

    *Reference*: Rajbhandari et al. ZeRO: Memory Optimizations Toward Training Trillion Parameter Models. SC 2020.

    Arguments:
        model: a frozen model in memory, in the precision that it is to have.
        device: this process's device.

    Raises:
        BackboneError: when no blocks are known.
    """
    os.environ.setdefault("DS_ACCELERATOR", device.type)  # which it would else look for, and tell of what it finds
    import deepspeed
    from deepspeed.utils import logger, set_z3_leaf_modules

    logger.setLevel("ERROR")
    every = torch.nn.ModuleList(blocks(model))
    set_z3_leaf_modules(every, sorted({type(block) for block in every}, key=repr))  # a block comes as one
    zero = {"stage": 3, "stage3_param_persistence_threshold": 0}  # small weights too are kept in parts
    config = {"train_micro_batch_size_per_gpu": 1, "zero_optimization": zero}
    deepspeed.zero.Init(module=every, config_dict_or_path=config)  # a weight at a time; the next would move them whole
    deepspeed.initialize(model=every, config=config)
    rest = [weight for weight in model.parameters() if not is_zero(weight)]
    move((*rest, *model.buffers()), device)


def blocks(model: Any) -> list[GradientCheckpointingLayer]:
    """Return a model's blocks, in their order.

    Raises:
        BackboneError: when none are known.
    """
    found = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not found:
        raise BackboneError(
            f"the blocks of {type(model).__name__} are not known, and the launch shares them out",
            "a model that transformers builds of blocks",
            "launch with recipes/launch/gpus.yaml, which gives each process a whole copy",
        )
    return found


def move(tensors: Iterable[torch.Tensor], device: torch.device | str) -> None:
    """Bring tensors to a device, as copies, so that nothing holds on to the model's files."""
    for tensor in tensors:
        tensor.data = tensor.data.to(device, copy=True)


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
    if backbone.shares or backbone.device.type in GROUP_PLACES:
        _ = backbone.packs


def is_zero(weight: Any) -> bool:
    """Tell whether DeepSpeed keeps a weight in parts."""
    return hasattr(weight, "ds_id")


def size(weight: Any) -> int:
    """Return how many numbers a weight has, over all processes."""
    return weight.ds_numel if is_zero(weight) else weight.numel()


def whole(weight: Any) -> Any:
    """Return a weight whole; where it is sharded, all processes ask for it together."""
    if is_zero(weight):
        import deepspeed

        with deepspeed.zero.GatheredParameters([weight]):
            return weight.detach().clone()
    return weight.full_tensor() if isinstance(weight, DTensor) else weight
