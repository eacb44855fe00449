"""The processes of a launch, as accelerate sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, disable_fsdp_ram_efficient_loading, parse_flag_from_env
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from softbridge.errors import StudyError
from softbridge.recipe import Recipe


def gather(device: str, **keys: Any) -> Accelerator:
    """Return the accelerator of this process and those launched with it.

    Where there is nothing but a CPU, accelerate wants to be told so: it would else take each process for the only one.

    Arguments:
        device: the recipe's `backbone.device`.
        keys: what else the accelerator is to know.

    Raises:
        StudyError: when the launch asks for DeepSpeed or Megatron.
    """
    disable_fsdp_ram_efficient_loading()  # or transformers loads the weights in the first process alone
    accelerator = Accelerator(cpu=device == "cpu" or not torch.accelerator.is_available(), **keys)
    kind = accelerator.distributed_type
    if kind in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise StudyError(
            f"the launch asks for {kind.value}",
            "a launch whose processes each hold the frozen model, or share its blocks out by FSDP",
            "use recipes/launch/gpus.yaml, or for a model that one device does not hold recipes/launch/fsdp.yaml",
        )
    return accelerator


def mesh(accelerator: Accelerator) -> DeviceMesh | None:
    """Return the processes that share a model's blocks out, where the launch asks for FSDP; else None.

    On a CPU, accelerate says nothing of FSDP but the variable that its launcher sets.
    """
    if accelerator.num_processes == 1 or not parse_flag_from_env("ACCELERATE_USE_FSDP"):
        return None
    return init_device_mesh(accelerator.device.type, (accelerator.num_processes,))


@contextmanager
def in_turn(accelerator: Accelerator) -> Iterator[None]:
    """Let the processes of a machine do something one after the other, so that it holds one whole model at a time."""
    for turn in range(accelerator.num_processes):
        if turn == accelerator.local_process_index:
            yield
        accelerator.wait_for_everyone()


def refuse_unsharded(recipe: Recipe) -> None:
    """Refuse what cannot be with a model whose blocks are shared out over the processes.

    Raises:
        StudyError: naming the recipe's key.
    """
    spec = recipe.backbone
    found = {
        "backbone.bits": spec.bits,
        "backbone.device_map": spec.device_map,
        "tune": recipe.tune,
        "pretrain.trains: backbone": recipe.pretrain and recipe.pretrain.trains == "backbone",
        "a prompt that enters before a later block": "block" in recipe.prompt.makes,
    }
    seen = [name for name, there in found.items() if there]
    if seen:
        raise StudyError(
            f"the launch shards the backbone (FSDP), and the recipe asks for {', '.join(seen)}",
            "a frozen backbone in float32 or bfloat16, and a prompt that enters at the input or in every layer",
            "leave that out, or launch with recipes/launch/gpus.yaml",
        )
