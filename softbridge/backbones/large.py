"""What lets a model train that is larger than its memory: checkpointed blocks, fewer bits, several devices."""

from __future__ import annotations

from functools import partial
from importlib import util
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from softbridge.backbones.base import BackboneSpec
from softbridge.errors import BackboneError


def loading(spec: BackboneSpec, sharded: bool = False) -> dict[str, Any]:
    """Return what `from_pretrained` is told of a model's precision, bits and devices.

    Arguments:
        spec: how it is run.
        sharded: whether it is shared out over processes, and like one on several devices never measured.

    Raises:
        BackboneError: when bits are asked for that nothing here can read.
    """
    small = spec.precision == "bfloat16" or ((placed(spec) or sharded) and spec.precision == "auto")
    told: dict[str, Any] = {"dtype": torch.bfloat16 if small else torch.float32}
    if spec.device_map:
        told["device_map"] = spec.device_map
    if spec.bits is None:
        return told
    if spec.bits == 4 and spec.device in ("auto", "cpu") and not torch.cuda.is_available():
        raise BackboneError(
            "backbone.bits is 4, and this device is a CPU",
            "a GPU: on a CPU bitsandbytes hands no gradient through weights of 4 bits, and says so nowhere",
            "write bits: 8, or precision: bfloat16",
        )
    if util.find_spec("bitsandbytes") is None:
        raise BackboneError(
            f"backbone.bits is {spec.bits}, and bitsandbytes is not installed",
            "the package that reads and multiplies weights of 4 and 8 bits",
            "pip install 'softbridge[bits]', or leave bits out",
        )
    from transformers import BitsAndBytesConfig

    how = {"load_in_8bit": True} if spec.bits == 8 else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    told["quantization_config"] = BitsAndBytesConfig(**how, bnb_4bit_compute_dtype=told["dtype"])
    return told


def placed(spec: BackboneSpec) -> bool:
    """Say whether loading alone decides where a model is and in what form; it is then neither moved nor measured."""
    return spec.bits is not None or spec.device_map is not None


def checkpointed(model: Any) -> None:
    """Let each block keep only what enters it, and compute the rest again on the way back: less memory, 1.3 the time.

    A block asks whether it trains before it does so. Only the block is told that it does; the layers in it, where
    dropout is, stay in evaluation mode.

    Raises:
        BackboneError: when the model's blocks cannot.
    """
    able = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not able:
        raise BackboneError(
            f"checkpointing is asked for, and the blocks of {type(model).__name__} cannot",
            "a model whose blocks transformers can checkpoint",
            "leave checkpointing out, and raise `accumulation` or lower `batch` for less memory",
        )
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    for block in able:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = again  # type: ignore[assignment]
        block.training = True
