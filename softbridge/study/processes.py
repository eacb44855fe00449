"""The processes of a launch, as accelerate sees them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedType,
    disable_fsdp_ram_efficient_loading,
    parse_flag_from_env,
    patch_environment,
)
from torch.distributed.device_mesh import init_device_mesh

from softbridge.backbones import sharding
from softbridge.backbones.sharding import Shard
from softbridge.errors import StudyError
from softbridge.recipe import Recipe


def gather(device: str, **keys: Any) -> Accelerator:
    """Return the accelerator of this process and those launched with it.

    Where there is nothing but a CPU, accelerate wants to be told so: it would else take each process for the only one.
    That a launch asks for DeepSpeed it is not told: it would have transformers load every model in parts.

    Arguments:
        device: the recipe's `backbone.device`.
        keys: what else the accelerator is to know.

    Raises:
        StudyError: when the launch asks for Megatron, or for DeepSpeed otherwise than softbridge knows it.
    """
    refuse_deepspeed()
    disable_fsdp_ram_efficient_loading()  # or transformers loads the weights in the first process alone
    with patch_environment(accelerate_use_deepspeed="false"):
        accelerator = Accelerator(cpu=device == "cpu" or not torch.accelerator.is_available(), **keys)
    if accelerator.distributed_type is DistributedType.MEGATRON_LM:
        raise StudyError(
            f"the launch asks for {accelerator.distributed_type.value}",
            "a launch whose processes each hold the frozen model, or share its blocks out by FSDP or ZeRO-3",
            "use recipes/launch/gpus.yaml, or for a model that one device does not hold recipes/launch/fsdp.yaml",
        )
    return accelerator


def refuse_deepspeed() -> None:
    """Refuse a launch by DeepSpeed that is not for ZeRO-3, or without the package.

    Raises:
        StudyError: naming what the launch asks for.
    """
    if not parse_flag_from_env("ACCELERATE_USE_DEEPSPEED"):
        return
    stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE")  # where a file of DeepSpeed's own says it, there is none
    if stage != "3":
        raise StudyError(
            f"the launch asks for DeepSpeed with {f'ZeRO stage {stage}' if stage else 'no ZeRO stage of its own'}",
            "zero_stage: 3, which shares out the frozen model; stages 1 and 2 share out what an optimiser keeps, "
            "which for a prompt is little",
            "use recipes/launch/gpus.yaml, or for a model that one device does not hold recipes/launch/zero3.yaml",
        )
    if find_spec("deepspeed") is None:
        raise StudyError(
            "the launch asks for DeepSpeed, and deepspeed is not installed",
            "the package deepspeed",
            "pip install 'softbridge[deepspeed]', or launch with recipes/launch/fsdp.yaml",
        )


def sharing(accelerator: Accelerator) -> Shard | None:
    """Return how the processes come to each keep a part of a model's blocks, where the launch asks for it; else None.

    On a CPU, accelerate says nothing of FSDP but the variable that its launcher sets.
    """
    if accelerator.num_processes == 1:
        return None
    if parse_flag_from_env("ACCELERATE_USE_FSDP"):
        row = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        return partial(sharding.fsdp, mesh=row)
    if parse_flag_from_env("ACCELERATE_USE_DEEPSPEED"):
        return partial(sharding.zero3, device=accelerator.device)
    return None


@contextmanager
def in_turn(accelerator: Accelerator) -> Iterator[None]:
    """Let the processes of a machine load a model one after the other, so that it holds one whole model at a time.

    By DeepSpeed they load it together: the first process sends its weights to the others.
    """
    turns = 1 if parse_flag_from_env("ACCELERATE_USE_DEEPSPEED") else accelerator.num_processes
    for turn in range(turns):
        if turns == 1 or turn == accelerator.local_process_index:
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
            f"the launch shares out the backbone's blocks, and the recipe asks for {', '.join(seen)}",
            "a frozen backbone in float32 or bfloat16, and a prompt that enters at the input or in every layer",
            "leave that out, or launch with recipes/launch/gpus.yaml",
        )
