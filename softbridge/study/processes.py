"""The processes of a launch, as accelerate sees them."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType

from softbridge.errors import StudyError


def gather(device: str, **keys: Any) -> Accelerator:
    """Return the accelerator of this process and those launched with it.

    Where there is nothing but a CPU, accelerate wants to be told so: it would else take each process for the only one.

    Arguments:
        device: the recipe's `backbone.device`.
        keys: what else the accelerator is to know.

    Raises:
        StudyError: when the launch asks for FSDP, DeepSpeed or Megatron.
    """
    accelerator = Accelerator(cpu=device == "cpu" or not torch.accelerator.is_available(), **keys)
    kind = accelerator.distributed_type
    if kind in (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise StudyError(
            f"the launch asks for {kind.value}, which keeps a part of the weights on each device",
            "a launch whose processes each hold the frozen model, and share the rows",
            "use recipes/launch/gpus.yaml; a model that is too large fits with precision: bfloat16, or on a larger GPU",
        )
    return accelerator
